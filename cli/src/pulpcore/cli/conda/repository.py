"""`pulp conda repository`: the content of channels, and its versions."""

from functools import partial
from typing import Any

import click
import schema
from pulp_cli.generic import (
    PulpCLIContext,
    create_command,
    create_content_json_callback,
    destroy_command,
    href_option,
    label_command,
    label_select_option,
    list_command,
    load_json_callback,
    name_filter_options,
    name_option,
    option_processor,
    pass_pulp_context,
    pulp_group,
    pulp_labels_option,
    repository_content_command,
    repository_href_option,
    repository_lookup_option,
    retain_checkpoints_option,
    retained_versions_option,
    role_command,
    show_command,
    type_option,
    update_command,
    version_command,
    version_option,
)
from pulp_glue.common.context import PulpContentContext, PulpRemoteContext, PulpRepositoryContext
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import (
    PulpCondaEnvironmentContext,
    PulpCondaPackageContext,
    PulpCondaPatchContext,
    PulpCondaRepositoryContext,
    PulpCondaRepositoryVersionContext,
)

from pulpcore.cli.conda.content import content_lookup_options
from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import (
    allow_mass_removal_option,
    comma_callback,
    diff_options,
    merged_channels_option,
    remote_option,
    selection_help,
    write_diff,
)
from pulpcore.cli.core.generic import task_command

translation = get_translation(__package__)
_ = translation.gettext


pass_repository_context = click.make_pass_decorator(PulpCondaRepositoryContext)
pass_version_context = click.make_pass_decorator(PulpCondaRepositoryVersionContext)


@pulp_group()
@type_option(choices={"conda": PulpCondaRepositoryContext})
def repository() -> None:
    """Manage repositories, their versions and their content."""


def _overwrite_callback(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        repository_ctx = ctx.find_object(PulpRepositoryContext)
        assert repository_ctx is not None
        # The content commands of pulp-cli do not have this option.
        repository_ctx.modify = partial(repository_ctx.modify, overwrite=True)  # type: ignore


def _subdirs_callback(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> list[str] | str | None:
    subdirs = comma_callback(ctx, param, value)
    # An empty text becomes null, which is the default.
    return "" if subdirs == [] else subdirs


def _look_in_the_repository(ctx: click.Context) -> None:
    """Look for content to remove only in the repository.

    Other repositories of the server may have content of the same name.
    """
    content_ctx = ctx.find_object(PulpContentContext)
    assert content_ctx is not None
    content_ctx.repository_ctx = ctx.find_object(PulpRepositoryContext)


_UNITS = schema.Schema(
    [
        schema.And(
            {schema.Optional(key): str for key in ("pulp_href", "sha256", "filename", "subdir")},
            len,
        )
    ],
    error=_("It must be a list of objects with 'pulp_href', 'sha256', or 'filename' and 'subdir'."),
)
_units_callback = create_content_json_callback(schema=_UNITS)
_units_help = _(
    "JSON list of the content to {}, or @file with one. Each is an object with 'pulp_href', or "
    "with the 'sha256', or the 'filename' and 'subdir', of a package."
)

lookup_options = [href_option, name_option, repository_lookup_option]
nested_lookup_options = [repository_href_option, repository_lookup_option]
update_options = [
    click.option("--description"),
    remote_option,
    click.option(
        "--autopublish/--no-autopublish",
        default=None,
        help=_("Whether to publish each new version automatically."),
    ),
    click.option(
        "--channel-relations",
        callback=load_json_callback,
        help=_(
            "Channels that clients load together with this one, as a JSON object or @file with "
            "one. It has 'base' and 'overrides', which are paths relative to the URL of the "
            "channel."
        ),
    ),
    click.option(
        "--convert/--no-convert",
        default=None,
        help=_("Whether packages that are uploaded as .tar.bz2 also appear as .conda."),
    ),
    click.option(
        "--legacy-metadata/--no-legacy-metadata",
        default=None,
        help=_("Whether to also publish the files that clients from before 2023 need."),
    ),
    click.option(
        "--subdirs",
        callback=_subdirs_callback,
        help=_(
            "Subdirs that clients find before they have packages, for example 'linux-64,noarch'. "
            "Default, or if empty: the platforms of conda-forge."
        ),
    ),
    click.option(
        "--shards/--no-shards",
        default=None,
        help=_(
            "Whether to publish sharded repodata. Without shards, mamba sees each move of a stage "
            "at once instead of a day later."
        ),
    ),
    click.option("--selection", callback=load_json_callback, help=selection_help),
    merged_channels_option,
    retained_versions_option,
    retain_checkpoints_option,
    pulp_labels_option,
]
create_options = [click.option("--name", required=True), *update_options]
overwrite_option = click.option(
    "--overwrite",
    is_flag=True,
    expose_value=False,
    callback=_overwrite_callback,
    help=_("Let a package replace another file with the same name."),
)
modify_options: list[Any] = [
    click.option("--add-content", callback=_units_callback, help=_units_help.format(_("add"))),
    click.option(
        "--remove-content", callback=_units_callback, help=_units_help.format(_("remove"))
    ),
    overwrite_option,
]

repository.add_command(
    list_command(decorators=[*name_filter_options, label_select_option, remote_option])
)
repository.add_command(show_command(decorators=lookup_options))
repository.add_command(create_command(decorators=create_options))
repository.add_command(update_command(decorators=lookup_options + update_options))
repository.add_command(destroy_command(decorators=lookup_options))
repository.add_command(
    task_command(decorators=nested_lookup_options, help=_("Show the tasks of a repository."))
)
repository.add_command(label_command(decorators=nested_lookup_options, help=_("Manage labels.")))
repository.add_command(role_command(decorators=lookup_options))
content: Any = repository_content_command(
    help=_("Manage the content of a repository."),
    contexts={
        "package": PulpCondaPackageContext,
        "patch": PulpCondaPatchContext,
        "environment": PulpCondaEnvironmentContext,
    },
    base_default_plugin="conda",
    base_default_type="conda",
    add_decorators=[*content_lookup_options, overwrite_option],
    remove_decorators=[
        *content_lookup_options,
        option_processor(callback=_look_in_the_repository),
    ],
    modify_decorators=modify_options,
)
for name, text in {
    "add": _("Add one content unit to a repository. This makes a new version."),
    "list": _("Show the content of a version of a repository. The default is the latest."),
    "modify": _("Add and remove several content units in one new version."),
    "remove": _("Remove one content unit, or all, from a repository. This makes a new version."),
}.items():
    # pulp-cli has no help texts for them.
    content.commands[name].help = text
repository.add_command(content)
version = version_command(decorators=nested_lookup_options, help=_("Manage repository versions."))
assert isinstance(version, click.Group)
# The server cannot scan conda packages.
version.commands.pop("scan")
repository.add_command(version)


@version.command()
@repository_href_option
@repository_lookup_option
@version_option
@click.option(
    "--base",
    type=int,
    help=_("Number of the older version. The default is the version before."),
)
@diff_options
@pass_version_context
@pass_pulp_context
def diff(
    pulp_ctx: PulpCLIContext,
    version_ctx: PulpCondaRepositoryVersionContext,
    /,
    **query: Any,
) -> None:
    """Show the differences between two versions."""
    write_diff(pulp_ctx, version_ctx.diff, **query)


@repository.command()
@name_option
@href_option
@repository_lookup_option
@remote_option
@click.option(
    "--mirror/--no-mirror",
    default=None,
    help=_("Also remove what the upstream removed. The default is to keep it."),
)
@click.option(
    "--optimize/--no-optimize",
    default=None,
    help=_("Fetch only what changed since the last sync. This is the default."),
)
@allow_mass_removal_option
@pass_repository_context
def sync(
    repository_ctx: PulpCondaRepositoryContext,
    /,
    remote: PulpRemoteContext | None,
    **options: bool | None,
) -> None:
    """Sync a repository with its upstream channel."""
    body: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if remote:
        body["remote"] = remote
    elif repository_ctx.entity["remote"] is None:
        raise click.ClickException(
            _(
                "Repository '{name}' has no remote. Name one with --remote, or set it: "
                "pulp conda repository update --name {name} --remote <name>"
            ).format(name=repository_ctx.entity["name"])
        )
    repository_ctx.sync(body=body)


add_examples(
    repository,
    "create --name team --remote forge --autopublish --retain-repo-versions 30",
    "list --name-contains team",
    "show --name team",
    "update --name team --no-autopublish",
    "destroy --name team",
    "sync --name team --mirror",
    "task list --repository team --state running",
    "label set --repository team --key owner --value data",
    "label show --repository team --key owner",
    "label unset --repository team --key owner",
    "role list --name team",
    "role add --name team --role conda.condarepository_owner --user ada",
    "role remove --name team --role conda.condarepository_owner --user ada",
    "role my-permissions --name team",
    "content list --repository team --version 3",
    "content --type patch list --repository team",
    "content add --repository team --subdir noarch --filename tzdata-2025b-h78e105d_0.conda",
    "content remove --repository team --subdir noarch --filename tzdata-2025b-h78e105d_0.conda",
    "content remove --repository team --all",
    "content modify --repository team --add-content @packages.json",
    "version list --repository team",
    "version show --repository team --version 3",
    "version destroy --repository team --version 3",
    "version repair --repository team --version 3",
    "version diff --repository team --version 3 --base 1 --markdown",
)
