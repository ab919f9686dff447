"""`pulp conda search`: the packages of a channel that match a spec."""

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_command
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.channel import find_state
from pulp_glue.conda.context import PulpCondaPackageContext

from pulpcore.cli.conda.examples import add_example
from pulpcore.cli.conda.options import limit_option, offset_option
from pulpcore.cli.conda.output import show

translation = get_translation(__package__)
_ = translation.gettext

channel_help = _("A channel, a stage as NAME/STAGE, or a version of a channel as NAME@NUMBER.")

# What the records of all clients have, and since when the package is here.
_FIELDS = [
    "name",
    "version",
    "build",
    "build_number",
    "subdir",
    "filename",
    "size",
    "license",
    "sha256",
    "depends",
    "timestamp",
    "pulp_created",
    "pulp_href",
]


@pulp_command()
@click.argument("spec")
@click.option("--channel", required=True, help=channel_help)
@click.option(
    "--platform", help=_("Only what clients on this platform see: its subdir and 'noarch'.")
)
@limit_option
@offset_option
@pass_pulp_context
def search(
    pulp_ctx: PulpCLIContext,
    /,
    spec: str,
    channel: str,
    platform: str | None,
    limit: int,
    offset: int,
) -> None:
    """Find the files of a package by a match spec, the newest version first.

    SPEC is as for conda, for example 'numpy >=2,<3', with the exact name of a package. Exits with 1
    if nothing matches.
    """
    query = {
        "match": spec,
        "repository_version": find_state(pulp_ctx, channel),
        "fields": _FIELDS,
    }
    if platform:
        query["subdir__in"] = list(dict.fromkeys([platform, "noarch"]))
    found = PulpCondaPackageContext(pulp_ctx).list(limit, offset, query)
    rows = [
        {
            "name": each["name"],
            "version": each["version"],
            "build": each["build"],
            "subdir": each["subdir"],
            "size": each["size"],
            "here since": each["pulp_created"],
        }
        for each in found
    ]
    nothing = _("{channel} has nothing that matches '{spec}'.").format(channel=channel, spec=spec)
    show(pulp_ctx, found, [] if found else [nothing], table=rows)
    if not found:
        raise click.exceptions.Exit(1)


add_example(search, "search 'numpy >=2.5' --channel forge/stable --platform linux-64")
