"""See to it that a task comes for the uploads of a repository that wait."""

from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from pulpcore.plugin.models import Task, TaskSchedule
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_default_domain, get_prn

from pulp_conda.app.models import CondaRepository

# By their names: the room of tasks imports this one.
_JOIN = "pulp_conda.app.tasks.uploads.join_uploads"
_TEND = "pulp_conda.app.tasks.uploads.tend_uploads"

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('conda_upload'), hashtext(%s))"

_SCHEDULE = "Look after uploads to conda channels"
_INTERVAL = timedelta(days=1)
# After so long, somebody looks whether a task was killed or canceled and left uploads behind.
_ALARM = timedelta(minutes=5)


def ensure_task(repository: CondaRepository) -> None:
    """Dispatch a task that adds what waits to a repository, unless one waits to begin.

    Call it after the rows are committed. A task that waits sees them when it begins. One that runs
    may have missed them, so it does not count.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [str(repository.pk)])
        if _tasks(repository, "waiting"):
            return
        dispatch_joining(repository)
    set_alarm()


def dispatch_joining(repository: CondaRepository, batch: UUID | None = None) -> Task:
    """Dispatch a task that adds what waits to a repository, and return it.

    Args:
        batch: Whose uploads the result of the task is about.
    """
    return dispatch(
        _JOIN,
        exclusive_resources=[repository],
        kwargs={"repository_pk": str(repository.pk), "batch": batch and str(batch)},
    )


def has_task(repository: CondaRepository) -> bool:
    """Say whether a task adds what waits to a repository, or is about to."""
    return _tasks(repository, "waiting", "running")


def set_alarm() -> None:
    """Let Pulp start `tend_uploads` within a few minutes, and each day."""
    soon = timezone.now() + _ALARM
    if not TaskSchedule.objects.filter(name=_SCHEDULE, next_dispatch__lte=soon).exists():
        TaskSchedule.objects.update_or_create(
            name=_SCHEDULE,
            pulp_domain=get_default_domain(),
            defaults={
                "task_name": _TEND,
                "dispatch_interval": _INTERVAL,
                "next_dispatch": soon,
            },
        )


def _tasks(repository: CondaRepository, *states: str) -> bool:
    tasks = Task.objects.filter(
        name=_JOIN,
        state__in=states,
        reserved_resources_record__contains=[get_prn(repository)],
    )
    return tasks.exists()
