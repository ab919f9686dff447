"""See to it that a task comes for the uploads of a repository that wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from pulpcore.plugin.models import Task, TaskSchedule
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_default_domain, get_prn

from pulp_conda.app.models import CondaRepository, CondaUpload
from pulp_conda.app.vocabulary import UploadState

# By their names: the room of tasks imports this one.
_JOIN = "pulp_conda.app.tasks.uploads.join_uploads"
_CONVERT = "pulp_conda.app.tasks.conversions.convert_uploads"
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
    with locked(repository):
        if _joins(repository, "waiting").exists():
            return
        _dispatch(repository)
    set_alarm()


def ensure_conversion(repository: CondaRepository) -> None:
    """Dispatch a task that makes the files that are to be converted, unless one waits to begin.

    Call it after the rows are committed, as `ensure_task`.
    """
    resource = conversion_resource(repository)
    with locked(repository):
        if not _tasks(_CONVERT, resource, "waiting").exists():
            dispatch(
                _CONVERT,
                exclusive_resources=[resource],
                kwargs={"repository_pk": str(repository.pk)},
            )
    set_alarm()


def conversion_resource(repository: CondaRepository) -> str:
    """Return what a task reserves that converts packages of a repository.

    It is not the repository: uploads, promotions and all else go on meanwhile.
    """
    return f"conversions of {get_prn(repository)}"


def task_for(uploads: QuerySet[CondaUpload], repository: CondaRepository) -> Task:
    """Let uploads of one user wait for a task, and return the task. Its result is about them.

    It is the task for which others of the user wait, if that has not begun.
    """
    with locked(repository):
        others = CondaUpload.objects.filter(
            repository=repository,
            state=UploadState.WAITING,
            task__isnull=False,
            user__in=uploads.values("user"),
        )
        tasks = _joins(repository, "waiting").filter(pk__in=others.values("task"))
        task = tasks.first() or _dispatch(repository)
        uploads.filter(state=UploadState.HELD).update(state=UploadState.WAITING)
        uploads.update(task=task.pk)
    set_alarm()
    return task


@contextmanager
def locked(repository: CondaRepository) -> Iterator[None]:
    """Keep others from giving uploads of a repository to a task, and tasks from taking them."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [str(repository.pk)])
        yield


def has_task(repository: CondaRepository) -> bool:
    """Say whether a task adds what waits to a repository, or is about to."""
    return _joins(repository, "waiting", "running").exists()


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


def _dispatch(repository: CondaRepository) -> Task:
    return dispatch(
        _JOIN, exclusive_resources=[repository], kwargs={"repository_pk": str(repository.pk)}
    )


def _joins(repository: CondaRepository, *states: str) -> QuerySet[Task]:
    return _tasks(_JOIN, get_prn(repository), *states)


def _tasks(name: str, resource: str, *states: str) -> QuerySet[Task]:
    return Task.objects.filter(
        name=name, state__in=states, reserved_resources_record__contains=[resource]
    )
