"""Bulk SQL passes by what Django and pulpcore check: whatever happens to a sync, these things stay
true.

Further ones are in test_domains.py, in tests/tasks/test_care.py, and for large channels and syncs
that meet or end early in tests/slow.
"""

import json
import shutil
import time

import pytest

from tests.support.builders import add_shards, make_channel, make_package, make_record


@pytest.fixture(scope="module")
def default(api):
    """The API of the default domain."""
    return api("default")


@pytest.fixture(scope="module")
def pulp(make_domain):
    """The API of another domain."""
    return make_domain("bulk")


# The version is begun, and nothing is in it yet. Others may read, and delete content.
_MEMBERS = "LOCK TABLE core_repositorycontent IN SHARE MODE"


def test_what_a_sync_found_again_is_not_cleaned_away_before_its_version_is_there(
    pulp, stack, upstream, make_mirror, unique, held, check
):
    orphan = make_record(f"again-{unique}")
    repodata = {"packages.conda": {orphan.filename: orphan.fields}}
    (upstream.folder / "noarch").mkdir()
    (upstream.folder / "noarch/repodata.json").write_text(json.dumps(repodata))
    first = make_mirror(subdirs=["noarch"])
    pulp.sync(first.repository)
    for href in (first.distribution, first.repository):
        pulp.delete(href)
    with stack.connect() as database:
        database.execute("UPDATE core_content SET timestamp_of_interest = '2020-01-01'")
    second = make_mirror(subdirs=["noarch"])
    with held(_MEMBERS) as somebody_waits:
        task = pulp.start_sync(second.repository)
        somebody_waits()
        pulp.post("orphans/cleanup/", orphan_protection_time=10)
    pulp.wait(task)
    assert pulp.names(second.url) == [f"again-{unique}"]
    check()


def test_an_exported_channel_is_imported_into_another_domain_as_it_was(
    pulp, default, stack, upstream, unique, check
):
    packages = [
        make_package("a", depends=["b >=1,<2", "c"], files={"share/a": unique.encode()}),
        make_package("b", subdir="linux-64", files={"share/b": unique.encode()}),
    ]
    make_channel(upstream.folder, packages)
    run_exports = {packages[0].filename: {"weak": ["a >=1,<2"]}}
    add_shards(upstream.folder, run_exports=run_exports)
    remote = pulp.post("remotes/conda/conda/", name=unique, url=upstream.url, policy="immediate")[
        "pulp_href"
    ]
    repository = pulp.post("repositories/conda/conda/", name=unique, remote=remote)["pulp_href"]
    pulp.sync(repository)
    patch = {"packages.conda": {packages[0].filename: {"depends": ["b >=1.5,<2"]}}}
    pulp.post(
        "content/conda/patches/",
        repository=repository,
        subdir="noarch",
        reason="b",
        instructions=patch,
    )
    pulp.environment(repository, f"web-{unique}", "a\nb >=1,<2")
    theirs = pulp.distribute(publication=pulp.publish(repository=repository))

    folder = stack.state.exports / unique
    # 'path' is taken by the verbs of `pulp`.
    body = {"name": unique, "repositories": [repository], "path": str(folder)}
    exporter = pulp.session.post(f"{pulp.url}{pulp.api}exporters/core/pulp/", json=body).json()
    pulp.post(f"{exporter['pulp_href']}exports/")
    taken = stack.state.imports / unique
    shutil.copytree(folder, taken)
    importer = default.post("importers/core/pulp/", name=unique)
    (toc,) = taken.glob("*-toc.json")
    started = default.post(
        f"{importer['pulp_href']}imports/", toc=str(toc), create_repositories=True
    )
    _wait_for_group(default, started["task_group"])

    (imported,) = default.get("repositories/conda/conda/", name=unique)["results"]
    ours = default.distribute(publication=default.publish(repository=imported["pulp_href"]))
    for subdir in ("noarch", "linux-64"):
        exported, arrived = (
            api.fetch(url, f"{subdir}/repodata.json").json()["packages.conda"]
            for api, url in ((pulp, theirs), (default, ours))
        )
        # Since when the channel has them comes along as well.
        assert exported and arrived == exported
        path = f"{subdir}/run_exports.json"
        assert default.fetch(ours, path).content == pulp.fetch(theirs, path).content
    for package in packages:
        assert default.fetch(ours, f"{package.subdir}/{package.filename}").content == package.data
    exported, arrived = (
        api.get(
            api.get("content/conda/environments/", name=f"web-{unique}")["results"][0]["pulp_href"]
        )
        for api in (pulp, default)
    )
    for field in ("source", "platforms", "virtual_packages"):
        assert arrived[field] == exported[field]
    check()


def _wait_for_group(pulp, href):
    group = pulp.get(href)
    while group["waiting"] or group["running"]:
        time.sleep(0.1)
        group = pulp.get(href)
    for task in group["tasks"]:
        pulp.wait(task["pulp_href"])
