"""Three stories through a web server and real workers, with the verbs that the story of a team does
not need.
"""

import time

import pytest

from pulp_conda.channel.lockfiles.read import read_lock_file
from tests.support.builders import make_package
from tests.support.conda import TaskFailed
from tests.support.receiver import Receiver


def _hrefs(pulp, *packages):
    return [
        pulp.get("content/conda/packages/", sha256=package.record.sha256)["results"][0]["pulp_href"]
        for package in packages
    ]


def _upload_in_chunks(pulp, package, **fields):
    """Upload a package in two pieces, and make a unit of it."""
    size, half = len(package.data), len(package.data) // 2
    upload = pulp.post("uploads/", size=size)["pulp_href"]
    pulp.put_chunk(upload, package.data[:half], 0, size)
    pulp.put_chunk(upload, package.data[half:], half, size)
    return pulp.create_package(upload=upload, **fields)


def test_a_channel_is_made_by_hand_and_another_is_made_of_it(pulp, make_repository, unique):
    app = make_package(f"app-{unique}", depends=[f"lib-{unique}"])
    lib, old = (make_package(f"lib-{unique}", version) for version in ("1.0", "0.9"))
    repository = make_repository()
    pulp.upload(old, repository=repository)
    _upload_in_chunks(pulp, app, filename=app.filename, repository=repository)
    with pytest.raises(TaskFailed) as refused:
        pulp.upload_bytes(lib.filename, lib.data[:-9], repository=repository)
    assert refused.value.code.startswith("CND")
    pulp.upload(lib)

    # Nobody publishes for us here.
    pulp.modify(repository, add=_hrefs(pulp, lib), remove=_hrefs(pulp, old))
    first = pulp.publish(f"{repository}versions/2/")
    distribution = pulp.distribution(publication=first)
    url = distribution["base_url"]
    assert pulp.names(url) == [app.record.name, old.record.name]
    served = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"]
    assert old.filename in served
    pulp.patch(distribution["pulp_href"], publication=pulp.publish(repository=repository))
    served = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"]
    assert set(served) == {app.filename, lib.filename}
    for package in (app, lib):
        assert pulp.fetch(url, f"noarch/{package.filename}").content == package.data

    # Another team wants the application, and what it needs.
    other = make_repository(autopublish=True)
    copied = pulp.post(f"{other}copy/", source=repository, specs=[app.record.name])["result"]
    assert {package["sha256"] for package in copied["packages"]} == {
        app.record.sha256,
        lib.record.sha256,
    }
    assert pulp.names(pulp.distribute(repository=other)) == [app.record.name, lib.record.name]


def test_two_people_move_a_stage_while_a_program_listens(pulp, make_repository, unique):
    repository = make_repository(autopublish=True)
    pulp.upload(make_package(f"app-{unique}"), repository=repository)
    with Receiver() as receiver:
        team = pulp.lifecycle(repository, webhook_url=receiver.url)
        team.set_gates("testing", {"name": "yes", "kind": "approval"})
        promoter, approver, stranger = (
            pulp.user(roles)
            for roles in (
                ["conda.condalifecycle_promoter"],
                ["conda.condalifecycle_approver"],
                [],
            )
        )
        # Each may do what the table of roles says, and no more.
        assert stranger.try_get(team.href).status_code == 404
        assert approver.try_post(f"{team.href}promote/", stage="testing").status_code == 403
        assert team.as_user(promoter).promote("testing")["outcome"] == "waiting"
        (request,) = team.history("testing")
        assert promoter.try_post(f"{request['pulp_href']}approve/").status_code == 403
        assert team.state("testing") is None
        report = approver.post(f"{request['pulp_href']}approve/", reason="looks good")["result"]
        assert (report["outcome"], team.state("testing")) == ("moved", "v1")
        assert pulp.names(team.urls["testing"]) == [f"app-{unique}"]

        deadline = time.monotonic() + 60
        while len(receiver.payloads) < 2:
            assert time.monotonic() < deadline, receiver.payloads
            time.sleep(0.1)
        assert [payload["event"] for payload in receiver.payloads] == [
            "approval_wanted",
            "promoted",
        ]

    # What a stage serves or was adopted by is not deleted.
    publication = team.stage("testing")["publication"]
    refused = pulp.try_delete(publication)
    assert (refused.status_code, "CND0043" in refused.text) == (400, True)
    for href in (team.stage("testing")["distribution"], repository):
        with pytest.raises(TaskFailed) as failed:
            pulp.delete(href)
        assert f"lifecycle '{team.name}'" in failed.value.description
    assert pulp.names(team.urls["testing"]) == [f"app-{unique}"]


def test_a_lock_file_leaves_one_channel_and_makes_another(pulp, make_repository, unique):
    app = make_package(f"app-{unique}", depends=[f"lib-{unique}"])
    lib = make_package(f"lib-{unique}", subdir="linux-64")
    repository = make_repository(autopublish=True)
    for package in (app, lib, make_package(f"other-{unique}")):
        pulp.upload(package, repository=repository)
    pulp.environment(repository, "analysis", app.record.name, platforms=["linux-64"])
    team = pulp.lifecycle(repository)

    group = pulp.post(f"{team.href}solve/", stage="unstable")["task_group"]
    deadline = time.monotonic() + 60
    while (found := pulp.get(group))["waiting"] or found["running"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    (task,) = found["tasks"]
    assert [solved["verdict"] for solved in pulp.wait(task["pulp_href"])["result"]] == ["solved"]
    lock = pulp.try_get(
        f"{team.href}lock/", stage="unstable", environment="analysis", lock_format="pixi"
    )
    hashes = {package.record.sha256 for package in (app, lib)}
    assert {package.sha256 for package in read_lock_file(lock.text).packages} == hashes

    target = make_repository(autopublish=True)
    pulp.post(f"{target}import_lock_file/", lock_file=lock.text, sources=[repository])
    assert pulp.names(pulp.distribute(repository=target)) == [app.record.name, lib.record.name]
