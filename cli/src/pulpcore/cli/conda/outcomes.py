"""The exit codes of commands that gates, approvals or missing packages can stop."""

import typing as t
from collections.abc import Iterable

import click
from pulp_cli.generic import PulpCLIContext
from pulp_glue.conda.vocabulary import MoveOutcome, VersionOutcome

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
    """Write a result for programs to stdout and lines for people to stderr, and exit.

    The outcome decides the exit code.
    """
    pulp_ctx.output_result(result)
    for line in lines:
        # Some texts come from upstreams. Control characters in them could control the terminal.
        text = "".join(character if character.isprintable() else " " for character in line)
        pulp_ctx.echo(text, err=True)
    if outcome in _EXIT_CODES:
        raise click.exceptions.Exit(_EXIT_CODES[outcome])
