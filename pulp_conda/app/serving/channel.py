"""Find the publication that a URL serves: the current one, a checkpoint, or an earlier state."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone

from pulp_conda.app.errors import NoHistory, UnknownState
from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models.distribution import CondaDistribution, stage_of
from pulp_conda.app.models.lifecycle import CondaStage, HistoryEntry
from pulp_conda.app.models.publication import CondaPublication
from pulp_conda.app.models.virtual import MergedVersion
from pulp_conda.app.versions.published import latest_turns, newest_publication
from pulp_conda.channel.moments import Moment, State, parse_moment, spell_moment

# Seconds for which clients may cache an earlier state. The time is limited, because retention can
# remove the state.
_PAST_MAX_AGE = 60 * 60

# A move may be written a little later than the time that it has.
_SETTLED_AFTER = timedelta(minutes=1)

# Fields of an entry that can be long, and that serving does not need.
_STORY = ("report", "specs", "answers", "reason")

_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Served:
    """The publication that a URL gives, and how long a client may count on it.

    Attributes:
        distribution: The distribution of the URL.
        find_date: Returns the time since which the URL serves the publication, and whether it
            served no other one in the same second. If it did, the date does not identify the
            bytes. This needs a query, so it is not called for packages.
        max_age: Seconds for which its metadata can be used without revalidation.
        entry: The history entry, or None if the URL is not that of a stage.
        moment: The moment that the URL names, as `spell_moment` spells it, or None.
    """

    distribution: CondaDistribution
    publication: CondaPublication
    find_date: Callable[[], tuple[datetime, bool]]
    max_age: int
    entry: models.Model | None = None
    moment: str | None = None

    def has_subdir(self, subdir: str | None) -> bool:
        """Say whether the publication has the files of a subdir; None is the channel's root."""
        return subdir is None or subdir in self.publication.package_counts

    @property
    def is_closed(self) -> bool:
        """Whether a content guard protects something in it, and none the URL itself."""
        if not self.publication.is_merged or self.distribution.content_guard_id is not None:
            return False
        merged = self.publication.repository_version.merged_versions
        return merged.filter(distribution__content_guard__isnull=False).exists()

    @property
    def is_cold(self) -> bool:
        """Whether it is that of a virtual channel none of whose channels served anything."""
        if not self.publication.is_merged:
            return False
        merged = self.publication.repository_version.merged_versions
        return not merged.filter(member__isnull=False).exists()

    @property
    def date(self) -> dict[str, Any]:
        """The fields of `Facts` about dates."""
        since, is_unique = self.find_date()
        return {"last_modified": since, "is_date_unique": is_unique}


@dataclass(frozen=True)
class Unserved:
    """The state of a channel that serves no publication: it has no packages yet.

    Attributes:
        distribution: The distribution of the URL.
    """

    distribution: CondaDistribution
    is_cold = True

    def has_subdir(self, subdir: str | None) -> bool:
        """Say no: there is no publication that could have the files of a subdir."""
        return False

    @property
    def max_age(self) -> int:
        """Seconds for which its metadata can be used without revalidation."""
        return settings.CONDA_METADATA_MAX_AGE


def served_now(distribution: CondaDistribution) -> Served | None:
    """Return what the URL of a channel serves, or None."""
    if stage := stage_of(distribution):
        entry = stage.states.defer(*_STORY).first()
        return entry and _state(distribution, stage, entry, max_age=settings.CONDA_METADATA_MAX_AGE)
    publication = _chosen(distribution)
    if publication is None:
        return None
    find_date = partial(_turn, distribution, publication)
    return Served(distribution, publication, find_date, settings.CONDA_METADATA_MAX_AGE)


def served_at(distribution: CondaDistribution, moment: str) -> Served:
    """Return what the URL of a channel served at a moment, which `parse_moment` reads.

    A state that the history no longer keeps is not served, even if it was not removed yet.

    Raises:
        NoHistory: the distribution is not a stage.
        BadMoment, FutureMoment, UnknownState: there is no state for the text.
    """
    stage = stage_of(distribution)
    if stage is None:
        raise NoHistory(distribution=distribution.name)
    now = timezone.now()
    meant = parse_moment(moment, now=now)
    moment = spell_moment(moment)
    if isinstance(meant, State):
        states = stage.states.filter(version=meant.version, fix=meant.fix)
    else:
        states = stage.states.filter(moved_at__lte=meant.at)
    entry = states.defer(*_STORY).first()
    if reason := _why_not(stage, entry, meant):
        raise UnknownState(
            stage=stage.name, lifecycle=stage.lifecycle.name, state=moment, reason=reason
        )
    # A day or a second is over when its time is over, although the state may still be served.
    if isinstance(meant, State):
        is_over = entry.until is not None
    else:
        is_over = meant.at < now - _SETTLED_AFTER
    max_age = settings.CONDA_METADATA_MAX_AGE
    if is_over:
        max_age = max(max_age, _PAST_MAX_AGE)
    return _state(distribution, stage, entry, max_age=max_age, moment=moment)


def served_checkpoint(distribution: CondaDistribution, path: str) -> tuple[Served | None, str]:
    """Return what the date that leads a path stands for, and the path behind it; None if it is no
    checkpoint's.
    """
    date, _, path = path.partition("/")
    try:
        moment = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None, path
    in_that_second = CondaPublication.objects.filter(
        repository_version__repository=distribution.repository,
        checkpoint=True,
        complete=True,
        pulp_created__gte=moment,
        pulp_created__lt=moment + timedelta(seconds=1),
    )
    newest = in_that_second.order_by("pulp_created").values_list("pk", flat=True).last()
    if newest is None:
        return None, path
    publication = _publication(newest)
    since = publication.pulp_last_updated
    return Served(
        distribution, publication, lambda: (since, True), settings.CONDA_METADATA_MAX_AGE
    ), path


def published_subdirs(repository: UUID) -> Collection[str]:
    """Return the subdirs of the newest publication of a repository."""
    newest = newest_publication("repository_id", repository)
    return _publication(newest).package_counts.keys() if newest else ()


def _chosen(distribution: CondaDistribution) -> CondaPublication | None:
    """Return the publication of a distribution that is no stage, or None: pulpcore's choice."""
    if distribution.publication_id:
        chosen = distribution.publication_id
    elif distribution.repository_version_id:
        chosen = newest_publication("pulp_id", distribution.repository_version_id)
    else:
        chosen = distribution.repository_id and newest_publication(
            "repository_id", distribution.repository_id
        )
    try:
        return chosen and _publication(chosen)
    except CondaPublication.DoesNotExist:
        return None


def _state(
    distribution: CondaDistribution, stage: CondaStage, entry: HistoryEntry, **facts: Any
) -> Served:
    """Return a state of a stage."""
    publication = _publication(entry.publication_id)
    find_date = partial(_move_date, stage, entry)
    return Served(distribution, publication, find_date, entry=entry, **facts)


@lru_cache(maxsize=200)
def _publication(pk: UUID) -> CondaPublication:
    """Return a publication with its version, without the list of all content of this.

    It is kept in memory, because a complete publication does not change. Which one is served is
    asked for each request.

    Raises:
        CondaPublication.DoesNotExist: it is gone, or not complete; that is not kept in mind.
    """
    publications = CondaPublication.objects.select_related("repository_version").annotate(
        is_merged=Exists(MergedVersion.objects.filter(version=OuterRef("repository_version")))
    )
    return publications.defer("repository_version__content_ids").get(pk=pk, complete=True)


def _move_date(stage: CondaStage, entry: HistoryEntry) -> tuple[datetime, bool]:
    """Return when a stage moved, and whether it did not move before in that second.

    After a rollback, the date of the publication is older than what clients have.
    """
    second = entry.moved_at.replace(microsecond=0)
    before = stage.states.filter(moved_at__gte=second, moved_at__lt=entry.moved_at)
    return entry.moved_at, not before.exists()


def _why_not(stage: CondaStage, entry: HistoryEntry | None, meant: State | Moment) -> str | None:
    """Return why a state cannot be had, or None if it can.

    Args:
        entry: Of the state, or None if there is none.
        meant: The `State` or `Moment` that was asked for.
    """
    if entry is None and isinstance(meant, State):
        return "it did not serve that"
    if entry is None:
        first = stage.states.last()
        return (
            f"it served nothing before {first.moved_at:{_TIME}}" if first else "it served nothing"
        )
    if entry.publication_id is None:
        return "the publication is deleted"
    if not stage.states.filter(is_kept(), pk=entry.pk).exists():
        days = stage.lifecycle.retain_days
        return f"it served that until {entry.until:{_TIME}}, and history is kept for {days} days"
    return None


def _turn(distribution: CondaDistribution, publication: CondaPublication) -> tuple[datetime, bool]:
    """Return since when a URL that is not a stage serves a publication, and whether it served no
    other publication in that second.
    """
    changed = distribution.pulp_last_updated
    return turn_of(
        publication.pk, publication.pulp_last_updated, changed, latest_turns(distribution.pk)
    )


def turn_of(
    publication: UUID,
    published: datetime,
    changed: datetime,
    turns: Sequence[tuple[UUID, datetime]],
) -> tuple[datetime, bool]:
    """Return since when a URL that is not a stage serves a publication, and whether it served no
    other publication in that second.

    Args:
        published: When the publication changed last.
        changed: When the distribution changed last.
        turns: See `latest_turns`.
    """
    if not turns:
        # With DISTRIBUTED_PUBLICATION_RETENTION_PERIOD=0, they are not stored.
        return max(published, changed), True
    (newest, since), *before = turns
    moment = max(published, since)
    second = moment.replace(microsecond=0)
    return moment, newest == publication and all(since < second for _, since in before)
