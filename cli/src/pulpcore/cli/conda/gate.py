"""`pulp conda lifecycle gate`: what must hold before a stage moves."""

import typing as t

import click
from pulp_cli.generic import PulpCLIContext, pass_pulp_context, pulp_group
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaLifecycleContext
from pulp_glue.conda.lifecycle import find_stage, remove_gate, set_gate, set_gates
from pulp_glue.conda.vocabulary import GateAction, GateKind, values_of

from pulpcore.cli.conda.lookup import (
    channels_option,
    environments_option,
    lifecycle_lookup,
    pass_lifecycle_context,
    platforms_option,
    stage_option,
    yaml_callback,
)
from pulpcore.cli.conda.options import comma_callback

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
def gate() -> None:
    """Say what must hold before a stage moves."""


@gate.command("list")
@lifecycle_lookup
@click.option("--stage", help=_("Only those of this stage."))
@pass_lifecycle_context
@pass_pulp_context
def list_gates(
    pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /, stage: str | None
) -> None:
    """List the gates of the stages, or with --stage of one, as `gate set --file` takes them."""
    if stage:
        pulp_ctx.output_result(find_stage(lifecycle_ctx, stage)["gates"])
        return
    stages = lifecycle_ctx.entity["stages"]
    pulp_ctx.output_result(
        [{"stage": each["name"], **gate} for each in stages for gate in each["gates"]]
    )


def _reasons(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> list[dict[str, str]] | None:
    """Take 'openssl <3.5.5: CVE-2026-1' for a spec and why it is blocked."""
    pairs = [value.partition(": ") for value in values]
    if not all(spec.strip() and reason.strip() for spec, _colon, reason in pairs):
        raise click.BadParameter(
            _("give 'SPEC: REASON', for example 'openssl <3.5.5: CVE-2026-1'."), param=param
        )
    return [{"spec": spec, "reason": reason} for spec, _colon, reason in pairs] or None


# Which options a kind has. What else a policy can say, such as exceptions, stands in a file.
_OPTIONS: dict[str, set[str]] = {
    GateKind.ENVIRONMENTS: {"environments", "platforms", "channels"},
    GateKind.POLICY: {
        "minimum_age",
        "allowed_licenses",
        "denied_licenses",
        "blocked",
        "required",
        "dependencies",
    },
    GateKind.APPROVAL: {"approvals"},
}


@gate.command("set")
@lifecycle_lookup
@stage_option
@click.option("--gate", help=_("What people call it. One of this name is replaced."))
@click.option("--kind", type=click.Choice(values_of(GateKind)), help=_("What it asks for."))
@click.option(
    "--action",
    type=click.Choice(values_of(GateAction)),
    help=_("Whether it holds the stage, which is the default, or only reports."),
)
@environments_option
@platforms_option
@channels_option
@click.option("--minimum-age", type=float, help=_("For how many days new packages have to wait."))
@click.option(
    "--allowed-licenses",
    callback=comma_callback,
    help=_("Patterns, one of which has to match the license, for example 'MIT,BSD-*'."),
)
@click.option(
    "--denied-licenses",
    callback=comma_callback,
    help=_("Patterns, none of which may match the license, for example 'AGPL-*'."),
)
@click.option(
    "--blocked",
    multiple=True,
    callback=_reasons,
    help=_(
        "SPEC: REASON of packages that may not be there, for example 'openssl <3.5.5: "
        "CVE-2026-1'. Can be specified "
        "multiple times."
    ),
)
@click.option(
    "--required",
    multiple=True,
    help=_("A spec of a package that has to be there. Can be specified multiple times."),
)
@click.option(
    "--dependencies",
    is_flag=True,
    default=None,
    help=_("Every dependency has to be satisfied within the channel."),
)
@click.option("--approvals", type=int, help=_("How many people have to say yes."))
@click.option(
    "--file",
    type=click.File("rb"),
    callback=yaml_callback,
    help=_(
        "A file, in YAML or JSON, with one gate and all of its options, or with a list of all "
        "gates of the stage, "
        "which replaces those that are there."
    ),
)
@pass_lifecycle_context
@pass_pulp_context
def set_(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    stage: str,
    file: t.Any,
    **options: t.Any,
) -> None:
    """Add a gate to a stage, or replace one, and list the gates of the stage."""
    given = {key: value for key, value in options.items() if value is not None and value != ()}
    if file is None:
        gates = set_gate(lifecycle_ctx, stage, _gate(**given))
    elif given:
        raise click.UsageError(_("A file says all of a gate: give no other options with --file."))
    elif isinstance(file, dict):
        gates = set_gate(lifecycle_ctx, stage, file)
    else:
        gates = set_gates(lifecycle_ctx, stage, file)
    pulp_ctx.output_result(gates)


def _gate(
    gate: str = "", kind: str = "", action: str = GateAction.BLOCK.value, **options: t.Any
) -> t.Any:
    """Return the gate that options mean."""
    if not (gate and kind):
        raise click.UsageError(_("Name the gate with --gate and --kind, or give a --file."))
    for option in options:
        if option not in _OPTIONS[kind]:
            owners = [each for each, own in _OPTIONS.items() if option in own]
            text = _("--{option} is an option of gates of kind '{kinds}', and not of '{kind}'.")
            raise click.UsageError(
                text.format(option=option.replace("_", "-"), kinds="', '".join(owners), kind=kind)
            )
    licenses = {
        key: options.pop(f"{key}_licenses")
        for key in ("allowed", "denied")
        if f"{key}_licenses" in options
    }
    if licenses:
        options["licenses"] = licenses
    if "minimum_age" in options:
        options["minimum_age"] = {"days": options["minimum_age"]}
    return {"name": gate, "kind": kind, "action": action, **options}


@gate.command()
@lifecycle_lookup
@stage_option
@click.option("--gate", "gate_name", required=True, help=_("What it is called."))
@pass_lifecycle_context
@pass_pulp_context
def remove(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    stage: str,
    gate_name: str,
) -> None:
    """Take a gate from a stage, and list the others."""
    pulp_ctx.output_result(remove_gate(lifecycle_ctx, stage, gate_name))
