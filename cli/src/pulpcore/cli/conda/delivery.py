"""`pulp conda delivery`: the messages to the webhook of a lifecycle."""

import re
import typing as t

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_group
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaDeliveryContext, PulpCondaLifecycleContext
from pulp_glue.conda.vocabulary import DeliveryState, WebhookEvent, values_of

from pulpcore.cli.conda import output
from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.lookup import lifecycle_lookup, pass_lifecycle_context
from pulpcore.cli.conda.options import limit_option, offset_option

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
@pass_pulp_context
@click.pass_context
def delivery(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """See the messages to the webhook of a lifecycle, and send them again."""
    ctx.obj = PulpCondaLifecycleContext(pulp_ctx)


@delivery.command("list")
@lifecycle_lookup
@click.option(
    "--state",
    type=click.Choice(values_of(DeliveryState)),
    help=_("Only messages in this state."),
)
@click.option(
    "--event",
    type=click.Choice(values_of(WebhookEvent)),
    help=_("Only messages of this event."),
)
@limit_option
@offset_option
@pass_lifecycle_context
@pass_pulp_context
def list_deliveries(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    limit: int,
    offset: int,
    **filters: t.Any,
) -> None:
    """List the messages to the webhook of a lifecycle, newest first."""
    delivery_ctx = PulpCondaDeliveryContext(pulp_ctx, lifecycle_ctx)
    query = {key: value for key, value in filters.items() if value is not None}
    query["exclude_fields"] = ["payload"]
    deliveries = delivery_ctx.list(limit=limit, offset=offset, parameters=query)
    output.show(pulp_ctx, deliveries, empty=_("There are no webhook deliveries like that."))


def _href_callback(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not re.search("/conda/lifecycles/[^/]+/deliveries/[^/]+/$", value):
        reason = _("'{href}' is not the href of a message. See: pulp conda delivery list")
        raise click.BadParameter(reason.format(href=value), param=param)
    return value


_href_argument = click.argument("href", callback=_href_callback)


@delivery.command()
@_href_argument
@pass_lifecycle_context
@pass_pulp_context
def show(pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /, href: str) -> None:
    """Show a message, and the result of each attempt to send it."""
    pulp_ctx.output_result(PulpCondaDeliveryContext(pulp_ctx, lifecycle_ctx, pulp_href=href).entity)


@delivery.command()
@_href_argument
@pass_lifecycle_context
@pass_pulp_context
def redeliver(
    pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /, href: str
) -> None:
    """Send a message again, even if it was delivered or has failed.

    Exits with 1 if it does not arrive.
    """
    delivery_ctx = PulpCondaDeliveryContext(pulp_ctx, lifecycle_ctx, pulp_href=href)
    delivery_ctx.redeliver()
    told = delivery_ctx.show(href)
    pulp_ctx.output_result(told)
    if told["state"] != DeliveryState.DELIVERED:
        reason = _(
            "The message did not arrive: see 'attempts'. The next attempt is at {next_attempt_at}."
        )
        raise click.ClickException(reason.format(**told))


_HREF = "/pulp/api/v3/conda/lifecycles/01924e1b-…/deliveries/01924e1c-…/"

add_examples(
    delivery,
    "list team --state failed",
    f"show {_HREF}",
    f"redeliver {_HREF}",
)
