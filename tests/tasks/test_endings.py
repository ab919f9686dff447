"""How tasks end: failed means that nothing happened, but for one that is killed when all is done.

Each task of the plugin that has a result ends here in three ways: by an error before it commits, by
a result that PostgreSQL refuses, and by `kill -9` before the result is stored.
"""

import inspect
import json
import pkgutil
from importlib import import_module
from types import SimpleNamespace

import pytest
from django_guid import set_guid
from django_guid.utils import generate_guid

from pulpcore.plugin.models import Content, RepositoryContent, RepositoryVersion, Task
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import extract_pk
from pulpcore.tasking._util import delete_incomplete_resources

from pulp_conda.app import results, tasks
from pulp_conda.app.models import (
    CondaAct,
    CondaBlock,
    CondaDistribution,
    CondaLifecycle,
    CondaPublication,
    CondaRefreshRun,
    CondaRemote,
    CondaRepository,
    CondaStage,
    HistoryEntry,
    MergedVersion,
)
from pulp_conda.app.tasks.blocks import publish_repository
from pulp_conda.app.tasks.merge import merge
from pulp_conda.app.tasks.refresh import run
from pulp_conda.app.tasks.removal import remove_package
from tests.support.builders import make_channel, make_package
from tests.support.in_process import run_tasks
from tests.support.upstream import Upstream

# Bytes of JSON. What a package says of itself may have megabytes.
LARGEST_RESULT = 4000

MODELS = [
    Content,
    CondaAct,
    CondaDistribution,
    CondaLifecycle,
    CondaPublication,
    CondaRemote,
    CondaRepository,
    CondaStage,
    HistoryEntry,
    MergedVersion,
    RepositoryContent,
    RepositoryVersion,
]

# What changes although no task did something: times of looking, and answers, which requests note.
NOT_COMPARED = {"pulp_last_updated", "timestamp_of_interest", "last_sync", "answers"}


def _state(name):
    """All that there is, by model and key, for the task of this name."""
    return {
        (model.__name__, row["pk"]): {
            key: value for key, value in row.items() if key not in NOT_COMPARED
        }
        for model in MODELS
        if name not in STORES_BEFORE or model is not Content
        for row in model.objects.values("pk", *(field.name for field in model._meta.fields))
        # Those of requests stay: the request was carried out.
        if model is not CondaAct or row["task"]
    }


class Killed(BaseException):
    """Nothing that the task could do comes after this."""


@pytest.fixture(scope="module")
def world(pulp, tmp_path_factory):
    """A channel with its upstream, a lifecycle of it, and what requests name."""
    files = {"share/doc": b"x" * 10_000}
    packages = [
        make_package(name, files=files, info={"about.json": b'{"a": "%s"}' % (b"b" * 5000)})
        for name in ("ending", "other", "third", "fourth")
    ]
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        make_channel(upstream.folder, [packages[2]])
        remote = pulp.post("remotes/conda/conda/", name="ending", url=upstream.url)["pulp_href"]
        made = pulp.post(
            "repositories/conda/conda/", name="ending", autopublish=True, remote=remote
        )
        repository = made["pulp_href"]
        unit = pulp.upload(packages[0], repository=repository)["pulp_href"]
        other = pulp.post("repositories/conda/conda/", name="ending-other", autopublish=True)
        other = other["pulp_href"]
        second = pulp.upload(packages[1], repository=other)["pulp_href"]
        pulp.environment(repository, "ending", "ending", platforms=["linux-64"])
        team = pulp.lifecycle(repository, name="ending")
        team.promote("testing")
        team.promote("stable")
        pulp.upload(packages[3], repository=repository)
        team.promote("testing")
        fresh = pulp.post("repositories/conda/conda/", name="ending-fresh", remote=remote)
        alone = pulp.post("repositories/conda/conda/", name="ending-alone", autopublish=True)
        pulp.upload(packages[1], repository=alone["pulp_href"])
        member = pulp.distribution(repository=alone["pulp_href"])["pulp_href"]
        virtual = pulp.post(
            "repositories/conda/conda/",
            name="ending-virtual",
            merged_channels=[{"distribution": member}],
        )
        sha256 = packages[0].record.sha256
        yield SimpleNamespace(
            lock=f"@EXPLICIT\nhttps://h/c/noarch/{packages[0].filename}#sha256:{sha256}\n",
            fourth=packages[3],
            fresh=fresh["pulp_href"],
            new=make_package("new", files=files),
            other=other,
            remote=remote,
            repository=repository,
            second=second,
            team=team,
            unit=unit,
            distribution=pulp.distribution(repository=repository)["pulp_href"],
            entry=team.history("testing")[-1]["number"],
            source=f"{repository}versions/1/",
            virtual=virtual["pulp_href"],
        )


PATCH = {"subdir": "noarch", "reason": "why"}
CHANGES = {"packages.conda": {"ending-1.0-0.conda": {"license": "MIT"}}}


def _request_approval(pulp, world):
    """Let something wait for an answer, and return the request to approve it."""
    world.team.set_gates("stable", {"name": "yes", "kind": "approval"})
    user = pulp.user(["conda.condalifecycle_promoter"])
    world.team.as_user(user).promote("stable")
    world.waiting = world.team.history("stable")[0]["pulp_href"]


def _merge_nothing(pulp, world):
    """Let a virtual channel not have seen yet what it merges."""
    MergedVersion.objects.filter(version__repository=extract_pk(world.virtual)).delete()


def _block(pulp, world):
    """Block a package, before anything is published again."""
    CondaBlock.objects.create(
        sha256=world.fourth.record.sha256, public_reason="It is broken."
    ).match()


def _dispatched(task, repository, **arguments):
    """Run a task that no request of the API dispatches, and answer as the API would."""
    set_guid(generate_guid())
    row = CondaRepository.objects.get(pk=extract_pk(repository))
    told = {"task": str(dispatch(task, exclusive_resources=[row], kwargs=arguments).pk)}
    run_tasks()
    return SimpleNamespace(status_code=202, content=True, text="", json=lambda: told)


def _refresh(pulp, world):
    key, remote = extract_pk(world.fresh), extract_pk(world.remote)
    due = CondaRefreshRun.objects.create(repository_id=key)
    return _dispatched(run, world.fresh, run_pk=str(due.pk), remote_pk=remote)


def _upload_many(pulp, world):
    files = [
        ("file", (package.filename, package.data))
        for package in (make_package("many"), make_package("more"))
    ]
    return pulp.session.post(f"{pulp.url}{world.other}upload/", files=files)


# By name: the request, given the API and the world.
TASKS = {
    "upload": lambda pulp, world: pulp.post_bytes(
        "content/conda/packages/",
        world.new.filename,
        world.new.data,
        repository=world.repository,
    ),
    "upload without repository": lambda pulp, world: pulp.post_bytes(
        "content/conda/packages/",
        "alone-1.0-0.conda",
        make_package("alone").data,
    ),
    "patch": lambda pulp, world: pulp.try_post(
        "content/conda/patches/", repository=world.repository, instructions=CHANGES, **PATCH
    ),
    "environment": lambda pulp, world: pulp.try_post(
        "content/conda/environments/",
        repository=world.repository,
        name="second",
        format="specs",
        source="ending",
        platforms=["linux-64"],
    ),
    "modify": lambda pulp, world: pulp.try_post(
        f"{world.repository}modify/", add_content_units=[world.second]
    ),
    "sync": lambda pulp, world: pulp.try_post(f"{world.repository}sync/"),
    "copy": lambda pulp, world: pulp.try_post(
        f"{world.other}copy/", source=world.repository, specs=["ending", "fourth"]
    ),
    "find lock file": lambda pulp, world: pulp.try_post(
        f"{world.other}find_lock_file/", lock_file=world.lock
    ),
    "import lock file": lambda pulp, world: pulp.try_post(
        f"{world.other}import_lock_file/", lock_file=world.lock, sources=[world.repository]
    ),
    "publish": lambda pulp, world: pulp.try_post(
        "publications/conda/conda/", repository_version=world.source
    ),
    "solve": lambda pulp, world: pulp.try_post(f"{world.team.href}solve/", stage="unstable"),
    "promote packages": lambda pulp, world: pulp.try_post(
        f"{world.team.href}promote_packages/", stage="stable", specs=["fourth"]
    ),
    "promote": lambda pulp, world: pulp.try_post(f"{world.team.href}promote/", stage="stable"),
    "roll back": lambda pulp, world: pulp.try_post(
        f"{world.team.href}rollback/", stage="testing", entry=world.entry
    ),
    "approve": lambda pulp, world: pulp.try_post(f"{world.waiting}approve/"),
    "create lifecycle": lambda pulp, world: pulp.try_post(
        "conda/lifecycles/", name="ended", repository=world.repository
    ),
    "change lifecycle": lambda pulp, world: pulp.try_patch(world.team.href, retain_days=7),
    "create distribution": lambda pulp, world: pulp.try_post(
        "distributions/conda/conda/", name="ended", base_path="somewhere/else"
    ),
    "change distribution": lambda pulp, world: pulp.try_patch(
        world.distribution, pulp_labels={"a": "b"}
    ),
    "change repository": lambda pulp, world: pulp.try_patch(
        world.repository, description="changed"
    ),
    "check": lambda pulp, world: pulp.try_post(f"{world.remote}check/"),
    "plan": lambda pulp, world: pulp.try_post(
        f"{world.fresh}plan/", selection={"groups": [{"specs": ["third"]}]}
    ),
    "refresh": _refresh,
    "merge": lambda pulp, world: _dispatched(
        merge, world.virtual, repository_pk=extract_pk(world.virtual)
    ),
    "remove": lambda pulp, world: _dispatched(
        remove_package,
        world.other,
        repository_pk=extract_pk(world.other),
        subdir="noarch",
        filename="ending-1.0-0.conda",
    ),
    "upload many": _upload_many,
    "publish without what is blocked": lambda pulp, world: _dispatched(
        publish_repository,
        world.repository,
        repository_pk=extract_pk(world.repository),
        requester_pk=1,
        reason="It is broken.",
    ),
}
BEFORE = {
    "approve": _request_approval,
    "merge": _merge_nothing,
    "publish without what is blocked": _block,
}

# The task of the plugin that each of them runs. Those that only change an object are Pulp's.
FUNCTIONS = {
    "upload": "content.create_content",
    "upload without repository": "content.create_content",
    "patch": "content.create_content",
    "environment": "content.create_content",
    "modify": "modify.modify",
    "sync": "sync.synchronize",
    "copy": "copy.copy_packages",
    "find lock file": "locks.find_lock_file",
    "import lock file": "locks.import_lock_file",
    "publish": "publish.publish",
    "solve": "solve.solve_chunk",
    "promote packages": "packages.promote_packages",
    "promote": "moves.promote",
    "roll back": "moves.roll_back",
    "approve": "moves.answer",
    "check": "check.check_remote",
    "plan": "plan.plan",
    "refresh": "refresh.run",
    "merge": "merge.merge",
    "remove": "removal.remove_package",
    "upload many": "uploads.join_uploads",
    "publish without what is blocked": "blocks.publish_repository",
}
# Public functions of `tasks/` that do not end here, each with the reason.
NOT_ENDED = {
    "blocks.dispatch_for_block": "it is called by requests",
    "blocks.dispatch_for_files": "it is called by requests",
    "blocks.publish_affected": "it only dispatches `publish_repository`",
    "cleanup.clean_up": "it is called by Pulp's own task",
    "conversions.convert_packages": "it commits each file, which `join_uploads` adds to a version",
    "conversions.convert_uploads": "it does what `convert_packages` does",
    "merge.dispatch_merges": "it is called by requests and tasks",
    "metrics.send_metrics": "it has no result, and changes nothing",
    "refresh.look": "it has no result: it dispatches `run`",
    "replicate.replicate_channel": "it does what `synchronize` does",
    "replicate.report_failure": "it has no result, and changes nothing",
    "replicate.check_replicated": "it has no result, and changes nothing",
    "solve.dispatch_solving": "it is called by requests",
    "sync.naming": "it is called by tasks",
    "uploads.tend_uploads": "it has no result: it dispatches `join_uploads`",
    "webhooks.send": "it is called by `deliver`",
    "webhooks.deliver": "it has no result: it sends messages",
    "webhooks.deliver_due": "it has no result: it sends messages",
}

# They change nothing, or only note what the solver found.
CHANGES_NOTHING = {"find lock file", "solve", "check", "plan"}
# They commit more than once. Their results repeat what the database has by then.
COMMITS_ONE_BY_ONE = {"upload many", "publish without what is blocked"}
# A sync stores units while it reads. Until Pulp removes them, they are in no version.
STORES_BEFORE = {"sync", "refresh"}
# Somebody asked for another publication of the same version: it has the same bytes.
MAKES_ANOTHER = {"publish"}


def _tasks_of(pulp, answer):
    """The tasks of an answer, which are done; none if the request was refused or did all itself."""
    told = answer.json() if answer.content else {}
    if "task_group" in told:
        return [task["pulp_href"] for task in pulp.get(told["task_group"])["tasks"]]
    return [told["task"]] if "task" in told else []


def _read(href):
    return Task.objects.get(pk=href.rstrip("/").rpartition("/")[2])


def _failed(pulp, answer):
    assert answer.status_code == 202, answer.text
    (href,) = _tasks_of(pulp, answer)
    task = _read(href)
    assert task.state == "failed", task.result
    return task


def _end_of_worker():
    """Do what the next worker does with the task of one that is gone."""
    task = Task.objects.get(state="running")
    task.set_canceling()
    delete_incomplete_resources(task)
    task.set_canceled("failed", "Worker has gone missing.")
    Task.objects.filter(pk=task.pk).update(app_lock=None)
    return task


def test_each_task_ends_here():
    found = {
        f"{name}.{function.__name__}"
        for _, name, _ in pkgutil.iter_modules(tasks.__path__)
        for module in [import_module(f"{tasks.__name__}.{name}")]
        for _, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not function.__name__.startswith("_")
    }
    assert found == {*FUNCTIONS.values(), *NOT_ENDED}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_that_failed_changed_nothing(pulp, world, monkeypatch, name):
    ask = TASKS[name]
    BEFORE.get(name, lambda pulp, world: None)(pulp, world)
    before = _state(name)

    def error(*arguments, **options):
        raise RuntimeError("before the commit")

    if name not in COMMITS_ONE_BY_ONE:
        with monkeypatch.context() as patched:
            patched.setattr(results, "json", SimpleNamespace(dumps=error))
            task = _failed(pulp, ask(pulp, world))
            assert "before the commit" in json.dumps(task.error)
        assert _state(name) == before

        with monkeypatch.context() as patched:
            patched.setattr(results, "json", SimpleNamespace(dumps=lambda *_, **__: r'"\u0000"'))
            task = _failed(pulp, ask(pulp, world))
            assert task.error["error_code"] == "CND0066"
        assert _state(name) == before

    stored = []

    def killed(task, result=None):
        stored.append(result)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Task, "set_completed", killed)
        with pytest.raises(Killed):
            ask(pulp, world)
    task = _end_of_worker()
    assert task.state == "failed"
    if name in FUNCTIONS:
        assert task.name == f"{tasks.__name__}.{FUNCTIONS[name]}"
    assert len(json.dumps(stored, default=str)) < LARGEST_RESULT
    after = _state(name)
    assert (after == before) == (name in CHANGES_NOTHING)

    again = ask(pulp, world)
    assert again.status_code < 500, again.text
    assert {_read(href).state for href in _tasks_of(pulp, again)} <= {"completed"}
    if name in MAKES_ANOTHER:
        new = [model for model, _ in _state(name).keys() - after.keys() if model != "Content"]
        assert sorted(new) == ["CondaAct", "CondaPublication"]
    else:
        assert _state(name) == after
