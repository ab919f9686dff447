"""Note how the syncs of a channel went, whoever started them, and the merges of a virtual one."""

from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from pulp_conda.app.models import ChannelCondition

# An error as the API shows it: its `code`, which may be empty, and its `text`.
Problem = dict[str, str]


def note_good_sync(repository: UUID | str, began: datetime) -> None:
    """Note that a sync from the upstream of a repository was good, and when it began."""
    ChannelCondition.objects.update_or_create(
        repository_id=repository,
        defaults={"checked_at": began, "failures": 0, "error": None, "failed_at": None},
    )


def note_failed_sync(repository: UUID | str, problem: Problem) -> None:
    """Note that a sync from the upstream of a repository failed, or a merge, and why."""
    ChannelCondition.objects.get_or_create(repository_id=repository)
    ChannelCondition.objects.filter(repository=repository).update(
        failures=F("failures") + 1, error=problem, failed_at=timezone.now()
    )


def note_good_merge(repository: UUID | str) -> None:
    """Note that a virtual channel serves what its channels serve."""
    ChannelCondition.objects.filter(repository=repository).update(
        failures=0, error=None, failed_at=None
    )
