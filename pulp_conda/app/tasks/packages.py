"""Promote single packages into a stage that otherwise stays as it is."""

from django.contrib.auth import get_user_model

from pulp_conda.app.lifecycle.fixes import make_version
from pulp_conda.app.lifecycle.moves import attempt, signed, unchanged
from pulp_conda.app.lifecycle.packages import (
    publication_of,
    replaced_by,
    served_version,
    state_of,
)
from pulp_conda.app.models import CondaStage, HistoryEntry
from pulp_conda.app.versions.selection import choose_packages, describe


def promote_packages(
    stage_pk,
    source_pk,
    specs,
    requester_pk,
    with_dependencies=True,
    reason="",
    overrides=None,
    dry_run=False,
):
    """Let a stage serve what it serves with packages of another stage on top, and return the report.

    What comes of it is a version of the stage's own, which is published, goes through the gates, and is removed again if
    they hold it.

    Args:
        specs: MatchSpecs; all packages that match one of them are promoted.
        with_dependencies: Also what they depend on, as far as the stage does not have it.
        overrides: Reasons to pass a gate whatever it says, by its name.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `StageServesNothing` or `NothingToPromote`.
    """
    stage = CondaStage.objects.get(pk=stage_pk)
    source = served_version(CondaStage.objects.get(pk=source_pk))
    base = served_version(stage)
    found = choose_packages(specs, source, base, with_dependencies)
    requester = get_user_model().objects.filter(pk=requester_pk).first()
    if not found.packages:
        entry = HistoryEntry.make(
            stage, "packages", stage.publication, stage.current.state, requester, reason=reason
        )
        return unchanged(entry, dry_run)

    number = stage.repository and stage.repository.latest_version().number
    version = make_version(
        stage,
        base,
        [package.key for package in found.packages],
        replaced_by(found.packages, base),
    )
    publication = publication_of(version)
    state = state_of(stage, publication)
    entry = HistoryEntry.make(
        stage, "packages", publication, state, requester, reason=reason, specs=specs
    )
    report = attempt(entry, signed(overrides, entry), dry_run, extra=describe(found))
    is_kept = not dry_run and report["outcome"] in ("moved", "waiting")
    if not is_kept and version.number != number:
        version.delete()
    return report
