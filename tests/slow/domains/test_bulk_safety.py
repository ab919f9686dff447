"""Bulk SQL passes by what Django and pulpcore check: a sync that ends early leaves no half rows."""

import json
import os
import resource
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.support.builders import make_channel, make_package, make_record
from tests.support.conda import TaskFailed


@pytest.fixture(scope="module")
def pulp(make_domain):
    """The API of another domain."""
    return make_domain("unfinished")


@pytest.fixture
def records(unique):
    """More than one batch of them."""
    return [make_record(f"p{number:04}-{unique}") for number in range(5100)]


@pytest.fixture
def mirror(pulp, upstream, make_mirror, records):
    """A channel that serves 'a' and 'b', whose upstream now has 'b' and thousands more."""
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository)
    _write(upstream, [make_package("b").record, *records])
    return mirror


def _write(upstream, records):
    (upstream.folder / "noarch/repodata.json.zst").unlink(missing_ok=True)
    repodata = {"packages.conda": {record.filename: record.fields for record in records}}
    (upstream.folder / "noarch/repodata.json").write_text(json.dumps(repodata))


def _present(pulp, repository):
    version = pulp.get(pulp.get(repository)["latest_version_href"])
    return version["content_summary"]["present"]["conda.package"]["count"]


# The version is begun, and nothing is in it yet. Others may read, and delete content.
_MEMBERS = "LOCK TABLE core_repositorycontent IN SHARE MODE"
# A package that somebody else is about to store makes a sync wait in the middle of its records.
_LAST_RECORD = """
INSERT INTO conda_condapackage (content_ptr_id, _pulp_domain_id, subdir, filename, sha256,
    record_digest, record, name, version, build, build_number, md5, license, noarch, depends,
    attestations_sha256, in_v3)
SELECT gen_random_uuid(), pulp_id, 'noarch', '{record.filename}', '{record.sha256}',
    '{record.digest}', '', '', '', '', 0, '', '', '', ARRAY[]::text[], '', false
FROM core_domain WHERE name = 'unfinished'
"""


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("LOCK TABLE core_content IN EXCLUSIVE MODE", id="first records"),
        pytest.param(_LAST_RECORD, id="last records"),
        pytest.param(_MEMBERS, id="members"),
        pytest.param("LOCK TABLE conda_indexedfile IN EXCLUSIVE MODE", id="finishing"),
        pytest.param(
            "LOCK TABLE core_repositoryversioncontentdetails IN EXCLUSIVE MODE", id="counting"
        ),
    ],
)
def test_a_sync_that_is_killed_in_any_phase_leaves_no_half_rows_and_the_next_ends_it(
    pulp, mirror, records, held, kill_worker_of, check, statement
):
    before = pulp.fetch(mirror.url, "noarch/repodata.json").content
    with held(statement.format(record=records[-1])) as somebody_waits:
        task = pulp.start_sync(mirror.repository, mirror=True)
        somebody_waits()
        start_again = kill_worker_of(task)
    start_again()
    with pytest.raises(TaskFailed):
        pulp.wait(task)
    assert pulp.fetch(mirror.url, "noarch/repodata.json").content == before
    pulp.sync(mirror.repository, mirror=True)
    assert _present(pulp, mirror.repository) == len(records) + 1
    check()


def test_a_full_disk_fails_the_sync_and_nothing_else(pulp, stack, upstream, mirror, check):
    before = pulp.fetch(mirror.url, "noarch/repodata.json").content
    # What cannot be compressed fills a file.
    heavy = [make_record(f"h{n}", summary=Random(n).randbytes(2500).hex()) for n in range(6000)]
    _write(upstream, heavy)
    # The files of PostgreSQL's log are of this size, and are there before they are written.
    with _largest_file(stack, 17 * 2**20), pytest.raises(TaskFailed):
        pulp.sync(mirror.repository)
    assert pulp.fetch(mirror.url, "noarch/repodata.json").content == before
    check()
    assert pulp.sync(mirror.repository) == 2
    assert _present(pulp, mirror.repository) == len(heavy) + 2
    check()


@contextmanager
def _largest_file(stack, size):
    """Let new sessions of PostgreSQL write no file that is larger: to them, the disk is full."""
    pid = stack.state.processes["postgres"].pid
    with _as_the_account_of(pid):
        _, most = old = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))
    yield
    with _as_the_account_of(pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, old)


@contextmanager
def _as_the_account_of(pid):
    """Take the identity by which the kernel decides who may limit a process."""
    account, own = Path(f"/proc/{pid}").stat(), (os.getuid(), os.getgid())
    os.setregid(account.st_gid, -1)
    os.setreuid(account.st_uid, -1)
    try:
        yield
    finally:
        os.setreuid(own[0], -1)
        os.setregid(own[1], -1)


def test_a_cleanup_without_protection_time_may_fail_a_sync_and_spoils_no_version(
    pulp, mirror, records, held, check
):
    with held(_MEMBERS) as somebody_waits:
        task = pulp.start_sync(mirror.repository, mirror=True)
        somebody_waits()
        pulp.post("orphans/cleanup/", orphan_protection_time=0)
    with pytest.raises(TaskFailed):
        pulp.wait(task)
    assert pulp.names(mirror.url) == ["a", "b"]
    check()
    pulp.sync(mirror.repository, mirror=True)
    assert _present(pulp, mirror.repository) == len(records) + 1
    check()
