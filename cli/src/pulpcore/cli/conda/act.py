"""`pulp conda act`: who did what to which channel, and when."""

import json
import typing as t
from datetime import datetime

import click
from pulp_cli.generic import (
    PulpCLIContext,
    href_option,
    pass_pulp_context,
    pulp_group,
    show_command,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaActContext
from pulp_glue.conda.vocabulary import ActVerb, values_of

from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import all_of, limit_option, offset_option

translation = get_translation(__package__)
_ = translation.gettext

pass_act_context = click.make_pass_decorator(PulpCondaActContext)


@pulp_group()
@pass_pulp_context
@click.pass_context
def act(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """See who did what to which channel, and when."""
    ctx.obj = PulpCondaActContext(pulp_ctx)


filters = [
    click.option(
        "--channel",
        help=_("Only what was done to a channel of this name, to its versions and its stages."),
    ),
    click.option("--actor", help=_("Only what this user did.")),
    click.option("--token", help=_("Only what was done by a token of this name.")),
    click.option(
        "--workflow",
        help=_("Only what was done by a trusted workflow, for example octo/hello."),
    ),
    click.option(
        "--verb", type=click.Choice(values_of(ActVerb)), help=_("Only acts of this kind.")
    ),
    click.option(
        "--name", "resource_name", help=_("Only what was done to objects of exactly this name.")
    ),
    click.option("--resource", help=_("Only what was done to the object with this PRN.")),
    click.option(
        "--since",
        "pulp_created__gte",
        type=click.DateTime(),
        help=_("Only what was done since then."),
    ),
    click.option(
        "--until",
        "pulp_created__lt",
        type=click.DateTime(),
        help=_("Only what was done before then."),
    ),
]


@act.command("list")
@all_of(filters)
@limit_option
@offset_option
@pass_act_context
@pass_pulp_context
def list_acts(
    pulp_ctx: PulpCLIContext,
    act_ctx: PulpCondaActContext,
    /,
    limit: int,
    offset: int,
    **filters: str | datetime | None,
) -> None:
    """List acts, the newest first."""
    query = _given(filters)
    pulp_ctx.output_result(act_ctx.list(limit=limit, offset=offset, parameters=query))


@act.command()
@all_of(filters)
@pass_act_context
@pass_pulp_context
def export(
    pulp_ctx: PulpCLIContext, act_ctx: PulpCondaActContext, /, **filters: str | datetime | None
) -> None:
    """Write acts as JSON lines, the oldest first: one JSON object in each line.

    It reads a page at a time, so there may be any number of them.
    """
    for found in act_ctx.export(_given(filters)):
        click.echo(json.dumps(found))


def _given(filters: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in filters.items() if value is not None}


act.add_command(show_command(decorators=[href_option]))

add_examples(
    act,
    "list --actor ada",
    "list --name stable --since 2026-11-01",
    "export --channel stable --until 2026-11-01 >acts.jsonl",
    "show --href /pulp/api/v3/conda/acts/01924e1b-…/",
)
