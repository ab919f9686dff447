"""`pulp conda lifecycle gate`: the conditions that must hold before a stage moves."""

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
from pulpcore.cli.conda.output import show

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
def gate() -> None:
    """Manage gates: the conditions that must hold before a stage moves."""


@gate.command("list")
@lifecycle_lookup
@click.option("--stage", help=_("Only the gates of this stage."))
@pass_lifecycle_context
@pass_pulp_context
def list_gates(
    pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /, stage: str | None
) -> None:
    """List the gates of all stages, or of one. With --stage, `gate set --file` takes the output."""
    if stage:
        gates = find_stage(lifecycle_ctx, stage)["gates"]
    else:
        stages = lifecycle_ctx.entity["stages"]
        gates = [{"stage": each["name"], **gate} for each in stages for gate in each["gates"]]
    _show(pulp_ctx, gates)


def _show(pulp_ctx: PulpCLIContext, gates: list[dict[str, t.Any]]) -> None:
    """Write gates. People see their options in one column: each kind has others."""
    rows = []
    for gate in gates:
        common = {key: gate[key] for key in ("stage", "name", "kind", "action") if key in gate}
        options = {key: value for key, value in gate.items() if key not in common and value}
        told = "; ".join(f"{key}: {_told(value)}" for key, value in options.items())
        rows.append({**common, "options": told})
    show(pulp_ctx, gates, table=rows, empty=_("No gates: every move passes."))


def _told(value: t.Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_told(each)}" for key, each in value.items())
    return ", ".join(map(_told, value)) if isinstance(value, list) else str(value)


def _reasons(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> list[dict[str, str]] | None:
    """Parse texts such as 'openssl <3.5.5: CVE-2026-1' into a spec and the reason to block it."""
    pairs = [value.partition(": ") for value in values]
    if not all(spec.strip() and reason.strip() for spec, _colon, reason in pairs):
        raise click.BadParameter(
            _("write 'SPEC: REASON', for example 'openssl <3.5.5: CVE-2026-1'."), param=param
        )
    return [{"spec": spec, "reason": reason} for spec, _colon, reason in pairs] or None


# The options of each kind of gate. Other settings of a policy, such as exceptions, need a file.
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
@click.option("--gate", help=_("Name of the gate. A gate of the same name is replaced."))
@click.option("--kind", type=click.Choice(values_of(GateKind)), help=_("Kind of the gate."))
@click.option(
    "--action",
    type=click.Choice(values_of(GateAction)),
    help=_("Whether a failed gate blocks the stage or only warns. The default is to block."),
)
@environments_option
@platforms_option
@channels_option
@click.option("--minimum-age", type=float, help=_("How many days old a new package must be."))
@click.option(
    "--allowed-licenses",
    callback=comma_callback,
    help=_("Patterns of licenses. One of them must match, for example 'MIT,BSD-*'."),
)
@click.option(
    "--denied-licenses",
    callback=comma_callback,
    help=_("Patterns of licenses. None of them may match, for example 'AGPL-*'."),
)
@click.option(
    "--blocked",
    multiple=True,
    callback=_reasons,
    help=_(
        "Packages that are not allowed, as SPEC: REASON, for example 'openssl <3.5.5: "
        "CVE-2026-1'. Can be specified multiple times."
    ),
)
@click.option(
    "--required",
    multiple=True,
    help=_("A spec of a package that must be in the stage. Can be specified multiple times."),
)
@click.option(
    "--dependencies",
    is_flag=True,
    default=None,
    help=_("The channel must have a package for every dependency."),
)
@click.option("--approvals", type=int, help=_("How many people must approve."))
@click.option(
    "--file",
    type=click.File("rb"),
    callback=yaml_callback,
    help=_(
        "A YAML or JSON file. It has one gate with all of its options, or a list of gates that "
        "replaces all gates of the stage."
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
    """Add or replace a gate of a stage, and list the gates of the stage."""
    given = {key: value for key, value in options.items() if value is not None and value != ()}
    if file is None:
        gates = set_gate(lifecycle_ctx, stage, _gate(**given))
    elif given:
        raise click.UsageError(_("A file has all options of a gate: give --file without others."))
    elif isinstance(file, dict):
        gates = set_gate(lifecycle_ctx, stage, file)
    else:
        gates = set_gates(lifecycle_ctx, stage, file)
    _show(pulp_ctx, gates)


def _gate(
    gate: str = "", kind: str = "", action: str = GateAction.BLOCK.value, **options: t.Any
) -> t.Any:
    """Return the gate that the options describe."""
    if not (gate and kind):
        raise click.UsageError(_("Give --gate and --kind, or --file."))
    for option in options:
        if option not in _OPTIONS[kind]:
            owners = [each for each, own in _OPTIONS.items() if option in own]
            text = _("--{option} is an option of gates of kind '{kinds}', not of kind '{kind}'.")
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
@click.option("--gate", "gate_name", required=True, help=_("Name of the gate."))
@pass_lifecycle_context
@pass_pulp_context
def remove(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    stage: str,
    gate_name: str,
) -> None:
    """Remove a gate from a stage, and list the other gates."""
    _show(pulp_ctx, remove_gate(lifecycle_ctx, stage, gate_name))
