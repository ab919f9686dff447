"""`pulp conda environment`: the environments that gates solve and lock files pin."""

import typing as t
from pathlib import PurePath

import click
from pulp_cli.generic import (
    PulpCLIContext,
    href_option,
    list_command,
    lookup_callback,
    name_filter_options,
    name_option,
    pass_pulp_context,
    pulp_group,
    pulp_option,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaEnvironmentContext, PulpCondaRepositoryContext
from pulp_glue.conda.vocabulary import EnvironmentFormat, values_of

from pulpcore.cli.conda import output
from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.options import comma_callback, read_text, repository_option

translation = get_translation(__package__)
_ = translation.gettext

FC = t.TypeVar("FC", bound=t.Callable[..., t.Any])

_FORMATS = values_of(EnvironmentFormat)
_FORMATS_BY_SUFFIX = {
    ".yml": EnvironmentFormat.ENVIRONMENT_YML.value,
    ".yaml": EnvironmentFormat.ENVIRONMENT_YML.value,
    ".txt": EnvironmentFormat.SPECS.value,
}

pass_environment_context = click.make_pass_decorator(PulpCondaEnvironmentContext)


@pulp_group()
@pass_pulp_context
@click.pass_context
def environment(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """Manage environments: lists of packages that people install together."""
    ctx.obj = PulpCondaEnvironmentContext(pulp_ctx)


def _look_in(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        pulp_ctx = ctx.find_object(PulpCLIContext)
        environment_ctx = ctx.find_object(PulpCondaEnvironmentContext)
        assert pulp_ctx is not None and environment_ctx is not None
        is_href = value.startswith("/")
        environment_ctx.repository_ctx = PulpCondaRepositoryContext(
            pulp_ctx,
            pulp_href=value if is_href else None,
            entity=None if is_href else {"name": value},
        )


def _in_repository(**options: t.Any) -> t.Callable[[FC], FC]:
    return click.option("--repository", callback=_look_in, expose_value=False, **options)


_only_in_repository = _in_repository(
    help=_("Only in the latest version of this repository, by name or href.")
)


def _lookup(command: FC) -> FC:
    """Accept an environment as the first argument, or by the options that all of `pulp` has."""
    argument = click.argument(
        "environment",
        required=False,
        callback=lookup_callback("name", PulpCondaEnvironmentContext),
        expose_value=False,
    )
    for option in (href_option, name_option, argument):
        command = option(command)
    return command


def _virtual_packages(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, dict[str, str | None]] | None:
    by_platform: dict[str, dict[str, str | None]] = {}
    for value in values:
        platform, colon, package = value.partition(":")
        name, equals, version = package.partition("=")
        if not (platform and colon and name and equals):
            raise click.BadParameter(
                _("write PLATFORM:NAME=VERSION, for example 'linux-64:__cuda=12.4'."), param=param
            )
        by_platform.setdefault(platform, {})[name] = version or None
    return by_platform or None


@environment.command()
@click.argument("name", required=False)
@click.option("--name", "name_option", help=_("The name, in place of the argument."))
@repository_option
@click.option(
    "--file",
    type=click.File("rb"),
    help=_("An environment.yml, a pixi manifest, or a list of specs with one on each line."),
)
@click.option(
    "--spec",
    "specs",
    multiple=True,
    help=_("A match spec. Use it in place of --file. Can be specified multiple times."),
)
@click.option(
    "--format",
    type=click.Choice(_FORMATS),
    help=_("Format of the file. The default depends on the name of the file."),
)
@click.option("--section", help=_("Name of the environment in a pixi manifest."))
@click.option(
    "--platforms",
    callback=comma_callback,
    help=_(
        "Subdirs to solve it for, for example 'linux-64,osx-arm64'. The default is what the file "
        "says."
    ),
)
@click.option(
    "--virtual-package",
    "virtual_packages",
    multiple=True,
    callback=_virtual_packages,
    help=_(
        "A virtual package of the machines, as PLATFORM:NAME=VERSION, for example "
        "'linux-64:__cuda=12.4'. Without a version, the machines do not have it. Can be specified "
        "multiple times."
    ),
)
@pass_environment_context
@pass_pulp_context
def create(
    pulp_ctx: PulpCLIContext,
    environment_ctx: PulpCondaEnvironmentContext,
    /,
    name: str | None,
    name_option: str | None,
    file: t.IO[bytes] | None,
    specs: tuple[str, ...],
    format: str | None,
    **body: t.Any,
) -> None:
    """Register an environment. It replaces an environment of the same name in the repository."""
    if not (name or name_option):
        raise click.UsageError(_("The environment needs a name: give a NAME."))
    if bool(file) == bool(specs):
        raise click.UsageError(_("The environment needs packages: give either --file or --spec."))
    body["name"] = name or name_option
    body["source"] = read_text(file, param_hint="'--file'") if file else "\n".join(specs)
    body["format"] = (format or _format_of(file.name)) if file else "specs"
    made = environment_ctx.create(body)
    count = max((len(specs) for specs in made["requirements"].values()), default=0)
    text = _("Environment '{name}' is registered: {count} {noun} for {platforms}.").format(
        name=made["name"],
        count=count,
        noun=_("spec") if count == 1 else _("specs"),
        platforms=_(" and ").join(made["platforms"]),
    )
    output.show(pulp_ctx, made, [text] if output.is_for_people(pulp_ctx) else ())


def _format_of(filename: str) -> str:
    name = PurePath(filename).name
    found = name if name in _FORMATS else _FORMATS_BY_SUFFIX.get(PurePath(name).suffix)
    if found is None:
        reason = _("The name '{name}' does not show the format. Give --format, one of: {formats}.")
        raise click.UsageError(reason.format(name=name, formats=", ".join(_FORMATS)))
    return found


@environment.command()
@_lookup
@_only_in_repository
@pass_environment_context
@pass_pulp_context
def show(pulp_ctx: PulpCLIContext, environment_ctx: PulpCondaEnvironmentContext, /) -> None:
    """Show an environment with its file, and the specs that were read from it."""
    # An entity that was found by name comes from a list, and lists leave these fields out.
    pulp_ctx.output_result(environment_ctx.show())


@environment.command()
@_lookup
@_in_repository(required=True, help=_("The repository, by name or href."))
@pass_environment_context
def remove(environment_ctx: PulpCondaEnvironmentContext, /) -> None:
    """Remove an environment from a repository. Earlier versions keep it."""
    environment_ctx.delete()


environment.add_command(
    list_command(
        decorators=[
            *name_filter_options,
            _only_in_repository,
            pulp_option(
                "--repository-version", help=_("Only {entities} of this version, by href.")
            ),
            click.option(
                "--format",
                "environment_format",
                type=click.Choice(_FORMATS),
                help=_("Only in this format."),
            ),
        ]
    )
)

add_examples(
    environment,
    "create analysis --repository team --file environment.yml",
    "create train --repository team --spec 'pytorch >=2' --platforms linux-64"
    " --virtual-package linux-64:__cuda=12.4",
    "list --repository team",
    "show analysis --repository team",
    "remove analysis --repository team",
)
