import bz2
import io
import json
import tarfile
import tracemalloc

import pytest
from conda_package_streaming.package_streaming import stream_conda_info
from hypothesis import given
from hypothesis import strategies as st
from rattler import AboutJson, PathsJson, RunExportsJson
from rattler.exceptions import ExtractError

from pulp_conda.channel.errors import (
    BadPackageName,
    PackageTooLarge,
    UnreadablePackage,
    UnsafeMember,
)
from pulp_conda.channel.package.info import TRAITS, read_info
from pulp_conda.channel.package.package import Limits, read_package_with_info
from tests.support.builders import make_member, make_package, pack_tar
from tests.support.corpus import CORPUS, packages

both_formats = pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])


def read(package, limits=Limits()):
    """Return the metadata of a package, which both readers have to agree about."""
    data = package.data
    info = read_info(io.BytesIO(data), filename=package.filename, size=len(data), limits=limits)
    checksums = {key: package.record.fields[key] for key in ("md5", "sha256", "size")}
    record, same = read_package_with_info(io.BytesIO(data), **checksums, limits=limits)
    assert info == same
    assert record.run_exports == info.run_exports
    return info


def traits(package):
    """Return the names of the traits that a package has."""
    found = read(package).traits
    assert tuple(found) == TRAITS
    return {trait for trait in TRAITS if found[trait]}


def paths_json(*entries):
    """Return the text of a paths.json; an entry is a path, or a path and more fields."""
    entries = [(entry, {}) if isinstance(entry, str) else entry for entry in entries]
    paths = [{"_path": path, "path_type": "hardlink", **fields} for path, fields in entries]
    return json.dumps({"paths": paths, "paths_version": 1}).encode()


@both_formats
def test_a_package_tells_what_its_record_does_not(extension):
    about = {"summary": "Greets", "home": "https://hello.example.org", "unknown": [1, {"a": None}]}
    link = {"noarch": {"type": "python"}, "package_metadata_version": 1}
    info = read(
        make_package(
            extension=extension,
            info={
                "about.json": json.dumps(about).encode(),
                "link.json": json.dumps(link).encode(),
                "run_exports.json": b'{"weak": ["hello >=1.0,<2.0a0"]}',
                "licenses/LICENSE.txt": b"Do what you like",
                "licenses/library/COPYING": b"Copy",
            },
        )
    )
    assert info.about == about
    assert info.link == link
    assert info.run_exports == {"weak": ["hello >=1.0,<2.0a0"]}
    assert info.licenses == ("LICENSE.txt", "library/COPYING")
    assert not any(info.traits.values())


@both_formats
def test_a_package_need_not_tell_anything(extension):
    everything = ("about.json", "paths.json", "files")
    info = read(make_package(extension=extension, info=dict.fromkeys(everything)))
    assert info.about == {}
    assert info.link is None
    assert info.run_exports == {}
    assert info.licenses == ()
    assert info.traits == dict.fromkeys(TRAITS, False)


@pytest.mark.parametrize("name", ["about.json", "link.json", "run_exports.json", "paths.json"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut short"),
        pytest.param(b"null", id="null"),
        pytest.param(b"3", id="number"),
        pytest.param(b"[1]", id="list"),
        pytest.param(b'{"weak": "hello", "paths": "hello"}' * 2, id="two values"),
        pytest.param(b'{"a": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"a": "\\ud800"}', id="half a surrogate"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b"[" * 10**6, id="endlessly nested"),
        pytest.param(b'{"a":' * 300 + b"0" + b"}" * 300, id="nested"),
    ],
)
def test_a_file_that_is_no_object_counts_as_missing(name, content):
    nothing = read(make_package(info={name: None, "files": None}))
    assert read(make_package(info={name: content, "files": None})) == nothing


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"paths": [1, None, {"_path": 1}, {}, []]}, id="entries"),
        pytest.param({"paths": {"_path": "etc/conda/activate.d/a.sh"}}, id="no list"),
    ],
)
def test_paths_that_are_none_are_passed_over(content):
    package = make_package(info={"paths.json": json.dumps(content).encode(), "files": None})
    assert traits(package) == set()


def test_a_file_may_come_from_windows():
    package = make_package(info={"about.json": b'\xef\xbb\xbf{\r\n"summary": "Greets"}\r\n'})
    assert read(package).about == {"summary": "Greets"}


@pytest.mark.parametrize(
    "text, value",
    [
        pytest.param(r'"a\u0000\u0000b"', "ab", id="NUL"),
        pytest.param(r'"a\\u0000b"', r"a\u0000b", id="backslash and digits"),
        pytest.param(r'"a\\\u0000b"', "a\\b", id="backslash and NUL"),
        pytest.param(r'{"k\u0000": 1}', {"k": 1}, id="key"),
    ],
)
def test_nul_characters_are_left_out(text, value):
    # PostgreSQL stores them neither in texts nor in JSON.
    about = '{"summary": %s}' % text
    assert read(make_package(info={"about.json": about.encode()})).about == {"summary": value}


@both_formats
def test_files_that_are_too_large_are_passed_over(extension):
    large = json.dumps({"summary": "a" * 2**20}).encode()
    info = dict.fromkeys(["about.json", "link.json"], large) | {
        "paths.json": paths_json("etc/conda/activate.d/a.sh", "a" * 2**21),
        "run_exports.json": b'{"weak": ["%b"]}' % (b"a" * 2**20),
        "files": b"etc/conda/deactivate.d/a.sh\n",
    }
    package = make_package(extension=extension, info=info)
    found = read(package, Limits(info_member_size=2**21))
    assert (found.about, found.link, found.run_exports) == ({}, None, {})
    # The file that paths.json replaced is small enough.
    assert found.traits == dict.fromkeys(TRAITS, False) | {"deactivate.d": True}


@both_formats
def test_only_what_is_needed_is_held_in_memory(extension):
    large = bytes(20 * 2**20)
    info = {"about.json": large, "recipe/meta.yaml": large, "icon.png": large}
    package = make_package(extension=extension, info=info)
    file = io.BytesIO(package.data)
    tracemalloc.start()
    found = read_info(file, filename=package.filename, size=len(package.data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.about == {}
    assert peak < 2**22


def test_files_larger_than_the_limit_are_passed_over():
    package = make_package(info={"about.json": b'{"summary": "' + b"a" * 1000 + b'"}'})
    assert read(package, Limits(info_member_size=1000)).about == {}
    assert read(package, Limits(info_member_size=1100)).about != {}


@both_formats
def test_a_link_is_not_followed(extension):
    link = make_member("info/about.json", tarfile.SYMTYPE, target="index.json")
    package = make_package(extension=extension, info={"about.json": None}, info_members=[link])
    assert read(package).about == {}


def test_info_among_the_files_of_a_conda_is_not_taken():
    members = [
        (make_member("info/run_exports.json"), b'{"weak": ["hello"]}'),
        make_member("info/licenses/LICENSE"),
    ]
    info = read(make_package(members=members))
    assert (info.run_exports, info.licenses) == ({}, ())


def test_info_of_a_tar_bz2_may_stand_behind_the_files():
    # conda-build sorts files by size, so the files of this folder are between others.
    info = {
        "run_exports.json": b'{"strong": ["hello"]}',
        "licenses/LICENSE": b"",
        "about.json": b'{"summary": "late"}',
    }
    late = [(make_member(f"info/{name}"), content) for name, content in info.items()]
    package = make_package(
        extension=".tar.bz2",
        files={"bin/hello": b"#!/bin/sh\n"},
        info={"about.json": None},
        members=late,
    )
    found = read(package)
    assert found.run_exports == {"strong": ["hello"]}
    assert found.about == {"summary": "late"}
    assert found.licenses == ("LICENSE",)


def test_old_packages_have_one_license():
    assert read(make_package(info={"LICENSE.txt": b""})).licenses == ("LICENSE.txt",)


def test_folders_and_very_long_names_are_no_licenses():
    members = [
        make_member("info/licenses/", tarfile.DIRTYPE),
        make_member("info/licenses/a/", tarfile.DIRTYPE),
        make_member("info/licenses/a/b", tarfile.SYMTYPE, target="c"),
        make_member("info/licenses/" + "long" * 300),
        make_member("info/licenses.txt"),
    ]
    assert read(make_package(info_members=members)).licenses == ("a/b",)


def test_names_of_licenses_can_be_stored():
    members = [make_member("info/licenses/\udcff"), make_member("info/licenses/é")]
    assert read(make_package(info_members=members)).licenses == ("é", "\ufffd")


def test_a_thousand_licenses_are_enough():
    members = [make_member(f"info/licenses/{number}") for number in range(1200)]
    assert len(read(make_package(info_members=members)).licenses) == 1000


@pytest.mark.parametrize(
    "path, trait",
    [
        ("etc/conda/activate.d/hello.sh", "activate.d"),
        ("etc/conda/deactivate.d/hello.bat", "deactivate.d"),
        ("bin/.hello-pre-link.sh", "pre_link"),
        ("bin/.hello-post-link.sh", "post_link"),
        ("Scripts/.hello-post-link.bat", "post_link"),
        ("Scripts/.hello-pre-unlink.bat", "pre_unlink"),
        ("python-scripts/.hello-post-link.sh", "post_link"),
        ("bin/.hello-post-unlink.sh", None),
        ("bin/.other-post-link.sh", None),
        ("bin/hello-post-link.sh", None),
        ("share/.hello-post-link.sh", None),
        ("share/etc/conda/activate.d/hello.sh", None),
        ("etc/conda/activate.d", None),
    ],
)
def test_scripts_are_known_by_their_paths(path, trait):
    expected = {trait} - {None}
    new = {"paths.json": paths_json(path), "files": None}
    assert traits(make_package(files={path: b""}, info=new)) == expected
    old = {"paths.json": None, "files": f"bin/hello\r\n{path}\n".encode()}
    assert traits(make_package(info=old)) == expected


def test_a_name_is_no_pattern():
    script = "bin/.axb-post-link.sh"
    package = make_package("a.b", files={script: b""}, info={"paths.json": paths_json(script)})
    assert traits(package) == set()


@pytest.mark.parametrize(
    "fields, trait",
    [
        ({"prefix_placeholder": "/opt/x", "file_mode": "text"}, "text_prefix"),
        ({"prefix_placeholder": "/opt/x", "file_mode": "binary"}, "binary_prefix"),
        # Without a mode it is text (CEP 34).
        ({"prefix_placeholder": "/opt/x"}, "text_prefix"),
        ({"prefix_placeholder": "", "file_mode": "binary"}, None),
        ({"file_mode": "binary"}, None),
    ],
)
def test_prefixes_stand_in_paths_json(fields, trait):
    info = {"paths.json": paths_json(("lib/a.so", fields))}
    package = make_package(files={"lib/a.so": b""}, info=info)
    assert traits(package) == {trait} - {None}


@pytest.mark.parametrize(
    "line, trait",
    [
        ("bin/hello", "text_prefix"),
        ("/opt/x text bin/hello", "text_prefix"),
        ("/opt/x binary lib/a.so", "binary_prefix"),
        ('"C:\\Program Files" binary "lib/a b.dll"', "binary_prefix"),
        ("share/a binary file", "binary_prefix"),
        ("", None),
    ],
)
def test_prefixes_of_old_packages_stand_in_has_prefix(line, trait):
    info = {"paths.json": None, "has_prefix": f"{line}\n".encode()}
    assert traits(make_package(info=info)) == {trait} - {None}


def test_paths_json_is_preferred_to_what_it_replaced():
    info = {
        "paths.json": paths_json("etc/conda/activate.d/a.sh"),
        "files": b"etc/conda/deactivate.d/a.sh\n",
        "has_prefix": b"bin/hello\n",
    }
    files = {"etc/conda/activate.d/a.sh": b""}
    assert traits(make_package(files=files, info=info)) == {"activate.d"}


@both_formats
def test_a_file_that_is_cut_short_is_an_error(extension):
    data = make_package(extension=extension, files={"bin/a": bytes(range(256)) * 50}).data
    with pytest.raises(UnreadablePackage):
        read_info(io.BytesIO(data[:-40]), filename=f"hello-1.0-0{extension}", size=len(data))


def test_of_a_conda_file_only_info_is_unpacked():
    package = make_package(members=[make_member("../evil")])
    data = package.data
    info = read_info(io.BytesIO(data), filename=package.filename, size=len(data))
    assert info.about == {"summary": "hello, for tests"}
    evil = make_package(info_members=[make_member("info/../../evil")])
    with pytest.raises(UnsafeMember):
        read_info(io.BytesIO(evil.data), filename=evil.filename, size=len(evil.data))


def test_bombs_are_refused():
    tar = pack_tar([(make_member("info/index.json"), b"{}"), (make_member("a"), bytes(10**6))])
    data = bz2.compress(tar)
    with pytest.raises(PackageTooLarge):
        read_info(
            io.BytesIO(data),
            filename="hello-1.0-0.tar.bz2",
            size=len(data),
            limits=Limits(total_size=10**5),
        )


def test_a_name_that_is_none_is_an_error():
    with pytest.raises(BadPackageName):
        read_info(io.BytesIO(make_package().data), filename="hello.conda", size=1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("paths"),
    lambda children: (
        st.lists(children)
        | st.dictionaries(st.sampled_from(["paths", "_path", "weak", "file_mode", "a"]), children)
    ),
    max_leaves=20,
)


@given(name=st.sampled_from(["about.json", "run_exports.json", "paths.json"]), value=_JSON)
def test_no_json_is_an_error(name, value):
    info = read(make_package(info={name: json.dumps(value).encode()}))
    assert isinstance(info.about, dict)


@pytest.mark.parametrize("row", packages(ok=True))
def test_a_real_package_tells_the_same_to_rattler(row):
    path = CORPUS / row["filename"]
    with path.open("rb") as file:
        info = read_info(file, filename=path.name, size=path.stat().st_size)
    texts, licenses = _info_files(path)
    about = json.loads(texts.get("info/about.json", "{}"))
    assert info.about == about
    assert AboutJson.from_str(json.dumps(info.about)).summary == about.get("summary")
    assert info.link == json.loads(texts.get("info/link.json", "null"))
    assert set(info.licenses) == licenses
    assert _run_exports(info) == _run_exports(_from_archive(RunExportsJson, path))
    assert info.traits == dict.fromkeys(TRAITS, False) | dict.fromkeys(
        _traits(_from_archive(PathsJson, path), texts), True
    )


def _info_files(path):
    texts, licenses = {}, set()
    for tar, member in stream_conda_info(str(path)):
        if member.name.startswith("info/licenses/") and not member.isdir():
            licenses.add(member.name.removeprefix("info/licenses/"))
        elif member.isreg() and member.name.count("/") == 1:
            texts[member.name] = tar.extractfile(member).read().decode(errors="replace")
    if "info/LICENSE.txt" in texts:
        licenses.add("LICENSE.txt")
    return texts, licenses


def _from_archive(reader, path):
    try:
        return reader.from_package_archive(path)
    except ExtractError:
        return None  # The package has no such file.


def _run_exports(found):
    kinds = ("weak", "strong", "noarch", "weak_constrains", "strong_constrains")
    if found is None:
        return dict.fromkeys(kinds, [])
    if isinstance(found, RunExportsJson):
        return {kind: getattr(found, kind) for kind in kinds}
    return {kind: found.run_exports.get(kind, []) for kind in kinds}


def _traits(paths, texts):
    """Yield the traits that conda-index finds. It has patterns instead of names."""
    if paths is None:
        files = texts.get("info/files", "").splitlines()
        has_prefix = texts.get("info/has_prefix", "").splitlines()
        modes = {"binary" if " binary " in line else "text" for line in has_prefix}
    else:
        files = [str(entry.relative_path) for entry in paths.paths]
        placeholders = [entry.prefix_placeholder for entry in paths.paths]
        modes = {"binary" if found.file_mode.binary else "text" for found in placeholders if found}
    for mode in modes:
        yield f"{mode}_prefix"
    for path in files:
        folder, _, name = path.rpartition("/")
        if folder in ("etc/conda/activate.d", "etc/conda/deactivate.d"):
            yield folder.removeprefix("etc/conda/")
        for action in ("pre-link", "post-link", "pre-unlink"):
            if name.startswith(".") and f"-{action}." in name:
                yield action.replace("-", "_")
