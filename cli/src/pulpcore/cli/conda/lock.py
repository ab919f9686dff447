"""`pulp conda lock`: write lock files of stages, and make repository versions of lock files."""

import typing as t

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_group
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.channel import Channel
from pulp_glue.conda.context import (
    PulpCondaLifecycleContext,
    PulpCondaRepositoryContext,
)
from pulp_glue.conda.lifecycle import (
    describe_found,
    describe_lock_report,
    describe_solutions,
    solve,
)
from pulp_glue.conda.vocabulary import (
    LockFormat,
    MoveOutcome,
    SolverVerdict,
    VersionOutcome,
    values_of,
)

from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.lookup import (
    channels_option,
    lifecycle_lookup,
    pass_lifecycle_context,
    stage_option,
    state_option,
)
from pulpcore.cli.conda.options import (
    dry_run_option,
    name_and_version,
    read_text,
    required_repository_option,
)
from pulpcore.cli.conda.outcomes import end

translation = get_translation(__package__)
_ = translation.gettext

# The largest lock file that the server takes, in bytes.
_LARGEST = 32 * 2**20

_format = click.Choice(values_of(LockFormat))


@pulp_group()
@pass_pulp_context
@click.pass_context
def lock(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """Write lock files, make versions from them, and find the versions that serve one."""
    ctx.obj = PulpCondaLifecycleContext(pulp_ctx)


@lock.command()
@lifecycle_lookup
@stage_option
@state_option
@click.option(
    "--environment", required=True, help=_("The name of the environment, for example 'analysis'.")
)
@click.option(
    "--lock-format",
    type=_format,
    default=LockFormat.PIXI.value,
    show_default=True,
    help=_("Format to write: pixi.lock, conda-lock.yml, or an @EXPLICIT list for conda."),
)
@click.option(
    "--platform",
    help=_("Only this subdir. An @EXPLICIT list needs it if the environment has several subdirs."),
)
@click.option(
    "--digest",
    type=click.Choice(["sha256", "md5"]),
    help=_(
        "Kind of hashes in an @EXPLICIT list. The default is 'sha256'. Use 'md5' for conda before "
        "24.9 and mamba before 2.1."
    ),
)
@channels_option
@click.option("--solve", "is_to_solve", is_flag=True, help=_("Solve the environment first."))
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8"),
    default="-",
    help=_("The file to write. The default is stdout."),
)
@pass_lifecycle_context
@pass_pulp_context
def export(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    stage: str,
    environment: str,
    platform: str | None,
    is_to_solve: bool,
    output: t.IO[str],
    **query: t.Any,
) -> None:
    """Write a lock file of an environment with the packages of a stage.

    Exits with 3 if --solve finds no solution.
    """
    if is_to_solve:
        solutions = solve(
            lifecycle_ctx,
            stage,
            environments=[environment],
            platforms=platform and [platform],
            state=query["state"],
            channels=query["channels"],
        )
        if any(solution["verdict"] != SolverVerdict.SOLVED for solution in solutions):
            end(pulp_ctx, solutions, describe_solutions(solutions), MoveOutcome.BLOCKED)
    output.write(lifecycle_ctx.lock(stage, environment, platform=platform, **query))


def _read(ctx: click.Context, param: click.Parameter, value: t.IO[bytes]) -> str:
    return read_text(value, _LARGEST, param=param)


_file_argument = click.argument("file", type=click.File("rb"), callback=_read)

_format_option = click.option(
    "--lock-format",
    type=_format,
    help=_("Format of the file. By default, the server detects it."),
)


def _find(pulp_ctx: PulpCLIContext, source: tuple[str, int | None]) -> str:
    """Return the href of a repository, or of a version of one, to take packages from."""
    name, number = source
    if name.startswith("/"):
        return name
    channel = Channel(pulp_ctx, name)
    return (channel.repository if number is None else channel.version(number)).pulp_href


@lock.command("import")
@_file_argument
@required_repository_option
@click.option(
    "--source",
    "sources",
    multiple=True,
    type=name_and_version,
    metavar="REPOSITORY[@VERSION]",
    help=_(
        "Where to take the packages from: a repository with all of its versions, one version such "
        "as 'forge@42', or an href. Can be specified multiple times: give the preferred source "
        "first. The default is the repository itself."
    ),
)
@_format_option
@dry_run_option
@pass_pulp_context
def import_(
    pulp_ctx: PulpCLIContext,
    /,
    file: str,
    repository: PulpCondaRepositoryContext,
    sources: tuple[tuple[str, int | None], ...],
    **body: t.Any,
) -> None:
    """Make a version of a repository with exactly the packages of a lock file.

    If packages are missing, it makes no version and exits with 3.
    """
    report = repository.import_lock_file(
        file, sources=[_find(pulp_ctx, source) for source in sources] or None, **body
    )
    end(pulp_ctx, report, describe_lock_report(report), report["outcome"])


@lock.command()
@_file_argument
@required_repository_option
@click.option("--version", type=click.IntRange(0), help=_("Show what this version lacks."))
@_format_option
@pass_pulp_context
def find(
    pulp_ctx: PulpCLIContext,
    /,
    file: str,
    repository: PulpCondaRepositoryContext,
    **body: t.Any,
) -> None:
    """Show which versions and stages of a repository have all packages of a lock file.

    Exits with 3 if no version has all packages. With --version, exits with 3 if that version does
    not have them all.
    """
    report = repository.find_lock_file(file, **body)
    asked = report["version"]
    is_found = asked["serves"] if asked else report["versions"]["count"] > 0
    end(
        pulp_ctx, report, describe_found(report), "found" if is_found else VersionOutcome.INCOMPLETE
    )


add_examples(
    lock,
    "export team --stage stable --environment analysis --output pixi.lock",
    "export team --stage stable --state 2026-03-03 --environment analysis"
    " --lock-format explicit --platform linux-64",
    "import pixi.lock --repository frozen --source team",
    "find pixi.lock --repository team",
)
