"""`pulp conda block`: packages that cannot be downloaded from any channel."""

import typing as t

import click
from pulp_cli.generic import (
    PulpCLIContext,
    destroy_command,
    href_option,
    list_command,
    lookup_callback,
    pass_pulp_context,
    pulp_group,
    pulp_option,
    role_command,
    show_command,
    update_command,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaBlockContext

from pulpcore.cli.conda.examples import add_examples

translation = get_translation(__package__)
_ = translation.gettext

FC = t.TypeVar("FC", bound=t.Callable[..., t.Any])

pass_block_context = click.make_pass_decorator(PulpCondaBlockContext)


@pulp_group()
@pass_pulp_context
@click.pass_context
def block(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """Block packages, so that they cannot be downloaded from any channel."""
    ctx.obj = PulpCondaBlockContext(pulp_ctx)


lookup_options = [
    href_option,
    pulp_option(
        "--sha256",
        callback=lookup_callback("sha256", PulpCondaBlockContext),
        expose_value=False,
        help=_("The SHA-256 that the {entity} is about."),
    ),
    pulp_option(
        "--spec",
        callback=lookup_callback("spec", PulpCondaBlockContext),
        expose_value=False,
        help=_("The match spec that the {entity} is about."),
    ),
]


def _lookup(command: FC) -> FC:
    for option in lookup_options:
        command = option(command)
    return command


_note_option = click.option(
    "--internal-note", help=_("What only those read who may see the block, for example a ticket.")
)


@block.command()
@click.option("--sha256", help=_("The SHA-256 of the file, in hex. It need not be on the server."))
@click.option("--spec", help=_("A match spec of the packages, also of those that come later."))
@click.option(
    "--public-reason",
    required=True,
    help=_("Why, for everyone who asks for such a package."),
)
@_note_option
@pass_block_context
@pass_pulp_context
def create(
    pulp_ctx: PulpCLIContext, block_ctx: PulpCondaBlockContext, /, **options: str | None
) -> None:
    """Block packages at once, and publish the channels again that list them.

    Writes what has or had the packages. Give '--sha256' or '--spec'.
    """
    body: dict[str, t.Any] = {key: value for key, value in options.items() if value is not None}
    if ("sha256" in body) == ("spec" in body):
        raise click.UsageError(_("Give either '--sha256' or '--spec'."))
    made = block_ctx.create(body)
    pulp_ctx.output_result(made)
    if urls := made["touched"]["purge"]["count"]:
        text = _(
            "Proxies, CDNs and clients may still have the files: Pulp cannot take them back. "
            "'touched' has {count} URLs to purge."
        )
        click.echo(text.format(count=urls), err=True)


@block.command()
@_lookup
@pass_block_context
def publish(block_ctx: PulpCondaBlockContext, /) -> None:
    """Publish the channels again that still list the packages, if a task failed before."""
    block_ctx.publish()


@block.command()
@_lookup
@pass_block_context
@pass_pulp_context
def touched(pulp_ctx: PulpCLIContext, block_ctx: PulpCondaBlockContext, /) -> None:
    """Show what has or had the packages: channels, stages, environments, lock files, URLs."""
    pulp_ctx.output_result(block_ctx.touched())


block.add_command(
    list_command(
        decorators=[
            click.option("--sha256", help=_("Only blocks of this SHA-256.")),
            click.option("--spec", help=_("Only blocks of this match spec.")),
        ]
    )
)
block.add_command(show_command(decorators=lookup_options))
block.add_command(
    update_command(
        decorators=[
            *lookup_options,
            click.option(
                "--public-reason", help=_("Why, for everyone who asks for such a package.")
            ),
            _note_option,
        ]
    )
)
block.add_command(
    destroy_command(
        decorators=lookup_options,
        help=_("Lift a block, and publish the channels again. No stage moves back."),
    )
)
block.add_command(role_command(decorators=lookup_options))

_SPEC = "--spec 'xz 5.6.0|5.6.1'"

add_examples(
    block,
    f"create {_SPEC} --public-reason 'It has a backdoor (CVE-2024-3094). Use xz 5.4.6.'",
    "list",
    f"show {_SPEC}",
    f"touched {_SPEC}",
    f"publish {_SPEC}",
    f"update {_SPEC} --internal-note 'Ticket SEC-1234'",
    f"destroy {_SPEC}",
    f"role list {_SPEC}",
    f"role add {_SPEC} --role conda.condablock_viewer --user ada",
    f"role remove {_SPEC} --role conda.condablock_viewer --user ada",
    f"role my-permissions {_SPEC}",
)
