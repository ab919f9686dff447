"""What a task or a request says when it cannot write a file."""

import errno
import resource
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from django.conf import settings
from django.db import connection

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.exceptions import CondaError
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed

LARGEST = 4 * 2**20


@contextmanager
def largest_file():
    """Let this process write no larger file."""
    _, most = old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, most))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_sync_without_room_for_a_file_says_where_and_changes_nothing(
    pulp, upstream, make_mirror, unique
):
    large = make_package(f"large-{unique}", files={"share/x": Random(1).randbytes(LARGEST + 1)})
    make_channel(upstream.folder, [large])
    mirror = make_mirror(policy="immediate")
    with largest_file(), pytest.raises(TaskFailed) as failed:
        pulp.sync(mirror.repository)
    assert failed.value.code == "CND0080"
    for word in (str(settings.WORKING_DIRECTORY), "'WORKING_DIRECTORY'", "File too large"):
        assert word in failed.value.description
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/versions/0/")
    assert pulp.sync(mirror.repository) == 1


@pytest.mark.parametrize("path", ["packages/", "packages/upload/"])
def test_an_upload_without_room_says_where(pulp, unique, path):
    # Much larger: what is a little larger fits, but for what waits in memory to be written.
    large = make_package(f"large-{unique}", files={"share/x": Random(1).randbytes(2 * LARGEST)})
    with largest_file():
        answer = pulp.post_bytes(f"content/conda/{path}", large.filename, large.data)
    assert answer.status_code == 507
    detail = answer.json()["detail"]
    assert detail.startswith("[CND0080] There is no room left in '")
    assert str(settings.FILE_UPLOAD_TEMP_DIR) in detail and "File too large" in detail
    assert pulp.list("content/conda/packages/", name=large.record.name) == []


def _raise_in(folder):
    raise OSError(errno.ENOSPC, "", str(Path(folder) / "a/b"))


@pytest.mark.parametrize("setting", ["WORKING_DIRECTORY", "MEDIA_ROOT"])
def test_the_error_names_the_setting_of_the_file(setting):
    with pytest.raises(CondaError) as full, disk_errors():
        _raise_in(getattr(settings, setting))
    facts = full.value.error.facts
    assert (facts["setting"], facts["path"]) == (setting, str(getattr(settings, setting)))


def test_a_full_disk_of_the_database_is_one_as_well():
    statement = "DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$"
    with pytest.raises(CondaError) as full, disk_errors(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert full.value.error.facts == {
        "path": "PostgreSQL",
        "setting": "data_directory of PostgreSQL",
        "reason": "no space",
    }


def test_other_errors_are_not_about_the_disk():
    with pytest.raises(FileNotFoundError), disk_errors():
        open("/does/not/exist")
