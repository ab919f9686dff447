"""How channels are: what they serve and since when, how fresh it is, and what is wrong.

All facts come from rows that say them, by a number of queries that does not grow with the number
of channels, and without a look at packages.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from gettext import gettext as _
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import (
    Case,
    Count,
    Exists,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.util import get_objects_for_user

from pulp_conda.app.models import (
    ChannelCondition,
    CondaLifecycle,
    CondaPublication,
    CondaRefresh,
    CondaRepository,
    CondaStage,
    HistoryEntry,
    MergedChannel,
)
from pulp_conda.app.models.lifecycle import label
from pulp_conda.app.monitoring.syncs import Problem
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome

_PROMOTIONS = (EntryKind.PROMOTED, EntryKind.PACKAGES)

# A run that is due begins within seconds, if there are workers.
_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class StageCondition:
    """How a stage is.

    Attributes:
        lifecycle, name: Which stage.
        state: What it serves, for example 'v42'. None if it serves nothing.
        since: Since when it serves that.
        behind_since: Since when the stage before serves something newer. None if it does not, or if
            there is no such stage.
        waiting: How many requests wait for an approval.
        promotions: How many promotions to it there were.
        verdict: What became of the last promotion, an entry's `number`, `outcome`, `asked_at` and
            `gates` with their `name` and `verdict`. None if there was none.
    """

    lifecycle: str
    name: str
    state: str | None
    since: datetime | None
    behind_since: datetime | None
    waiting: int
    promotions: int
    verdict: dict[str, Any] | None


@dataclass(frozen=True)
class Condition:
    """How a channel is.

    Attributes:
        repository: Its repository.
        is_mirror: Whether it has an upstream.
        version: The number of its latest version.
        published_version, published_at: What was published last, and when. None for nothing.
        packages: How many packages that has.
        withheld: How many files of them are not listed, because they are blocked.
        referenced_size, stored_size, measured_at: As in `ChannelCondition`. None if unknown.
        checked_at: When the last good sync began; for a virtual channel, that of the mirror whose
            last one is the longest ago.
        lag: How many seconds what is published may be behind the upstream. None without upstream,
            and if there was no good sync.
        is_virtual: Whether it is a virtual channel.
        failures: How many syncs have failed since the last good one; of a virtual channel, how
            often it could not follow its channels.
        error: Why the last sync failed. None if it did not.
        next_run: When the channel is refreshed next. None if it is not.
        problems: What somebody has to look at, the worst first.
    """

    repository: CondaRepository
    is_mirror: bool
    version: int
    published_version: int | None
    published_at: datetime | None
    packages: int
    withheld: int
    referenced_size: int | None
    stored_size: int | None
    measured_at: datetime | None
    checked_at: datetime | None
    lag: int | None
    is_virtual: bool
    failures: int
    error: Problem | None
    next_run: datetime | None
    stages: list[StageCondition]
    problems: list[Problem] = field(default_factory=list)


def channels(repositories: QuerySet) -> QuerySet:
    """Return those repositories that are channels: not those of the single packages of a stage."""
    of_stages = CondaStage.objects.filter(repository=OuterRef("pk"))
    latest = RepositoryVersion.objects.filter(repository=OuterRef("pk"), complete=True)
    return (
        repositories.filter(~Exists(of_stages))
        .select_related("condition", "conda_condarefresh")
        .annotate(latest_number=Subquery(latest.order_by("-number").values("number")[:1]))
    )


def conditions_of(
    repositories: Iterable[CondaRepository], user: AbstractBaseUser | None = None
) -> list[Condition]:
    """Return how channels are, in the same order.

    Args:
        repositories: From a queryset of `channels`.
        user: Who asks: only the stages that this user may view are told. None for all.
    """
    repositories = list(repositories)
    keys = [repository.pk for repository in repositories]
    now = timezone.now()
    published, stages, synced = _published(keys), _stages(keys, user), _oldest_syncs(keys)
    return [
        _condition(
            repository,
            published.get(repository.pk, {}),
            stages[repository.pk],
            synced.get(repository.pk),
            now,
        )
        for repository in repositories
    ]


def _condition(
    repository: CondaRepository,
    published: dict[str, Any],
    stages: list[StageCondition],
    synced: datetime | None,
    now: datetime,
) -> Condition:
    known = getattr(repository, "condition", None) or ChannelCondition()
    refresh: CondaRefresh | None = getattr(repository, "conda_condarefresh", None)
    is_mirror = repository.remote_id is not None
    lag = None
    if is_mirror and known.checked_at and published:
        oldest = min(filter(None, (known.checked_at, published["next_made"])))
        lag = max(0, int((now - oldest).total_seconds()))
    is_virtual = bool(repository.merged_channels.all())
    is_measured = known.version is not None and not is_virtual
    condition = Condition(
        repository=repository,
        is_mirror=is_mirror,
        version=repository.latest_number,
        published_version=published.get("repository_version__number"),
        published_at=published.get("pulp_created"),
        packages=sum(published.get("package_counts", {}).values()),
        withheld=published.get("withheld__len") or 0,
        referenced_size=known.referenced_size if is_measured else None,
        stored_size=known.stored_size if is_measured else None,
        measured_at=known.measured_at if is_measured else None,
        checked_at=known.checked_at or synced,
        lag=lag,
        is_virtual=is_virtual,
        failures=known.failures,
        error=known.error,
        next_run=refresh.next_run if refresh and not refresh.stopped else None,
        stages=stages,
    )
    condition.problems.extend(_problems(condition, refresh, now))
    return condition


def _problems(condition: Condition, refresh: CondaRefresh | None, now: datetime) -> list[Problem]:
    found: list[Problem] = []
    if refresh and refresh.stopped:
        found.append(refresh.stopped)
    if condition.failures:
        count = _("{count} syncs in a row failed.").format(count=condition.failures)
        if condition.failures == 1:
            count = _("The last sync failed.")
        if condition.is_virtual:
            count = _("It does not serve what its channels serve now.")
        error = condition.error or {"code": "", "text": ""}
        found.append({"code": error["code"], "text": f"{count} {error['text']}".strip()})
    # With `max_age`, it is due when somebody asks.
    if condition.next_run and refresh and not refresh.max_age:
        if condition.next_run < now - _PATIENCE:
            text = _("A sync is due since {moment:%Y-%m-%d %H:%M} UTC. Is there a worker?")
            found.append({"code": "", "text": text.format(moment=condition.next_run)})
    if condition.version > (condition.published_version or 0):
        text = _("Version {number} is not published.").format(number=condition.version)
        found.append({"code": "", "text": text})
    for stage in condition.stages:
        if stage.verdict and stage.verdict["outcome"] == EntryOutcome.BLOCKED:
            text = _("The gates of stage '{stage}' blocked the last promotion, entry {number}.")
            text = text.format(stage=stage.name, number=stage.verdict["number"])
            found.append({"code": "", "text": text})
    return found


def _published(repositories: list[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return what each repository published last, and when its next version was made."""
    later = RepositoryVersion.objects.filter(
        repository=OuterRef("repository_version__repository"),
        number__gt=OuterRef("repository_version__number"),
        complete=True,
    )
    key = "repository_version__repository"
    newest = (
        CondaPublication.objects.filter(
            complete=True, repository_version__repository__in=repositories
        )
        .order_by(key, "-repository_version__number", "-pulp_created")
        .distinct(key)
        .annotate(next_made=Subquery(later.order_by("number").values("pulp_created")[:1]))
    )
    rows = newest.values(
        key,
        "repository_version__number",
        "pulp_created",
        "package_counts",
        "withheld__len",
        "next_made",
    )
    return {row[key]: row for row in rows}


def _oldest_syncs(repositories: list[UUID]) -> dict[UUID, datetime]:
    """Return of each virtual channel when the last good sync of a mirror began that it follows, of
    the one whose last one is the longest ago.
    """
    of_stage = "distribution__stage__lifecycle__repository"
    merged = MergedChannel.objects.filter(repository__in=repositories).order_by()
    checked_at = Coalesce(
        "distribution__repository__conda_condarepository__condition__checked_at",
        Case(When(distribution__stage__position=0, then=f"{of_stage}__condition__checked_at")),
    )
    found = merged.values("repository").annotate(oldest=Min(checked_at))
    return dict(found.filter(oldest__isnull=False).values_list("repository", "oldest"))


def _stages(
    repositories: list[UUID], user: AbstractBaseUser | None
) -> defaultdict[UUID, list[StageCondition]]:
    """Return the stages of each repository in their order."""
    lifecycles = CondaLifecycle.objects.filter(repository__in=repositories)
    if user:
        lifecycles = get_objects_for_user(user, "conda.view_condalifecycle", lifecycles)
    entries = HistoryEntry.objects.filter(lifecycle__in=lifecycles.values("pk"))
    is_promotion = Q(kind__in=_PROMOTIONS)
    current = {entry["stage"]: entry for entry in _current(entries)}
    counts = {
        row["stage"]: row
        for row in entries.order_by()
        .values("stage")
        .annotate(
            waiting=Count("pk", filter=Q(outcome=EntryOutcome.WAITING)),
            promotions=Count("pk", filter=is_promotion & Q(outcome=EntryOutcome.MOVED)),
        )
    }
    last = entries.filter(is_promotion).order_by("stage", "-number").distinct("stage")
    verdicts = {
        row["stage"]: {
            "number": row["number"],
            "outcome": row["outcome"],
            "asked_at": row["pulp_created"],
            "gates": [
                {"name": gate["name"], "verdict": gate["verdict"]}
                for gate in row["report__gates"] or ()
            ],
        }
        for row in last.values("stage", "number", "outcome", "pulp_created", "report__gates")
    }
    found: defaultdict[UUID, list[StageCondition]] = defaultdict(list)
    rows = CondaStage.objects.filter(lifecycle__in=lifecycles.values("pk"))
    for stage in rows.select_related("lifecycle").order_by("lifecycle__name", "position"):
        now, count = current.get(stage.pk), counts.get(stage.pk, {})
        found[stage.lifecycle.repository_id].append(
            StageCondition(
                lifecycle=stage.lifecycle.name,
                name=stage.name,
                state=now and label(now["version"], now["fix"]),
                since=now and now["moved_at"],
                behind_since=now and now["behind_since"],
                waiting=count.get("waiting", 0),
                promotions=count.get("promotions", 0),
                verdict=verdicts.get(stage.pk),
            )
        )
    return found


def _current(entries: QuerySet) -> QuerySet:
    """Return what each stage serves, and since when the stage before serves something newer."""
    newer = HistoryEntry.objects.filter(
        moved_at__isnull=False,
        stage__lifecycle=OuterRef("stage__lifecycle"),
        stage__position=OuterRef("stage__position") - 1,
        version__gt=OuterRef("version"),
    )
    serving = entries.filter(moved_at__isnull=False, until=None)
    return (
        serving.order_by()
        .annotate(behind_since=Subquery(newer.order_by("moved_at").values("moved_at")[:1]))
        .values("stage", "version", "fix", "moved_at", "behind_since")
    )
