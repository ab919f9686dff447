"""How old the metadata of a channel is that may only be so old, and whether it is to be synced.

Requests for older metadata are answered with what is there, while one sync runs behind
(`stale-while-revalidate`, RFC 5861). `Age` says how old that is (RFC 9111, section 5.1): the
seconds since the upstream was asked for it, by a sync that was good.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from pulp_conda.app.models import CondaRefresh
from pulp_conda.app.models.distribution import CondaDistribution, stage_of


@dataclass(frozen=True)
class Freshness:
    """How old the metadata of a channel is that may only be so old.

    Attributes:
        checked_at: When the last good sync began: for a virtual channel, that of the channel whose
            last one is the longest ago. None if there was none.
        due: The keys of the repositories of which a sync shall be started.
        has_failed: Whether the last sync failed. Only known for channels that serve nothing yet.
    """

    checked_at: datetime | None
    due: tuple[UUID, ...]
    has_failed: bool = False

    @property
    def age(self) -> int | None:
        """Seconds since the last good sync began, or None if there was none."""
        if self.checked_at is None:
            return None
        return max(0, int((timezone.now() - self.checked_at).total_seconds()))


def freshness_of(channel: CondaDistribution) -> Freshness | None:
    """Return the freshness of a channel, or None if its metadata may be of any age.

    It is what `served.STATE` finds, as queries of its own.
    """
    followed = _followed(channel)
    if followed is None:
        return None
    merged = CondaDistribution.objects.filter(merged_into__repository=followed)
    repositories = [followed, *map(_followed, merged.select_related("stage__lifecycle"))]
    refreshes = list(
        CondaRefresh.objects.select_related("schedule").filter(
            repository__in=filter(None, repositories), max_age__isnull=False
        )
    )
    if not refreshes:
        return None
    now = timezone.now()
    checked = [refresh.checked_at for refresh in refreshes if refresh.checked_at]
    return Freshness(
        min(checked, default=None),
        tuple(refresh.repository_id for refresh in refreshes if _is_due(refresh, now)),
        all(refresh.failures > 0 or refresh.stopped is not None for refresh in refreshes),
    )


def _followed(channel: CondaDistribution) -> UUID | None:
    """Return the repository whose latest state a channel follows, or None."""
    if stage := stage_of(channel):
        return stage.lifecycle.repository_id if stage.position == 0 else None
    followed: UUID | None = channel.repository_id
    return followed


def _is_due(refresh: CondaRefresh, now: datetime) -> bool:
    alarm = refresh.schedule and refresh.schedule.next_dispatch
    is_free = alarm is None or alarm <= now
    return refresh.stopped is None and refresh.next_run <= now and is_free
