"""`pulp conda lifecycle`: the stages of a channel, and what moves them."""

import re
import typing as t
from functools import partial

import click
from pulp_cli.generic import (
    PulpCLIContext,
    field_option,
    int_or_empty,
    label_command,
    label_select_option,
    list_command,
    load_string_callback,
    name_filter_options,
    pass_pulp_context,
    pulp_group,
    pulp_labels_option,
    role_command,
)
from pulp_glue.common.context import DATETIME_FORMATS
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import (
    PulpCondaDistributionContext,
    PulpCondaHistoryContext,
    PulpCondaLifecycleContext,
    PulpCondaRepositoryContext,
)
from pulp_glue.conda.lifecycle import (
    describe_entry,
    describe_report,
    describe_solutions,
    find_entry,
    find_entry_of_state,
    find_stage,
    solve,
)
from pulp_glue.conda.vocabulary import (
    EntryKind,
    EntryOutcome,
    MoveOutcome,
    SolverVerdict,
    values_of,
)

from pulpcore.cli.conda import output, table
from pulpcore.cli.conda.examples import add_examples
from pulpcore.cli.conda.gate import gate
from pulpcore.cli.conda.lookup import (
    channels_option,
    environments_option,
    lifecycle_argument,
    lifecycle_lookup,
    pass_lifecycle_context,
    platforms_option,
    reason_option,
    stage_option,
    state_callback,
    state_option,
    yaml_callback,
)
from pulpcore.cli.conda.options import (
    all_of,
    bounds_options,
    diff_options,
    dry_run_option,
    limit_option,
    offset_option,
    repository_option,
    write_diff,
)
from pulpcore.cli.conda.outcomes import end

translation = get_translation(__package__)
_ = translation.gettext


@pulp_group()
@pass_pulp_context
@click.pass_context
def lifecycle(ctx: click.Context, pulp_ctx: PulpCLIContext, /) -> None:
    """Move a channel through stages. Each stage has its own URL."""
    ctx.obj = PulpCondaLifecycleContext(pulp_ctx)


def _secret(ctx: click.Context, param: click.Parameter, value: str | None) -> t.Any:
    secret = load_string_callback(ctx, param, value)
    return secret and secret.strip()


settings_options: list[t.Any] = [
    click.option(
        "--private/--public",
        default=None,
        help=_(
            "Whether only users with the role of a reader may read the stages. This is for all "
            "stages at once. By default, it stays as it is, and everybody may read new stages."
        ),
    ),
    click.option(
        "--retain-days",
        type=int_or_empty,
        help=_(
            "For how many days earlier states of a stage stay installable. Empty means as long as "
            "the lifecycle exists."
        ),
    ),
    click.option(
        "--announce/--no-announce",
        default=None,
        help=_("Whether notices tell the users of a stage about its moves."),
    ),
    click.option(
        "--webhook-url",
        help=_("URL to POST the events of the stages to. Empty means that none are sent."),
    ),
    click.option(
        "--webhook-secret",
        callback=_secret,
        help=_(
            "Secret to sign messages with: 'whsec_' and 24 to 64 bytes in base64, or @file with "
            "it. Empty means that messages are not signed."
        ),
    ),
    click.option(
        "--base-path",
        help=_("Start of the paths of new stages. The default is the name of the lifecycle."),
    ),
    pulp_labels_option,
]
_NEW_STAGE = _(
    "Name of a new stage, or NAME=DISTRIBUTION to use an existing distribution. Can be specified "
    "multiple times, in the order of the stages."
)


@lifecycle.command()
@click.argument("name", required=False)
@click.option("--name", "name_option", help=_("The name, in place of the argument."))
@repository_option
@click.option("--stage", "stages", multiple=True, help=_NEW_STAGE)
@click.option(
    "--stages",
    "stages_file",
    type=click.File("rb"),
    callback=yaml_callback,
    help=_("A YAML or JSON file with a list of stages: objects with 'name' and 'gates'."),
)
@all_of(settings_options)
@pass_lifecycle_context
@pass_pulp_context
def create(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    name: str | None,
    name_option: str | None,
    repository: PulpCondaRepositoryContext | None,
    stages: tuple[str, ...],
    stages_file: t.Any,
    **body: t.Any,
) -> None:
    """Make the stages of a channel. The default is 'unstable', 'testing' and 'stable'.

    The channel is the one of the same name, or that of --repository. If it has a URL at the base
    path, that stays, and is the first stage.
    """
    if not (name or name_option):
        raise click.UsageError(_("The lifecycle needs a name: give a NAME."))
    if stages and stages_file is not None:
        raise click.UsageError(_("Give either --stage or --stages."))
    body["name"] = name or name_option
    if repository is None:
        repository = PulpCondaRepositoryContext(pulp_ctx, entity={"name": body["name"]})
    body["repository"] = repository
    body["stages"] = _new_stages(pulp_ctx, stages) or stages_file
    made = lifecycle_ctx.create(body)
    text = _("Lifecycle '{name}' is ready. Move a stage with: pulp conda lifecycle promote {name}")
    text = (text + " --to {stage}").format(name=made["name"], stage=made["stages"][1]["name"])
    output.show(pulp_ctx, made, [text] if output.is_for_people(pulp_ctx) else (), table=_rows(made))
    _warn(lifecycle_ctx)


@lifecycle.command()
@lifecycle_lookup
@click.option("--add-stage", "stages", multiple=True, help=_NEW_STAGE)
@all_of(settings_options)
@pass_lifecycle_context
@pass_pulp_context
def update(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    stages: tuple[str, ...],
    **body: t.Any,
) -> None:
    """Change the settings, and add stages at the end. To change gates, use `gate set`."""
    if stages:
        there = [{"name": stage["name"]} for stage in lifecycle_ctx.entity["stages"]]
        body["stages"] = [*there, *_new_stages(pulp_ctx, stages)]
    lifecycle_ctx.update(body)
    if output.is_for_people(pulp_ctx):
        changed = lifecycle_ctx.show()
        text = _("Lifecycle '{name}' is changed.").format(name=changed["name"])
        output.show(pulp_ctx, changed, [text], table=_rows(changed))
    _warn(lifecycle_ctx)


def _warn(lifecycle_ctx: PulpCondaLifecycleContext) -> None:
    for warning in lifecycle_ctx.entity.get("warnings", ()):
        click.echo(_("Warning: {warning}").format(warning=warning), err=True)


def _new_stages(pulp_ctx: PulpCLIContext, stages: t.Iterable[str]) -> list[dict[str, t.Any]]:
    made: list[dict[str, t.Any]] = []
    for stage in stages:
        name, _equals, distribution = stage.partition("=")
        made.append({"name": name})
        if distribution:
            made[-1]["distribution"] = PulpCondaDistributionContext(
                pulp_ctx, entity={"name": distribution}
            )
    return made


@lifecycle.command()
@lifecycle_lookup
@click.option("--yes", is_flag=True, help=_("Do not ask."))
@pass_lifecycle_context
@pass_pulp_context
def destroy(
    pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /, yes: bool
) -> None:
    """Delete the stages and their history. The distributions stay, and serve the same content."""
    name = lifecycle_ctx.entity["name"]
    if not yes:
        text = _("Delete lifecycle '{name}' and the history of its stages?")
        click.confirm(text.format(name=name), abort=True, err=True)
    lifecycle_ctx.delete()
    text = _("Lifecycle '{name}' is deleted. Its URLs stay, and serve what they served.")
    pulp_ctx.echo(text.format(name=name), err=not output.is_for_people(pulp_ctx))


@lifecycle.command()
@lifecycle_lookup
@pass_lifecycle_context
@pass_pulp_context
def show(pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /) -> None:
    """Show the stages with their gates and their current states."""
    # An entity that was found by name comes from a list, and lists leave 'behind' out.
    shown = lifecycle_ctx.show()
    output.show(pulp_ctx, shown, table=_rows(shown))


@lifecycle.command()
@lifecycle_lookup
@pass_lifecycle_context
@pass_pulp_context
def status(pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /) -> None:
    """Show a table of the states of all stages, and the promotions that wait for an approval."""
    click.echo(table.render(_rows(lifecycle_ctx.show()), output.terminal_width()))
    history_ctx = PulpCondaHistoryContext(pulp_ctx, lifecycle_ctx)
    for entry in history_ctx.list_iterator(
        {"outcome": EntryOutcome.WAITING.value, "exclude_fields": ["report"]}
    ):
        text = _("{number}: {requested_by} asks to approve {state} for {stage}.")
        click.echo(text.format(**entry))


def _rows(lifecycle: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the stages for people. `behind` counts the files that differ from the stage before."""
    return [
        {
            "stage": stage["name"],
            "state": stage["state"],
            "since": stage["since"],
            "files": sum(stage["package_counts"].values()),
            "behind": stage["behind"],
            "gates": [gate["name"] for gate in stage["gates"]],
            "url": stage["base_url"],
        }
        for stage in lifecycle["stages"]
    ]


_STATE_OR_MOMENT = re.compile(
    r"v\d+(\.\d+)?|\d{4}-\d\d-\d\d(t(\d\d:\d\d:\d\d|\d{6})(z|\+00:?00))?", re.IGNORECASE
)


def _at_callback(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    state = state_callback(ctx, param, value)
    # No request is sent, so a wrong value would only fail later, in a client that uses the URL.
    if state is None:
        return None
    if not _STATE_OR_MOMENT.fullmatch(state):
        reason = _("'{state}' is neither a state such as 'v42' nor a date such as '2026-03-03'.")
        raise click.BadParameter(reason.format(state=state), param=param)
    # Clients take it for a part of the channel's name, which has no colons and no upper case.
    return state.lower().replace(":", "").replace("+0000", "z")


@lifecycle.command()
@lifecycle_lookup
@click.option("--stage", help=_("Only this stage. Then the output is only its URL."))
@click.option(
    "--at",
    callback=_at_callback,
    help=_("The URLs of earlier states: a date, or a state such as 'v42'."),
)
@pass_lifecycle_context
def url(lifecycle_ctx: PulpCondaLifecycleContext, /, stage: str | None, at: str | None) -> None:
    """Print the URLs of the stages for clients."""

    def _url(stage: dict[str, t.Any]) -> str:
        base = stage["base_url"]
        return f"{base.rstrip('/')}/at/{at}/" if at else base

    if stage:
        click.echo(_url(find_stage(lifecycle_ctx, stage)))
    else:
        stages = lifecycle_ctx.entity["stages"]
        click.echo(table.render([{"stage": each["name"], "url": _url(each)} for each in stages]))


def _overrides(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str] | None:
    pairs = [value.partition("=") for value in values]
    if not all(equals and reason.strip() for _gate, equals, reason in pairs):
        raise click.BadParameter(_("write GATE=REASON."), param=param)
    return {gate: reason for gate, _equals, reason in pairs} or None


@lifecycle.command()
@lifecycle_lookup
@click.option("--to", "stage", required=True, help=_("The stage that moves."))
@click.option(
    "--from",
    "source",
    help=_(
        "The stage to take from. The default is the stage before. With --package, it is the first "
        "stage. Any other stage is a jump, which needs its own permission."
    ),
)
@click.option(
    "--state",
    "--version",
    callback=state_callback,
    help=_("A state of the other stage, for example 'v42'. The default is its current state."),
)
@click.option(
    "--package",
    "specs",
    multiple=True,
    help=_(
        "Add only the packages that match this spec, for example 'openssl 3.5.5', to what the "
        "stage serves. Can be specified multiple times."
    ),
)
@click.option(
    "--dependencies/--no-dependencies",
    "with_dependencies",
    default=None,
    help=_(
        "With --package: promote what can be installed, with the dependencies that the stage does "
        "not have. This is the default."
    ),
)
@all_of(bounds_options)
@click.option(
    "--override",
    "overrides",
    multiple=True,
    callback=_overrides,
    help=_(
        "GATE=REASON: ignore the result of a gate. This needs its own permission. Can be specified "
        "multiple times."
    ),
)
@reason_option
@dry_run_option
@pass_lifecycle_context
@pass_pulp_context
def promote(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    stage: str,
    specs: tuple[str, ...],
    state: str | None,
    with_dependencies: bool | None,
    newest: int | None,
    virtual_packages: dict[str, str | None] | None,
    **body: t.Any,
) -> None:
    """Let a stage serve what the stage before it serves, if its gates allow that.

    Exits with 3 if a gate blocks it, and with 4 if it waits for an approval.
    """
    if specs and state:
        raise click.UsageError(_("Give --package or --state, but not both."))
    bounds = {
        "with_dependencies": with_dependencies,
        "newest": newest,
        "virtual_packages": virtual_packages,
    }
    if not specs and any(value is not None for value in bounds.values()):
        raise click.UsageError(
            _("--dependencies, --no-dependencies, --newest and --virtual-package need a --package.")
        )
    if specs:
        body |= bounds
        report = lifecycle_ctx.promote_packages(stage, list(specs), **body)
    else:
        report = lifecycle_ctx.promote(stage, state=state, **body)
    _end(pulp_ctx, report)


@lifecycle.command()
@lifecycle_lookup
@stage_option
@click.option(
    "--state",
    "--version",
    callback=state_callback,
    help=_("The state to go back to, for example 'v41'. The default is the last other state."),
)
@click.option(
    "--entry",
    type=int,
    help=_("The number of the history entry that moved the stage to that state."),
)
@reason_option
@dry_run_option
@pass_lifecycle_context
@pass_pulp_context
def rollback(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    stage: str,
    state: str | None,
    entry: int | None,
    **body: t.Any,
) -> None:
    """Let a stage serve an earlier state again. Gates do not apply."""
    if state and entry is not None:
        raise click.UsageError(_("Give either --state or --entry."))
    if state:
        entry = find_entry_of_state(lifecycle_ctx, stage, state)["number"]
    _end(pulp_ctx, lifecycle_ctx.rollback(stage, entry=entry, **body))


_MOMENT = click.DateTime(formats=DATETIME_FORMATS)

# The fields of a list. The other fields, such as the report, are shown with --entry.
_HISTORY_FIELDS = [
    "number",
    "stage",
    "kind",
    "outcome",
    "before",
    "state",
    "requested_by",
    "moved_at",
    "reason",
]

# Those that people see in a list besides. They are only in reports.
_PEOPLE_FIELDS = [*_HISTORY_FIELDS, "pulp_created", "answers", "report"]


@lifecycle.command()
@lifecycle_lookup
@click.option("--entry", type=int, help=_("Show this entry with all fields and its report."))
@click.option("--stage", help=_("Only entries of this stage."))
@click.option(
    "--kind",
    type=click.Choice(values_of(EntryKind)),
    help=_("Only entries of this kind."),
)
@click.option(
    "--outcome",
    type=click.Choice(values_of(EntryOutcome)),
    help=_("Only entries with this outcome."),
)
@click.option("--requested-by", help=_("Only entries that this user requested."))
@click.option(
    "--moved-after",
    "moved_at__gte",
    type=_MOMENT,
    metavar="DATE",
    help=_("Only moves from this moment on, for example '2026-03-03' or '2026-03-03T12:00:00'."),
)
@click.option(
    "--moved-before",
    "moved_at__lte",
    type=_MOMENT,
    metavar="DATE",
    help=_("Only moves up to this moment."),
)
@field_option
@limit_option
@offset_option
@pass_lifecycle_context
@pass_pulp_context
def history(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    entry: int | None,
    fields: tuple[str, ...],
    limit: int,
    offset: int,
    **filters: t.Any,
) -> None:
    """List the moves of the stages and the requests for moves, newest first."""
    if entry is not None:
        found = find_entry(lifecycle_ctx, entry).entity
        lines = describe_entry(found) if output.is_for_people(pulp_ctx) else ()
        output.show(pulp_ctx, found, lines)
        return
    if filters["stage"] is not None:
        find_stage(lifecycle_ctx, filters["stage"])
    history_ctx = PulpCondaHistoryContext(pulp_ctx, lifecycle_ctx)
    query = {key: value for key, value in filters.items() if value is not None}
    is_row = output.is_for_people(pulp_ctx) and not fields
    query["fields"] = _PEOPLE_FIELDS if is_row else list(fields) or _HISTORY_FIELDS
    entries = history_ctx.list(limit=limit, offset=offset, parameters=query)
    rows = [_history_row(each) for each in entries] if is_row else None
    output.show(pulp_ctx, entries, table=rows, empty=_("The history has no such entries."))


def _history_row(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a history entry for people, in one line."""
    gates = (entry["report"] or {}).get("gates", ())
    approvers = [each["user"] for each in entry["answers"] or () if each.get("approved")]
    return {
        "#": entry["number"],
        "when": entry["moved_at"] or entry["pulp_created"],
        "stage": entry["stage"],
        "outcome": entry["outcome"],
        "from": entry["before"],
        "to": entry["state"],
        "kind": entry["kind"],
        "by": entry["requested_by"],
        "approved by": approvers,
        "overridden": [gate["name"] for gate in gates if gate["overridden"] is not None],
        "reason": entry["reason"],
    }


_entry_argument = click.argument("entry", type=int)


@lifecycle.command()
@lifecycle_argument
@_entry_argument
@reason_option
@pass_lifecycle_context
@pass_pulp_context
def approve(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    entry: int,
    reason: str | None,
) -> None:
    """Approve a promotion that waits. ENTRY is its number in the history."""
    report = find_entry(lifecycle_ctx, entry).approve(reason)
    _end(pulp_ctx, report)


@lifecycle.command()
@lifecycle_argument
@_entry_argument
@reason_option
@pass_lifecycle_context
@pass_pulp_context
def reject(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    entry: int,
    reason: str | None,
) -> None:
    """Reject a promotion that waits. ENTRY is its number in the history."""
    rejected = find_entry(lifecycle_ctx, entry).reject(reason)
    text = _("Request {entry} is rejected.").format(entry=entry)
    output.show(pulp_ctx, rejected, [text] if output.is_for_people(pulp_ctx) else ())


@lifecycle.command("solve")
@lifecycle_lookup
@stage_option
@state_option
@environments_option
@platforms_option
@channels_option
@pass_lifecycle_context
@pass_pulp_context
def solve_environments(
    pulp_ctx: PulpCLIContext, lifecycle_ctx: PulpCondaLifecycleContext, /, **body: t.Any
) -> None:
    """Solve environments with the packages of a stage, for lock files and for gates.

    Exits with 3 if an environment has no solution.
    """
    solutions = solve(lifecycle_ctx, **body)
    is_solved = all(solution["verdict"] == SolverVerdict.SOLVED for solution in solutions)
    outcome = SolverVerdict.SOLVED if is_solved else MoveOutcome.BLOCKED
    end(pulp_ctx, solutions, describe_solutions(solutions), outcome)


@lifecycle.command()
@lifecycle_argument
@click.argument("base")
@click.argument("target")
@diff_options
@pass_lifecycle_context
@pass_pulp_context
def diff(
    pulp_ctx: PulpCLIContext,
    lifecycle_ctx: PulpCondaLifecycleContext,
    /,
    base: str,
    target: str,
    **query: t.Any,
) -> None:
    """List the differences between two states. Give the older state first.

    A state is a stage ('stable'), an earlier state of a stage ('stable/at/v42',
    'stable/at/2026-03-03'), or a version of the repository ('v42', '2026-03-03').
    """
    write_diff(pulp_ctx, partial(lifecycle_ctx.diff, base, target), **query)


def _end(pulp_ctx: PulpCLIContext, report: dict[str, t.Any]) -> None:
    lines = describe_report(report)
    if report["outcome"] == MoveOutcome.WAITING and not report["dry_run"]:
        text = _("To approve it: pulp conda lifecycle approve {lifecycle} {entry}")
        lines.append(text.format(**report))
    end(pulp_ctx, report, lines, report["outcome"])


lifecycle.add_command(
    list_command(decorators=[*name_filter_options, label_select_option, repository_option])
)
lifecycle.add_command(label_command(decorators=[lifecycle_lookup], help=_("Manage labels.")))
lifecycle.add_command(role_command(decorators=[lifecycle_lookup]))
lifecycle.add_command(gate)

add_examples(
    lifecycle,
    "promote team --to testing",
    "create team",
    "create adopted --repository team --stage testing=team-testing --stage stable=team-stable",
    "list",
    "show team",
    "status team",
    "url team --stage stable --at 2026-03-03",
    "update team --retain-days 400 --add-stage frozen",
    "destroy team",
    "promote team --to stable --package 'openssl 3.5.5' --reason CVE-2026-1",
    "promote team --to testing --dry-run",
    "rollback team --stage stable --reason 'does not start'",
    "history team --stage stable",
    "history team --entry 7",
    "approve team 7 --reason 'tried it'",
    "reject team 7 --reason 'too late in the week'",
    "gate list team",
    "gate set team --stage testing --gate solvable --kind environments",
    "gate set team --stage stable --file gates.yml",
    "gate remove team --stage testing --gate solvable",
    "solve team --stage stable --environments analysis",
    "diff team stable testing --markdown",
    "diff team stable/at/2026-03-03 stable",
    "list --label-select team=data",
    "label set team --key owner --value data",
    "label show team --key owner",
    "label unset team --key owner",
    "role list team",
    "role add team --role conda.condalifecycle_approver --user ada",
    "role remove team --role conda.condalifecycle_approver --user ada",
    "role my-permissions team",
)
