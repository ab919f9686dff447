"""Uploads by the core that all doors share: what they make, what they refuse, and who may."""

import asyncio
import errno
import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.utils import timezone
from django_guid import set_guid
from django_guid.utils import generate_guid

from pulpcore.plugin.models import Artifact, Task, TaskSchedule
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_url

from pulp_conda.app import publishing
from pulp_conda.app.authentication import issue_token
from pulp_conda.app.errors import MayNotUpload, TakesNoUploads, WrongDigest
from pulp_conda.app.models import CondaDistribution, CondaStage, CondaUpload
from pulp_conda.app.tasks.removal import remove_package
from pulp_conda.app.tasks.uploads import tend_uploads
from pulp_conda.app.uploading import Arrival, accept, check_rights, gathering, outcome, wait
from pulp_conda.app.vocabulary import TokenScope
from tests.support.builders import make_package
from tests.support.in_process import run_tasks


@pytest.fixture
def channel(pulp, unique):
    """A channel that publishes its versions itself."""
    return _channel(pulp, unique, autopublish=True)


def _channel(pulp, name, **options):
    repository = pulp.post("repositories/conda/conda/", name=name, **options)["pulp_href"]
    pulp.distribution(repository=repository, name=name, base_path=name)
    return CondaDistribution.objects.get(name=name)


def _arrival(channel, package, **options):
    data = options.pop("data", package.data)
    with NamedTemporaryFile(dir=settings.WORKING_DIRECTORY, delete=False) as file:
        file.write(data)
    return Arrival(
        **{
            "distribution": channel,
            "user": get_user_model().objects.get(username="admin"),
            "filename": package.filename,
            "path": Path(file.name),
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            **options,
        }
    )


def _accept(channel, package, **options):
    # What the middleware of both apps gives to each request, and tasks keep.
    set_guid(generate_guid())
    return accept(_arrival(channel, package, **options))


def _upload(channel, package, **options):
    """Upload a package, let the tasks run, and return what became of it."""
    key = _accept(channel, package, **options)
    run_tasks()
    return outcome(key)


def _remove(channel, package):
    """Remove a package from a channel, and return the task that did it."""
    set_guid(generate_guid())
    task = dispatch(
        remove_package,
        exclusive_resources=[channel.repository],
        args=(str(channel.repository.pk), "noarch", package.filename),
    )
    run_tasks()
    task.refresh_from_db()
    return task


def _versions(channel):
    return channel.repository.versions.filter(number__gt=0).count()


def _publications(channel):
    return channel.repository.latest_version().publication_set.count()


@pytest.mark.parametrize("autopublish", [True, False])
def test_an_upload_is_served_when_its_outcome_says_so(pulp, unique, autopublish):
    channel = _channel(pulp, unique, autopublish=autopublish)
    package = make_package(f"new-{unique}")
    key = _accept(channel, package)
    assert outcome(key) is None
    run_tasks()
    found = outcome(key)
    assert (found.state, found.texts) == ("published", ())
    assert found.url == f"{channel.url.rstrip('/')}/noarch/{package.filename}"
    assert pulp.session.get(found.url).content == package.data
    repodata = pulp.fetch(f"{channel.url}/", "noarch/repodata.json").json()
    assert repodata["packages.conda"][package.filename]["md5"] == package.record.fields["md5"]


@pytest.mark.parametrize("autopublish", [True, False])
def test_what_cannot_be_published_changes_nothing(pulp, monkeypatch, unique, autopublish):
    channel = _channel(pulp, unique, autopublish=autopublish)
    package = make_package(f"there-{unique}")
    assert _upload(channel, package).state == "published"

    def no_space(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(publishing.channel, "write_files", no_space)
        assert _upload(channel, make_package(f"new-{unique}")).state == "refused"
        assert _remove(channel, package).error["error_code"] == "CND0080"
    assert _versions(channel) == 1
    assert pulp.fetch(f"{channel.url}/", f"noarch/{package.filename}").content == package.data
    assert _remove(channel, package).state == "completed"
    assert _versions(channel) == 2


def test_the_same_bytes_again_change_nothing(channel, unique):
    package = make_package(f"again-{unique}")
    assert _upload(channel, package).state == "published"
    again = _upload(channel, package)
    assert (again.state, again.code) == ("exists", None)
    assert again.url
    assert (_versions(channel), _publications(channel)) == (1, 1)


def test_other_bytes_are_a_conflict_unless_forced(channel, unique):
    first = make_package(f"clash-{unique}", files={"share/a": b"1"})
    second = make_package(f"clash-{unique}", files={"share/a": b"2"})
    _upload(channel, first)
    found = _upload(channel, second)
    assert (found.state, found.code, found.url) == ("conflict", "CND0018", None)
    assert first.record.sha256 in found.texts[0]
    assert _versions(channel) == 1
    assert _upload(channel, second, force=True).state == "published"
    assert _versions(channel) == 2


def test_uploads_that_arrive_together_are_one_version_and_the_bad_ones_fail_alone(channel, unique):
    good = [make_package(f"many-{number}-{unique}") for number in range(3)]
    other = make_package(f"many-0-{unique}", files={"share/a": b"other"})
    keys = [_accept(channel, package) for package in [*good, good[0], other]]
    keys.append(_accept(channel, good[1], data=good[1].data[:-20]))
    run_tasks()
    found = [outcome(key) for key in keys]
    states = ["published"] * 3 + ["exists", "conflict", "refused"]
    assert [each.state for each in found] == states
    assert found[-1].code == "CND0003"
    assert (_versions(channel), _publications(channel)) == (1, 1)
    assert not CondaUpload.objects.filter(pk__in=keys, artifact__isnull=False).exists()


def test_clients_that_were_answered_together_are_waited_for(channel, unique, monkeypatch):
    for pause in ("_QUIET", "_LONGEST"):
        monkeypatch.setattr(gathering, pause, 60)
    packages = [make_package(f"{number}-{unique}") for number in range(4)]
    gathering.gather(channel.repository.cast())  # Nobody is expected.
    for package in packages[:2]:
        _accept(channel, package)
    run_tasks()
    _accept(channel, packages[2])
    with ThreadPoolExecutor() as pool:
        gathered = pool.submit(_gathered, channel.repository.cast())
        _accept(channel, packages[3])
        assert gathered.result(30) == 2
    run_tasks()
    assert _versions(channel) == 2


def _gathered(repository):
    """Gather in a thread, and return how many wait then."""
    try:
        gathering.gather(repository)
        return CondaUpload.objects.filter(repository=repository, state="waiting").count()
    finally:
        connection.close()


def test_a_file_that_is_no_package_is_refused_before_it_is_stored(channel, unique):
    package = make_package(f"early-{unique}")
    before = Artifact.objects.count()
    with pytest.raises(WrongDigest) as wrong:
        _accept(channel, package, expected={"sha256": "0" * 64})
    assert package.record.sha256 in str(wrong.value)
    assert Artifact.objects.count() == before


def test_waiting_ends_with_the_outcome_and_not_before(channel, unique):
    key = _accept(channel, make_package(f"wait-{unique}"))
    with pytest.raises(TimeoutError):
        asyncio.run(wait(key, 0.05))
    run_tasks()
    assert asyncio.run(wait(key, 5)).state == "published"


def _user(pulp, *roles):
    return get_user_model().objects.get(username=pulp.user(roles).session.auth[0])


def test_rights_are_those_on_the_repository(pulp, channel):
    for force in (False, True):
        check_rights(_user(pulp, "conda.condarepository_owner"), None, channel, force=force)
        for user in (_user(pulp, "conda.condarepository_viewer"), _user(pulp), AnonymousUser()):
            with pytest.raises(MayNotUpload) as refused:
                check_rights(user, None, channel, force=force)
            needed = "modify" if force else "upload"
            assert f"conda.{needed}_condarepository" in str(refused.value)


def test_who_may_only_add_packages_does_not_force_one_in(pulp, channel):
    user = _user(pulp, "conda.channel_uploader")
    check_rights(user, None, channel, force=False)
    with pytest.raises(MayNotUpload, match="conda.modify_condarepository"):
        check_rights(user, None, channel, force=True)


@pytest.mark.parametrize(
    "scopes, is_for_it, may",
    [
        ([TokenScope.UPLOAD], True, True),
        ([TokenScope.READ], True, False),
        ([TokenScope.UPLOAD], False, False),
    ],
)
def test_a_token_needs_the_scope_and_the_channel(channel, unique, scopes, is_for_it, may):
    admin = get_user_model().objects.get(username="admin")
    channels = [channel.pk] if is_for_it else []
    token, _ = issue_token(owner=admin, name=unique, scopes=scopes, channels=channels)
    with nullcontext() if may else pytest.raises(MayNotUpload, match="token"):
        check_rights(admin, token, channel, force=False)


def test_uploads_go_to_the_first_stage_alone(pulp, unique):
    repository = pulp.post("repositories/conda/conda/", name=unique, autopublish=True)
    lifecycle = pulp.lifecycle(repository["pulp_href"])
    unstable, *later = CondaStage.objects.filter(lifecycle__name=lifecycle.name)
    package = make_package(f"stage-{unique}")
    found = _upload(unstable.distribution, package)
    assert pulp.session.get(found.url).content == package.data
    unstable.distribution.refresh_from_db()
    publication = get_url(unstable.distribution.publication.cast())
    fixed = pulp.distribution(publication=publication)
    fixed = CondaDistribution.objects.get(name=fixed["name"])
    user = get_user_model().objects.get(username="admin")
    for distribution in (*(stage.distribution for stage in later), fixed):
        with pytest.raises(TakesNoUploads):
            check_rights(user, None, distribution, force=False)


def test_uploads_that_a_task_left_behind_get_another_one(channel, unique):
    key = _accept(channel, make_package(f"left-{unique}"))
    Task.objects.filter(state="waiting").update(state="canceled")
    run_tasks()
    assert outcome(key) is None
    (alarm,) = TaskSchedule.objects.filter(task_name__endswith=".tend_uploads")
    assert alarm.next_dispatch - timezone.now() < timedelta(minutes=6)
    set_guid(generate_guid())
    tend_uploads()
    tend_uploads()
    assert Task.objects.filter(state="waiting").count() == 1
    run_tasks()
    assert outcome(key).state == "published"


def test_what_kills_the_tasks_is_refused_and_the_others_are_not(channel, unique):
    keys = [_accept(channel, make_package(f"{name}-{unique}")) for name in ("fine", "killer")]
    # As two tasks leave them that were killed: the second one looks out for the cause.
    CondaUpload.objects.filter(pk__in=keys).update(attempts=2)
    CondaUpload.objects.filter(pk=keys[1]).update(is_suspect=True)
    run_tasks()
    found = [outcome(key) for key in keys]
    assert [(each.state, each.code) for each in found] == [
        ("published", None),
        ("refused", "CND0103"),
    ]


def test_a_file_that_the_storage_lost_is_refused_alone(channel, unique):
    lost, fine = (make_package(f"{name}-{unique}") for name in ("lost", "fine"))
    keys = [_accept(channel, package) for package in (lost, fine)]
    Path(Artifact.objects.get(sha256=lost.record.sha256).file.path).unlink()
    run_tasks()
    assert [outcome(key).code for key in keys] == ["CND0103", None]


def test_it_is_known_for_a_week_what_became_of_an_upload(channel, unique):
    package = make_package(f"old-{unique}")
    _upload(channel, package)
    old = _accept(channel, package)
    run_tasks()
    CondaUpload.objects.filter(pk=old).update(decided_at=timezone.now() - timedelta(days=8))
    tend_uploads()
    with pytest.raises(LookupError):
        outcome(old)
    with pytest.raises(LookupError):
        asyncio.run(wait(old, 5))
    assert CondaUpload.objects.filter(repository__name=unique).count() == 1


def test_each_user_is_noted_with_what_they_added(pulp, channel, unique):
    users = [_user(pulp) for _ in range(2)]
    packages = [make_package(f"by-{number}-{unique}") for number in range(3)]
    for user, package in zip([users[0], *users], packages, strict=True):
        _accept(channel, package, user=user)
    run_tasks()
    repository = pulp.get("repositories/conda/conda/", name=unique)["results"][0]["prn"]
    acts = pulp.list("conda/acts/", resource=repository, verb="changed_content")
    added = {act["actor"]: act["details"]["packages"] for act in acts}
    paths = [f"noarch/{package.filename}" for package in packages]
    assert added == {users[0].username: paths[:2], users[1].username: paths[2:]}
