"""How a command ends when gates, other people or missing packages can hold what it asks for."""

import typing as t
from collections.abc import Iterable

import click
from pulp_cli.generic import PulpCLIContext
from pulp_glue.conda.vocabulary import MoveOutcome, VersionOutcome

# In docs/user/reference/exit-codes.md.
BLOCKED = 3
WAITING = 4

_EXIT_CODES: dict[str, int] = {
    MoveOutcome.BLOCKED: BLOCKED,
    MoveOutcome.WAITING: WAITING,
    VersionOutcome.INCOMPLETE: BLOCKED,
}


def end(pulp_ctx: PulpCLIContext, result: t.Any, lines: Iterable[str], outcome: str) -> None:
    """Write a result for programs to stdout and lines for people to stderr, and exit as the outcome
    says.
    """
    pulp_ctx.output_result(result)
    for line in lines:
        # Upstreams choose some of these texts, and a terminal would obey what is not printable.
        text = "".join(character if character.isprintable() else " " for character in line)
        pulp_ctx.echo(text, err=True)
    if outcome in _EXIT_CODES:
        raise click.exceptions.Exit(_EXIT_CODES[outcome])
