"""`pulp conda status`: how all channels are, on one screen."""

import typing as t
from datetime import UTC, datetime

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_command
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaRepositoryContext

from pulpcore.cli.conda import output, table
from pulpcore.cli.conda.examples import add_example

translation = get_translation(__package__)
_ = translation.gettext

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


@pulp_command()
@click.argument("name", required=False)
@pass_pulp_context
def status(pulp_ctx: PulpCLIContext, /, name: str | None) -> None:
    """Show how all channels are, or one of them: what is wrong comes first.

    For people, a line for each channel says how many packages it has, how old what it has of its
    upstream is, how many syncs failed in a row, and which stages have something to be promoted.
    """
    repository_ctx = PulpCondaRepositoryContext(pulp_ctx)
    if name is None:
        found = repository_ctx.statuses()
    else:
        repository_ctx.entity = {"name": name}
        found = [repository_ctx.status()]
    found.sort(key=lambda each: (not each["problems"], each["name"]))
    now = datetime.now(UTC)
    lines = [f"{each['name']}: {_named(problem)}" for each in found for problem in each["problems"]]
    wrong = sum(1 for each in found if each["problems"])
    if found and not wrong:
        lines.append(_("All is well."))
    if not found:
        lines.append(_("There are no channels."))
    if output.is_for_people(pulp_ctx):
        output.show(pulp_ctx, found, lines, table=[_row(each, now) for each in found])
    else:
        pulp_ctx.output_result(found)


def _row(shown: dict[str, t.Any], now: datetime) -> dict[str, t.Any]:
    """Return the line of a channel for people."""
    size = shown["referenced_size"]
    return {
        "channel": shown["name"],
        "packages": shown["packages"],
        "bytes": None if size is None else table.size(size),
        "stored": None if size is None else table.size(shown["stored_size"]),
        "published": _age(shown["published_at"], now),
        "synced": _age(shown["checked_at"], now),
        "failures": shown["failures"],
        "to promote": ", ".join(filter(None, (_waits(each, now) for each in shown["stages"]))),
    }


def _waits(stage: dict[str, t.Any], now: datetime) -> str:
    """Return what waits to be promoted to a stage, or nothing."""
    if stage["waiting"]:
        return _("{stage} (asked for)").format(stage=stage["name"])
    if stage["behind_since"]:
        age = _age(stage["behind_since"], now)
        return _("{stage} (since {age})").format(stage=stage["name"], age=age)
    return ""


def _named(problem: dict[str, str]) -> str:
    code, text = problem["code"], problem["text"]
    # The text of an error begins with its code, mostly.
    return text if not code or f"[{code}]" in text else f"[{code}] {text}"


def _age(moment: str | None, now: datetime) -> str | None:
    """Return how long ago something was, in one unit: `3 h`."""
    if moment is None:
        return None
    seconds = max(0, int((now - datetime.fromisoformat(moment)).total_seconds()))
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


add_example(status, "status")
