"""`pulp conda channel`: one short command for each common job with a channel."""

import typing as t
from pathlib import Path

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_group
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.channel import Channel, list_channels
from pulp_glue.conda.vocabulary import ChannelRole, values_of

from pulpcore.cli.conda import output, table
from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import (
    all_of,
    allow_mass_removal_option,
    bounds_options,
    comma_callback,
    curating_options,
    diff_options,
    dry_run_option,
    limit_option,
    merge_option,
    name_and_version,
    offset_option,
    planning_options,
    private_option,
    relation_options,
    write_diff,
)
from pulpcore.cli.conda.refresh import refresh, runs
from pulpcore.cli.conda.remote import selection_options
from pulpcore.cli.conda.uploading import upload as upload_files
from pulpcore.cli.conda.uploading import upload_options

translation = get_translation(__package__)
_ = translation.gettext

# Users copy these lines. The pages of a channel show the same ones.
_LINES = """\
# conda
conda install --override-channels --channel {url} PACKAGE
# mamba, micromamba
mamba install --override-channels --channel {url} PACKAGE
# pixi
pixi init --channel {url}
pixi add PACKAGE"""


name_argument = click.argument("name")


@pulp_group()
def channel() -> None:
    """Manage channels. A channel is a repository with its upstream, its URLs and its stages."""


@channel.command()
@name_argument
@click.option(
    "--upstream",
    "url",
    help=_("URL of the channel to mirror. Without it, the channel is for your own packages."),
)
@all_of(selection_options)
@all_of(curating_options)
@merge_option
@all_of(relation_options)
@click.option(
    "--base-path",
    help=_("Path of its URL, or start of the paths of its stages. The default is its name."),
)
@click.option("--description", help=_("What the channel is for."))
@private_option
@click.option(
    "--convert/--no-convert",
    default=None,
    help=_("Whether uploads in .tar.bz2 also appear as .conda. The default is no."),
)
@click.option(
    "--retain-repo-versions",
    type=click.IntRange(1, 2**31 - 1),
    help=_("How many versions to keep. The default is all."),
)
@click.option(
    "--stages",
    callback=comma_callback,
    help=_(
        "The names of its stages in their order, for example 'unstable,testing,stable'. Each one "
        "has its own URL. A channel that has a URL already keeps it, as the first stage."
    ),
)
@click.option("--sync", "and_sync", is_flag=True, help=_("Also sync the channel, and wait."))
@dry_run_option
@pass_pulp_context
def create(
    pulp_ctx: PulpCLIContext,
    /,
    name: str,
    base_path: str | None,
    description: str | None,
    private: bool | None,
    convert: bool | None,
    retain_repo_versions: int | None,
    stages: list[str] | None,
    and_sync: bool,
    dry_run: bool,
    with_dependencies: bool,
    for_each: tuple[str, ...],
    newest: int | None,
    selection: dict[str, t.Any] | None,
    merged_channels: list[dict[str, t.Any]] | None,
    base: str | None,
    overrides: str | None,
    **remote: t.Any,
) -> None:
    """Create a channel that publishes each new version, or change an existing one.

    With --with-dependencies, the channel has what --include names and all that it needs, so that
    it can be installed. `pulp conda channel plan` says how much that is.

    Settings that are not given stay as they are, so a second run changes nothing. Other settings of
    the upstream, such as a proxy, belong to the remote. It has the name of the channel: change it
    with `pulp conda remote update`.
    """
    pulp_ctx.fake_mode = dry_run
    channel = Channel(pulp_ctx, name)
    if with_dependencies:
        # As a filter of the remote, they would leave out what they need.
        selection = _selection(remote.pop("includes", None) or (), for_each, newest, selection)
    elif for_each or newest is not None:
        raise click.UsageError(_("'--for-each' and '--newest' need '--with-dependencies'."))
    changed = channel.converge(
        remote=remote,
        repository={
            "description": description,
            "convert": convert,
            "retain_repo_versions": retain_repo_versions,
            "selection": selection,
            "merged_channels": merged_channels,
        },
        distribution={"base_path": base_path, "private": private},
        stages=stages,
    )
    if related := channel.relate({"base": base, "overrides": overrides}):
        changed["repository"] = sorted({*changed.get("repository", ()), *related})
    next_step = None if merged_channels or channel.is_virtual() else _next_step(channel)
    lines = _describe_converged(name, changed, dry_run, next_step)
    if dry_run:
        output.show(pulp_ctx, {"name": name, "changed": changed}, lines)
        return
    if and_sync:
        lines.append(_sync(channel)[1])
    shown = Channel(pulp_ctx, name).describe()
    output.show(pulp_ctx, {**shown, "changed": changed}, lines, table=_urls(shown))


def _describe_converged(
    name: str, changed: dict[str, list[str]], dry_run: bool, next_step: str | None
) -> list[str]:
    """Return what `channel create` did, or would do, and what can be done next."""
    if not changed:
        return [_("Channel '{name}' needs no change.").format(name=name)]
    lines = [
        f"{resource}: " + (_("created") if "name" in fields else _("changed ") + ", ".join(fields))
        for resource, fields in changed.items()
    ]
    if dry_run:
        return [_("Nothing was changed. Without --dry-run, this would happen:"), *lines]
    if "name" not in changed.get("repository", ()):
        return [_("Channel '{name}' is changed.").format(name=name), *lines]
    ready = _("Channel '{name}' is ready.").format(name=name)
    return [f"{ready} {next_step}" if next_step else ready]


def _next_step(channel: Channel) -> str:
    """Return how packages come into a channel."""
    if channel.upstream():
        text = _("Fill it with: pulp conda channel sync {name}")
    else:
        text = _("Upload into it with: pulp conda channel upload {name} FILES")
    return text.format(name=channel.name)


def _urls(shown: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the URLs of a channel for people, with its stages."""
    rows = [
        {"stage": stage["name"], "serves": stage["state"] or _("nothing"), "url": stage["url"]}
        for stage in shown["stages"]
    ]
    return rows or [{"url": url} for url in shown["urls"]]


@channel.command()
@name_argument
@pass_pulp_context
def show(pulp_ctx: PulpCLIContext, /, name: str) -> None:
    """Show the settings of a channel, how many packages it has, and its URLs."""
    shown = Channel(pulp_ctx, name).describe()
    if output.is_for_people(pulp_ctx):
        pulp_ctx.echo(table.render(_facts(shown)))
        output.show(pulp_ctx, shown, table=_urls(shown), empty=_("It is not served anywhere."))
    else:
        pulp_ctx.output_result(shown)


def _facts(shown: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what people want to know of a channel, without what is not set."""
    readers = _("only its readers") if shown["private"] else _("everybody")
    facts = {
        "channel": shown["name"],
        "description": shown["description"],
        "readers": None if shown["private"] is None else readers,
        # A virtual channel has none of its own.
        "files": None if shown["merged_channels"] else shown["packages"],
        "version": shown["version"],
        "upstream": shown["upstream"],
        "merges": [_merged(each) for each in shown["merged_channels"]],
        "subdirs": shown["subdirs"],
        "includes": shown["includes"],
        "excludes": shown["excludes"],
        "policy": shown["policy"],
        "refresh": _refresh_fact(shown.get("refresh")),
        "lifecycles": shown["lifecycles"],
    }
    return {key: value for key, value in facts.items() if value not in (None, "", [])}


def _merged(channel: dict[str, t.Any]) -> str:
    """Return a channel that a virtual channel merges, with the names that it owns."""
    name, owns = channel["distribution"], ", ".join(channel["owns"])
    return f"{name} ({owns})" if owns else str(name)


def _refresh_fact(refresh: dict[str, t.Any] | None) -> str | None:
    if not refresh:
        return None
    if refresh["stopped"]:
        return _("stopped: {reason}").format(reason=refresh["stopped"])
    if not refresh["next_run"]:
        return None
    return _("next one {moment} UTC").format(moment=table.moment(refresh["next_run"]))


@channel.command("list")
@limit_option
@offset_option
@pass_pulp_context
def list_command(pulp_ctx: PulpCLIContext, /, limit: int, offset: int) -> None:
    """List all channels."""
    channels = list_channels(pulp_ctx, limit, offset)
    rows = [
        {
            "name": each["name"],
            "version": each["version"],
            "urls": len(each["urls"]),
            "url": next(iter(each["urls"]), None),
            "description": each["description"],
        }
        for each in channels
    ]
    output.show(pulp_ctx, channels, table=rows)


@channel.command()
@name_argument
@click.option("--mirror", is_flag=True, help=_("Also remove what the upstream removed."))
@click.option(
    "--optimize/--no-optimize",
    default=True,
    help=_("Fetch only what changed since the last sync. This is the default."),
)
@allow_mass_removal_option
@pass_pulp_context
def sync(
    pulp_ctx: PulpCLIContext,
    /,
    name: str,
    mirror: bool,
    optimize: bool,
    allow_mass_removal: bool | None,
) -> None:
    """Sync a channel from its upstream."""
    channel = Channel(pulp_ctx, name)
    version, line = _sync(
        channel, mirror=mirror, optimize=optimize, allow_mass_removal=bool(allow_mass_removal)
    )
    output.show(pulp_ctx, {"changed": version is not None, "version": version}, [line])


def _sync(channel: Channel, **options: bool) -> tuple[int | None, str]:
    """Sync, and return the number of the new version, or None, and a sentence for people."""
    version = channel.sync(**options)
    if version is None:
        return None, _("Nothing changed: no new version.")
    added, removed = channel.moved_files(version)
    text = _("Synced: version {version}. Files: {added:,} added, {removed:,} removed.")
    return version, text.format(version=version, added=added, removed=removed)


@channel.command()
@name_argument
@upload_options
@pass_pulp_context
def upload(
    pulp_ctx: PulpCLIContext, /, name: str, paths: tuple[Path, ...], **options: t.Any
) -> None:
    """Upload package files, and all packages in folders, as one new version.

    Files that the server already has are not sent again. To continue an interrupted upload, run the
    command again. If the server refuses a file, the other files are still uploaded, and the exit
    code is 1.
    """
    upload_files(pulp_ctx, Channel(pulp_ctx, name).repository, paths, **options)


def _selection(
    specs: t.Sequence[str],
    for_each: t.Sequence[str],
    newest: int | None,
    fields: dict[str, t.Any] | None,
) -> dict[str, t.Any]:
    """Return the fields of a selection that are given."""
    selection: dict[str, t.Any] = {**(fields or {}), "with_dependencies": True}
    if specs:
        selection["groups"] = [{"specs": list(specs)}, *selection.get("groups", ())]
    if for_each:
        selection["for_each"] = list(for_each)
    if newest is not None:
        selection["newest"] = newest
    return selection


@channel.command()
@name_argument
@click.argument("specs", nargs=-1)
@all_of(planning_options)
@pass_pulp_context
def plan(pulp_ctx: PulpCLIContext, /, name: str, specs: tuple[str, ...], **options: t.Any) -> None:
    """Say what a sync of a curated mirror would take, before any package is downloaded.

    Without specs and options, that is what the channel is set to. Otherwise they are tried in place
    of it, and nothing is changed.
    """
    report = Channel(pulp_ctx, name).repository.plan(**_tried(specs, **options))
    pulp_ctx.output_result(report)
    click.echo(_("{count} packages, {size} bytes.").format(**report), err=True)
    for root in report["roots"]:
        what = root["spec"] or root["group"]
        click.echo(f"{what}: {root['count']} packages, {root['size']} bytes", err=True)
    for unmet in report["unmet"]:
        click.echo(_("No channel has this dependency: {unmet}").format(unmet=unmet), err=True)
    for reason in report["not_installable"]:
        click.echo(_("Not installable, and left out there: {}").format(reason), err=True)


@channel.command()
@name_argument
@click.argument("packages", nargs=-1, required=True)
@pass_pulp_context
def why(pulp_ctx: PulpCLIContext, /, name: str, packages: tuple[str, ...]) -> None:
    """Say what brings packages into a curated mirror, or what keeps them out.

    Packages are given by name, by file name, or by their path in the channel.
    """
    report = Channel(pulp_ctx, name).repository.plan(why=list(packages))
    pulp_ctx.output_result(report["why"])
    for answer in report["why"]:
        click.echo(f"{answer['name']}:", err=True)
        for line in answer["way"] or answer["reasons"]:
            click.echo(f"  {line}", err=True)


def _tried(
    specs: tuple[str, ...],
    for_each: tuple[str, ...],
    newest: int | None,
    selection: dict[str, t.Any] | None,
) -> dict[str, t.Any]:
    if not (specs or for_each or newest is not None or selection):
        return {}
    if not specs and not (selection or {}).get("groups"):
        raise click.UsageError(_("Give match specs, or a '--selection' with 'groups'."))
    return {"selection": _selection(specs, for_each, newest, selection)}


@channel.command()
@click.argument("base", type=name_and_version)
@click.argument("target", type=name_and_version, required=False)
@diff_options
@pass_pulp_context
def diff(
    pulp_ctx: PulpCLIContext,
    /,
    base: tuple[str, int | None],
    target: tuple[str, int | None] | None,
    **query: t.Any,
) -> None:
    """Show the differences between two versions of a channel. Give the older version first.

    A version is written as NAME@NUMBER. NAME alone is the latest version. If only one version is
    given, it is compared with the version before it.
    """
    if target is None:
        target = base
    elif target[0] != base[0]:
        raise click.UsageError(
            _(
                "'{base}' and '{target}' are two channels. Compare versions of one channel, for "
                "example '{base}@1'. To compare stages of a lifecycle: pulp conda lifecycle diff"
            ).format(base=base[0], target=target[0])
        )
    else:
        query["base"] = Channel(pulp_ctx, base[0]).version(base[1]).entity["number"]
    write_diff(pulp_ctx, Channel(pulp_ctx, target[0]).version(target[1]).diff, **query)


@channel.command()
@click.argument("source", type=name_and_version)
@click.argument("target")
@click.argument("specs", nargs=-1)
@click.option(
    "--environment",
    "environments",
    multiple=True,
    help=_(
        "In place of specs: an environment of the source. Exactly the packages of its lock file "
        "are copied. Can be specified multiple times."
    ),
)
@click.option(
    "--dependencies/--no-dependencies",
    "with_dependencies",
    default=True,
    help=_(
        "Copy what can be installed, with the dependencies that the target does not have. This is "
        "the default. With --no-dependencies, copy all packages that match, and nothing else."
    ),
)
@all_of(bounds_options)
@click.option(
    "--overwrite", is_flag=True, help=_("Let a package replace another file with the same name.")
)
@dry_run_option
@pass_pulp_context
def copy(
    pulp_ctx: PulpCLIContext,
    /,
    source: tuple[str, int | None],
    target: str,
    specs: tuple[str, ...],
    **options: t.Any,
) -> None:
    """Copy the packages that match the specs from one channel to another.

    The specs are for packages that are installed together. Several specs for one name are
    alternatives. The source is a channel, or one version of it, written as NAME@NUMBER.
    """
    options["environments"] = list(options["environments"])
    if bool(specs) == bool(options["environments"]):
        raise click.UsageError(_("Give match specs or --environment, but not both."))
    name, number = source
    channel = Channel(pulp_ctx, name)
    href = channel.repository.pulp_href if number is None else channel.version(number).pulp_href
    report = Channel(pulp_ctx, target).repository.copy(href, list(specs), **options)
    if report["version"] is not None:
        text = _("Version {version}. Files: {count:,} added.")
    elif report["count"]:
        text = _("Nothing was changed. Without --dry-run, {count:,} files would be added.")
    else:
        text = _("No new version: '{target}' already has all of these packages.")
    lines = [text.format(**report, target=target)]
    for unmet in report["unmet"]:
        lines.append(_("No channel has this dependency: {unmet}").format(unmet=unmet))
    for reason in report["not_installable"]:
        lines.append(_("Not installable, and left out there: {}").format(reason))
    output.show(pulp_ctx, report, lines)


@channel.command()
@name_argument
@click.argument("specs", nargs=-1)
@dry_run_option
@pass_pulp_context
def convert(pulp_ctx: PulpCLIContext, /, name: str, specs: tuple[str, ...], dry_run: bool) -> None:
    """Make the .conda of packages that a channel has as .tar.bz2 only.

    Give match specs to convert only the packages that match one of them. The .tar.bz2 stays, and so
    does a .conda that is there already. If a package cannot be converted, the others are, and the
    exit code is 1.
    """
    report = Channel(pulp_ctx, name).convert(list(specs), dry_run)
    pulp_ctx.output_result(report)
    added = (report["added"] or {}).get("uploads", [])
    failed = [] if report["made"] is None else [each["text"] for each in report["made"]["failed"]]
    failed += [error["text"] for each in added for error in each["errors"]]
    if dry_run:
        text = _("Nothing was changed. Without --dry-run, {count} of {size} bytes are converted.")
        click.echo(text.format(**report), err=True)
    elif report["added"] and report["added"]["version"] is not None:
        text = _("Version {version}: {count} converted.")
        count = sum(each["state"] == "published" for each in added)
        click.echo(text.format(version=report["added"]["version"], count=count), err=True)
    elif not failed:
        click.echo(_("Nothing to convert in '{name}'.").format(name=name), err=True)
    for path in report["kept"]:
        click.echo(_("Kept, it was not made of the .tar.bz2: {path}").format(path=path), err=True)
    for path in report["not_here"]:
        click.echo(_("Not downloaded yet, and left out: {path}").format(path=path), err=True)
    for text in failed:
        click.echo(text, err=True)
    if failed:
        raise click.exceptions.Exit(1)


@channel.command()
@name_argument
@pass_pulp_context
def url(pulp_ctx: PulpCLIContext, /, name: str) -> None:
    """Print the lines to paste for conda, mamba and pixi."""
    blocks = [_LINES.format(url=url) for url in Channel(pulp_ctx, name).urls()]
    click.echo("\n\n".join(blocks))


_role_options = all_of(
    (
        click.option(
            "--role", required=True, type=click.Choice(values_of(ChannelRole)), help=_("The role.")
        ),
        click.option("--user", "users", multiple=True, help=_("A user. Can be repeated.")),
        click.option("--group", "groups", multiple=True, help=_("A group. Can be repeated.")),
    )
)


@channel.command()
@name_argument
@_role_options
@pass_pulp_context
def grant(
    pulp_ctx: PulpCLIContext,
    /,
    name: str,
    role: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
) -> None:
    """Give users and groups a role in a channel: on its repository, its URLs and its lifecycles.

    A reader sees the channel. An uploader also adds packages, a promoter moves stages, an approver
    answers requests for approval, and an owner does everything.
    """
    _change_role(pulp_ctx, Channel(pulp_ctx, name).repository.grant, role, users, groups)


@channel.command()
@name_argument
@_role_options
@pass_pulp_context
def revoke(
    pulp_ctx: PulpCLIContext,
    /,
    name: str,
    role: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
) -> None:
    """Take a role in a channel from users and groups. Roles given in another way stay."""
    _change_role(pulp_ctx, Channel(pulp_ctx, name).repository.revoke, role, users, groups)


def _change_role(
    pulp_ctx: PulpCLIContext,
    change: t.Callable[[str, list[str], list[str]], t.Any],
    role: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
) -> None:
    if not users and not groups:
        raise click.UsageError(_("Give '--user' or '--group'."))
    pulp_ctx.output_result(change(role, list(users), list(groups)))


@channel.command()
@name_argument
@pass_pulp_context
def members(pulp_ctx: PulpCLIContext, /, name: str) -> None:
    """List who has which role in a channel."""
    pulp_ctx.output_result(Channel(pulp_ctx, name).repository.members())


@channel.command()
@name_argument
@click.option("--yes", is_flag=True, help=_("Do not ask."))
@pass_pulp_context
def destroy(pulp_ctx: PulpCLIContext, /, name: str, yes: bool) -> None:
    """Remove a channel: its versions, its URLs, and its remote if nothing else uses the remote."""
    channel = Channel(pulp_ctx, name)
    count = channel.describe()["packages"]
    if not yes:
        text = _("Remove channel '{name}' with {count:,} files, all its versions and its URLs?")
        click.confirm(text.format(name=name, count=count), abort=True, err=True)
    for resource in channel.destroy():
        click.echo(f"{resource}: " + _("removed"), err=True)


channel.add_command(refresh)
channel.add_command(runs)

add_examples(
    channel,
    "create mirror --upstream https://conda.anaconda.org/conda-forge --subdirs linux-64,noarch"
    " --include 'numpy >=1.26' --sync",
    "create tools --upstream https://conda.anaconda.org/conda-forge --subdirs linux-64,noarch"
    " --with-dependencies --include 'numpy >=2' --for-each 'python 3.13.*' --sync",
    "plan tools 'numpy >=2' pandas --for-each 'python 3.13.*'",
    "why tools libblas",
    "create team --description 'What we build' --private",
    "create team --stages unstable,testing,stable",
    "create all --merge 'team=acme-*' --merge mirror",
    "create team --overrides mirror",
    "show mirror",
    "list",
    "sync mirror --mirror",
    "refresh mirror --cron '30 3 * * *' --time-zone Europe/Berlin",
    "runs mirror --outcome failed",
    "upload team dist/ tzdata-2025b-h78e105d_0.conda",
    "diff mirror@3 mirror@7 --markdown",
    "copy mirror team 'numpy >=2' scipy",
    "convert team 'numpy <2' --dry-run",
    "url team",
    "grant team --role uploader --user ci --group devs",
    "revoke team --role uploader --user ci",
    "members team",
    "destroy team --yes",
)
