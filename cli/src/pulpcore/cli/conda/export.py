"""`pulp conda export`: a channel as files that any web server can serve."""

import typing as t
from pathlib import Path

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_group
from pulp_glue.common.exceptions import PulpException
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaDistributionContext
from pulp_glue.conda.export import Channel, Export
from pulp_glue.conda.exported import verify

from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.progress import Interrupted, bars

translation = get_translation(__package__)
_ = translation.gettext

_folder_argument = click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER"
)


@pulp_group()
def export() -> None:
    """Write a channel to a folder that any web server can serve."""


@export.command()
@_folder_argument
@click.option(
    "--channel",
    required=True,
    help=_("The channel or stage: its name, its base path such as 'team/stable', or its URL."),
)
@click.option(
    "--token",
    envvar="PULP_CONDA_TOKEN",
    help=_("A token that may read a private channel. Better set PULP_CONDA_TOKEN."),
)
@pass_pulp_context
def to(pulp_ctx: PulpCLIContext, /, folder: Path, channel: str, token: str | None) -> None:
    """Write what a channel serves to a folder, or bring the folder up to date.

    Only what changed is fetched. Clients may read the folder meanwhile: the indexes are replaced
    when all packages are there, and what they no longer name is deleted last. A command that was
    stopped goes on the next time.
    """
    drawn = bars()
    work = Export(
        Channel(_url_of(pulp_ctx, channel), token, pulp_ctx.verify_ssl or False),
        folder,
        show=lambda done, total: drawn.draw([_progress(_("Fetching packages"), done, total)]),
    )
    try:
        with drawn:
            report = work.run()
    except OSError as error:
        raise PulpException(_cannot_write(error)) from None
    except KeyboardInterrupt:
        reason = _("The folder serves what it served before. Run the command again to continue.")
        raise Interrupted(f"\n{reason}") from None
    pulp_ctx.output_result(report.as_result())
    text = _("{packages} packages fetched, {written} files written, {deleted} deleted.")
    if not report.written and not report.deleted:
        text = _("Nothing changed: '{folder}' is up to date.")
    counts = {"written": len(report.written), "deleted": len(report.deleted)}
    click.echo(text.format(packages=report.packages, folder=folder, **counts), err=True)


@export.command("verify")
@_folder_argument
@pass_pulp_context
def verify_command(pulp_ctx: PulpCLIContext, /, folder: Path) -> None:
    """Compare all bytes of an exported folder with its indexes.

    No server is asked. Exits with 1 if a file is missing, has other bytes, or is named by no index.
    """
    drawn = bars()
    with drawn:
        faults = verify(
            folder, lambda done, total: drawn.draw([_progress(_("Reading packages"), done, total)])
        )
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        click.echo(_("{count} faults.").format(count=len(faults)), err=True)
        raise click.exceptions.Exit(1)
    click.echo(_("'{folder}' is whole.").format(folder=folder), err=True)


def _url_of(pulp_ctx: PulpCLIContext, channel: str) -> str:
    """Return the URL of a channel that is named by its URL, base path or name."""
    if channel.startswith(("http://", "https://")):
        return channel
    distributions = PulpCondaDistributionContext(pulp_ctx)
    for key in ("base_path", "name"):
        for found in distributions.list_iterator({key: channel}):
            return str(found["base_url"])
    raise PulpException(
        _("There is no channel '{channel}'. See: pulp conda distribution list").format(
            channel=channel
        )
    )


def _progress(message: str, done: int, total: int) -> dict[str, t.Any]:
    return {"message": message, "done": done, "total": total}


def _cannot_write(error: OSError) -> str:
    return _("'{file}' cannot be written: {reason}").format(
        file=error.filename, reason=error.strerror
    )


add_examples(
    export,
    "to /srv/channels/stable --channel team/stable",
    "verify /srv/channels/stable",
)
