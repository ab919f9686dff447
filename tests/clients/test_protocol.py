"""What clients read of a channel is right: the same as an index that others write, whatever form it
is read in.

tests/slow/test_protocol.py does the same with a channel of real packages.
"""

import json
import shutil

import msgpack
import pytest
import rattler
import zstandard

from tests.support import gateway
from tests.support.builders import make_package
from tests.support.corpus import read_index
from tests.support.proxy import Proxy

SUBDIRS = ("linux-64", "osx-arm64", "win-64")
SECTIONS = ("packages", "packages.conda")

EXTENSIONS = (".conda", ".tar.bz2")
INDEX = "repodata_shards.msgpack.zst"

KNOWN_TO_RATTLER = set(
    "arch build build_number constrains depends extra_depends features flags indexed_timestamp"
    " license license_family md5 name noarch platform purls python_site_packages_path sha256 size"
    " subdir timestamp track_features version".split()
)


def _built():
    """Packages of every kind that records can say something special of, which need each other."""
    weak = {"run_exports.json": b'{"weak": ["lib >=1.0,<2.0a0"]}'}
    strong = {"run_exports.json": b'{"strong": ["run"], "noarch": ["lib"], "weak_constrains": []}'}
    text = {"share/text": "é".encode()}
    yield make_package("app", "1.0", depends=["lib >=1"])
    yield make_package("app", "2.0", depends=["lib >=1.1,<3", "web", "__unix"])
    yield make_package("app", "3.0", depends=["lib >=9"])
    yield make_package("web", "1!0.5", depends=["lib >=1.1", "text 1.*"], noarch="python")
    yield make_package("text", "1.0+local.1", "py_7", build_number=7, files=text)
    yield make_package(
        "text", "1.0a1", index={"license": "LicenseRef-É", "license_family": "Other"}
    )
    yield make_package("text", "2.0", index={"constrains": ["app >=2.0", "web !=0.4"]})
    yield make_package("script", noarch="python", files={"site-packages/a.py": b"a = 1\n"})
    yield make_package("silent", index={"depends": ..., "constrains": []})
    yield make_package("ancient", "0.9", index={"subdir": ...})
    yield make_package("odd", index={"unknown": {"a": [None]}, "license": None, "arch": None})
    yield make_package("old", "2014.1", extension=".tar.bz2", index={"timestamp": ...})
    for subdir in SUBDIRS:
        # CEP 20 and CEP 17.
        yield make_package("abi", "3.1", "cp310_0", subdir=subdir, noarch="python")
        site_packages = {"python_site_packages_path": "lib/python3.13t/site-packages"}
        yield make_package("interpreter", "3.13", subdir=subdir, index=site_packages)
        for version in ("1.0", "1.1", "2.0"):
            for extension in (".conda", ".tar.bz2"):
                yield make_package(
                    "lib",
                    version,
                    f"h{version[0]}_1",
                    build_number=1,
                    subdir=subdir,
                    extension=extension,
                    info=weak,
                    depends=["run"] if version == "2.0" else [],
                )
        yield make_package("run", subdir=subdir, info=strong, depends=["__glibc >=2.17"])
        yield make_package("run", "0.9", "dbg_0", subdir=subdir, index={"track_features": "debug"})
        yield make_package(
            "cuda", "12.4+cu124", "cuda_0", subdir=subdir, index={"track_features": "gpu debug"}
        )


ENVIRONMENTS = [
    ["app"],
    ["app 1.*"],
    ["app", "text 2.*"],
    ["app >=3"],
    ["lib <2", "run"],
    ["web 1!0.*"],
    ["text ==1.0+local.1"],
    ["cuda[build=cuda_0]", "text"],
    ["old", "odd", "silent"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A channel of packages in a folder, with the index that rattler writes."""
    folder = tmp_path_factory.mktemp("channel")
    _write(folder, _built())
    gateway.call("index", folder=folder)
    return folder


def _write(folder, packages):
    for package in packages:
        (folder / package.subdir).mkdir(exist_ok=True)
        (folder / package.subdir / package.filename).write_bytes(package.data)


# The index of the same files


def test_an_upload_of_the_same_files_is_what_rattler_makes_of_the_folder(
    pulp, make_repository, folder
):
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=[_upload(pulp, path) for path in _packages(folder)])
    url = pulp.distribute(repository=repository)
    # It passes over the subdirs of platforms that it does not know, 'linux-fake' for one.
    for theirs_folder in sorted(path.parent for path in folder.glob("*/repodata.json")):
        subdir = theirs_folder.name
        theirs = json.loads((theirs_folder / "repodata.json").read_text())
        ours = pulp.fetch(url, f"{subdir}/repodata.json").json()
        run_exports = pulp.fetch(url, f"{subdir}/run_exports.json").json()
        for section in SECTIONS:
            assert ours[section].keys() == theirs[section].keys() == run_exports[section].keys()
            expected = {
                filename: _as_rattler_writes(
                    filename,
                    record,
                    run_exports[section][filename]["run_exports"],
                    read_index(theirs_folder / filename),
                )
                for filename, record in _without_moments(ours[section]).items()
            }
            assert expected == _without_moments(theirs[section])
        # It has a 'v3' also when nothing is in there, and no list of what was removed.
        assert _rest(ours) | {"v3": {}} == _rest(theirs) | {"removed": []}
        _compare_shards(pulp, url, theirs_folder)


def _packages(folder):
    return [path for path in sorted(folder.glob("*/*")) if path.name.endswith(EXTENSIONS)]


def _upload(pulp, path):
    """Upload a file; for the subdir that it lies in, if it does not say one."""
    subdir = {} if "subdir" in read_index(path) else {"subdir": path.parent.name}
    answer = pulp.post_bytes(
        "content/conda/packages/upload/", path.name, path.read_bytes(), **subdir
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["pulp_href"]


def _without_moments(records):
    """Records without the moment since when their channel has them: each says one, and no two
    channels the same.
    """
    records = {filename: dict(record) for filename, record in records.items()}
    assert all(record.pop("indexed_timestamp") > 0 for record in records.values())
    return records


def _rest(repodata):
    return {key: value for key, value in repodata.items() if key not in SECTIONS}


def _as_rattler_writes(filename, record, run_exports, index):
    """Turn a record of ours into rattler's. All differences stand here, and none of them matters to
    a client.

    Args:
        index: The package's `info/index.json`.
    """
    fields = {
        key: value
        for key, value in record.items()
        # It writes the keys that it knows, we those that the package has.
        if key in KNOWN_TO_RATTLER
        # No value and an empty list are the same as no key.
        and value not in (None, [])
    }
    # The list of dependencies is there also when it is empty.
    fields.setdefault("depends", [])
    # It writes each spec in the one form that it has for it: 'lib 1.0' becomes 'lib ==1.0'.
    for key in {"depends", "constrains"} & fields.keys():
        fields[key] = [str(rattler.MatchSpec(spec)) for spec in fields[key]]
    # A package of old does not say for which subdir it is: we ask whoever uploads it.
    if "subdir" not in index:
        fields["subdir"] = "unknown"
    # It has run_exports in the records of all forms, where we have them in shards and in a file of
    # their own (CEP 12), but only those of `.conda` files, and no kind of them that is empty.
    run_exports = {kind: specs for kind, specs in run_exports.items() if specs}
    if run_exports and filename.endswith(".conda"):
        fields["run_exports"] = run_exports
    return fields


def _compare_shards(pulp, url, theirs_folder):
    """Compare the shards with the other form of each, and the index with rattler's."""
    subdir = theirs_folder.name
    ours = pulp.fetch_shard_index(url, subdir)
    theirs = msgpack.unpackb(_unzstd((theirs_folder / INDEX).read_bytes()))
    assert ours["shards"].keys() == theirs["shards"].keys()
    for index in (ours, theirs):
        assert index["info"].pop("created_at") > "2026"
        assert {len(digest) for digest in index.pop("shards").values()} == {32}
    # CEP 16 wants the version, and rattler neither writes nor reads it.
    assert ours == {"version": 1, **theirs}

    flat, shards = pulp.fetch(url, f"{subdir}/repodata.json").json(), pulp.fetch_shards(url, subdir)
    run_exports = pulp.fetch(url, f"{subdir}/run_exports.json").json()
    for section in SECTIONS:
        # CEP 21: the shards have both in one.
        expected = {
            filename: record | run_exports[section][filename]
            for filename, record in flat[section].items()
        }
        assert shards[section] == expected


def _unzstd(data):
    # rattler does not state the size of the content.
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


# The same solutions from every form


def test_every_form_gives_the_same_solutions_and_the_upstream_too(
    pulp, upstream, make_mirror, folder, tmp_path
):
    shutil.copytree(folder, upstream.folder, dirs_exist_ok=True)
    mirror = make_mirror(policy="immediate")
    pulp.sync(mirror.repository)
    environments = ENVIRONMENTS + [[name] for name in _package_names(upstream.folder)]
    for subdir in SUBDIRS:
        with Proxy(mirror.url) as proxy:
            expected = gateway.call(
                "solve",
                url=upstream.url,
                cache=tmp_path / f"{subdir}-upstream",
                environments=environments,
                subdir=subdir,
                form="json",
            )
            text = json.dumps(expected).replace(f"{upstream.url}/", proxy.url)
            # A record of the upstream has no subdir. Here it has that of its folder.
            expected = json.loads(text.replace('"subdir": "unknown"', '"subdir": "noarch"'))
            assert sum(solution is not None for solution in expected) > 10
            assert any(solution is None for solution in expected)
            for form in gateway.FORMS:
                solutions = gateway.call(
                    "solve",
                    url=proxy.url,
                    cache=tmp_path / f"{subdir}-{form}",
                    environments=environments,
                    subdir=subdir,
                    form=form,
                )
                assert solutions == expected, form
                assert proxy.take() == _requests(pulp, mirror.url, subdir, form)


def _package_names(folder):
    names = set()
    for path in folder.glob("*/repodata.json"):
        repodata = json.loads(path.read_text())
        for section in SECTIONS:
            names |= {record["name"] for record in repodata[section].values()}
    return sorted(names)


def _requests(pulp, url, subdir, form):
    """All requests of a client with an empty cache that wants every name."""
    requests = []
    for folder in ("noarch", subdir):
        if form == "shards":
            requests.append(("GET", f"{folder}/{INDEX}", 200))
            for digest in pulp.fetch_shard_index(url, folder)["shards"].values():
                requests.append(("GET", f"{folder}/shards/{digest.hex()}.msgpack.zst", 200))
        elif form == "zst":
            requests.append(("HEAD", f"{folder}/repodata.json.zst", 200))
            requests.append(("GET", f"{folder}/repodata.json.zst", 200))
        else:
            requests.append(("GET", f"{folder}/repodata.json", 200))
    return sorted(requests)


def test_a_client_fetches_no_more_shards_than_it_needs(pulp, make_repository, unique, tmp_path):
    names = {name: f"{name}-{unique}" for name in ("app", "lib", "run", "other")}
    packages = [
        make_package(names["app"], depends=[names["lib"]]),
        make_package(names["lib"], depends=[f"{names['run']} >=1"], subdir="linux-64"),
        make_package(names["run"]),
        make_package(names["other"]),
    ]
    repository = make_repository(autopublish=True)
    pulp.modify(repository, add=[pulp.upload(package)["pulp_href"] for package in packages])
    url = pulp.distribute(repository=repository)
    with Proxy(url) as proxy:
        environment = [names["app"]]
        (solution,) = gateway.call(
            "solve", url=proxy.url, cache=tmp_path, environments=[environment]
        )
        requests = proxy.take()
    assert {record["name"] for record in solution} == set(names.values()) - {names["other"]}
    expected = [("GET", f"{subdir}/{INDEX}", 200) for subdir in ("linux-64", "noarch")]
    for package in packages[:3]:
        digest = pulp.fetch_shard_index(url, package.subdir)["shards"][package.record.name]
        expected.append(("GET", f"{package.subdir}/shards/{digest.hex()}.msgpack.zst", 200))
    assert requests == sorted(expected)


def test_a_client_learns_the_same_from_every_form(pulp, make_repository, unique, tmp_path):
    new = make_package(
        f"new-{unique}",
        index={
            "schema_version": 3,
            "depends": ['lib[version=">=1", when="__unix"]'],
            "extra_depends": {"all": ['lib[extras=["x"]]']},
            "flags": ["gpu"],
        },
    )
    patched, gone = make_package(f"patched-{unique}"), make_package(f"gone-{unique}")
    repository = make_repository(autopublish=True, channel_relations={"base": "../base"})
    packages = (new, patched, gone)
    pulp.modify(repository, add=[pulp.upload(package)["pulp_href"] for package in packages])
    pulp.post(
        "content/conda/patches/",
        repository=repository,
        subdir="noarch",
        credit="somebody",
        reason="a test",
        instructions={
            "packages.conda": {patched.filename: {"depends": ["hotfix"]}},
            "remove": [gone.filename],
        },
    )
    notice = {"message": "We move.", "level": "info", "expires_at": "2999-01-31T00:00:00Z"}
    url = pulp.distribute(repository=repository, notices=[notice])
    names = [package.record.name for package in packages]
    learned = {
        form: gateway.call(
            "load", url=url, cache=tmp_path / form, names=names, subdirs=["noarch"], form=form
        )
        for form in gateway.FORMS
    }
    assert learned["shards"] == learned["zst"] == learned["json"]
    records = learned["json"].pop("records")
    assert learned["json"] == {
        "removed": [f"{url}noarch/{gone.filename}"],
        "notices": ["We move."],
        "base": "../base",
    }
    assert records.keys() == {f"{url}noarch/{package.filename}" for package in (new, patched)}
    assert records[f"{url}noarch/{patched.filename}"]["depends"] == ["hotfix"]
    read = records[f"{url}noarch/{new.filename}"]
    assert {key: read[key] for key in ("depends", "extra_depends", "flags")} == {
        key: new.record.fields[key] for key in ("depends", "extra_depends", "flags")
    }
