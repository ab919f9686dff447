"""Move stages: ask the gates, decide, move or not, and write down what happened."""

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from pulp_conda.app.errors import NothingWaits, StateGone, UnknownState
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle import gates
from pulp_conda.app.lifecycle.news import tell
from pulp_conda.app.models import CondaStage, HistoryEntry
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.versions.comparison import compare
from pulp_conda.channel.moments import parse_moment

# Names in a report; a diff has all of them.
_SHOWN_NAMES = 100


def follow(publication):
    """Let the first stages of a repository serve a new publication of it, unless that is of an older version.

    Each is followed once: where somebody rolled back, it needs a newer one to go forth again.
    """
    version = version_of(publication)
    first_stages = CondaStage.objects.filter(
        position=0, lifecycle__repository=version.repository_id
    )
    for stage in first_stages:
        with transaction.atomic():
            # Two versions may be published at a time: the older one that comes last does not count.
            stage.lifecycle.lock()
            if stage.states.filter(publication=publication).exists():
                continue
            current = stage.current
            if current is None or current.version <= version.number:
                state = (version.number, 0)
                stage.move(HistoryEntry.make(stage, "published", publication, state))


def attempt(entry, overrides, dry_run, extra=None):
    """Ask the gates of a stage, move it or not, note what happened, and return the report.

    Args:
        entry: A new entry, or one that waited for an approval.
        overrides: As `signed` gives them.
        extra: What else the report is to say.
    """
    stage, before = entry.stage, entry.stage.publication
    publication = entry.publication.cast()
    if before and before.pk == publication.pk:
        return unchanged(entry, dry_run)
    waiting = HistoryEntry.objects.filter(
        stage=stage, outcome="waiting", kind=entry.kind, publication=publication
    ).first()
    if waiting and not dry_run:
        # Asked for twice: the answers to the first count.
        waiting.requested_again(overrides)
        entry, overrides = waiting, waiting.report["overrides"]

    judged = []
    if entry.kind != "rolled_back":
        case = gates.Case(stage, publication, before, entry)
        judged = gates.judge(stage.gates, case)
    entry.report = {
        **(extra or _kept_of(entry.report)),
        "changes": _changes(before, publication),
        "gates": [_gate_report(gate, verdict, overrides) for gate, verdict in judged],
        "overrides": overrides,
    }
    outcome = _decide(judged, overrides)
    if not dry_run:
        _write(entry, outcome)
    return report_of(entry, outcome, dry_run)


def signed(overrides, entry):
    """Return overrides with the name of who asks for the entry: {gate: {"reason", "user"}}."""
    return {
        gate: {"reason": reason, "user": entry.requested_by}
        for gate, reason in (overrides or {}).items()
    }


def unchanged(entry, dry_run):
    """Return the report of a move that would change nothing."""
    return report_of(entry, "unchanged", dry_run)


def _decide(judged, overrides):
    holding = [
        verdict.verdict
        for gate, verdict in judged
        if gate["action"] == "block" and not verdict.is_passed and gate["name"] not in overrides
    ]
    if not holding:
        return "moved"
    return "waiting" if set(holding) == {"waiting"} else "blocked"


def _write(entry, outcome):
    with transaction.atomic():
        entry.lifecycle.lock()
        try:
            entry.take_answers()
            is_new = entry.outcome != outcome
            if outcome == "moved":
                entry.stage.move(entry)
            else:
                entry.outcome = outcome
                entry.save()
        except (NothingWaits, StateGone) as error:
            raise CondaError(error) from None
        if is_new:
            tell(entry)


def make_entry(stage, kind, origin, requester_pk, reason):
    """Return an unsaved entry that moves a stage to the state of another entry."""
    requester = get_user_model().objects.filter(pk=requester_pk).first()
    entry = HistoryEntry.make(
        stage, kind, origin.publication, origin.state, requester, reason=reason
    )
    check_is_there(entry)
    return entry


def find_state(source, state):
    found = source.find_states(parse_moment(state, now=timezone.now())).first()
    if found is None:
        raise CondaError(
            UnknownState(
                stage=source.name,
                lifecycle=source.lifecycle.name,
                state=state,
                reason="it did not serve that",
            )
        )
    return found


def check_is_there(entry):
    if entry.publication is None:
        raise CondaError(StateGone(state=entry.label, stage=entry.stage.name))


def _changes(before, publication):
    with compare(before and version_of(before), version_of(publication)) as changes:
        return {
            "counts": changes.counts(),
            "summaries": changes.summaries(),
            "names": [
                {
                    "name": name.name,
                    "summary": name.summary,
                    "from": name.from_version,
                    "to": name.to_version,
                    "subdirs": list(name.subdirs),
                }
                for name in changes.page(limit=_SHOWN_NAMES, files=0)
            ],
        }


def _kept_of(report):
    """Return what a report says that another try does not find out again."""
    return {key: report[key] for key in ("packages", "unmet") if key in report}


def _gate_report(gate, verdict, overrides):
    override = overrides.get(gate["name"], {})
    return {
        "name": gate["name"],
        "kind": gate["kind"],
        "action": gate["action"],
        "verdict": verdict.verdict,
        "summary": verdict.summary,
        "findings": verdict.findings,
        "count": verdict.count,
        "overridden": override.get("reason"),
        "overridden_by": override.get("user"),
    }


def report_of(entry, outcome, dry_run):
    return {
        "lifecycle": entry.lifecycle.name,
        "stage": entry.stage.name,
        "kind": entry.kind,
        "outcome": outcome,
        "dry_run": dry_run,
        "entry": entry.number,
        "before": entry.before,
        "after": entry.label,
        "reason": entry.reason,
        "requested_by": entry.requested_by,
        **{"changes": None, "gates": [], **entry.report},
    }
