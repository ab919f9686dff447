"""Options that several groups of commands have."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, TypeVar

import click
import schema
from pulp_cli.generic import PulpCLIContext, load_json_callback, resource_option
from pulp_glue.common.context import DEFAULT_LIMIT
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import (
    PulpCondaDistributionContext,
    PulpCondaRemoteContext,
    PulpCondaRepositoryContext,
)
from pulp_glue.conda.lifecycle import describe_changes
from pulp_glue.conda.names import UnknownName
from pulp_glue.conda.virtual import find_distribution, merged_channel
from pulp_glue.conda.vocabulary import ChangeKind, Summary, values_of

from pulpcore.cli.conda.messages import name_with_suggestions
from pulpcore.cli.conda.output import is_for_people, show

translation = get_translation(__package__)
_ = translation.gettext

FC = TypeVar("FC", bound=Callable[..., Any] | click.Command)


def all_of(options: Sequence[Any]) -> Callable[[FC], FC]:
    """Return one decorator for several options. The help page lists them in this order."""

    def decorate(command: FC) -> FC:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


remote_option = resource_option(
    "--remote",
    default_plugin="conda",
    default_type="conda",
    context_table={"conda:conda": PulpCondaRemoteContext},
    href_pattern=PulpCondaRemoteContext.HREF_PATTERN,
    help=_("The remote to sync from, by name or href."),
)


allow_mass_removal_option = click.option(
    "--allow-mass-removal",
    is_flag=True,
    default=None,
    help=_(
        "Let --mirror remove a large part of the channel at once. Without this, the sync fails "
        "then, because the upstream may be empty by accident."
    ),
)


private_option = click.option(
    "--private/--public",
    default=None,
    help=_(
        "Whether only users with the role of a reader may read the channel. The default is that "
        "everybody may."
    ),
)


def _virtual_packages(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str | None] | None:
    packages: dict[str, str | None] = {}
    for value in values:
        name, equals, version = value.partition("=")
        if not (name and equals):
            raise click.BadParameter(
                _("write NAME=VERSION, for example '__cuda=12.4'."), param=param
            )
        packages[name] = version or None
    return packages or None


# How much comes along when packages are taken with their dependencies.
bounds_options: list[Any] = [
    click.option(
        "--newest",
        type=click.IntRange(0, 1000),
        help=_(
            "With dependencies: how many of the newest releases to take for each spec and each "
            "dependency. 0 takes all. The default is 2."
        ),
    ),
    click.option(
        "--virtual-package",
        "virtual_packages",
        multiple=True,
        callback=_virtual_packages,
        help=_(
            "With dependencies: a virtual package of the machines, as NAME=VERSION, for example "
            "'__cuda=12.4'. Without a version, the machines do not have it. Can be specified "
            "multiple times."
        ),
    ),
]


selection_help = _(
    "The fields of the selection of a curated mirror, as a JSON object or @file with one, for "
    'example \'{"groups": [{"environments": ["analysis"]}], "keep_days": 30}\'.'
)

# Of a selection that is not there yet.
planning_options: list[Any] = [
    click.option(
        "--for-each",
        multiple=True,
        help=_(
            "A match spec of which each is wanted with all others in turn, for example 'python "
            "3.13.*'. Can be specified multiple times."
        ),
    ),
    click.option(
        "--newest",
        type=click.IntRange(0, 1000),
        help=_(
            "How many of the newest releases to take for each spec and each dependency. 0 takes "
            "all. The default is 2."
        ),
    ),
    click.option("--selection", callback=load_json_callback, help=selection_help),
]
curating_options: list[Any] = [
    click.option(
        "--with-dependencies",
        is_flag=True,
        help=_(
            "Make a curated mirror: take what --include names with all that it needs, so that it "
            "can be installed."
        ),
    ),
    *planning_options,
]


def _merge_callback(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> list[dict[str, Any]] | None:
    """Parse values CHANNEL or CHANNEL=PATTERN,PATTERN. No value at all is None."""
    channels = []
    for value in values:
        channel, equals, patterns = value.partition("=")
        owns = comma_callback(ctx, param, patterns)
        if not channel or (equals and not owns):
            text = _("write CHANNEL, or CHANNEL=PATTERN,PATTERN, for example 'team=acme-*'.")
            raise click.BadParameter(text, param=param)
        channels.append({"distribution": channel, "owns": owns})
    return _merged_channels(ctx, param, channels) if channels else None


_MERGED_CHANNELS = schema.Schema([{"distribution": str, schema.Optional("owns"): [str]}])


def _merged_channels_callback(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> list[dict[str, Any]] | None:
    channels = load_json_callback(ctx, param, value)
    if channels is None:
        return None
    if not _MERGED_CHANNELS.is_valid(channels):
        text = _("It must be a list of objects with 'distribution', and maybe a list 'owns'.")
        raise click.BadParameter(text, param=param)
    return _merged_channels(ctx, param, channels)


def _merged_channels(
    ctx: click.Context, param: click.Parameter, channels: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the channels as the server takes them."""
    pulp_ctx = ctx.find_object(PulpCLIContext)
    assert pulp_ctx is not None
    merged = []
    for channel in channels:
        try:
            distribution = find_distribution(pulp_ctx, channel["distribution"])
        except UnknownName as error:
            raise click.BadParameter(name_with_suggestions(error), param=param) from None
        merged.append(merged_channel(distribution, channel.get("owns")))
    return merged


merge_option = click.option(
    "--merge",
    "merged_channels",
    metavar="CHANNEL[=PATTERN,…]",
    multiple=True,
    callback=_merge_callback,
    help=_(
        "Make a virtual channel, which serves several channels as one: a channel, by the name or "
        "the base path of its distribution, and patterns for the package names that come from it "
        "alone, for example 'team=acme-*'. Specify it for each channel, in their order. They "
        "replace those that are set."
    ),
)


def _related_callback(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return the URL of a channel of this server."""
    if not value:
        return value
    pulp_ctx = ctx.find_object(PulpCLIContext)
    assert pulp_ctx is not None
    try:
        href = find_distribution(pulp_ctx, value)
    except UnknownName as error:
        raise click.BadParameter(name_with_suggestions(error), param=param) from None
    return str(PulpCondaDistributionContext(pulp_ctx, pulp_href=href).entity["base_url"])


relation_options: list[Any] = [
    click.option(
        "--base",
        metavar="CHANNEL",
        callback=_related_callback,
        help=_(
            "A channel that clients shall load with this one and prefer to it, by the name or the "
            "base path of its distribution. Clients of rattler do so, for example pixi, from the "
            "next version on. Empty for none."
        ),
    ),
    click.option(
        "--overrides",
        metavar="CHANNEL",
        callback=_related_callback,
        help=_("The same for a channel to which clients prefer this one."),
    ),
]
merged_channels_option = click.option(
    "--merged-channels",
    callback=_merged_channels_callback,
    help=_(
        "The channels that a virtual channel serves as one, in their order, as a JSON list or "
        "@file with one. Each is an object with 'distribution', by name, base path or href, and "
        "maybe 'owns', a list of patterns for the package names that come from it alone. They "
        "replace those that are set."
    ),
)


def _repository_option(**options: Any) -> Callable[[FC], FC]:
    return resource_option(
        "--repository",
        default_plugin="conda",
        default_type="conda",
        context_table={"conda:conda": PulpCondaRepositoryContext},
        href_pattern=PulpCondaRepositoryContext.HREF_PATTERN,
        help=_("The repository, by name or href."),
        **options,
    )


repository_option = _repository_option()
required_repository_option = _repository_option(required=True)


# Like the options of pulp-cli. Their help texts name the entity of the group, which is wrong for
# lists of other entities, such as history entries.
limit_option = click.option(
    "--limit",
    type=click.IntRange(1),
    default=DEFAULT_LIMIT,
    show_default=True,
    help=_("How many to show."),
)
offset_option = click.option(
    "--offset", type=click.IntRange(0), default=0, help=_("How many to leave out at the start.")
)

_DIFF_OPTIONS = (
    click.option(
        "--package",
        "name",
        help=_(
            "Only these packages: a name, a pattern such as 'py*', or a spec such as 'numpy >=2'."
        ),
    ),
    click.option("--subdir", help=_("Only this subdir.")),
    click.option(
        "--kind",
        type=click.Choice(values_of(ChangeKind)),
        help=_("Only changes of this kind."),
    ),
    click.option(
        "--summary",
        type=click.Choice(values_of(Summary)),
        help=_("Only package names with this summary of their changes."),
    ),
    click.option(
        "--limit",
        type=click.IntRange(1),
        help=_("How many names to show. The default is 100."),
    ),
    click.option(
        "--offset",
        type=click.IntRange(0),
        help=_("How many names to leave out at the start."),
    ),
    click.option("--markdown", is_flag=True, help=_("Write it as a changelog for people.")),
)


# The query parameters of a diff in the API.
diff_options = all_of(_DIFF_OPTIONS)


def write_diff(
    pulp_ctx: PulpCLIContext, diff: Callable[..., Any], markdown: bool, **query: Any
) -> None:
    """Write a diff: as a result in the output format, or as a changelog in Markdown."""
    if markdown:
        click.echo(diff(format="markdown", **query), nl=False)
        return
    found = diff(**query)
    names = found["names"]
    rows = [
        {
            "summary": name["summary"],
            "name": name["name"],
            "from": name["from_version"],
            "to": name["to_version"],
            "files": sum(name["counts"].values()),
            "subdirs": name["subdirs"],
        }
        for name in names
    ]
    changes = describe_changes(found) or _("no difference")
    base, target = (
        _("version {number}").format(number=state) if isinstance(state, int) else state
        for state in (found["base"], found["target"])
    )
    lines = [f"{base} → {target}: {changes}."]
    more = sum(found["summaries"].values()) - len(names) - (query.get("offset") or 0)
    if more > 0:
        lines.append(_("{more} more packages. See --offset and --limit.").format(more=more))
    show(pulp_ctx, found, lines if is_for_people(pulp_ctx) else (), table=rows)


def name_and_version(text: str) -> tuple[str, int | None]:
    """Parse NAME or NAME@NUMBER into a repository name, and a version number or None.

    Click uses it as the type of a parameter.
    """
    name, at, number = text.rpartition("@")
    if at and re.fullmatch("v?[0-9]{1,9}", number):
        return name, int(number.removeprefix("v"))
    return text, None


def dry_run_callback(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    """Give `pulp --dry-run` the same meaning as the option --dry-run of the command."""
    if not ctx.find_root().params.get("dry_run"):
        return value
    pulp_ctx = ctx.find_object(PulpCLIContext)
    assert pulp_ctx is not None
    # With its own dry run, pulp-glue refuses the request that reports what would happen.
    pulp_ctx._api_kwargs["dry_run"] = False
    if pulp_ctx._api:
        pulp_ctx._api._dry_run = False
    return True


dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    callback=dry_run_callback,
    help=_("Report what would happen, and change nothing."),
)


def comma_callback(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> list[str] | None:
    """Split a text at its commas. An empty text is an empty list. A missing option is None."""
    return None if value is None else [item.strip() for item in value.split(",") if item.strip()]


def lines_callback(
    ctx: click.Context, param: click.Parameter, values: Iterable[str]
) -> list[str] | None:
    """Return the values of a repeated option. A value @FILE names a file with one value a line."""
    if not values:
        return None
    lines = [line for value in values for line in _lines(param, value)]
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def _lines(param: click.Parameter, value: str) -> list[str]:
    if not value.startswith("@"):
        return [value]
    try:
        with open(value[1:], "rb") as file:
            return read_text(file, param=param).splitlines()
    except OSError as error:
        text = _("'{file}' cannot be read: {reason}.")
        raise click.BadParameter(
            text.format(file=value[1:], reason=error.strerror), param=param
        ) from None


def read_text(file: IO[bytes], most: int = 2**20, **where: Any) -> str:
    """Return the text of a file that a user names.

    Parameters:
        most: The maximum size in bytes. The default is more than people write by hand.
        where: Arguments of `click.BadParameter` that name the option or argument.
    """
    content = file.read(most + 1)
    if len(content) > most:
        reason = _("'{file}' is larger than {most:,} bytes.")
        raise click.BadParameter(reason.format(file=file.name, most=most), **where)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        reason = _("'{file}' is not a text file: byte {byte} is not UTF-8.")
        raise click.BadParameter(reason.format(file=file.name, byte=error.start), **where) from None
