"""What a server believes of what upstreams say: whose bytes it serves, and how old packages are."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed

CREATORS = [
    f"conda.{model}_creator" for model in ("condaremote", "condarepository", "condadistribution")
]


def _with(package, **fields):
    """The package with further fields in its record."""
    record = replace(package.record, fields=package.record.fields | fields)
    return replace(package, record=record)


def _mirror(pulp, url, **options):
    """Return the repository and the URL of a mirror that a user makes."""
    remote = pulp.post("remotes/conda/conda/", name=uuid4().hex, url=url, **options)
    repository = pulp.post(
        "repositories/conda/conda/",
        name=uuid4().hex,
        remote=remote["pulp_href"],
        autopublish=True,
    )["pulp_href"]
    pulp.sync(repository)
    return repository, pulp.distribution(repository=repository)["base_url"]


@pytest.fixture
def secret(pulp, make_repository, unique):
    """A package that the administrator alone may view."""
    package = make_package(f"secret-{unique}")
    pulp.upload(package, repository=make_repository())
    return package


@pytest.mark.parametrize("policy", ["on_demand", "streamed"])
def test_who_names_a_private_file_in_repodata_does_not_get_its_bytes(
    pulp, upstream, secret, policy
):
    make_channel(upstream.folder, [_with(secret, depends=["anything"])])
    path = f"noarch/{secret.filename}"
    (upstream.folder / path).unlink()
    bob = pulp.user(CREATORS)
    _repository, url = _mirror(bob, upstream.url, policy=policy)
    assert pulp.fetch(url, path).status_code == 404
    # His own upstream has it.
    (upstream.folder / path).write_bytes(secret.data)
    for _ in range(2):
        assert pulp.fetch(url, path).content == secret.data
    assert upstream.asked(path) == [404, 200] + [200] * (policy == "streamed")


def test_an_immediate_mirror_fetches_a_private_file_itself(pulp, upstream, secret):
    make_channel(upstream.folder, [_with(secret, depends=["anything"])])
    path = f"noarch/{secret.filename}"
    _repository, url = _mirror(pulp.user(CREATORS), upstream.url, policy="immediate")
    assert upstream.asked(path) == [200]
    assert pulp.fetch(url, path).content == secret.data
    # The administrator has it already.
    _mirror(pulp, upstream.url, policy="immediate")
    assert upstream.asked(path) == [200]


RULE = {"name": "rules", "kind": "policy", "minimum_age": {"days": 7}}
OLD = 1_500_000_000_000


def _gate(pulp, repository):
    """Return the names of packages that a quarantine holds back, and what the gate says."""
    team = pulp.lifecycle(repository)
    team.set_gates("testing", RULE)
    (gate,) = team.promote("testing", dry_run=True)["gates"]
    held = [finding["subject"].split("/")[1].split("-")[0] for finding in gate["findings"]]
    return sorted(held), gate["summary"]


@pytest.fixture
def packages(unique):
    """Packages by name, each with bytes of its own."""
    names = ("old", "forged", "built")
    return {name: make_package(name, files={"share/x": unique.encode()}) for name in names}


def test_a_quarantine_believes_no_date_of_an_upstream(pulp, upstream, packages):
    make_channel(upstream.folder, [packages["old"]])
    repository, _ = _mirror(pulp, upstream.url)
    # All of the first sync are old, which the report says.
    assert _gate(pulp, repository) == (
        [],
        "All rules are kept. Old enough by a date of the upstream: 1.",
    )
    forged = _with(packages["forged"], indexed_timestamp=OLD)
    make_channel(upstream.folder, [packages["old"], forged, packages["built"]])
    pulp.sync(repository)
    held, summary = _gate(pulp, repository)
    assert held == ["built", "forged"]
    assert summary == ("Against the rules: 2 minimum_age. Old enough by a date of the upstream: 1.")


def test_a_second_upstream_is_no_first_sync(pulp, upstream, make_upstream, packages):
    make_channel(upstream.folder, [packages["old"]])
    repository, url = _mirror(pulp, upstream.url)
    second = make_upstream()
    make_channel(second.folder, [packages["built"]])
    remote = pulp.post("remotes/conda/conda/", name=uuid4().hex, url=second.url)
    pulp.sync(repository, remote=remote["pulp_href"])
    assert _gate(pulp, repository)[0] == ["built"]
    records = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"].values()
    indexed = {record["name"]: record["indexed_timestamp"] for record in records}
    assert indexed["old"] == packages["old"].record.timestamp < indexed["built"]


def test_an_upstream_whose_dates_are_trusted_is_believed(pulp, upstream, make_upstream, packages):
    make_channel(upstream.folder, [packages["old"]])
    repository, _ = _mirror(pulp, upstream.url)
    second = make_upstream()
    remote = pulp.post("remotes/conda/conda/", name=uuid4().hex, url=second.url, trust_dates=True)[
        "pulp_href"
    ]
    make_channel(second.folder, [packages["built"]])
    pulp.sync(repository, remote=remote)
    assert _gate(pulp, repository)[0] == []
    late = make_package("late", files={"share/x": repository.encode()})
    dated = _with(packages["forged"], indexed_timestamp=OLD)
    make_channel(second.folder, [packages["built"], dated, late])
    pulp.sync(repository, remote=remote)
    # After the first sync, a build date says nothing of when the channel had it.
    assert _gate(pulp, repository)[0] == ["late"]


def test_a_copy_and_a_corrected_record_are_as_old_as_the_file(pulp, stack, upstream, packages):
    make_channel(upstream.folder, [packages["old"]])
    repository, _ = _mirror(pulp, upstream.url)
    copy = pulp.post("repositories/conda/conda/", name=uuid4().hex, autopublish=True)["pulp_href"]
    pulp.post(f"{copy}copy/", source=repository, specs=["old"])
    # That the first sync is believed does not travel along.
    assert _gate(pulp, copy)[0] == ["old"]
    with stack.connect() as database:
        database.execute(
            "UPDATE core_content SET pulp_created = pulp_created - interval '60 days' "
            "WHERE pulp_id IN (SELECT content_ptr_id FROM conda_condapackage WHERE sha256 = %s)",
            [packages["old"].record.sha256],
        )
    assert _gate(pulp, copy) == ([], "All rules are kept.")
    make_channel(upstream.folder, [_with(packages["old"], depends=["hotfix"])])
    remote = pulp.post("remotes/conda/conda/", name=uuid4().hex, url=upstream.url)["pulp_href"]
    pulp.sync(copy, remote=remote)
    assert _gate(pulp, copy) == ([], "All rules are kept.")


def test_an_immediate_mirror_counts_what_an_upload_would_refuse(pulp, upstream, unique):
    good = make_package(f"good-{unique}", files={"bin/x": b"x"})
    changed = make_package(
        f"changed-{unique}",
        files={"bin/x": b"x"},
        info={"paths.json": b'{"paths": [{"_path": "bin/x", "size_in_bytes": 9}]}'},
    )
    make_channel(upstream.folder, [good, changed])
    remote = pulp.post("remotes/conda/conda/", name=unique, url=upstream.url, policy="immediate")
    repository = pulp.post("repositories/conda/conda/", name=unique, remote=remote["pulp_href"])[
        "pulp_href"
    ]
    reports = {report["code"]: report for report in pulp.sync_task(repository)["progress_reports"]}
    assert reports["sync.downloading.artifacts"]["done"] == 2
    assert reports["sync.refused_as_uploads"]["done"] == 1
    with pytest.raises(TaskFailed) as failed:
        pulp.upload(changed)
    assert failed.value.code == "CND0081"
    # Known all the same.
    (unit,) = pulp.get("content/conda/packages/", name=changed.record.name)["results"]
    assert unit["about"] == {"summary": f"changed-{unique}, for tests"}
