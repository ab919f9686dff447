"""`pulp conda channel refresh` and `runs`: channels that are synced without anybody asking."""

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.channel import Channel
from pulp_glue.conda.refresh import seconds_of
from pulp_glue.conda.vocabulary import RunOutcome, values_of

from pulpcore.cli.conda.options import limit_option

translation = get_translation(__package__)
_ = translation.gettext


def _every_callback(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else seconds_of(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from None


@click.command()
@click.argument("name")
@click.option(
    "--every",
    "interval",
    callback=_every_callback,
    help=_("How long from one run to the next, for example 90m, 6h or 1d."),
)
@click.option("--cron", help=_("In place of --every, a cron line, for example '30 3 * * *'."))
@click.option(
    "--max-age",
    callback=_every_callback,
    help=_(
        "In place of --every, how old the metadata may be that clients get, for example 1h. Who "
        "asks for older metadata gets it at once, and starts a sync."
    ),
)
@click.option("--time-zone", help=_("The time zone of --cron. The default is UTC."))
@click.option(
    "--mirror/--no-mirror",
    default=None,
    help=_("Also remove what the upstream removed. The default is not to."),
)
@click.option(
    "--promote",
    "lifecycle",
    help=_("A lifecycle whose first stage is promoted after each good run; '' for none."),
)
@click.option("--off", is_flag=True, help=_("Do not refresh the channel any more."))
@pass_pulp_context
def refresh(
    pulp_ctx: PulpCLIContext,
    /,
    name: str,
    interval: int | None,
    cron: str | None,
    max_age: int | None,
    time_zone: str | None,
    mirror: bool | None,
    lifecycle: str | None,
    off: bool,
) -> None:
    """Say when a channel is synced from its upstream, without anybody asking.

    What is not given stays as it is. Without options, show what is set. Runs happen in the name of
    who set this last, and end when that user may not sync the channel any more.
    """
    channel = Channel(pulp_ctx, name)
    fields = {
        "interval": interval,
        "cron": cron,
        "max_age": max_age,
        "time_zone": time_zone,
        "mirror": mirror,
        "lifecycle": lifecycle,
    }
    wanted = {field: value for field, value in fields.items() if value is not None}
    if len([value for value in (interval, cron, max_age) if value]) > 1:
        raise click.UsageError(_("Give one of --every, --cron and --max-age."))
    if off:
        if wanted:
            raise click.UsageError(_("--off goes with no other option."))
        text = _("off") if channel.stop_refresh() else _("was off already")
        click.echo(f"refresh: {text}", err=True)
        return
    if wanted:
        changed, shown = channel.refresh(wanted)
        click.echo("refresh: " + (_("changed") if changed else _("needs no change")), err=True)
    else:
        shown = channel.shown_refresh()
    pulp_ctx.output_result(shown)


@click.command()
@click.argument("name")
@click.option(
    "--outcome",
    type=click.Choice(values_of(RunOutcome)),
    help=_("Only runs with this outcome."),
)
@limit_option
@pass_pulp_context
def runs(pulp_ctx: PulpCLIContext, /, name: str, outcome: str | None, limit: int) -> None:
    """List the last times that a channel was due to be refreshed, the newest first."""
    pulp_ctx.output_result(Channel(pulp_ctx, name).runs(limit, outcome))
