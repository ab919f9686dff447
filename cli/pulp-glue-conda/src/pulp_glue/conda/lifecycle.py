"""Jobs with lifecycles that need several calls, for the commands and for Ansible."""

import typing as t

from pulp_glue.common.exceptions import PulpEntityNotFound, PulpException
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import PulpCondaHistoryContext, PulpCondaLifecycleContext
from pulp_glue.conda.vocabulary import (
    EntryOutcome,
    GateAction,
    GateVerdict,
    MoveOutcome,
    SolverVerdict,
    VersionOutcome,
)

translation = get_translation(__package__)
_ = translation.gettext

_SHOWN = 10


def find_stage(lifecycle_ctx: PulpCondaLifecycleContext, name: str) -> dict[str, t.Any]:
    """Return a stage of a lifecycle.

    Raises:
        PulpException: no stage has this name.
    """
    stages = lifecycle_ctx.entity["stages"]
    for stage in stages:
        if stage["name"] == name:
            return t.cast(dict[str, t.Any], stage)
    raise PulpException(
        _("Lifecycle '{lifecycle}' has no stage '{name}'. Its stages are {names}.").format(
            lifecycle=lifecycle_ctx.entity["name"], name=name, names=_listed(stages, "name")
        )
    )


def find_entry(lifecycle_ctx: PulpCondaLifecycleContext, number: int) -> PulpCondaHistoryContext:
    """Return an entry of the history of a lifecycle by its number.

    Raises:
        PulpEntityNotFound: no entry has this number.
    """
    entry_ctx = PulpCondaHistoryContext(
        lifecycle_ctx.pulp_ctx, lifecycle_ctx, entity={"number": number}
    )
    lifecycle = lifecycle_ctx.entity["name"]
    try:
        entry_ctx.entity  # noqa: B018  this sends the request
    except PulpEntityNotFound:
        reason = _("The history of lifecycle '{lifecycle}' has no entry {number}.")
        raise PulpEntityNotFound(reason.format(lifecycle=lifecycle, number=number)) from None
    return entry_ctx


def find_entry_of_state(
    lifecycle_ctx: PulpCondaLifecycleContext, stage: str, state: str
) -> dict[str, t.Any]:
    """Return the last history entry that moved a stage to a state, such as `v42`.

    Raises:
        PulpException: the stage never had that state.
    """
    find_stage(lifecycle_ctx, stage)
    history_ctx = PulpCondaHistoryContext(lifecycle_ctx.pulp_ctx, lifecycle_ctx)
    query = {"stage": stage, "outcome": EntryOutcome.MOVED.value, "exclude_fields": ["report"]}
    states = {}
    for entry in history_ctx.list_iterator(query):
        if entry["state"] == state:
            return t.cast(dict[str, t.Any], entry)
        states[entry["state"]] = entry
    raise PulpException(
        _("Stage '{stage}' never served {state}. It served {states}.").format(
            stage=stage,
            state=state,
            states=_listed(list(states.values()), "state") or _("nothing"),
        )
    )


def set_gates(
    lifecycle_ctx: PulpCondaLifecycleContext, stage: str, gates: list[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """Replace all gates of a stage, and return the new ones with their defaults."""
    find_stage(lifecycle_ctx, stage)
    stages: list[dict[str, t.Any]] = []
    for each in lifecycle_ctx.entity["stages"]:
        # A stage without 'gates' keeps its gates.
        stages.append({"name": each["name"]} | ({"gates": gates} if each["name"] == stage else {}))
    lifecycle_ctx.update({"stages": stages})
    return t.cast(list[dict[str, t.Any]], find_stage(lifecycle_ctx, stage)["gates"])


def set_gate(
    lifecycle_ctx: PulpCondaLifecycleContext, stage: str, gate: dict[str, t.Any]
) -> list[dict[str, t.Any]]:
    """Add a gate to a stage, or replace the gate of the same name, and return all its gates."""
    gates = find_stage(lifecycle_ctx, stage)["gates"]
    name = gate.get("name")
    if name in [each["name"] for each in gates]:
        gates = [gate if each["name"] == name else each for each in gates]
    else:
        gates = [*gates, gate]
    return set_gates(lifecycle_ctx, stage, gates)


def remove_gate(
    lifecycle_ctx: PulpCondaLifecycleContext, stage: str, name: str
) -> list[dict[str, t.Any]]:
    """Remove a gate from a stage, and return the other gates.

    Raises:
        PulpException: the stage has no gate of this name.
    """
    gates = find_stage(lifecycle_ctx, stage)["gates"]
    others = [gate for gate in gates if gate["name"] != name]
    if len(others) == len(gates):
        reason = _("Stage '{stage}' has no gate '{name}'. Its gates are: {names}.")
        names = _listed(gates, "name") or _("none")
        raise PulpException(reason.format(stage=stage, name=name, names=names))
    return set_gates(lifecycle_ctx, stage, others)


def solve(
    lifecycle_ctx: PulpCondaLifecycleContext, stage: str, **body: t.Any
) -> list[dict[str, t.Any]]:
    """Solve environments with the packages of a stage, wait, and return the result of each.

    Parameters:
        body: state, channels, environments, platforms.
    """
    pulp_ctx = lifecycle_ctx.pulp_ctx
    group = lifecycle_ctx.solve(stage, **body)
    pulp_ctx.wait_for_task_group(group)
    group = pulp_ctx.call("task_groups_read", parameters={"task_group_href": group["pulp_href"]})
    solutions = []
    for task in group["tasks"]:
        task = pulp_ctx.call("tasks_read", parameters={"task_href": task["pulp_href"]})
        solutions += task["result"]
    return sorted(solutions, key=lambda each: (each["environment"], each["platform"]))


def describe_report(report: dict[str, t.Any]) -> list[str]:
    """Return lines for people with the outcome of a move and its reasons."""
    return [_headline(report), *_describe_reasons(report)]


def _describe_reasons(report: dict[str, t.Any]) -> list[str]:
    lines: list[str] = []
    for gate in report["gates"]:
        lines += _describe_gate(gate)
    unmet = report.get("unmet") or []
    if unmet:
        lines.append(_("Dependencies that are neither in the stage nor in the source:"))
        lines += [f"    {each}" for each in unmet[:_SHOWN]] + _more(len(unmet))
    not_installable = report.get("not_installable") or []
    if not_installable:
        lines.append(_("Not installable, and left out there:"))
        lines += [f"    {each}" for each in not_installable[:_SHOWN]] + _more(len(not_installable))
    return lines + _describe_way_back(report)


def describe_changes(changes: dict[str, t.Any]) -> str:
    """Return how many packages and how many files changed: `packages: 2 new; files: 3 added`.

    A package is all files of a name. It returns an empty text if nothing changed.

    Args:
        changes: `summaries` and `counts`, as in reports and in differences.
    """
    parts = ((_("packages"), changes.get("summaries")), (_("files"), changes.get("counts")))
    texts = []
    for what, counts in parts:
        told = ", ".join(f"{count:,} {word}" for word, count in (counts or {}).items() if count)
        if told:
            texts.append(f"{what}: {told}")
    return "; ".join(texts)


def describe_entry(entry: dict[str, t.Any]) -> list[str]:
    """Return lines for people with a history entry: what it did, who wanted it, and its report."""
    report = entry["report"] or {}
    whole = {"changes": None, "gates": [], "dry_run": False, **report, **entry}
    whole["after"] = entry["state"]
    lines = [_headline(whole)]
    asked = _("Entry {number}, requested by {requested_by}.").format(
        number=entry["number"], requested_by=entry["requested_by"] or _("the server")
    )
    lines.append(asked + (_(" Reason: {reason}").format(**entry) if entry["reason"] else ""))
    for answer in entry["answers"] or ():
        lines.append(_describe_answer(answer))
    return lines + _describe_reasons(whole)


def _describe_answer(answer: dict[str, t.Any]) -> str:
    text = _("Approved by {user}.") if answer.get("approved") else _("Rejected by {user}.")
    text = text.format(user=answer.get("user"))
    return f"{text} {answer['reason']}" if answer.get("reason") else text


def describe_solutions(solutions: list[dict[str, t.Any]]) -> list[str]:
    """Return lines for people: how many environments are solved, and why others are not."""
    unsolved = [each for each in solutions if each["verdict"] != SolverVerdict.SOLVED]
    lines = [
        _("{solved} of {all} solved.").format(
            solved=len(solutions) - len(unsolved), all=len(solutions)
        )
    ]
    for each in unsolved[:_SHOWN]:
        lines += _describe_finding(each)
    return lines + _more(len(unsolved))


def describe_lock_report(report: dict[str, t.Any]) -> list[str]:
    """Return lines for people with the outcome of the import of a lock file."""
    headlines: dict[str, str] = {
        VersionOutcome.MADE: _(
            "Version {version} has the {packages} packages: {added} added, {removed} removed."
        ),
        VersionOutcome.UNCHANGED: _("The latest version has exactly these {packages} packages."),
        VersionOutcome.INCOMPLETE: _("No version was made, because packages are missing:"),
    }
    headline = headlines[report["outcome"]]
    if report["outcome"] == VersionOutcome.MADE and report["dry_run"]:
        headline = _(
            "A version with the {packages} packages can be made: {added} added, {removed} removed."
        )
    return [headline.format(**report), *_describe_lacking(report)]


def describe_found(report: dict[str, t.Any]) -> list[str]:
    """Return lines for people: the versions and stages that have the packages of a lock file.

    If there are none, the lines name what the closest version lacks.
    """
    versions = report["versions"]
    lines = [
        _("Versions that have all {packages} packages: {versions}.").format(
            packages=report["packages"],
            versions=", ".join(map(str, versions["shown"][:_SHOWN])) or _("none"),
        )
    ]
    for stage in report["stages"]:
        text = _("{lifecycle}: {stage} serves them now.") if stage["serves_now"] else None
        text = text or _("{lifecycle}: {stage} served them as {states}.")
        lines.append(text.format(**{**stage, "states": ", ".join(stage["states"]["shown"])}))
    for asked in (report["version"], report["closest"]):
        if asked and not asked["serves"]:
            lines.append(_("Version {number} lacks:").format(**asked))
            lines += _describe_lacking(asked)
    return lines


def _headline(report: dict[str, t.Any]) -> str:
    texts: dict[str, str] = {
        MoveOutcome.MOVED: _("{stage} moves from {before} to {after}"),
        MoveOutcome.UNCHANGED: _("{stage} already serves {after}"),
        MoveOutcome.BLOCKED: _("{stage} stays at {before}: a gate blocks {after}"),
        MoveOutcome.WAITING: _("{stage} stays at {before} until somebody approves {after}"),
        EntryOutcome.REJECTED: _("{stage} stays at {before}: {after} was rejected"),
        EntryOutcome.SUPERSEDED: _(
            "{stage} stays at {before}: it moved before {after} was answered"
        ),
    }
    text = texts[report["outcome"]].format(
        **{**report, "before": report["before"] or _("nothing")},
    )
    if report["dry_run"]:
        text = _("Dry run: {text}").format(text=text)
    counts = describe_changes(report["changes"]) if report["changes"] else ""
    return f"{text} ({counts})." if counts else f"{text}."


def _describe_gate(gate: dict[str, t.Any]) -> list[str]:
    line = _("Gate '{name}' ({kind}) {verdict}: {summary}").format(**gate)
    if gate["verdict"] == GateVerdict.PASSED:
        return [line]
    if gate["overridden"] is not None:
        line += _(" Overridden: {overridden}").format(**gate)
    elif gate["action"] == GateAction.WARN:
        line += _(" It only warns.")
    lines = [line]
    findings = gate["findings"]
    for finding in findings[:_SHOWN]:
        lines += _describe_finding(finding)
    return lines + _more(gate["count"])


def _describe_way_back(report: dict[str, t.Any]) -> list[str]:
    """Return the lines that say how clients go back after the stage went back."""
    way_back = report.get("way_back")  # An older server does not say it.
    if not way_back or not way_back["names"]:
        return []
    texts = {
        "install": _("    install, of these, what the environment has: {names}"),
        "reinstall": _("    remove and install again: {names}"),
        "remove": _("    remove: {names}"),
    }
    lines = [_("Clients keep the newer packages that they have. In such an environment:")]
    for key, text in texts.items():
        if names := way_back[key]:
            shown = [f"'{name}'" if key == "install" else name for name in names[:_SHOWN]]
            lines.append(text.format(names=" ".join(shown)))
            lines += _more(len(names))
    rest = way_back["names"] - sum(len(way_back[key]) for key in texts)
    if rest > 0:
        lines.append(_("    and {rest} more names: see the differences").format(rest=rest))
    solved = [each["name"] for each in way_back["environments"] if each["platforms"]]
    if solved:
        text = _("Lock files of {after} are there for {names}: pulp conda lock export {lifecycle}")
        text += " --stage {stage} --environment …"
        names = ", ".join(solved[:_SHOWN])
        lines += [text.format(**{**report, "names": names}), *_more(len(solved))]
    return lines


def _describe_finding(finding: dict[str, t.Any]) -> list[str]:
    """Return the lines for a finding of a gate or the solver about a package or an environment."""
    if "environment" in finding:
        subject, text = finding["environment"], finding["explanation"]
        if finding.get("platform"):
            subject = _("{environment} on {platform}").format(**finding)
    else:
        subject, text = finding["subject"], finding["text"]
    first, *others = str(text or finding.get("verdict", "")).splitlines() or [""]
    return [f"    {subject}: {first}", *(f"        {line}" for line in others)]


def _describe_lacking(report: dict[str, t.Any]) -> list[str]:
    reasons = {
        "missing": _("is not there"),
        "differing": _("is there as another file"),
        "unproven": _("has no hash in the lock file"),
    }
    lines, count = [], 0
    for kind, reason in reasons.items():
        count += report[kind]["count"]
        lines += [f"    {package['path']} {reason}" for package in report[kind]["shown"]]
    return lines[:_SHOWN] + _more(count)


def _more(count: int) -> list[str]:
    more = count - _SHOWN
    return [_("    … and {more} more").format(more=more)] if more > 0 else []


def _listed(entities: list[dict[str, t.Any]], key: str) -> str:
    more = ", …" if len(entities) > _SHOWN else ""
    return ", ".join(f"'{entity[key]}'" for entity in entities[:_SHOWN]) + more
