"""Bulk SQL passes by what Django and pulpcore check: what stays true when a sync fails, and when
versions are deleted.
"""

import json

import pytest

from tests.support.builders import make_channel, make_package, make_record
from tests.support.conda import TaskFailed
from tests.support.invariants import check_invariants


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
    (upstream.folder / "noarch/repodata.json.zst").unlink(missing_ok=True)
    packages = {record.filename: record.fields for record in [make_package("b").record, *records]}
    repodata = json.dumps({"packages.conda": packages})
    (upstream.folder / "noarch/repodata.json").write_text(repodata)
    return mirror


def _orphans(stack):
    with stack.connect() as database:
        (count,) = database.execute("""
            SELECT count(*) FROM conda_condapackage WHERE NOT EXISTS (
                SELECT FROM core_repositorycontent WHERE content_id = content_ptr_id
            )
        """).fetchone()
    return count


def test_an_upstream_that_fails_in_the_middle_changes_no_version_and_leaves_only_orphans(
    pulp, stack, upstream, mirror
):
    before = pulp.fetch(mirror.url, "noarch/repodata.json").content
    whole = (upstream.folder / "noarch/repodata.json").read_bytes()
    upstream.answers["noarch/repodata.json"] = (200, [whole[: int(len(whole) * 0.95)]])
    with pytest.raises(TaskFailed):
        pulp.sync(mirror.repository, mirror=True)
    assert pulp.fetch(mirror.url, "noarch/repodata.json").content == before
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/1/")
    check_invariants(stack)

    pulp.post("orphans/cleanup/", orphan_protection_time=0)
    assert _orphans(stack) == 0
    del upstream.answers["noarch/repodata.json"]
    assert pulp.sync(mirror.repository, mirror=True) == 2
    check_invariants(stack)


def test_deleted_versions_and_orphan_cleanup_leave_exactly_what_the_other_versions_have(
    pulp, stack, mirror, records, make_packages
):
    pulp.sync(mirror.repository, mirror=True)
    pulp.modify(mirror.repository, add=make_packages("one", "two"))
    base = f"{mirror.repository}versions/2/"
    pulp.modify(mirror.repository, add=make_packages("three"), base_version=base)
    check_invariants(stack)
    served = pulp.fetch(mirror.url, "noarch/repodata.json").content
    for number in (3, 1):
        pulp.delete(f"{mirror.repository}versions/{number}/")
    check_invariants(stack)
    pulp.post("orphans/cleanup/", orphan_protection_time=0)
    check_invariants(stack)
    assert _orphans(stack) == 0
    version = pulp.get(pulp.get(mirror.repository)["latest_version_href"])
    assert version["content_summary"]["present"]["conda.package"]["count"] == len(records) + 2
    assert pulp.fetch(mirror.url, "noarch/repodata.json").content == served
