"""Let Pulp look at the right time whether a refresh is due.

Pulp's `TaskSchedule` has no cron lines, and its tasks have neither locks nor a user. Two workers
may dispatch one at the same time. So a refresh has a schedule of its own, whose task only looks:
what is due says the row of the refresh, which that task locks. Each such task sets the next
moment. If one dies before that, the interval of the schedule brings the next one.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from pulpcore.plugin.models import TaskSchedule
from pulpcore.plugin.tasking import dispatch

from pulp_conda.app.models import CondaRefresh, CondaRefreshRun
from pulp_conda.app.monitoring.syncs import note_good_sync
from pulp_conda.app.vocabulary import RunOutcome
from pulp_conda.channel.timetable import Timetable

# By its name: the room of tasks imports this one.
_LOOK = "pulp_conda.app.tasks.refresh.look"

# After so long, Pulp looks again if a task died, and whether a task that syncs did.
_NET = timedelta(minutes=5)

# How long after a failure the next run is, at first. It doubles with each failure, up to a day.
_PATIENCE = timedelta(minutes=5)
_MOST_PATIENCE = timedelta(days=1)


def timetable_of(refresh: CondaRefresh) -> Timetable:
    return Timetable(refresh.interval, refresh.cron, refresh.time_zone, refresh.max_age)


def begin(refresh: CondaRefresh) -> None:
    """Let the runs of a new or changed refresh begin, whatever happened to earlier ones.

    Call it in the transaction that saves the refresh.
    """
    refresh.next_run = timetable_of(refresh).first(timezone.now())
    refresh.failures, refresh.stopped = 0, None
    if refresh.schedule is None:
        refresh.schedule = TaskSchedule.objects.create(
            name=f"Refresh conda repository {refresh.repository_id}",
            pulp_domain_id=refresh.pulp_domain_id,
            task_name=_LOOK,
            task_kwargs={"repository_pk": str(refresh.repository_id)},
            dispatch_interval=_NET,
            next_dispatch=None,
        )
    refresh.save()
    set_alarm(refresh)


def set_alarm(refresh: CondaRefresh) -> None:
    """Let Pulp look when the refresh is due, and until then, whether a task that syncs died."""
    moment: datetime | None = refresh.next_run
    if refresh.stopped:
        moment = None
    elif is_running(refresh):
        moment = min(refresh.next_run, timezone.now() + _NET)
    elif refresh.max_age:
        moment = None  # until somebody asks: see `ask`
    # Without `save`: a worker that dispatches the task writes the other fields.
    TaskSchedule.objects.filter(pk=refresh.schedule_id).update(next_dispatch=moment)


def ask(repository_pk: str) -> None:
    """Let a task look now whether a repository is due, unless one was asked for lately.

    Whoever comes first moves the alarm, in all processes: the others find it in the future.
    """
    now = timezone.now()
    schedules = TaskSchedule.objects.filter(conda_condarefresh__repository=repository_pk)
    is_free = Q(next_dispatch=None) | Q(next_dispatch__lte=now)
    with transaction.atomic():
        if schedules.filter(is_free).update(next_dispatch=now + _NET):
            dispatch(_LOOK, kwargs={"repository_pk": repository_pk})


def note_checked(repository_pk: str, began: datetime) -> None:
    """Note that a sync began at a moment and was good: so old is what the repository has."""
    note_good_sync(repository_pk, began)
    refreshes = CondaRefresh.objects.filter(repository=repository_pk)
    refreshes.update(checked_at=began)
    for refresh in refreshes.filter(max_age__isnull=False):
        next_run = began + timedelta(seconds=refresh.max_age)
        refreshes.update(next_run=Greatest("next_run", Value(next_run)))


def is_running(refresh: CondaRefresh) -> bool:
    """Say whether a run has no outcome yet."""
    runs = CondaRefreshRun.objects.filter(repository=refresh.repository_id)
    return bool(runs.filter(outcome=RunOutcome.RUNNING).exists())


def retry_after(failures: int) -> timedelta:
    """Return how long to wait after a failure.

    Args:
        failures: How many runs failed one after the other, at least one.
    """
    # 2**9 times five minutes is more than a day, and any number of failures is possible.
    return min(_PATIENCE * 2 ** min(failures - 1, 9), _MOST_PATIENCE)
