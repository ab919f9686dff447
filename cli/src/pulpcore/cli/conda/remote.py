"""`pulp conda remote`: upstream channels, and the packages to take from them."""

from collections.abc import Iterator
from typing import Any

import click
from pulp_cli.generic import (
    PulpCLIContext,
    common_remote_create_options,
    common_remote_update_options,
    create_command,
    destroy_command,
    href_option,
    label_command,
    list_command,
    name_option,
    pass_pulp_context,
    pulp_group,
    remote_filter_options,
    remote_lookup_option,
    role_command,
    show_command,
    type_option,
    update_command,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaRemoteContext
from pulp_glue.conda.vocabulary import OnError, RepodataForm, values_of

from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import comma_callback, lines_callback
from pulpcore.cli.conda.outcomes import DIFFERS, end

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
@type_option(choices={"conda": PulpCondaRemoteContext})
def remote() -> None:
    """Manage upstream channels."""


# The options that select packages of an upstream. `pulp conda channel` uses them, too.
selection_options: list[Any] = [
    click.option(
        "--policy",
        type=click.Choice(["on_demand", "immediate", "streamed"], case_sensitive=False),
        help=_(
            "When to download packages. 'on_demand' (the default): when a client first requests "
            "one. 'immediate': during the sync. 'streamed': for each request, without keeping it."
        ),
    ),
    click.option(
        "--subdirs",
        callback=comma_callback,
        help=_("Subdirs to take, for example 'linux-64,noarch'. Default, or if empty: all."),
    ),
    click.option(
        "--include",
        "includes",
        multiple=True,
        callback=lines_callback,
        help=_(
            "A match spec of packages to take, for example 'numpy>=1.26', or @file with one on "
            "each line. Can be specified multiple times. Default, or if empty: all packages. "
            "Dependencies are not added."
        ),
    ),
    click.option(
        "--exclude",
        "excludes",
        multiple=True,
        callback=lines_callback,
        help=_(
            "A match spec of packages to leave out, or @file with one on each line. Can be "
            "specified multiple times."
        ),
    ),
    click.option(
        "--token",
        help=_("The token that the upstream needs in its path, as in '/t/<token>/channel'."),
    ),
]
# How to read the upstream, and how far to believe it.
reading_options: list[Any] = [
    click.option(
        "--repodata-form",
        type=click.Choice(values_of(RepodataForm), case_sensitive=False),
        help=_(
            "In which form to read the repodata of the upstream. 'auto' (the default): the shards, "
            "and where they cannot be used, the flat form, which is 'repodata.json' or zstd of it."
        ),
    ),
    click.option(
        "--on-error",
        type=click.Choice(values_of(OnError), case_sensitive=False),
        help=_(
            "What a sync with the policy 'immediate' does about package files that it cannot "
            "download. 'fail' is the default. 'skip': make a version without them."
        ),
    ),
    click.option(
        "--trust-dates/--no-trust-dates",
        default=None,
        help=_(
            "Whether the rule 'minimum_age' of gates believes the dates that the upstream gives. "
            "By default a package is as old as the time since this server first saw it."
        ),
    ),
]
lookup_options = [href_option, name_option, remote_lookup_option]
nested_lookup_options = [remote_lookup_option]

remote.add_command(list_command(decorators=remote_filter_options))
remote.add_command(show_command(decorators=lookup_options))
remote.add_command(
    create_command(decorators=[*common_remote_create_options, *selection_options, *reading_options])
)
remote.add_command(
    update_command(
        decorators=[
            *lookup_options,
            *common_remote_update_options,
            *selection_options,
            *reading_options,
        ]
    )
)
remote.add_command(destroy_command(decorators=lookup_options))
remote.add_command(label_command(decorators=nested_lookup_options, help=_("Manage labels.")))
remote.add_command(role_command(decorators=lookup_options))


@remote.command()
@click.argument("name")
@pass_pulp_context
def check(pulp_ctx: PulpCLIContext, /, name: str) -> None:
    """Compare the forms of an upstream: its shards, and repodata.json with and without zstd."""
    report = PulpCondaRemoteContext(pulp_ctx, entity={"name": name}).check()
    lines = [line for subdir in report["subdirs"] for line in _differences(subdir)]
    if report["agrees"]:
        lines = [_("All forms of the upstream have the same packages.")]
    end(pulp_ctx, report, lines, "agrees" if report["agrees"] else DIFFERS)


def _differences(subdir: dict[str, Any]) -> Iterator[str]:
    """Say what differs in a subdir, as lines for people."""
    if subdir["agrees"]:
        return
    yield _("{subdir}: {count} package names differ.").format(
        subdir=subdir["subdir"], count=subdir["differing_names"]
    )
    for form in subdir["forms"]:
        found = form["error"] or _("{count} packages").format(count=form["packages"])
        yield f"    {form['form']}: {found}"
    for name in subdir["names"]:
        counts = ", ".join(f"{count} in {form}" for form, count in name["packages"].items())
        yield f"    {name['name']}: {counts}"


add_examples(
    remote,
    "check forge",
    "create --name forge --url https://conda.anaconda.org/conda-forge"
    " --subdirs linux-64,noarch --include 'numpy>=1.26'",
    "list --name-contains forge",
    "show --name forge",
    "update --name forge --include 'numpy>=1.26' --include scipy",
    "update --name forge --trust-dates",
    "update --name forge --repodata-form flat",
    "destroy --name forge",
    "label set --remote forge --key team --value data",
    "label show --remote forge --key team",
    "label unset --remote forge --key team",
    "role list --name forge",
    "role add --name forge --role conda.condaremote_viewer --user ada",
    "role remove --name forge --role conda.condaremote_viewer --user ada",
    "role my-permissions --name forge",
)
