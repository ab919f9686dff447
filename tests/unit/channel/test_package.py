import bz2
import io
import json
import struct
import tarfile
import tracemalloc
import zipfile
from hashlib import md5, sha256, shake_128

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulp_conda.channel.errors import (
    BadIndexJson,
    BadPackageName,
    BadSubdir,
    MissingMetadata,
    MissingSubdir,
    PackageError,
    PackageMismatch,
    PackageTooLarge,
    PayloadMismatch,
    SeveralErrors,
    UnreadablePackage,
    UnsafeMember,
)
from pulp_conda.channel.package import archive
from pulp_conda.channel.package.package import Limits, read_package_with_info
from tests.support.builders import make_member, make_package, pack_conda, pack_tar, pack_zip

EXTENSIONS = (".conda", ".tar.bz2")
FILES = {"bin/hello": b"#!/bin/sh\necho hello\n", "lib/liba.so.1": b"a", "lib/liba.so": "liba.so.1"}

both_formats = pytest.mark.parametrize("extension", EXTENSIONS)


def read(data, **arguments):
    record, _ = read_package_with_info(
        io.BytesIO(data),
        md5=md5(data).hexdigest(),
        sha256=sha256(data).hexdigest(),
        size=len(data),
        **arguments,
    )
    return record


def read_error(error, data, **arguments):
    """Return the facts of the error that reading raises."""
    with pytest.raises(error) as caught:
        read(data, **arguments)
    assert str(caught.value)
    return caught.value.facts


@both_formats
def test_a_package_gives_its_record(extension):
    package = make_package(
        depends=["python >=3.12"], extension=extension, files=FILES, index={"unknown": {"a": [1]}}
    )
    for filename in (package.filename, None):
        record = read(package.data, filename=filename)
        assert record.fields == package.record.fields
        assert record.filename == package.filename
        assert record.subdir == "noarch"


@both_formats
def test_checksums_are_those_of_the_file(extension):
    wrong = {"md5": "0" * 32, "sha256": "0" * 64, "size": 1}
    package = make_package(extension=extension, index=wrong)
    assert read(package.data).fields == package.record.fields


@both_formats
def test_a_record_comes_with_the_run_exports_of_the_package(extension):
    info = {"run_exports.json": b'{"weak": ["hello >=1.0"]}'}
    assert read(make_package(extension=extension, info=info).data).run_exports == {
        "weak": ["hello >=1.0"]
    }
    assert read(make_package(extension=extension).data).run_exports == {}


def test_a_package_that_declares_v3_gives_such_a_record():
    depends = ["numpy[version='>=2',when='python >=3.12']"]
    assert read(make_package(index={"schema_version": 3}).data).in_v3
    assert read(make_package(depends=depends).data).in_v3
    assert not read(make_package().data).in_v3


@pytest.mark.parametrize(
    "index",
    [
        pytest.param({"indexed_timestamp": 1}, id="indexed_timestamp"),
        pytest.param({"attestations_sha256": "0" * 64}, id="attestations"),
        pytest.param({"run_exports": {"weak": ["evil"]}}, id="run_exports"),
        pytest.param({"run_exports": 3}, id="run_exports that are none"),
    ],
)
def test_a_package_does_not_speak_for_the_channel(index):
    package = make_package(index=index)
    record = read(package.data)
    (key,) = index
    assert record.fields == {k: v for k, v in package.record.fields.items() if k != key}
    assert record.run_exports == {}


def test_a_record_of_a_file_that_was_read_before_starts_at_its_beginning():
    package = make_package()
    file = io.BytesIO(package.data)
    file.read()
    checksums = {key: package.record.fields[key] for key in ("md5", "sha256", "size")}
    record, _ = read_package_with_info(file, **checksums)
    assert record.fields == package.record.fields


@pytest.mark.parametrize(
    "index, stated, subdir",
    [
        pytest.param({"subdir": "linux-64"}, None, "linux-64", id="from the index"),
        pytest.param({"subdir": "linux-64"}, "linux-64", "linux-64", id="from both"),
        pytest.param({"subdir": ...}, "osx-arm64", "osx-arm64", id="from the caller"),
        pytest.param({"subdir": None}, "osx-arm64", "osx-arm64", id="null in the index"),
        pytest.param({"subdir": ..., "noarch": "generic"}, None, "noarch", id="noarch"),
        pytest.param({"subdir": "linux-64", "noarch": "python"}, None, "linux-64", id="abi3"),
        pytest.param(
            {"subdir": ..., "platform": "osx", "arch": "x86_64"}, None, "osx-64", id="x86_64"
        ),
        pytest.param({"subdir": ..., "platform": "win", "arch": "x86"}, None, "win-32", id="x86"),
        pytest.param(
            {"subdir": ..., "platform": "linux", "arch": "ppc64le"}, None, "linux-ppc64le", id="ppc"
        ),
    ],
)
def test_the_subdir_comes_from_what_is_known(index, stated, subdir):
    package = make_package(subdir=subdir, index={"noarch": ..., **index})
    record = read(package.data, subdir=stated)
    assert record.subdir == subdir
    assert record.fields == package.record.fields | {"subdir": subdir}


@pytest.mark.parametrize(
    "index",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"platform": "linux", "arch": None}, id="no arch"),
        pytest.param({"platform": "linux", "arch": "x86 64"}, id="odd arch"),
    ],
)
def test_a_package_of_no_known_platform_is_refused(index):
    package = make_package(index={"subdir": ..., "noarch": ...} | index)
    facts = read_error(MissingSubdir, package.data, filename=package.filename)
    assert facts == {"filename": "hello-1.0-0.conda"}


def test_all_that_contradicts_the_caller_is_said_at_once():
    data = make_package("numpy", "2.0", "py312_0", subdir="linux-64").data
    facts = read_error(PackageMismatch, data, filename="scipy-1.0-0.tar.bz2", subdir="osx-64")
    assert facts["reason"] == (
        "its name is 'numpy', and 'scipy' in the file name; "
        "its version is '2.0', and '1.0' in the file name; "
        "its build is 'py312_0', and '0' in the file name; "
        "its format is '.conda', and '.tar.bz2' in the file name; "
        "its subdir is 'linux-64', not 'osx-64'"
    )


def test_what_the_caller_says_must_be_valid():
    data = make_package().data
    assert read_error(BadPackageName, data, filename="hello.zip")["filename"] == "hello.zip"
    assert read_error(BadSubdir, data, subdir="Linux") == {"subdir": "Linux"}


@both_formats
@pytest.mark.parametrize(
    "content, reason",
    [
        pytest.param(b"", "is not JSON", id="empty"),
        pytest.param(b"{", "is not JSON", id="cut short"),
        pytest.param(b"[]", "is not a JSON object", id="list"),
        pytest.param(b'{"name": "\xff"}', "is not JSON", id="not UTF-8"),
        pytest.param(b'{"name": "\\ud800"}', "is not JSON", id="half a surrogate"),
        pytest.param(b'{"a": NaN}', "is not JSON", id="NaN"),
        pytest.param(b'{"a": 1e999}', "is not JSON", id="infinite"),
        pytest.param(b'{"a": %d}' % 2**64, "is not JSON", id="integer beyond 64 bits"),
        pytest.param(b'{"a": %s}' % (b"9" * 5000), "is not JSON", id="5000 digits"),
        pytest.param(b'{"name": "a", "name": "b"}', "same key twice", id="key twice"),
        pytest.param(b'{"a":' * 300 + b"0" + b"}" * 300, "is not JSON", id="nested"),
        pytest.param(b"[" * 10**6, "is not JSON", id="endlessly nested"),
        pytest.param(b"{}", "'name' is missing; 'version' is missing", id="no fields"),
    ],
)
def test_an_index_that_is_no_object_with_the_needed_fields_is_refused(extension, content, reason):
    data = make_package(extension=extension, info={"index.json": content}).data
    assert reason in read_error(BadIndexJson, data, subdir="noarch")["reason"]


@pytest.mark.parametrize(
    "index, reasons",
    [
        pytest.param(
            {"build_number": "x", "depends": "python", "subdir": "Linux"},
            ["'build_number' is 'x'", "'depends' is not a list", "'Linux' is not a subdir"],
            id="types",
        ),
        pytest.param(
            {"name": "Hello", "version": "1.0-1", "build": "a b"},
            ["'Hello' is not a name", "'1.0-1' is not a version", "'a b' is not a build"],
            id="CEP 26",
        ),
        pytest.param({"name": "a\0b"}, ["is not a name"], id="NUL in the name"),
        pytest.param({"license": "a\0b"}, ["'license' holds a NUL"], id="NUL in license"),
        pytest.param({"x": {"a\0": 1}}, [r"'x.a\x00' holds a NUL"], id="NUL in an unknown key"),
        pytest.param({"depends": ["a\0b"]}, ["'depends[0]' holds a NUL"], id="NUL in depends"),
    ],
)
def test_all_that_is_wrong_in_the_index_is_said_at_once(index, reasons):
    facts = read_error(BadIndexJson, make_package(index=index).data)
    for reason in reasons:
        assert reason in facts["reason"]


@both_formats
def test_an_index_may_come_from_windows(extension):
    fields = b'"name": "hello", "version": "1.0", "build": "0", "build_number": 0'
    text = b"\xef\xbb\xbf{\r\n" + fields + b"}\r\n"
    package = make_package(extension=extension, info={"index.json": text})
    assert read(package.data, subdir="win-64").name == "hello"


@both_formats
def test_a_package_without_index_is_refused(extension):
    package = make_package(extension=extension, info={"index.json": None}, files=FILES)
    facts = read_error(MissingMetadata, package.data, filename=package.filename)
    assert facts == {"filename": package.filename, "member": "info/index.json"}


@both_formats
@pytest.mark.parametrize(
    "members",
    [
        pytest.param([make_member("a/b", tarfile.SYMTYPE, target="../c/./d")], id="link"),
        pytest.param([make_member("a/b", tarfile.SYMTYPE, target="..")], id="link to the root"),
        # zlib 1.2.11 of defaults: https://github.com/conda/conda/tree/main/tests/data
        pytest.param([make_member("a", tarfile.SYMTYPE)], id="link to nothing"),
        pytest.param([make_member("a", tarfile.SYMTYPE, target="b/../c")], id="detour"),
        pytest.param(
            [make_member("a"), make_member("b", tarfile.LNKTYPE, target="a")], id="hard link"
        ),
        pytest.param([make_member("a/", tarfile.DIRTYPE)] * 2, id="folder twice"),
        pytest.param([make_member("./", tarfile.DIRTYPE), make_member("./a")], id="tar of ."),
        pytest.param([make_member("lib/system\\x2dslice")], id="backslash"),
        pytest.param([make_member("man/File::Spec.3")], id="colon"),
        pytest.param([make_member("share/naïve 🐍")], id="unicode"),
        pytest.param([make_member("share/\udcff")], id="not UTF-8"),
        pytest.param([make_member("a" * 300)], id="long name"),
        pytest.param([make_member("...a/..b")], id="dots"),
    ],
)
def test_members_that_stay_in_the_package_are_fine(extension, members):
    package = make_package(extension=extension, members=members)
    assert read(package.data).fields == package.record.fields


@both_formats
@pytest.mark.parametrize(
    "members, reason",
    [
        pytest.param([make_member("/etc/passwd")], "is an absolute path", id="absolute"),
        pytest.param([make_member("\\etc")], "is an absolute path", id="backslash"),
        pytest.param([make_member("C:/Windows")], "is an absolute path", id="drive"),
        pytest.param([make_member("c:Windows")], "is an absolute path", id="drive's folder"),
        pytest.param([make_member("a/../../b")], "leaves its folder", id="parent"),
        pytest.param([make_member("a\\..\\b")], "leaves its folder", id="parent on Windows"),
        pytest.param([make_member("..", tarfile.DIRTYPE)], "leaves its folder", id="parent folder"),
        pytest.param([make_member("")], "has no name", id="empty name"),
        pytest.param([make_member("é\0/../..")], "has a NUL", id="NUL"),
        pytest.param([make_member("./")], "has no name", id="the root as file"),
        pytest.param([make_member("a")] * 2, "is there twice", id="twice"),
        pytest.param(
            [make_member("a"), make_member(".//a")], "is there twice", id="other spelling"
        ),
        pytest.param([make_member("info/index.json")], "is there twice", id="index twice"),
        pytest.param(
            [make_member("a/b"), make_member("a", tarfile.SYMTYPE, target="c")],
            "is there twice",
            id="link instead of a folder",
        ),
        pytest.param(
            [make_member("a", tarfile.SYMTYPE, target="."), make_member("a/b/c")],
            "needs a folder 'a'",
            id="below a link",
        ),
        pytest.param(
            [make_member("a"), make_member("a/b", tarfile.DIRTYPE)],
            "needs a folder 'a'",
            id="below a file",
        ),
        pytest.param([make_member("a", tarfile.FIFOTYPE)], "is neither a file", id="fifo"),
        pytest.param([make_member("a", tarfile.CHRTYPE)], "is neither a file", id="device"),
        pytest.param([make_member("a", tarfile.BLKTYPE)], "is neither a file", id="block device"),
        pytest.param([make_member("a", b"Z")], "is neither a file", id="unknown type"),
        pytest.param(
            [make_member("a", tarfile.SYMTYPE, target="b", size=5)], "has data", id="link with data"
        ),
        pytest.param([make_member("a", tarfile.DIRTYPE, size=512)], "has data", id="folder data"),
        pytest.param(
            [make_member("a", tarfile.SYMTYPE, target="/etc")],
            "no relative path",
            id="absolute link",
        ),
        pytest.param(
            [make_member("a", tarfile.SYMTYPE, target="C:\\")], "no relative path", id="drive link"
        ),
        pytest.param(
            [make_member("a/b", tarfile.SYMTYPE, target="../../c")], "outside", id="link outside"
        ),
        pytest.param(
            [make_member("a/b", tarfile.SYMTYPE, target="c/../../../d")],
            "outside",
            id="winding link outside",
        ),
        pytest.param(
            [make_member("a", tarfile.SYMTYPE, target="..\\b")],
            "outside|on Windows",
            id="link outside on Windows",
        ),
        pytest.param(
            [
                make_member("a/b", tarfile.SYMTYPE, target=".."),
                make_member("c", tarfile.SYMTYPE, target="a/b/.."),
            ],
            "through the link 'a/b'",
            id="link through a link",
        ),
        pytest.param(
            [
                make_member("c", tarfile.SYMTYPE, target="a/b/d/.."),
                make_member("a/b", tarfile.SYMTYPE, target=".."),
            ],
            "through the link 'a/b'",
            id="link through a later link",
        ),
        pytest.param(
            [make_member("a", tarfile.LNKTYPE, target="b")], "no file before", id="hard to nothing"
        ),
        pytest.param(
            [make_member("a", tarfile.LNKTYPE, target="/etc/passwd")],
            "no file before",
            id="hard link outside",
        ),
        pytest.param(
            [
                make_member("b/c", tarfile.SYMTYPE, target=".."),
                make_member("a", tarfile.LNKTYPE, target="b/c"),
            ],
            "no file before",
            id="hard link to a link",
        ),
    ],
)
def test_members_that_leave_the_package_are_refused(extension, members, reason):
    package = make_package(extension=extension, members=members)
    facts = read_error(UnsafeMember, package.data, filename=package.filename)
    assert facts["filename"] == package.filename
    assert any(part in facts["reason"] for part in reason.split("|"))


def test_names_in_messages_are_printable_and_short():
    evil = make_member("../\x1b[31m\n\udcff" + "a" * 1000)
    facts = read_error(UnsafeMember, make_package(members=[evil]).data)
    assert facts["member"].startswith("../\\x1b[31m\\n\\udcff")
    assert len(facts["member"]) < 250


@both_formats
def test_the_index_must_be_a_file(extension):
    link = make_member("info/index.json", tarfile.SYMTYPE, target="about.json")
    package = make_package(extension=extension, info={"index.json": None}, info_members=[link])
    assert read_error(UnsafeMember, package.data)["member"] == "info/index.json"


def test_an_index_among_the_files_is_not_taken():
    # Some readers do not find it.
    index = b'{"name": "hello", "version": "1.0", "build": "0", "build_number": 0}'
    member = (make_member("info/index.json"), index)
    data = make_package(info={"index.json": None}, members=[member]).data
    assert read_error(MissingMetadata, data)["member"] == "info/index.json"


@both_formats
@pytest.mark.parametrize("headers", [{"path": "a"}, {"size": "10"}])
def test_headers_for_all_members_are_refused(extension, headers):
    # Python's tarfile uses them, and Rust's tar does not.
    block = tarfile.TarInfo.create_pax_global_header(headers)
    tar = block + pack_tar([make_member("b")])
    assert "global headers" in read_error(UnreadablePackage, _package_of(extension, tar))["reason"]


@both_formats
def test_a_tar_archive_with_more_behind_its_end_is_refused(extension):
    # Some readers stop at the zeros, and others go on.
    tar = pack_tar([make_member("a")]) + pack_tar([make_member("../b")])
    assert (
        "is broken at byte" in read_error(UnreadablePackage, _package_of(extension, tar))["reason"]
    )


@both_formats
def test_a_broken_header_is_not_taken_for_the_end(extension):
    tar = bytearray(pack_tar([make_member("a"), make_member("b")]))
    tar[tar.index(b"b")] = 0xFF
    data = _package_of(extension, bytes(tar))
    assert "is broken at byte" in read_error(UnreadablePackage, data)["reason"]


@both_formats
def test_a_member_that_is_longer_than_its_archive_is_refused(extension):
    header = make_member("a", size=10_000).tobuf()
    assert "end of data" in read_error(UnreadablePackage, _package_of(extension, header))["reason"]


@both_formats
def test_the_end_of_a_tar_archive_may_be_missing(extension):
    tar = pack_tar([make_member("a"), make_member("b")]).rstrip(b"\0")
    tar += bytes(-len(tar) % 512)
    assert read(_package_of(extension, tar)).name == "hello"


def test_several_compressed_pieces_are_one_archive():
    # pbzip2 and pzstd write such files.
    half = len(tar := _whole_tar()) // 2
    assert read(bz2.compress(tar[:half]) + bz2.compress(tar[half:])).name == "hello"
    pieces = [zstandard.compress(piece) for piece in (tar[:half], b"", tar[half:])]
    assert read(_conda(info=b"".join(pieces))).name == "hello"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bz2.compress(b"") * 2000, id="bzip2"),
        pytest.param(
            pack_zip(
                {
                    "info-a-1-0.tar.zst": zstandard.compress(b"") * 2000,
                    "pkg-a-1-0.tar.zst": b"",
                }
            ),
            id="zstd",
        ),
    ],
)
def test_countless_empty_pieces_are_refused(data):
    assert "too many pieces" in read_error(UnreadablePackage, data)["reason"]


@pytest.mark.parametrize(
    "change, error, reason",
    [
        pytest.param(lambda zip: {}, MissingMetadata, "info-<name>", id="nothing"),
        pytest.param(
            lambda zip: _without(zip, "info"), MissingMetadata, "info-hello", id="no info"
        ),
        pytest.param(lambda zip: _without(zip, "pkg"), MissingMetadata, "pkg-hello", id="no pkg"),
        pytest.param(
            lambda zip: {f"folder/{name}": data for name, data in zip.items()},
            MissingMetadata,
            "info-<name>",
            id="in a folder",
        ),
        pytest.param(
            lambda zip: _renamed(zip, "pkg", "pkg-other-1.0-0.tar.zst"),
            MissingMetadata,
            "pkg-hello-1.0-0.tar.zst",
            id="pkg of another name",
        ),
        pytest.param(
            lambda zip: _renamed(zip, "info", "info-other-1.0-0.tar.zst"),
            MissingMetadata,
            "info-hello-1.0-0.tar.zst",
            id="info of another name",
        ),
        pytest.param(
            lambda zip: zip | {"evil.sh": b""}, UnsafeMember, "evil.sh", id="other member"
        ),
        pytest.param(lambda zip: zip | {"../a": b""}, UnsafeMember, "../a", id="parent"),
        pytest.param(
            lambda zip: zip | {"info-b-1-0.tar.zst": b""}, UnsafeMember, "info-b", id="second info"
        ),
        pytest.param(
            lambda zip: zip | {"metadata.json": b'{"conda_pkg_format_version": 3}'},
            UnreadablePackage,
            "not format version 2",
            id="format version 3",
        ),
        pytest.param(
            lambda zip: zip | {"metadata.json": b"<html>"}, UnreadablePackage, "", id="no metadata"
        ),
        pytest.param(
            lambda zip: zip | {"metadata.json": b" " * 2**21},
            UnreadablePackage,
            "1 MiB",
            id="large metadata",
        ),
        pytest.param(
            lambda zip: zip | {str(number) * 50: b"" for number in range(10_000, 15_000)},
            UnreadablePackage,
            "1 MiB",
            id="large ZIP directory",
        ),
    ],
)
def test_a_conda_file_has_its_three_members(change, error, reason):
    facts = read_error(error, pack_zip(change(_unzipped(make_package().data))))
    assert reason in facts.get("reason", "") + facts.get("member", "")


@pytest.mark.parametrize("metadata", [b"", b'{"conda_pkg_format_version": 2, "more": 1}', None])
def test_the_format_version_may_be_missing(metadata):
    members = _unzipped(make_package().data) | {"metadata.json": metadata}
    data = pack_zip({name: content for name, content in members.items() if content is not None})
    assert read(data).name == "hello"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_member_that_is_there_twice_is_refused():
    buffer = io.BytesIO(make_package().data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json"), b"{}")
    assert read_error(UnsafeMember, buffer.getvalue())["member"] == "metadata.json"


@pytest.mark.parametrize(
    "change, reason",
    [
        pytest.param(lambda data: b"", "is neither a ZIP file", id="empty"),
        pytest.param(lambda data: b"<html>", "is neither a ZIP file", id="web page"),
        pytest.param(lambda data: b"MZ" + data, "is neither a ZIP file", id="something before"),
        pytest.param(
            lambda data: data[:60] + data, "does not start where", id="something ZIP-like before"
        ),
        pytest.param(lambda data: data + b"\0", "belong to no member", id="something behind"),
        pytest.param(
            lambda data: data[:-2] + b"\1\0x", "belong to no member", id="a comment behind"
        ),
        pytest.param(
            lambda data: pack_zip(_unzipped(data), zipfile.ZIP_DEFLATED), "CEP 35", id="compressed"
        ),
        pytest.param(lambda data: data.replace(b"PK\1\2", b"PK\1\3"), "", id="directory broken"),
        pytest.param(lambda data: _changed(data, 6, b"\1"), "is encrypted", id="encrypted"),
        pytest.param(
            lambda data: _changed(data, 8, b"\x08"),
            "CEP 35",
            id="compressed for half of the readers",
        ),
        pytest.param(
            lambda data: _changed(data, data.index(b"PK\1\2") + 16, b"\0\0\0\0"),
            "CRC",
            id="wrong checksum",
        ),
    ],
)
def test_a_conda_file_that_is_not_a_plain_zip_file_is_refused(change, reason):
    data = change(make_package(files=FILES).data)
    assert reason in read_error(UnreadablePackage, data)["reason"]


def test_a_zip_directory_before_the_file_is_refused(tmp_path):
    # A real file has another error for a negative position than a file in memory.
    path = tmp_path / "a-1-0.conda"
    path.write_bytes(b"PK\5\6" + struct.pack("<8xLLH", 100, 0, 0))
    with path.open("rb") as file, pytest.raises(UnreadablePackage):
        read_package_with_info(file, md5="0" * 32, sha256="0" * 64, size=22)


def test_damage_of_the_files_alone_is_found():
    # A reader of `info/` alone accepts these packages.
    whole = zstandard.compress(pack_tar([(make_member("a"), shake_128(b"a").digest(5000))]))
    for pkg in (b"", whole[:-1], whole[: len(whole) // 2], whole + b"x"):
        assert read_error(UnreadablePackage, _conda(pkg=pkg))["reason"]


@both_formats
def test_a_package_that_is_cut_short_is_refused(extension):
    data = make_package(extension=extension, files=FILES).data
    for size in range(0, len(data), 7):
        assert read_error(UnreadablePackage, data[:size])["reason"]


@both_formats
@pytest.mark.parametrize(
    "limits, package",
    [
        pytest.param({"info_member_size": 100}, {}, id="index"),
        pytest.param({"member_size": 1000}, {"files": {"a": bytes(1001)}}, id="member"),
        pytest.param(
            {"total_size": 10_000},
            {"files": {"a": bytes(4000), "b": bytes(4000)}},
            id="total",
        ),
        pytest.param(
            {"member_count": 100}, {"files": {f"{n}": b"" for n in range(100)}}, id="files"
        ),
        pytest.param({"member_count": 100}, {"files": {"a/" * 100: b""}}, id="folders"),
        pytest.param({"member_count": 100}, {"files": {"a" * 30_000: b""}}, id="long name"),
        pytest.param(
            {"member_count": 100},
            {"members": [make_member("a", tarfile.SYMTYPE, target="b/" * 100 + "..")]},
            id="winding link",
        ),
        pytest.param(
            {"expansion": 100}, {"members": [make_member("a", size=2**31)]}, id="expansion"
        ),
    ],
)
def test_a_package_beyond_a_limit_is_refused(extension, limits, package):
    (field,) = limits
    data = make_package(extension=extension, **package).data
    facts = read_error(PackageTooLarge, data, limits=Limits(**limits))
    assert facts["setting"] == f"CONDA_PACKAGE_LIMITS.{field}"


def test_a_sparse_member_counts_as_large_as_it_gets():
    # GNU's header of a sparse file: one byte of data, and a size of a terabyte.
    header = bytearray(make_member("a", tarfile.GNUTYPE_SPARSE, size=1).tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 1)
    header[482] = 0
    header[483:495] = b"\x80" + (2**40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    data = _package_of(".tar.bz2", bytes(header) + bytes(512))
    facts = read_error(PackageTooLarge, data)
    assert facts["setting"] == "CONDA_PACKAGE_LIMITS.member_size"


def _compressed(window_log, content=None, **size):
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj(**size)
    return compressor.compress(content or _whole_tar()) + compressor.flush()


@pytest.mark.parametrize("before", [b"", zstandard.compress(b"")], ids=["first", "second"])
def test_a_zstd_window_beyond_the_limit_is_refused(before):
    info = before + _compressed(20)
    assert read(_conda(info=info), limits=Limits(zstd_window=2**20)).name == "hello"
    facts = read_error(PackageTooLarge, _conda(info=info), limits=Limits(zstd_window=2**19))
    assert facts["setting"] == "CONDA_PACKAGE_LIMITS.zstd_window"


def test_a_zstd_window_of_all_content_beyond_the_limit_is_refused():
    content = _whole_tar() + bytes(2**18)
    info = _compressed(20, content, size=len(content))
    assert info[4] & 0x20  # The window is as large as the content.
    assert read(_conda(info=info), limits=Limits(zstd_window=2**20)).name == "hello"
    facts = read_error(PackageTooLarge, _conda(info=info), limits=Limits(zstd_window=2**17))
    assert facts["setting"] == "CONDA_PACKAGE_LIMITS.zstd_window"


def test_a_zstd_window_is_refused_whatever_the_words_of_the_library(monkeypatch):
    class OtherWords:
        def __init__(self, options, real=archive.zstd.ZstdDecompressor):
            self._real = real(options=options)

        def __getattr__(self, name):
            return getattr(self._real, name)

        def decompress(self, *arguments):
            try:
                return self._real.decompress(*arguments)
            except archive.zstd.ZstdError:
                raise archive.zstd.ZstdError("other words") from None

    monkeypatch.setattr(archive.zstd, "ZstdDecompressor", OtherWords)
    facts = read_error(
        PackageTooLarge, _conda(info=_compressed(20)), limits=Limits(zstd_window=2**19)
    )
    assert facts["setting"] == "CONDA_PACKAGE_LIMITS.zstd_window"


@pytest.mark.parametrize("window_log", range(10, 28))
@pytest.mark.parametrize("size", [None, 100, 255, 256, 70_000, 2**32])
def test_the_window_of_a_zstd_frame_is_what_the_library_says(window_log, size):
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    chunker = compressor.compressobj() if size is None else compressor.compressobj(size=size)
    header = chunker.compress(b"x" * min(size or 100, 100)) + chunker.flush(
        zstandard.COMPRESSOBJ_FLUSH_BLOCK
    )
    assert archive._zstd_window(header) == zstandard.get_frame_parameters(header).window_size


@both_formats
@pytest.mark.parametrize(
    "header",
    [
        pytest.param(make_member("a", tarfile.XHDTYPE, size=2**26), id="pax header"),
        pytest.param(make_member("a", tarfile.GNUTYPE_LONGNAME, size=2**26), id="long name"),
        pytest.param(None, id="end"),
    ],
)
def test_no_header_takes_much_memory(extension, header):
    tar = (header.tobuf() if header else b"") + bytes(2**26)
    data = _package_of(extension, tar)
    del tar
    tracemalloc.start()
    facts = read_error(UnreadablePackage, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "no member's data" in facts["reason"]
    assert peak < 2**24


@both_formats
def test_headers_of_headers_are_refused(extension):
    tar = make_member("a", tarfile.GNUTYPE_LONGNAME).tobuf() * 2000
    assert read_error(UnreadablePackage, _package_of(extension, tar))["reason"]


@both_formats
def test_a_negative_size_is_refused(extension):
    for size in (-1, -512, -1024, -(2**40)):
        tar = make_member("a", size=size).tobuf(tarfile.GNU_FORMAT)
        assert read_error(UnreadablePackage, _package_of(extension, tar))["reason"]


@given(
    extension=st.sampled_from(EXTENSIONS),
    damage=st.dictionaries(st.integers(0, 1500), st.integers(0, 255), max_size=4),
    size=st.none() | st.integers(0, 1500),
)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_damaged_bytes_give_the_same_record_or_an_error(extension, damage, size):
    package = make_package(extension=extension, files=FILES)
    data = _damaged(package.data, damage)[:size]
    try:
        record = read(data, filename=package.filename)
    except PackageError as error:
        assert str(error)
    else:
        checksums = {"md5": md5(data).hexdigest(), "sha256": sha256(data).hexdigest()}
        assert record.fields == package.record.fields | checksums


@given(
    extension=st.sampled_from(EXTENSIONS),
    damage=st.dictionaries(st.integers(0, 10_000), st.integers(0, 255), max_size=8),
    types=st.dictionaries(st.integers(0, 10), st.sampled_from(b"0123456789xgLKSDVMNIAX")),
)
@example(extension=".conda", damage={}, types={0: ord("S")})
@settings(max_examples=1000, deadline=None, derandomize=True)
def test_damaged_tar_archives_give_a_record_or_an_error(extension, damage, types):
    # The checksums of ZIP and zstd are right, and those of tar are made right for other types.
    tar = bytearray(_damaged(_whole_tar(), damage))
    for member, type in types.items():
        header = memoryview(tar)[member * 1024 : member * 1024 + 512]
        if len(header) == 512:
            header[156] = type
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % (sum(header) % 8**6)
    data = bz2.compress(tar) if extension == ".tar.bz2" else _conda(info=zstandard.compress(tar))
    try:
        assert read(data).canonical
    except PackageError as error:
        assert str(error)


def _whole_tar():
    return bz2.decompress(make_package(extension=".tar.bz2", files=FILES).data)


def _package_of(extension, tar):
    """Return a package with this tar archive behind its `info/`."""
    package = make_package(extension=".tar.bz2")
    info = bz2.decompress(package.data)
    if extension == ".conda":
        return pack_conda("hello-1.0-0", info, tar)
    return bz2.compress(info.rstrip(b"\0") + bytes(-len(info.rstrip(b"\0")) % 512) + tar)


def _conda(info=None, pkg=None):
    """Return a `.conda` file with these components."""
    return pack_zip(
        {
            "info-hello-1.0-0.tar.zst": info or zstandard.compress(_whole_tar()),
            "pkg-hello-1.0-0.tar.zst": zstandard.compress(pack_tar([])) if pkg is None else pkg,
        }
    )


def _unzipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _without(members, kind):
    return {name: data for name, data in members.items() if not name.startswith(kind)}


def _renamed(members, kind, new_name):
    return {new_name if name.startswith(kind) else name: data for name, data in members.items()}


def _changed(data, position, new):
    return data[:position] + new + data[position + len(new) :]


def _damaged(data, damage):
    data = bytearray(data)
    for position, byte in damage.items():
        data[position % len(data)] = byte
    return bytes(data)


def _listing(*entries):
    return {"paths.json": json.dumps({"paths": entries, "paths_version": 1}).encode()}


def _entry(content, path="bin/x", **fields):
    return {
        "_path": path,
        "path_type": "hardlink",
        "sha256": sha256(content).hexdigest(),
        "size_in_bytes": len(content),
        **fields,
    }


_X = b"what is in it"


@both_formats
@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        pytest.param(_entry(_X), None, id="as listed"),
        pytest.param(_entry(_X, path="./bin//x"), None, id="as listed, by another name"),
        pytest.param({"_path": "bin/x"}, None, id="nothing promised"),
        pytest.param(_entry(_X, sha256=_entry(_X)["sha256"].upper()), None, id="upper case"),
        pytest.param(_entry(b"What is in it"), "'bin/x' has other bytes", id="other bytes"),
        pytest.param(_entry(_X, size_in_bytes=12), "'bin/x' has other bytes", id="other size"),
        pytest.param({"_path": 1}, None, id="no entry"),
        pytest.param(_entry(_X, path="bin/y"), "'bin/y' is missing", id="missing"),
        pytest.param(
            _entry(_X, path="bin/y", prefix_placeholder="/opt/x"),
            "'bin/y' is missing",
            id="missing, with a prefix",
        ),
        pytest.param(_entry(_X, path="bin/link", path_type="softlink"), None, id="link"),
        pytest.param(
            _entry(_X, path="bin/link"), "'bin/link' is a symbolic link", id="link for a file"
        ),
        pytest.param(_entry(_X, path="bin/twin"), None, id="hard link"),
        pytest.param(
            _entry(b"", path="bin/twin"), "'bin/twin' has other bytes", id="hard link, other bytes"
        ),
        pytest.param(_entry(b"", path="share", path_type="directory"), None, id="folder"),
    ],
)
def test_a_package_has_the_files_that_it_lists(entry, problem, extension):
    package = make_package(
        extension=extension,
        files={"bin/x": _X, "bin/link": "x"},
        members=[make_member("bin/twin", tarfile.LNKTYPE, target="bin/x")],
        info=_listing(entry),
    )
    if problem is None:
        read(package.data)
    else:
        assert problem in read_error(PayloadMismatch, package.data)["reason"]


def test_a_file_with_a_prefix_may_differ_from_the_list():
    entry = _entry(b"", prefix_placeholder="/opt/x")
    package = make_package(files={"bin/x": _X}, info=_listing(entry))
    data, checksums = package.data, {key: package.record.fields[key] for key in ("md5", "sha256")}
    _, info = read_package_with_info(io.BytesIO(data), size=len(data), **checksums)
    assert info.warnings == ("'bin/x' has other bytes",)


def test_a_package_without_any_files_is_no_reason_to_refuse_it():
    read(make_package(info=_listing(_entry(_X))).data)


@pytest.mark.parametrize("key", ["depends", "constrains"])
@pytest.mark.parametrize(
    "spec",
    [
        "numpy >=1,<<2",
        "conda-forge::numpy",
        "https://evil.example.org/noarch/numpy-1.0-0.conda",
        "numpy[url='https://evil.example.org/numpy-1.0-0.conda']",
        "*",
        "",
    ],
)
def test_dependencies_that_clients_cannot_read_are_refused(key, spec):
    package = make_package(index={key: ["python >=3.10", spec]})
    assert f"'{key}' has " in read_error(BadIndexJson, package.data)["reason"]


def test_all_that_is_wrong_with_a_package_is_said_at_once():
    listed = {"paths": [{"_path": "share/gone", "path_type": "hardlink"}], "paths_version": 1}
    package = make_package(
        index={
            "build_number": "x",
            "constrains": ["b =="],
            "depends": ["a >>1", "https://example.org/c-1-0.conda"],
            "subdir": ...,
            "noarch": ...,
        },
        files={"share/a": b"1"},
        info={"paths.json": json.dumps(listed).encode()},
    )
    with pytest.raises(SeveralErrors) as raised:
        read(package.data, filename="hello-1.0.zip")
    found = {error.code: str(error) for error in raised.value.errors}
    assert list(found) == ["CND0001", "CND0005", "CND0021", "CND0081"]
    for reason in ("'build_number'", "'a >>1'", "'b =='", "which names a URL"):
        assert reason in found["CND0005"]
    assert "'share/gone' is missing" in found["CND0081"]
    assert str(raised.value).splitlines() == list(found.values())
    assert raised.value.code == "CND0001"


def test_a_package_that_cannot_be_read_to_its_end_says_what_was_read():
    package = make_package(
        extension=".tar.bz2", index={"depends": ["a >>1"]}, members=[make_member("../a")]
    )
    with pytest.raises(SeveralErrors) as raised:
        read(package.data, filename="other-1.0-0.tar.bz2")
    codes = [error.code for error in raised.value.errors]
    assert codes == ["CND0010", "CND0005", "CND0006"]


def test_a_file_in_the_wrong_place_with_a_wrong_spec_says_both():
    package = make_package(index={"depends": ["a >>1"]})
    with pytest.raises(SeveralErrors) as raised:
        read(package.data, filename="hello-2.0-0.conda", subdir="linux-64")
    codes = [error.code for error in raised.value.errors]
    assert codes == ["CND0005", "CND0006"]
    assert "version" in str(raised.value) and "subdir" in str(raised.value)
