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
        repository: The key of the repository that is synced.
        checked_at: When the last good sync began, or None if there was none.
        is_due: Whether a sync shall be started.
        has_failed: Whether the last sync failed. Only known for channels that serve nothing yet.
    """

    repository: UUID
    checked_at: datetime | None
    is_due: bool
    has_failed: bool = False

    @property
    def age(self) -> int | None:
        """Seconds since the last good sync began, or None if there was none."""
        if self.checked_at is None:
            return None
        return max(0, int((timezone.now() - self.checked_at).total_seconds()))


def freshness_of(channel: CondaDistribution) -> Freshness | None:
    """Return the freshness of a channel, or None if its metadata may be of any age.

    It is what `served.STATE` finds, as a query of its own.
    """
    stage = stage_of(channel)
    repository = channel.repository_id
    if stage:
        repository = stage.lifecycle.repository_id if stage.position == 0 else None
    refreshes = CondaRefresh.objects.select_related("schedule")
    refresh = refreshes.filter(repository=repository, max_age__isnull=False).first()
    if repository is None or refresh is None:
        return None
    now, alarm = timezone.now(), refresh.schedule and refresh.schedule.next_dispatch
    is_free = alarm is None or alarm <= now
    return Freshness(
        repository,
        refresh.checked_at,
        refresh.stopped is None and refresh.next_run <= now and is_free,
        refresh.failures > 0 or refresh.stopped is not None,
    )
