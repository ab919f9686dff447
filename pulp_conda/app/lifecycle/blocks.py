"""Publish again what lists blocked packages, and let the channels serve that."""

from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from pulp_conda.app.lifecycle.news import tell
from pulp_conda.app.lifecycle.packages import state_of
from pulp_conda.app.models import (
    CondaDistribution,
    CondaPublication,
    CondaRepository,
    CondaStage,
    HistoryEntry,
)
from pulp_conda.app.models.distribution import SERVED_FIELDS, stage_of
from pulp_conda.app.models.publication import served_state, version_of
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.versions.blocked import blocked_packages, paths_with
from pulp_conda.app.versions.published import newest_publication
from pulp_conda.app.vocabulary import EntryKind

# How many packages an entry of the history names.
_SHOWN = 100


def outdated_publications(repository: CondaRepository) -> list[CondaPublication]:
    """Return what channels serve of a repository, as far as it lists packages that are blocked, or
    lacks packages that are not blocked any more.

    These are the newest publication, and those that distributions name, by themselves or by their
    version. The newest comes last.
    """
    distributions = CondaDistribution.objects.filter(pulp_domain=repository.pulp_domain_id)
    pinned = distributions.filter(publication__repository_version__repository=repository)
    versions = distributions.filter(repository_version__repository=repository)
    present: set[UUID | None] = set(pinned.values_list("publication", flat=True))
    present.add(newest_publication("repository_id", repository.pk))
    for version in set(versions.values_list("repository_version", flat=True)):
        present.add(newest_publication("pulp_id", version))
    publications = CondaPublication.objects.filter(pk__in=present - {None}, complete=True)
    return [
        publication
        for publication in publications.order_by("pulp_created")
        if set(publication.withheld) != _blocked_now(publication)
    ]


def publish_again(
    old: CondaPublication, requester: AbstractBaseUser | None, reason: str
) -> CondaPublication:
    """Replace a publication by one that leaves out what is blocked now, wherever it is served.

    A second call does not publish once more: it finds what the first made.

    Args:
        requester: Who blocked packages, or lifted a block; None if the user is gone.
        reason: Why, for the history of stages.
    """
    new = _replacement_of(old) or publish_version(version_of(old), replaces=old)
    for distribution in CondaDistribution.objects.filter(publication=old):
        if stage := stage_of(distribution):
            _move(stage, old, new, requester, reason)
        else:
            _serve(distribution, old, new)
    return new


def _replacement_of(old: CondaPublication) -> CondaPublication | None:
    """Return a newer publication that already replaces this one, and leaves out the right
    packages.
    """
    newer = CondaPublication.objects.filter(
        replaces=old.replaces_id or old.pk, pulp_created__gt=old.pulp_created, complete=True
    )
    blocked = _blocked_now(old)
    return next((each for each in newer if set(each.withheld) == blocked), None)


def _blocked_now(publication: CondaPublication) -> set[str]:
    return {package.sha256 for package in blocked_packages(served_state(publication))}


def _serve(distribution: CondaDistribution, old: CondaPublication, new: CondaPublication) -> None:
    with transaction.atomic():
        # Somebody may have chosen another publication meanwhile.
        locked = CondaDistribution.objects.select_for_update(of=("self",))
        if current := locked.filter(pk=distribution.pk, publication=old).first():
            current.publication_id = new.pk
            current.save(update_fields=[*SERVED_FIELDS, "pulp_last_updated"])


def _move(
    stage: CondaStage,
    old: CondaPublication,
    new: CondaPublication,
    requester: AbstractBaseUser | None,
    reason: str,
) -> None:
    """Let a stage serve the same state without what is blocked. No gate is asked."""
    with transaction.atomic():
        stage.lifecycle.lock()
        current = stage.current
        if current is None or current.publication_id != old.pk:
            return
        came, went = set(old.withheld) - set(new.withheld), set(new.withheld) - set(old.withheld)
        kind = EntryKind.BLOCKED if went else EntryKind.UNBLOCKED
        entry = HistoryEntry.make(stage, kind, new, state_of(stage, new), requester, reason=reason)
        entry.report = _report_blocked(new, went) if went else _report_unblocked(new, came)
        stage.move(entry)
        tell(entry)


def _report_blocked(publication: CondaPublication, digests: set[str]) -> dict[str, Any]:
    """Return what an entry says of the packages that went."""
    packages = [
        package
        for package in blocked_packages(served_state(publication))
        if package.sha256 in digests
    ]
    return {
        "count": len(digests),
        "blocked": [f"{package.path}: {package.reason}" for package in packages[:_SHOWN]],
    }


def _report_unblocked(publication: CondaPublication, digests: set[str]) -> dict[str, Any]:
    """Return what an entry says of the packages that came back."""
    paths = paths_with(served_state(publication), digests)
    return {"count": len(digests), "blocked": paths[:_SHOWN]}
