"""The options that select a lifecycle, and other options that several commands share."""

import re
import typing as t

import click
import yaml
from pulp_cli.generic import (
    href_callback,
    href_option,
    lookup_callback,
    name_option,
    pulp_option,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaLifecycleContext

from pulpcore.cli.conda.options import comma_callback, read_text

translation = get_translation(__package__)
_ = translation.gettext

FC = t.TypeVar("FC", bound=t.Callable[..., t.Any])

pass_lifecycle_context = click.make_pass_decorator(PulpCondaLifecycleContext)


def _lookup(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        is_name = not value.startswith(("/", "prn:"))
        by_name = lookup_callback("name", PulpCondaLifecycleContext)
        find = by_name if is_name else href_callback(PulpCondaLifecycleContext)
        find(ctx, param, value)


lifecycle_option = pulp_option(
    "--lifecycle",
    "lifecycle_option",
    help=_("The lifecycle, by name or href. Use it in place of the argument."),
    callback=_lookup,
    expose_value=False,
)

# This argument is required, because other arguments follow it.
lifecycle_argument = click.argument("lifecycle", callback=_lookup, expose_value=False)


def lifecycle_lookup(command: FC) -> FC:
    """Accept a lifecycle as the first argument, or by the options that all of `pulp` has."""
    argument = click.argument("lifecycle", required=False, callback=_lookup, expose_value=False)
    for option in (href_option, name_option, lifecycle_option, argument):
        command = option(command)
    return command


def state_callback(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return 'v42' for '42'."""
    return f"v{value}" if value and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) else value


stage_option = click.option("--stage", required=True, help=_("The stage, for example 'stable'."))
state_option = click.option(
    "--state",
    callback=state_callback,
    help=_("An earlier state of the stage: 'v42' or a date. The default is the current state."),
)
reason_option = click.option("--reason", help=_("The reason. It is kept in the history."))
environments_option = click.option(
    "--environments",
    callback=comma_callback,
    help=_("Names or patterns of environments, for example 'desk,train*'. The default is all."),
)
platforms_option = click.option(
    "--platforms",
    callback=comma_callback,
    help=_("Only these subdirs, for example 'linux-64,noarch'."),
)
channels_option = click.option(
    "--channels",
    callback=comma_callback,
    help=_(
        "Base paths of other channels of this server that the solver may use. Give the channel "
        "with the highest priority first. '.' is the channel itself."
    ),
)


class _Loader(yaml.SafeLoader):
    """A loader of YAML and JSON that keeps dates as texts."""

    yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def yaml_callback(ctx: click.Context, param: click.Parameter, value: t.IO[bytes] | None) -> t.Any:
    """Return the content of a YAML or JSON file."""
    if value is None:
        return None
    text = read_text(value, param=param)
    try:
        found = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = _("'{file}' is neither YAML nor JSON: {error}")
        raise click.BadParameter(reason.format(file=value.name, error=error), param=param) from None
    if found is None:
        reason = _("'{file}' is empty.").format(file=value.name)
        raise click.BadParameter(reason, param=param)
    return found
