import io
import json
import time

import pytest
import zstandard

from pulp_conda.channel.errors import BadUpstreamFile, RepodataTooLarge
from pulp_conda.channel.metadata.channeldata import Channeldata, read_channeldata
from pulp_conda.channel.package.info import TRAITS, PackageInfo, read_info
from tests.support.builders import TIMESTAMP, make_package, make_record
from tests.support.corpus import CORPUS, packages, read_index

URL = "https://conda.example.org/forge/channeldata.json"
NO_TRAITS = dict.fromkeys(TRAITS, False)


def make_info(about, source_urls=(), **traits):
    return PackageInfo(
        run_exports={},
        about=about,
        link=None,
        licenses=(),
        traits=NO_TRAITS | traits,
        source_urls=source_urls,
    )


def gather(records, infos=None):
    """Return the channeldata of records, each with its run_exports, and the traits of its file."""
    channeldata = Channeldata()
    records = list(records)
    records.sort(key=lambda record: (record.subdir, record.name, record.filename))
    for record in records:
        run_exports = record.run_exports
        channeldata.add(
            record.subdir,
            record.name,
            record.version,
            record.build_number,
            record.timestamp,
            record.sha256,
            None if run_exports is None else json.dumps(run_exports, sort_keys=True),
            license=record.license,
            traits=_traits((infos or {}).get(record.sha256)),
        )
    return channeldata


def _traits(info):
    """The names of the traits that a file has, or None if nobody has read it."""
    if info is None or info.about is None:
        return None
    return {trait for trait, has_it in info.traits.items() if has_it}


def written(channeldata, infos=None, summaries=None):
    return json.loads(channeldata.finish(infos or {}, summaries or {}).read())


def entries(records, infos=None, summaries=None):
    return written(gather(records, infos), infos, summaries)["packages"]


def with_run_exports(run_exports, *arguments, **fields):
    record = make_record(*arguments, **fields)
    return type(record)(record.subdir, record.filename, record.fields, run_exports)


def read(value, *, packed=False, max_size=10**9):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    file = io.BytesIO(zstandard.compress(text) if packed else text)
    return dict(read_channeldata(file, url=URL, max_size=max_size))


def upstream(**entries):
    return {"channeldata_version": 1, "packages": entries, "subdirs": ["noarch"]}


def test_all_that_the_cep_requires_is_there_when_nothing_is_known():
    channeldata = gather([make_record("hello", subdir="linux-64", timestamp=None)])
    assert written(channeldata) == {
        "channeldata_version": 1,
        "packages": {
            "hello": {
                **NO_TRAITS,
                "license": "BSD-3-Clause",
                "run_exports": {},
                "subdirs": ["linux-64"],
                "timestamp": 0,
                "version": "1.0",
            }
        },
        "subdirs": ["linux-64", "noarch"],
    }


def test_a_channel_without_packages_has_a_file():
    assert written(Channeldata()) == {
        "channeldata_version": 1,
        "packages": {},
        "subdirs": ["noarch"],
    }


def test_an_entry_sums_up_the_packages_of_a_name():
    records = [
        make_record("a", "1.0", subdir="linux-64", timestamp=TIMESTAMP + 9_999),
        make_record("a", "2.0", subdir="osx-64"),
        make_record("b", "1.0"),
    ]
    found = entries(records)
    assert found["a"]["version"] == "2.0"
    assert found["a"]["subdirs"] == ["linux-64", "osx-64"]
    assert found["a"]["timestamp"] == TIMESTAMP // 1000 + 9  # In seconds (CEP 38).
    assert found["b"]["subdirs"] == ["noarch"]


@pytest.mark.parametrize(
    "newest, older",
    [
        pytest.param({"version": "1.10"}, {"version": "1.9"}, id="version"),
        pytest.param({"version": "1!0.1"}, {"version": "2.0"}, id="epoch"),
        pytest.param(
            {"version": "1.0"}, {"version": "1.0rc1", "build_number": 7}, id="version, not build"
        ),
        pytest.param(
            {"build_number": 10, "timestamp": 1}, {"build_number": 9, "build": "z"}, id="build"
        ),
        pytest.param(
            {"timestamp": TIMESTAMP + 1000}, {"timestamp": TIMESTAMP, "build": "z"}, id="timestamp"
        ),
        pytest.param({"timestamp": TIMESTAMP}, {"timestamp": None, "build": "z"}, id="timestamps"),
        pytest.param({"version": "1.0"}, {"version": "???"}, id="no version"),
        pytest.param(
            {"version": "1.0.0", "build_number": 1},
            {"version": "1.0"},
            id="versions that are equal",
        ),
    ],
)
@pytest.mark.parametrize("subdirs", [("linux-64", "noarch"), ("noarch", "linux-64")])
def test_the_newest_file_of_a_name_is_known(newest, older, subdirs):
    record = make_record("a", subdir=subdirs[0], **newest)
    oldest = make_record("a", version="0.1", subdir="noarch")
    channeldata = gather([record, make_record("a", subdir=subdirs[1], **older), oldest])
    assert channeldata.files() == {"a": record.sha256}
    assert written(channeldata)["packages"]["a"]["version"] == record.version


def test_what_the_newest_file_says_is_taken():
    record = make_record("a")
    about = {
        "description": "Long",
        "dev_url": "https://dev.example.org",
        "doc_url": ["https://doc.example.org", "https://other.example.org"],
        "home": "https://example.org",
        "license": "MIT",
        "source_url": ["https://example.org/a.tar.gz", "https://example.org/b.tar.gz"],
        "summary": "Adds",
        "root_pkgs": [],
    }
    summaries = {"a": {"summary": "Something else", "post_link": True}}
    infos = {record.sha256: make_info(about, text_prefix=True)}
    found = entries([record], infos, summaries)["a"]
    assert found == {
        **NO_TRAITS,
        "dev_url": "https://dev.example.org",
        "doc_url": "https://doc.example.org",
        "home": "https://example.org",
        "license": "MIT",
        "run_exports": {},
        "source_url": ["https://example.org/a.tar.gz", "https://example.org/b.tar.gz"],
        "subdirs": ["noarch"],
        "summary": "Adds",
        "text_prefix": True,
        "timestamp": TIMESTAMP // 1000,
        "version": "1.0",
    }


@pytest.mark.parametrize(
    "about",
    [
        {"summary": None, "home": 3, "license": {"a": "b"}, "doc_url": [], "dev_url": [1]},
        {"summary": "", "source_url": "", "license": True},
        {"source_url": {"a": "b"}},
        {"source_url": ["https://example.org", 1]},
        {"source_url": []},
    ],
)
def test_what_has_another_type_is_left_out(about):
    record = make_record("a")
    assert entries([record], {record.sha256: make_info(about)}) == entries([record])


def test_the_upstream_speaks_for_files_that_nobody_has_read():
    record = make_record("a")
    summary = {"summary": "Adds", "post_link": True, "version": "9.9", "subdirs": ["win-64"]}
    for infos in ({}, {record.sha256: make_info(None, pre_link=True)}):
        found = entries([record], infos, {"a": summary})["a"]
        assert found["summary"] == "Adds"
        assert found["post_link"] is True
        assert found["pre_link"] is False
        # The packages of this channel count more than the upstream's summary.
        assert (found["version"], found["subdirs"]) == ("1.0", ["noarch"])


@pytest.mark.parametrize(
    "about, summary, expected",
    [
        pytest.param({"license": "MIT"}, {"license": "GPL"}, "MIT", id="of the file"),
        pytest.param({}, {"license": "GPL"}, "BSD-3-Clause", id="of the record"),
        pytest.param({"license": ""}, {}, "BSD-3-Clause", id="empty"),
        pytest.param({"license": ["MIT", "GPL"]}, {}, "MIT", id="list"),
        pytest.param(None, {"license": "GPL"}, "GPL", id="of the upstream"),
        pytest.param(None, {}, "BSD-3-Clause", id="unread"),
    ],
)
def test_the_license_is_that_of_whoever_says_it(about, summary, expected):
    older = make_record("a", "0.1", license="Public-Domain")
    record = make_record("a")
    infos = {record.sha256: make_info(about)}
    assert entries([older, record], infos, {"a": summary})["a"]["license"] == expected


def test_a_record_without_a_license_gives_none():
    record = make_record("a", license=None)
    assert "license" not in entries([record])["a"]


@pytest.mark.parametrize(
    "about, urls, summary, expected",
    [
        pytest.param({}, ("https://a.org/1",), {}, "https://a.org/1", id="one"),
        pytest.param({}, ("https://a.org/1", "https://a.org/2"), {}, None, id="two"),
        pytest.param({"source_url": "https://b.org"}, ("https://a.org",), {}, "https://b.org"),
        pytest.param({}, (), {"source_url": "https://c.org"}, "https://c.org", id="upstream"),
        pytest.param({}, None, {"source_url": "https://c.org"}, "https://c.org", id="read before"),
        pytest.param({}, ("https://a.org",), {"source_url": "https://c.org"}, "https://a.org"),
        pytest.param(None, (), {"source_url": "https://c.org"}, "https://c.org", id="unread"),
    ],
)
def test_the_sources_are_those_of_the_newest_file(about, urls, summary, expected):
    older, record = make_record("a", "0.1"), make_record("a")
    infos = {
        older.sha256: make_info({}, ("https://older.org",)),
        record.sha256: make_info(about, urls),
    }
    found = entries([older, record], infos, {"a": summary})["a"]
    assert found["source_url"] == (expected or list(urls))


def test_a_name_has_the_traits_of_all_its_packages():
    old, new, unread = make_record("a", "0.1"), make_record("a"), make_record("a", "0.2")
    infos = {
        old.sha256: make_info({}, post_link=True, text_prefix=True),
        new.sha256: make_info({}, binary_prefix=True),
    }
    summaries = {"a": {"pre_link": True}}
    has = {"post_link": True, "text_prefix": True, "binary_prefix": True}
    expected = NO_TRAITS | has

    def traits(*records):
        found = entries(records, infos, summaries)["a"]
        return {trait: found[trait] for trait in TRAITS}

    assert traits(old, new) == expected
    # The upstream may know the files that nobody has read here.
    assert traits(old, new, unread) == expected | {"pre_link": True}


def test_the_time_is_in_seconds_whatever_the_record_has():
    # The records of old packages have seconds where CEP 38 and all others have milliseconds.
    old = make_record("a", "0.1", timestamp=1_400_000_000)
    assert entries([old])["a"]["timestamp"] == 1_400_000_000
    assert entries([old, make_record("a")])["a"]["timestamp"] == TIMESTAMP // 1000


def test_run_exports_stand_by_version():
    records = [
        with_run_exports({"weak": ["a 1.0.*"]}, "a", "1.0"),
        with_run_exports({"strong": ["a 2.0.*"]}, "a", "2.0"),
        with_run_exports({}, "a", "3.0"),
        with_run_exports(None, "a", "4.0"),
    ]
    assert entries(records)["a"]["run_exports"] == {
        "1.0": {"weak": ["a 1.0.*"]},
        "2.0": {"strong": ["a 2.0.*"]},
    }


def test_run_exports_of_the_highest_build_are_taken():
    first, second, last = {"weak": ["a 1"]}, {"weak": ["a 1.0"]}, {"weak": ["a 1.0.0"]}
    records = [
        with_run_exports(last, "a", build="h_10", build_number=10),
        with_run_exports(first, "a", build="h_1", build_number=1),
        with_run_exports(second, "a", build="h_9", build_number=9),
        # On another platform it has no run_exports.
        with_run_exports({}, "a", build="h_11", build_number=11, subdir="linux-64"),
    ]
    assert entries(records)["a"]["run_exports"] == {"1.0": last}


def test_run_exports_of_the_upstream_fill_gaps():
    summary = {"run_exports": {"1.0": {"weak": ["wrong"]}, "0.9": {"weak": ["a 0.9"]}}}
    records = [with_run_exports({"weak": ["a 1"]}, "a")]
    assert entries(records, None, {"a": summary})["a"]["run_exports"] == {
        "0.9": {"weak": ["a 0.9"]},
        "1.0": {"weak": ["a 1"]},
    }


def test_the_same_packages_give_the_same_bytes():
    records = [
        make_record(name, subdir=subdir) for name in "bca" for subdir in ("noarch", "linux-64")
    ]
    files = []
    for _ in range(2):
        summaries = {"a": {"summary": "é", "home": "https://a"}}
        files.append(gather(records).finish({}, summaries).read())
    first, second = files
    assert first == second
    assert first.startswith(
        '{"channeldata_version":1,"packages":{"a":{"activate.d":false,"binary_prefix":false,'
        '"deactivate.d":false,"home":"https://a","license":"BSD-3-Clause","post_link":false,'
        '"pre_link":false,"pre_unlink":false,"run_exports":{},"subdirs":["linux-64","noarch"],"summary":"é",'
        '"text_prefix":false,"timestamp":1700000000,"version":"1.0"},"b":{'.encode()
    )
    assert first.endswith(b'}},"subdirs":["linux-64","noarch"]}\n')


def test_a_hundred_thousand_packages_are_added_in_five_seconds():
    channeldata = Channeldata()
    start = time.process_time()
    for number in range(100_000):
        version = f"{number // 100 % 10}.{number // 10 % 10}"
        name = f"name-{number // 1000}"
        channeldata.add("noarch", name, version, number % 10, TIMESTAMP, f"{number:064}", "{}")
    assert time.process_time() - start < 5
    assert len(channeldata.files()) == 100


@pytest.mark.parametrize("packed", [True, False])
def test_an_upstream_is_read_as_far_as_it_is_known(packed):
    found = read(
        upstream(
            a={
                **NO_TRAITS,
                "activate.d": True,
                "commits": 7,
                "run_exports": {"1.0": {"weak": ["a"]}, "2.0": ["a >=2"], "3.0": {}},
                "source_url": "https://example.org/a.tar.gz",
                "subdirs": ["noarch"],
                "summary": "Adds",
                "timestamp": 1,
                "version": "1.0",
            },
            b={},
        ),
        packed=packed,
    )
    assert found == {
        "a": {
            **NO_TRAITS,
            "activate.d": True,
            "run_exports": {"1.0": {"weak": ["a"]}, "2.0": {"weak": ["a >=2"]}},
            "source_url": "https://example.org/a.tar.gz",
            "summary": "Adds",
        },
        "b": {"run_exports": {}},
    }


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"summary": 3, "post_link": "yes", "home": None}, id="types"),
        pytest.param({"run_exports": [1]}, id="run_exports"),
        pytest.param({"run_exports": {"1.0": {"weak": [1]}}}, id="run_exports of a version"),
        pytest.param({"summary": "a" * 300_000}, id="large"),
        pytest.param({"summary": "\ud800"}, id="half a surrogate"),
        pytest.param({"source_url": 2**70}, id="integer beyond 64 bits"),
        pytest.param([], id="list"),
        pytest.param(None, id="null"),
    ],
)
def test_values_that_are_none_are_dropped(entry):
    found = read(upstream(a=entry, b={"summary": "b"}))
    assert not any(found["a"].values())
    assert found["b"]["summary"] == "b"


def test_nul_characters_are_dropped():
    assert read(upstream(a={"summary": "a\0b"}))["a"]["summary"] == "ab"


@pytest.mark.parametrize("name", ["", "A", "a/b", "a\0", "../a", "a" * 65, "é"])
def test_names_that_are_none_are_dropped(name):
    assert list(read(upstream(**{name: {}, "b": {}}))) == ["b"]


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param(b"<html>", "it starts with '<html>'", id="HTML"),
        pytest.param(b"", "'channeldata_version' is None", id="empty"),
        pytest.param(b"{}", "'channeldata_version' is None", id="empty object"),
        pytest.param(
            b'{"info": {}, "packages": {}}', "'channeldata_version' is None", id="repodata"
        ),
        pytest.param(
            b'{"channeldata_version": 2}', "'channeldata_version' is 2, not 1", id="later"
        ),
        pytest.param(
            b'{"packages": {}, "channeldata_version": "1\\n"}', r"is 1\n, not 1", id="text"
        ),
        pytest.param(b'{"channeldata_version": 1, "packages": {"a"', "cut short", id="cut short"),
        pytest.param(b'{"channeldata_version": NaN}', "is NaN, not 1", id="NaN"),
        pytest.param(b"\x28\xb5\x2f\xfd" + b"0" * 99, "compression is broken", id="broken zstd"),
        pytest.param(
            b'{"channeldata_version": 1, "packages": {"a": ' + b"[" * 10**6, "", id="nested"
        ),
        pytest.param(
            b'{"channeldata_version": 1, "packages": {"a": "' + b"a" * 10**7, "", id="endless"
        ),
    ],
)
def test_what_is_no_channeldata_is_an_error(text, reason):
    with pytest.raises(BadUpstreamFile) as caught:
        read(text)
    assert reason in caught.value.facts["reason"]
    assert caught.value.facts["url"] == URL


@pytest.mark.parametrize("value", [None, [], {}, "a", [{"a": {}}]])
def test_packages_that_are_none_are_passed_over(value):
    assert read({"channeldata_version": 1, "packages": value}) == {}


def test_the_size_is_limited():
    with pytest.raises(RepodataTooLarge) as caught:
        read(upstream(**{f"a{n}": {"summary": "a" * 1000} for n in range(1100)}), max_size=10**6)
    assert caught.value.facts["limit"] == 10**6


def test_what_is_written_can_be_read():
    records = [
        with_run_exports({"weak": ["a 1"]}, "a", "1.0"),
        with_run_exports({}, "b", "2.0"),
    ]
    infos = {records[0].sha256: make_info({"summary": "Adds"}, text_prefix=True)}
    file = gather(records).finish(infos, {}).read()
    summaries = dict(read_channeldata(io.BytesIO(file), url=URL, max_size=10**6))
    again = [with_run_exports(None, "a", "1.0"), with_run_exports(None, "b", "2.0")]
    assert entries(again, {}, summaries) == json.loads(file)["packages"]


@pytest.mark.parametrize("row", packages(ok=True))
def test_a_real_package_has_an_entry(row):
    path = CORPUS / row["filename"]
    index = read_index(path)
    with path.open("rb") as file:
        info = read_info(file, filename=path.name, size=path.stat().st_size)
    channeldata = Channeldata()
    subdir, run_exports = path.parent.name, json.dumps(info.run_exports)
    channeldata.add(
        subdir,
        index["name"],
        index["version"],
        index["build_number"],
        index.get("timestamp"),
        row["sha256"],
        run_exports,
        license=index.get("license") or "",
        traits=_traits(info),
    )
    (entry,) = written(channeldata, {row["sha256"]: info})["packages"].values()
    assert entry["version"] == index["version"]
    assert entry["subdirs"] == [subdir]
    assert entry["timestamp"] == (index.get("timestamp") or 0) // 1000
    assert entry["run_exports"] == (
        {index["version"]: info.run_exports} if info.run_exports else {}
    )
    for key in ("summary", "home", "dev_url", "doc_url"):
        assert entry.get(key) == (info.about.get(key) or None)
    assert entry.get("license") == (info.about.get("license") or index.get("license") or None)
    urls = list(info.source_urls)
    assert entry.get("source_url") == (urls[0] if len(urls) == 1 else urls or None)
    assert {trait: entry[trait] for trait in TRAITS} == info.traits


def test_an_uploaded_package_has_an_entry():
    package = make_package(info={"about.json": b'{"summary": "Greets"}'})
    info = read_info(io.BytesIO(package.data), filename=package.filename, size=len(package.data))
    found = entries([package.record], {package.record.sha256: info})
    assert found["hello"]["summary"] == "Greets"
