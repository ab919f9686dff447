"""Many files in one request, or in several, become one version."""

import hashlib
import io
from dataclasses import replace
from uuid import uuid4

import pytest
from django_guid import set_guid
from django_guid.utils import generate_guid

from pulpcore.plugin.util import extract_pk

from pulp_conda.app.models import CondaRepository, CondaUpload
from pulp_conda.app.tasks.uploads import tend_uploads
from pulp_conda.app.uploading.dispatching import task_for
from tests.support.builders import make_package
from tests.support.client import TaskFailed
from tests.support.in_process import run_tasks
from tests.support.tokens import ANY_KEY, ask, bearer


@pytest.fixture
def send(pulp, make_repository):
    """Send packages to a repository of one's own, and return the answer."""
    href = make_repository(autopublish=True)

    def post(*packages, by=None, json=None, **fields):
        session = (by or pulp).session
        files = [("file", (package.filename, io.BytesIO(package.data))) for package in packages]
        url = f"{pulp.url}{href}upload/"
        if json is not None:
            return session.post(url, json=json)
        return session.post(url, data=fields, files=files)

    post.repository = href
    return post


def _result(pulp, answer):
    assert answer.status_code == 202, answer.text
    return pulp.wait(answer.json())["result"]


def _known(*packages):
    return [{"filename": p.filename, "sha256": p.record.sha256} for p in packages]


def _states(result):
    return {each["filename"]: each["state"] for each in result["uploads"]}


def _versions(pulp, send):
    return pulp.get(f"{send.repository}versions/")["count"] - 1


def test_many_files_of_one_request_are_one_version(pulp, send, unique):
    packages = [make_package(f"{letter}-{unique}") for letter in "abc"]
    result = _result(pulp, send(*packages))
    assert result["version"] == 1
    assert _states(result) == {package.filename: "published" for package in packages}
    again = _result(pulp, send(*packages))
    assert again["version"] is None
    assert _states(again) == {package.filename: "exists" for package in packages}
    assert _versions(pulp, send) == 1


def test_each_bad_file_is_named_with_its_error_and_keeps_no_other_one_away(pulp, send, unique):
    good, cut, other = (make_package(f"{name}-{unique}") for name in ("good", "cut", "other"))
    cut = replace(cut, data=cut.data[:-20])
    other = replace(other, filename=f"{unique}.zip")
    clash = make_package(f"good-{unique}", files={"share/a": b"other"})
    result = _result(pulp, send(good, cut, other, clash))
    errors = {each["sha256"]: each["errors"] for each in result["uploads"]}
    codes = [
        [error["code"] for error in errors[hashlib.sha256(package.data).hexdigest()]]
        for package in (good, cut, other, clash)
    ]
    assert codes == [[], ["CND0003"], ["CND0001"], ["CND0018"]]
    assert (result["version"], _versions(pulp, send)) == (1, 1)
    forced = _result(pulp, send(clash, overwrite=True))
    assert (forced["version"], _states(forced)) == (2, {clash.filename: "published"})


def test_several_faults_of_a_file_are_said_at_once(pulp, send, unique):
    package = make_package(f"bad-{unique}", index={"depends": ["a >>1"], "constrains": ["b =="]})
    package = replace(package, filename=f"other-{unique}-1.0-0.conda")
    (upload,) = _result(pulp, send(package))["uploads"]
    assert [error["code"] for error in upload["errors"]] == ["CND0005", "CND0006"]
    # The same by the other ways of the API.
    texts = [error["text"] for error in upload["errors"]]
    path, file = "content/conda/packages/", (package.filename, package.data)
    answer = pulp.post_bytes(f"{path}upload/", *file)
    assert (answer.status_code, answer.json()) == (400, {"non_field_errors": texts})
    answer = pulp.post_bytes(path, *file, repository=send.repository)
    with pytest.raises(TaskFailed) as failed:
        pulp.wait(answer.json())
    assert "\n".join(texts) in failed.value.task["error"]["description"]


def test_a_batch_of_several_requests_is_one_version(pulp, send, unique):
    first, second = (make_package(f"{letter}-{unique}") for letter in "ab")
    batch = str(uuid4())
    for package in (first, second):
        answer = send(package, batch=batch, complete=False)
        assert (answer.status_code, answer.json()) == (201, {"missing": []})
    # Another upload does not take what is held back.
    assert len(_result(pulp, send(make_package(f"c-{unique}")))["uploads"]) == 1
    tend_uploads()
    result = _result(pulp, send(json={"batch": batch}))
    assert result["version"] == 2
    assert list(_states(result).values()) == ["published"] * 2
    assert send(first, complete=False).status_code == 400
    assert send(json={}).status_code == 400


def test_requests_of_one_user_that_wait_have_one_task(pulp, send, make_repository, unique):
    packages = [make_package(f"{letter}-{unique}") for letter in "abc"]
    batches = [str(uuid4()) for _ in packages]
    for package, batch in zip(packages, batches, strict=True):
        send(package, batch=batch, complete=False)
    repository = CondaRepository.objects.get(pk=extract_pk(send.repository))
    set_guid(generate_guid())
    tasks = [
        task_for(CondaUpload.objects.filter(filename=package.filename), repository)
        for package in packages
    ]
    assert len({task.pk for task in tasks}) == 1
    run_tasks()
    tasks[0].refresh_from_db()
    assert _states(tasks[0].result) == {package.filename: "published" for package in packages}
    assert _versions(pulp, send) == 1


def test_files_that_the_server_has_are_not_sent_again(pulp, send, unique):
    there, sent, elsewhere, new = (make_package(f"{letter}-{unique}") for letter in "abcd")
    _result(pulp, send(there))
    send(sent, batch=str(uuid4()), complete=False)
    pulp.upload(elsewhere)
    packages = (there, sent, elsewhere, new)
    batch = str(uuid4())
    answer = send(json={"batch": batch, "complete": False, "known": _known(*packages)})
    assert answer.json() == {"missing": [new.record.sha256]}
    send(new, batch=batch, complete=False)
    result = _result(pulp, send(json={"batch": batch}))
    assert _states(result) == {
        there.filename: "exists",
        sent.filename: "published",
        elsewhere.filename: "published",
        new.filename: "published",
    }
    unknown = send(json={"known": _known(make_package(f"e-{unique}"))})
    assert unknown.status_code == 400 and "[CND0104]" in unknown.text


def test_a_digest_is_not_enough_for_what_the_user_may_not_see(pulp, send, make_repository, unique):
    owner = pulp.user(["conda.condarepository_creator"])
    own = owner.post("repositories/conda/conda/", name=f"own-{unique}")["pulp_href"]
    hidden, sent = (make_package(f"{name}-{unique}") for name in ("hidden", "sent"))
    pulp.upload(hidden, repository=make_repository())
    send(sent, batch=str(uuid4()), complete=False)
    digests = [package.record.sha256 for package in (hidden, sent)]
    answer = owner.session.post(
        f"{pulp.url}{own}upload/",
        json={"batch": str(uuid4()), "complete": False, "known": _known(hidden, sent)},
    )
    assert sorted(answer.json()["missing"]) == sorted(digests)


def test_only_who_may_change_the_repository_may_upload(pulp, send, unique):
    package = make_package(f"who-{unique}")
    viewer = pulp.user(["conda.condarepository_viewer"])
    assert send(package, by=viewer).status_code == 403
    assert not CondaUpload.objects.filter(filename=package.filename).exists()
    uploader = pulp.user(["conda.channel_uploader"])
    assert send(package, by=uploader, overwrite=True).status_code == 403
    assert _states(_result(pulp, send(package, by=uploader))) == {package.filename: "published"}
    batch = str(uuid4())
    send(package, batch=batch, complete=False)
    owner = pulp.user(["conda.condarepository_owner"])
    others = send(by=owner, batch=batch)
    assert _result(pulp, others) == {"version": None, "uploads": []}


def test_a_token_uploads_to_the_repositories_of_its_channels_alone(pulp, send, unique):
    team = pulp.lifecycle(send.repository)
    later = team.stage("testing")["distribution"]
    channels = {
        "serves the repository": pulp.distribution(repository=send.repository)["pulp_href"],
        "first stage": team.stage("unstable")["distribution"],
        "later stage": later,
        "other": pulp.distribution()["pulp_href"],
    }
    path, names = f"{send.repository}upload/", {"name": unique, "scopes": ["upload"]}
    href = pulp.post("conda/tokens/", **names)
    token, href = bearer(href["token"]), href["pulp_href"]

    def may_upload(**limits):
        pulp.patch(href, **{"channels": None, "lifecycles": None} | limits)
        found = ask(pulp, "GET", "repositories/conda/conda/", token).json()["results"]
        status = ask(pulp, "POST", path, token, json={}).status_code
        assert status in (400, 404)
        assert (send.repository in [each["pulp_href"] for each in found]) == (status == 400)
        return status == 400

    allowed = {
        name: may_upload(channels=[pulp.get(channel)["base_path"]])
        for name, channel in channels.items()
    }
    assert allowed == {
        "serves the repository": True,
        "first stage": True,
        "later stage": False,
        "other": False,
    }
    assert may_upload(lifecycles=[team.name]) and may_upload()

    # The task of such an upload can be read, and no other one.
    pulp.patch(href, channels=None)
    packages = [make_package(f"{letter}-{unique}") for letter in "ab"]
    by_password = send(packages[0]).json()["task"]
    with type(pulp)(pulp.url, "__token__", token["Authorization"].split()[1]) as robot:
        by_token = send(packages[1], by=robot).json()["task"]
    assert ask(pulp, "GET", by_token, token).json()["state"] == "completed"
    (other,) = pulp.get("tasks/", limit=1, name__contains="general_create")["results"]
    for task in (other["pulp_href"], f"tasks/{ANY_KEY}/", "tasks/x/", "tasks/"):
        refused = ask(pulp, "GET", task, token)
        assert refused.status_code in (403, 404) and "state" not in refused.text, task
    pulp.patch(href, channels=[pulp.get(channels["other"])["base_path"]])
    assert ask(pulp, "GET", by_token, token).status_code == 403
    assert ask(pulp, "GET", by_password, token).status_code == 403
    assert CondaUpload.objects.get(filename=packages[1].filename).token_name == unique
