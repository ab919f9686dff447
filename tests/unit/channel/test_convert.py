import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace

import pytest
from conda_package_streaming.package_streaming import stream_conda_component

from pulp_conda.channel.errors import (
    PackageTooLarge,
    UnreadablePackage,
    UnsafeMember,
)
from pulp_conda.channel.package.convert import convert, converted_name, converted_record
from pulp_conda.channel.package.package import Limits, read_package_with_info
from pulp_conda.channel.records import PackageRecord
from tests.support.builders import make_member, make_package

_FILES = {
    "bin/hello": b"#!/bin/sh\necho hello\n",
    "share/empty": b"",
    "share/link": "empty",
    f"share/{'long' * 60}/ümlaut": b"\0" * 100_000,
}


def _convert(package, folder, **options):
    folder.mkdir(exist_ok=True)
    return convert(
        io.BytesIO(package.data),
        filename=package.filename,
        size=len(package.data),
        folder=folder,
        **options,
    )


def _members(filename, data, *components):
    """Return name, type, mode, date, target and bytes of each member, sorted."""
    return sorted(
        (
            member.name,
            member.type,
            member.mode,
            member.mtime,
            member.linkname,
            tar.extractfile(member).read() if member.isfile() else b"",
        )
        for component in components
        for tar, member in stream_conda_component(filename, io.BytesIO(data), component)
    )


def _read(path, **options):
    data = path.read_bytes()
    return read_package_with_info(
        io.BytesIO(data),
        filename=path.name,
        md5=hashlib.md5(data).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        **options,
    )


def test_the_names_of_converted_files():
    assert converted_name("a-1-0.tar.bz2") == "a-1-0.conda"
    assert converted_name("a-1-0.conda") is None


def test_a_converted_package_has_the_same_members_and_says_the_same(tmp_path):
    package = make_package(
        extension=".tar.bz2",
        subdir="linux-64",
        depends=["python >=3.9"],
        files=_FILES,
        info={"run_exports.json": b'{"weak": ["hello >=1"]}'},
        members=[
            make_member("share/folder", tarfile.DIRTYPE, mode=0o700),
            make_member("share/hard", tarfile.LNKTYPE, target="bin/hello"),
        ],
    )
    path = _convert(package, tmp_path)
    assert path.name == "hello-1.0-0.conda"
    data = path.read_bytes()
    assert _members(path.name, data, "info", "pkg") == _members(
        package.filename, package.data, "pkg"
    )
    assert all(name.startswith("info/") for name, *_ in _members(path.name, data, "info"))
    assert not any(name.startswith("info/") for name, *_ in _members(path.name, data, "pkg"))
    record, info = _read(path)
    assert info.run_exports == {"weak": ["hello >=1"]}
    own = {"md5", "sha256", "size"}
    assert {key for key in record.fields if record.fields[key] != package.record.fields[key]} == own
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_package_gives_the_same_bytes_on_another_day(tmp_path, monkeypatch):
    package = make_package(extension=".tar.bz2", files=_FILES)
    first = _convert(package, tmp_path / "a").read_bytes()
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert _convert(package, tmp_path / "b").read_bytes() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        names = archive.namelist()
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json")) == {"conda_pkg_format_version": 2}
    # The metadata comes last, so that one request for the end of the file has it.
    kinds = ["pkg-hello-1.0-0.tar.zst", "info-hello-1.0-0.tar.zst"]
    assert names == ["metadata.json", *kinds]


def test_users_and_extended_headers_are_left_out(tmp_path):
    owned = make_member("share/owned", size=1)
    owned.uid, owned.uname, owned.pax_headers = 1000, "builder", {"SCHILY.xattr.user.x": "y"}
    package = make_package(extension=".tar.bz2", members=[(owned, b"x")])
    data = _convert(package, tmp_path).read_bytes()
    found = [
        (member.uid, member.uname, member.pax_headers)
        for _tar, member in stream_conda_component("hello-1.0-0.conda", io.BytesIO(data), "pkg")
    ]
    assert found == [(0, "", {})]


@pytest.mark.parametrize(
    ("package", "limits", "error"),
    [
        pytest.param(
            make_package(extension=".tar.bz2", files={"a": b"x" * 2000}),
            Limits(total_size=1000),
            PackageTooLarge,
            id="total size",
        ),
        pytest.param(
            make_package(extension=".tar.bz2", files={"a": b"", "b": b""}),
            Limits(member_count=3),
            PackageTooLarge,
            id="members",
        ),
        pytest.param(
            make_package(extension=".tar.bz2", members=[make_member("../a")]),
            Limits(),
            UnsafeMember,
            id="hostile",
        ),
        pytest.param(make_package(), Limits(), UnreadablePackage, id="another form"),
    ],
)
def test_a_conversion_has_the_limits_of_uploads(tmp_path, package, limits, error):
    with pytest.raises(error):
        _convert(replace(package, filename="hello-1.0-0.tar.bz2"), tmp_path, limits=limits)


def test_a_cut_package_is_an_error(tmp_path):
    package = make_package(extension=".tar.bz2")
    with pytest.raises(UnreadablePackage):
        _convert(replace(package, data=package.data[:-20]), tmp_path)


def test_what_unpacking_costs_is_told_while_it_goes_on(tmp_path):
    spent = []
    package = make_package(extension=".tar.bz2", files={"a": b"x" * 300_000})

    def spend(size):
        spent.append(size)
        if sum(spent) > 200_000:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        _convert(package, tmp_path, spend=spend)


def test_the_record_keeps_corrections_and_says_nothing_of_the_other_file():
    fields = {
        "name": "a",
        "version": "1",
        "build": "0",
        "build_number": 0,
        "depends": ["corrected"],
        "odd": {"key": 1},
    }
    of_file = {"md5": "1" * 32, "sha256": "1" * 64, "size": 1}
    of_other = {"md5": "2" * 32, "sha256": "2" * 64, "size": 2}
    more = {"attestations_sha256": "3" * 64, "indexed_timestamp": 1, "fn": "a-1-0.tar.bz2"}
    source = PackageRecord("noarch", "a-1-0.tar.bz2", fields | of_file | more)
    read = PackageRecord("noarch", "a-1-0.conda", fields | of_other | {"depends": ["old"]})
    record = converted_record(source, read)
    assert (record.subdir, record.filename) == ("noarch", "a-1-0.conda")
    assert record.fields == fields | of_other
