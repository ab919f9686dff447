"""Real packages of many build tools and years; see the README in their folder."""

import hashlib

import pytest

from pulp_conda.channel.errors import PackageError
from pulp_conda.channel.package.package import read_package_with_info
from tests.support.corpus import CORPUS, packages, read_index


def read(path, **arguments):
    data = path.read_bytes()
    checksums = {
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }
    with path.open("rb") as file:
        record, _ = read_package_with_info(file, **checksums, **arguments)
    return record, checksums


@pytest.mark.parametrize("row", packages(ok=True))
def test_a_real_package_gives_its_index_and_checksums(row):
    path = CORPUS / row["filename"]
    subdir = path.parent.name
    record, checksums = read(path, filename=path.name, subdir=subdir)
    assert record.sha256 == row["sha256"]
    assert (record.subdir, record.filename) == (subdir, path.name)
    assert record.fields == {"subdir": subdir} | read_index(path) | checksums


@pytest.mark.parametrize("row", packages(ok=False))
def test_a_file_that_is_no_package_is_refused(row):
    with pytest.raises(PackageError) as caught:
        read(CORPUS / row["filename"])
    assert str(caught.value)
