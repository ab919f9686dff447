"""What operators do with any Pulp works on channels, however their packages came in."""

import pytest

from tests.support.builders import make_channel, make_package


@pytest.fixture(params=["on_demand", "immediate"])
def mirror(request, pulp, upstream, make_mirror, unique):
    """A mirror with two versions: the second has a package less, and its files were downloaded."""
    packages = [make_package(f"{name}-{unique}", subdir="linux-64") for name in ("kept", "gone")]
    make_channel(upstream.folder, packages)
    mirror = make_mirror(policy=request.param)
    pulp.sync(mirror.repository, mirror=True)
    for package in packages:
        path = f"linux-64/{package.filename}"
        assert pulp.fetch(mirror.url, path).content == package.data
    for path in (upstream.folder / "linux-64").glob(f"gone-{unique}-*"):
        path.unlink()
    make_channel(upstream.folder, packages[:1])
    pulp.sync(mirror.repository, mirror=True)
    return mirror, *packages


def _units(pulp, package):
    return pulp.get("content/conda/packages/", name=package.record.name)["results"]


def test_orphan_cleanup_leaves_what_versions_have(pulp, mirror):
    mirror, kept, gone = mirror
    pulp.post("orphans/cleanup/", orphan_protection_time=0)
    assert pulp.fetch(mirror.url, f"linux-64/{kept.filename}").content == kept.data
    assert len(_units(pulp, gone)) == 1


def test_a_deleted_version_takes_with_it_what_only_it_had(pulp, mirror):
    mirror, kept, gone = mirror
    served = pulp.fetch(mirror.url, "linux-64/repodata.json").content
    pulp.delete(f"{mirror.repository}versions/1/")
    pulp.post("orphans/cleanup/", orphan_protection_time=0)
    assert _units(pulp, gone) == []
    assert pulp.fetch(mirror.url, "linux-64/repodata.json").content == served
    assert pulp.fetch(mirror.url, f"linux-64/{kept.filename}").content == kept.data
    assert pulp.fetch(mirror.url, f"linux-64/{gone.filename}").status_code == 404


def test_reclaimed_files_come_again_from_the_upstream(pulp, mirror, upstream):
    mirror, kept, _ = mirror
    pulp.post("repositories/reclaim_space/", repo_hrefs=[mirror.repository])
    assert _units(pulp, kept)[0]["artifact"] is None
    before = len(upstream.asked(kept.filename))
    assert pulp.fetch(mirror.url, f"linux-64/{kept.filename}").content == kept.data
    assert len(upstream.asked(kept.filename)) == before + 1


def test_a_damaged_file_is_repaired_from_the_upstream(pulp, stack, mirror):
    mirror, kept, _ = mirror
    (file,) = (
        path
        for path in stack.state.media.rglob("*")
        if path.is_file() and path.read_bytes() == kept.data
    )
    file.write_bytes(b"damaged")
    task = pulp.post(f"{mirror.repository}versions/2/repair/", verify_checksums=True)
    assert {r["code"]: r["done"] for r in task["progress_reports"]}["repair.repaired"] == 1
    assert pulp.fetch(mirror.url, f"linux-64/{kept.filename}").content == kept.data
