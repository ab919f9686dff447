"""What a block touches: channels, stages now and in the past, environments, lock files, and URLs
that caches may still have.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet
from django.utils import timezone

from pulpcore.plugin.util import get_domain_pk, get_objects_for_user

from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models import (
    CondaDistribution,
    CondaLifecycle,
    CondaRepository,
    CondaSolution,
    HistoryEntry,
)
from pulp_conda.app.models.distribution import stage_of
from pulp_conda.app.versions.blocked import publications_with
from pulp_conda.channel import layout

# People read the report. A list in it has this many entries, and the number of all.
_SHOWN = 100

# How many paths of files a channel shows.
_SHOWN_PATHS = 20

_T = TypeVar("_T")

# The paths of files by the key of the publication whose version has them.
_Paths = Mapping[UUID, Collection[str]]


def describe_touched(digests: Collection[str], user: AbstractBaseUser) -> dict[str, Any]:
    """Return what has or had files with these sha256, as far as history is kept.

    The lists show only what the user may see. The numbers count all.
    """
    paths = publications_with(digests)
    channels = list(_channels(paths))
    return {
        "channels": _shown(
            (_describe_channel(*channel) for channel in channels),
            visible=_visible(user, "distribution", CondaDistribution.objects.all()),
        ),
        "stages": _shown(
            _stages(paths), visible=_visible(user, "lifecycle", CondaLifecycle.objects.all())
        ),
        "environments": _shown(
            _environments(paths, digests),
            visible=_visible(user, "repository", CondaRepository.objects.all()),
        ),
        "lock_files": _shown(
            _lock_files(paths, digests),
            visible=_visible(user, "lifecycle", CondaLifecycle.objects.all()),
        ),
        "purge": _shown(
            _urls(channels),
            visible=_visible(user, "distribution", CondaDistribution.objects.all()),
        ),
    }


def _channels(paths: _Paths) -> Iterator[tuple[CondaDistribution, bool, list[str]]]:
    """Yield each channel that has or had the files, whether it has them now, and their paths."""
    now = timezone.now()
    distributions = CondaDistribution.objects.filter(pulp_domain=get_domain_pk())
    for distribution in distributions.select_related("stage").order_by("base_path"):
        served = distribution.get_repository_publication_and_version()[2]
        superseded = distribution.core_distributedpublications.filter(expires_at__gte=now)
        before = set(superseded.values_list("publication", flat=True))
        if stage := stage_of(distribution):
            kept = stage.states.filter(is_kept(), publication__isnull=False)
            before.update(kept.values_list("publication", flat=True))
        present = paths.get(served.pk, ()) if served else ()
        found = set(present).union(*(paths.get(publication, ()) for publication in before))
        if found:
            yield distribution, bool(present), sorted(found)


def _describe_channel(
    distribution: CondaDistribution, is_present: bool, paths: list[str]
) -> tuple[UUID, dict[str, Any]]:
    return distribution.pk, {
        "name": distribution.name,
        "base_url": f"{distribution.url}/",
        "now": is_present,
        "paths": paths[:_SHOWN_PATHS],
    }


def _stages(paths: _Paths) -> Iterator[tuple[UUID, dict[str, Any]]]:
    for entry in _entries(paths):
        yield (
            entry.lifecycle_id,
            {
                "lifecycle": entry.lifecycle.name,
                "stage": entry.stage.name,
                "state": entry.label,
                "from": entry.moved_at.isoformat(),
                "until": entry.until and entry.until.isoformat(),
            },
        )


def _environments(paths: _Paths, digests: Collection[str]) -> Iterator[tuple[UUID, dict[str, Any]]]:
    seen = set()
    for solution in _solutions(paths, digests):
        repository = solution.publication.repository_version.repository
        facts = (repository.name, solution.environment.name, solution.platform)
        if facts not in seen:
            seen.add(facts)
            names = ("repository", "environment", "platform")
            yield repository.pk, dict(zip(names, facts, strict=True))


def _lock_files(paths: _Paths, digests: Collection[str]) -> Iterator[tuple[UUID, dict[str, Any]]]:
    """Yield the lock files that could be written of states of stages, and were perhaps."""
    solutions: dict[UUID, set[tuple[str, str]]] = {}
    for solution in _solutions(paths, digests):
        key = (solution.environment.name, solution.platform)
        solutions.setdefault(solution.publication_id, set()).add(key)
    for entry in _entries(solutions):
        for environment, platform in sorted(solutions[entry.publication_id]):
            yield (
                entry.lifecycle_id,
                {
                    "lifecycle": entry.lifecycle.name,
                    "stage": entry.stage.name,
                    "state": entry.label,
                    "environment": environment,
                    "platform": platform,
                },
            )


def _entries(publications: Collection[UUID]) -> QuerySet:
    """Return the entries of the kept history of all stages that served these publications."""
    entries = HistoryEntry.objects.filter(
        is_kept(), publication__in=list(publications), moved_at__isnull=False
    )
    entries = entries.select_related("lifecycle", "stage").defer("report", "answers", "specs")
    return entries.order_by("lifecycle__name", "stage__position", "-moved_at")


def _solutions(paths: _Paths, digests: Collection[str]) -> Iterator[CondaSolution]:
    wanted = set(digests)
    solutions = CondaSolution.objects.filter(publication__in=list(paths)).select_related(
        "environment", "publication__repository_version__repository"
    )
    solutions = solutions.defer("publication__repository_version__content_ids")
    for solution in solutions.order_by("environment__name", "platform").iterator(chunk_size=100):
        if any(package.get("sha256") in wanted for package in solution.packages):
            yield solution


def _urls(
    channels: Iterable[tuple[CondaDistribution, bool, list[str]]],
) -> Iterator[tuple[UUID, str]]:
    """Yield the URLs of the files, and what all URLs of the past of a stage begin with."""
    for distribution, _is_present, paths in channels:
        for path in paths:
            yield distribution.pk, f"{distribution.url}/{path}"
        if stage_of(distribution):
            for prefix in layout.past_prefixes(distribution.url):
                yield distribution.pk, prefix


def _visible(user: AbstractBaseUser, noun: str, objects: QuerySet) -> set[UUID]:
    found = get_objects_for_user(user, f"conda.view_conda{noun}", objects)
    return set(found.filter(pulp_domain=get_domain_pk()).values_list("pk", flat=True))


def _shown(facts: Iterable[tuple[UUID, _T]], visible: set[UUID]) -> dict[str, Any]:
    """Return how many facts there are, and the first of those about visible objects."""
    count = 0
    shown: list[_T] = []
    for key, fact in facts:
        count += 1
        if key in visible and len(shown) < _SHOWN:
            shown.append(fact)
    return {"count": count, "shown": shown}
