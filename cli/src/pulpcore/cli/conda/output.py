"""How a command writes its result: for people, or for programs.

People read sentences and a table, on stdout. Programs read one document from stdout, and then the
sentences are on stderr. On a terminal, people are assumed to read, unless `--format` or the
configuration says something else.
"""

import shutil
import sys
import typing as t
from collections.abc import Iterable, Sequence

import click
from click.core import ParameterSource
from pulp_cli.generic import PulpCLIContext
from pulp_glue.common.context import PulpEntityContext
from pulp_glue.common.i18n import get_translation

from pulpcore.cli.conda.spelling import running
from pulpcore.cli.conda.table import printable, render

translation = get_translation(__package__)
_ = translation.gettext

_PEOPLE = "table"

_ADDRESSES = {"pulp_href", "prn", "versions_href", "latest_version_href", "record"}

# Where a list begins and ends, and which fields it has. They do not choose what is in it.
_PAGING = {"limit", "offset", "fields", "exclude_fields", "lifecycle", "lifecycle_option"}


def choose_format(context: click.Context, pulp_ctx: PulpCLIContext) -> None:
    """Let the results of the commands below be for people, if they are written to a terminal."""
    source = context.find_root().get_parameter_source("format")
    if source in (None, ParameterSource.DEFAULT) and sys.stdout.isatty():
        pulp_ctx.format = _PEOPLE
    pulp_ctx.output_result = lambda result: show(pulp_ctx, result)  # type: ignore[method-assign]


def is_for_people(pulp_ctx: PulpCLIContext) -> bool:
    """Return whether people read the result."""
    return pulp_ctx.format == _PEOPLE


def show(
    pulp_ctx: PulpCLIContext,
    result: t.Any,
    lines: Iterable[str] = (),
    table: Sequence[dict[str, t.Any]] | dict[str, t.Any] | None = None,
    empty: str | None = None,
) -> None:
    """Write the result of a command.

    Args:
        result: The document for programs.
        lines: Sentences for people, which say what happened. Each of them is one line.
        table: What people see below the lines. The default is the result if there are no lines.
        empty: What people see in place of an empty table, if there are no lines.
    """
    lines = [printable(line) for line in lines]
    if is_for_people(pulp_ctx):
        if table is None and not lines:
            table = result
        for line in lines:
            pulp_ctx.echo(line)
        if table == []:
            if not lines:
                pulp_ctx.echo(empty or _nothing(click.get_current_context()))
        elif table is not None:
            pulp_ctx.echo(render(_without_hrefs(table), terminal_width()))
        return
    # Not the method that is replaced above.
    PulpCLIContext.output_result(pulp_ctx, result)
    for line in lines:
        pulp_ctx.echo(line, err=True)


def _without_hrefs(table: t.Any) -> t.Any:
    """Return what people see of one object: not the addresses of it that only programs need."""
    context = click.get_current_context()
    if not isinstance(table, dict) or "name" not in table or context.find_root().params["verbose"]:
        return table
    return {key: value for key, value in table.items() if key not in _ADDRESSES}


def terminal_width() -> int | None:
    """Return the width of the terminal, or None if the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _nothing(context: click.Context) -> str:
    """Return the sentence for an empty list."""
    context = running(context)
    entity = context.find_object(PulpEntityContext)
    names = entity.ENTITIES if entity is not None else _("channels")
    group = context.parent and context.parent.command
    if context.info_name != "list" or not isinstance(group, click.Group):
        return _("Nothing.")
    if any(
        source not in (None, ParameterSource.DEFAULT)
        for name in context.params
        if name not in _PAGING and (source := context.get_parameter_source(name))
    ):
        return _("There are no {names} like that.").format(names=names)
    text = _("No {names} yet.").format(names=names)
    if create := group.commands.get("create"):
        words = context.parent.command_path if context.parent else ""
        # Some need more than a name: their help page has an example.
        hint = "NAME" if group.name == "channel" else "--help"
        text += _(" Create one with: {words} {create} {hint}").format(
            words=words, create=create.name, hint=hint
        )
    return text
