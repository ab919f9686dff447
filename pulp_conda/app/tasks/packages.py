"""Promote single packages into a stage that otherwise stays as it is."""

from django.contrib.auth import get_user_model

from pulp_conda.app.errors import TakesNoContent
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.fixes import make_version
from pulp_conda.app.lifecycle.moves import Report, attempt, signed, unchanged
from pulp_conda.app.lifecycle.packages import (
    publication_of,
    replaced_by,
    served_version,
    state_of,
)
from pulp_conda.app.models import CondaStage, HistoryEntry
from pulp_conda.app.models.act import named_by_token
from pulp_conda.app.models.virtual import state_of as state_of_version
from pulp_conda.app.solving.selection import choose_packages, describe
from pulp_conda.app.versions.state import VersionState
from pulp_conda.app.vocabulary import EntryKind, MoveOutcome
from pulp_conda.channel.selection.closure import Bounds


@named_by_token
def promote_packages(
    stage_pk: str,
    source_pk: str,
    specs: list[str],
    requester_pk: int,
    with_dependencies: bool = True,
    newest: int = 2,
    virtual_packages: dict[str, str | None] | None = None,
    reason: str = "",
    overrides: dict[str, str] | None = None,
    dry_run: bool = False,
) -> Report:
    """Put packages of another stage on top of what a stage serves. Return the report.

    The result is a version of the stage's own repository. It is published, and the gates judge it.
    If they block it, it is deleted.

    Args:
        specs: MatchSpecs of the packages.
        with_dependencies: Promote what can be installed, with what it needs, see `choose_packages`.
            Otherwise all packages that match a spec.
        newest: How many releases for each spec and each dependency. 0 means all.
        virtual_packages: Changes to what machines are assumed to have, as versions by name.
        overrides: By the name of a gate, the reason to pass it in any case.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `StageServesNothing`, `TakesNoContent`, or the errors of `choose_packages`.
    """
    stage = CondaStage.objects.get(pk=stage_pk)
    source = state_of_version(served_version(CondaStage.objects.get(pk=source_pk)))
    base = served_version(stage)
    if base.merged_versions.exists():
        raise CondaError(TakesNoContent(name=stage.lifecycle.repository.name))
    bounds = Bounds(newest, virtual_packages or {}) if with_dependencies else None
    found = choose_packages(specs, source, VersionState(base), bounds)
    requester = get_user_model().objects.filter(pk=requester_pk).first()
    if not found.packages:
        entry = HistoryEntry.make(
            stage,
            EntryKind.PACKAGES,
            stage.publication,
            stage.current.state,
            requester,
            reason=reason,
        )
        return unchanged(entry, dry_run)

    own = stage.repository
    number_before = own and own.latest_version().number
    version = None
    try:
        version = make_version(
            stage,
            base,
            [package.key for package in found.packages],
            replaced_by(found.packages, VersionState(base)),
        )
        publication = publication_of(version)
        state = state_of(stage, publication)
        entry = HistoryEntry.make(
            stage, EntryKind.PACKAGES, publication, state, requester, reason=reason, specs=specs
        )
        report = attempt(entry, signed(overrides, entry), dry_run, extra=describe(found))
    except Exception:
        if own is None:
            _remove_repository(stage)
        elif version and version.number != number_before:
            version.delete()
        raise
    is_kept = not dry_run and report["outcome"] in (MoveOutcome.MOVED, MoveOutcome.WAITING)
    if not is_kept and version.number != number_before:
        version.delete()
    return report


def _remove_repository(stage: CondaStage) -> None:
    """Remove the repository of a stage that was made for a promotion which failed."""
    stage.refresh_from_db()
    if repository := stage.repository:
        stage.repository = None
        stage.save()
        repository.delete()
