"""An upstream that loses its packages, by accident or not."""

import json

import pytest

from tests.support.builders import add_shards, make_record
from tests.support.conda import TaskFailed


def _write(upstream, subdir, names):
    records = {r.filename: r.fields for r in (make_record(n, subdir=subdir) for n in names)}
    folder = upstream.folder / subdir
    folder.mkdir(exist_ok=True)
    repodata = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": records}
    (folder / "repodata.json").write_text(json.dumps(repodata))


def test_an_upstream_that_is_nearly_empty_changes_nothing_unless_it_is_meant(
    pulp, upstream, make_mirror
):
    _write(upstream, "noarch", [f"n{number}" for number in range(40)])
    _write(upstream, "linux-64", [f"l{number}" for number in range(20)])
    mirror = make_mirror()
    pulp.sync(mirror.repository, mirror=True)
    served = pulp.names(mirror.url)
    whole = (upstream.folder / "linux-64/repodata.json").read_bytes()

    _write(upstream, "linux-64", ["l0"])
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository, mirror=True)
    assert refused.value.code == "CND0087"
    assert f"Remote '{mirror.name}': the sync would remove 19 of 20 packages of 'linux-64'" in (
        refused.value.description
    )
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/versions/1/")
    assert pulp.names(mirror.url) == served
    # Without `mirror`, nothing is removed.
    assert pulp.sync(mirror.repository) is None

    (upstream.folder / "linux-64/repodata.json").unlink()
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository, mirror=True, optimize=False)
    assert refused.value.code == "CND0087"

    (upstream.folder / "linux-64/repodata.json").write_bytes(whole)
    assert pulp.sync(mirror.repository, mirror=True) is None
    (upstream.folder / "linux-64/repodata.json").unlink()
    assert pulp.sync(mirror.repository, mirror=True, allow_mass_removal=True) == 2
    assert pulp.names(mirror.url) == [name for name in served if name.startswith("n")]


def test_a_mass_removal_is_refused_before_anything_is_downloaded(pulp, upstream, make_mirror):
    _write(upstream, "noarch", ["a", "b"])
    mirror = make_mirror(subdirs=["noarch"])
    pulp.sync(mirror.repository)
    pulp.patch(mirror.remote, policy="immediate", includes=["nothing"])
    upstream.requests.clear()
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository, mirror=True)
    assert refused.value.code == "CND0087"
    assert not upstream.asked(".conda")


def test_every_form_can_be_nearly_empty(pulp, upstream, make_mirror):
    _write(upstream, "noarch", [f"n{number}" for number in range(12)])
    add_shards(upstream.folder)
    sharded = make_mirror(subdirs=["noarch"])
    flat = make_mirror(subdirs=["noarch"], repodata_form="flat")
    for mirror in (sharded, flat):
        pulp.sync(mirror.repository, mirror=True)
    _write(upstream, "noarch", ["n0"])
    add_shards(upstream.folder)
    for mirror, answer in (
        (sharded, None),
        (flat, None),
        (flat, b"{}"),
        # An empty file is an empty dictionary (CEP 36).
        (flat, b""),
    ):
        if answer is not None:
            upstream.answers["noarch/repodata.json"] = (200, answer)
        with pytest.raises(TaskFailed) as refused:
            pulp.sync(mirror.repository, mirror=True)
        assert refused.value.code == "CND0087"
        assert len(pulp.names(mirror.url)) == 12
