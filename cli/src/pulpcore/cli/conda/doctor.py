"""`pulp conda doctor`: what holds channels, and what to do."""

import typing as t

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_command
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaRepositoryContext
from pulp_glue.core.context import PulpTaskContext, PulpWorkerContext

from pulpcore.cli.conda import output
from pulpcore.cli.conda.examples import add_example

translation = get_translation(__package__)
_ = translation.gettext

# The most tasks that are looked at, the oldest first, and the most workers.
_MOST = 1000


@pulp_command()
@click.argument("name", required=False)
@pass_pulp_context
def doctor(pulp_ctx: PulpCLIContext, /, name: str | None) -> None:
    """Say what holds channels, or one of them: which task, by which worker, and since when.

    A channel does one thing at a time. If the worker of its task was killed, the channel waits
    until Pulp notices.
    """
    repository_ctx = PulpCondaRepositoryContext(pulp_ctx)
    if name is not None:
        repository_ctx.entity = {"name": name}
        channels = {repository_ctx.entity["prn"]: name}
    workers_ctx = PulpWorkerContext(pulp_ctx)
    gone = workers_ctx.list(_MOST, 0, {"missing": True})
    missing = {worker["current_task"]: worker for worker in gone if worker["current_task"]}
    online = workers_ctx.list(_MOST, 0, {"online": True})
    wanted = {"state__in": ["running", "waiting", "canceling"], "ordering": ["pulp_created"]}
    tasks = PulpTaskContext(pulp_ctx).list(_MOST, 0, wanted)
    if name is None:
        channels = _named(repository_ctx, {prn for task in tasks for prn in _held_by(task)})
    held = [_held(channels[prn], tasks, prn, missing) for prn in channels]
    held = sorted(filter(None, held), key=lambda each: each["channel"])
    lines = [] if online else [_("No worker is online, so no task runs. Start pulpcore-worker.")]
    lines += [line for each in held for line in _told(each)]
    if not held and online:
        lines.append(_("Nothing holds a channel."))
    if output.is_for_people(pulp_ctx):
        output.show(pulp_ctx, held, lines)
    else:
        pulp_ctx.output_result(held)


def _held_by(task: dict[str, t.Any]) -> list[str]:
    """Return the repositories that a task has, or waits to have, for itself alone."""
    resources = task.get("reserved_resources_record") or []
    return [name for name in resources if name.startswith("prn:conda.condarepository:")]


def _named(repository_ctx: PulpCondaRepositoryContext, prns: set[str]) -> dict[str, str]:
    if not prns:
        return {}
    found = repository_ctx.list(len(prns), 0, {"prn__in": sorted(prns)})
    return {each["prn"]: each["name"] for each in found}


def _held(
    channel: str, tasks: list[dict[str, t.Any]], prn: str, missing: dict[str, dict[str, t.Any]]
) -> dict[str, t.Any] | None:
    """Return what holds a channel, or None if nothing does.

    Args:
        missing: The workers without a sign of life, by the task that they run.
    """
    of_channel = [task for task in tasks if prn in _held_by(task)]
    if not of_channel:
        return None
    running = [task for task in of_channel if task["state"] != "waiting"]
    task = (running or of_channel)[0]
    worker = missing.get(task["pulp_href"])
    return {
        "channel": channel,
        "task": task["pulp_href"],
        "name": task["name"],
        "state": task["state"],
        "since": task["started_at"] or task["pulp_created"],
        "worker_missing_since": worker["last_heartbeat"] if worker else None,
        "waiting": len(of_channel) - 1,
    }


def _told(held: dict[str, t.Any]) -> list[str]:
    """Return the sentences about a channel that is held."""
    facts = {**held, "since": held["since"][:19].replace("T", " ")}
    states = {"waiting": _("waits"), "running": _("runs"), "canceling": _("is being canceled")}
    facts["does"] = states[held["state"]]
    lines = [_("{channel}: {name} {does} since {since} UTC: {task}").format(**facts)]
    if held["waiting"]:
        lines.append(_("  {waiting} more wait behind it.").format(**facts))
    if held["worker_missing_since"]:
        since = held["worker_missing_since"][:19].replace("T", " ")
        lines += [
            _("  Its worker has given no sign of life since {since} UTC.").format(since=since),
            _("  Pulp notices that within minutes. An administrator of the server need not wait:"),
            _("  pulpcore-manager conda_doctor --fix"),
        ]
    elif held["state"] != "waiting":
        lines.append(_("  Stop it with: pulp task cancel --href {task}").format(**facts))
    return lines


add_example(doctor, "doctor")
