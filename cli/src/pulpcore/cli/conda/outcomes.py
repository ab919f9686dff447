"""The exit codes of commands that gates, approvals or missing packages can stop."""

import typing as t
from collections.abc import Iterable

import click
from pulp_cli.generic import PulpCLIContext
from pulp_glue.conda.vocabulary import MoveOutcome, VersionOutcome

from pulpcore.cli.conda.output import show

# Documented in docs/user/reference/exit-codes.md.
BLOCKED = 3
WAITING = 4

# Of a comparison. It is no word of the API.
DIFFERS = "differs"

_EXIT_CODES: dict[str, int] = {
    DIFFERS: BLOCKED,
    MoveOutcome.BLOCKED: BLOCKED,
    MoveOutcome.WAITING: WAITING,
    VersionOutcome.INCOMPLETE: BLOCKED,
}


def end(pulp_ctx: PulpCLIContext, result: t.Any, lines: Iterable[str], outcome: str) -> None:
    """Write a result, and lines for people, and exit.

    The outcome decides the exit code.
    """
    show(pulp_ctx, result, lines)
    if outcome in _EXIT_CODES:
        raise click.exceptions.Exit(_EXIT_CODES[outcome])
