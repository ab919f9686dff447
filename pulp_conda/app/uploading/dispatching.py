"""See to it that a task comes for the uploads of a repository that wait."""

from django.db import connection, transaction

from pulpcore.plugin.models import Task
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_prn

from pulp_conda.app.models import CondaRepository

# By its name: the room of tasks imports this one.
TASK = "pulp_conda.app.tasks.uploads.join_uploads"

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('conda_upload'), hashtext(%s))"


def ensure_task(repository: CondaRepository) -> None:
    """Dispatch a task that adds what waits to a repository, unless one waits to begin.

    Call it after the rows are committed. A task that waits sees them when it begins. One that runs
    may have missed them, so it does not count.
    """
    prn = get_prn(repository)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [str(repository.pk)])
        waiting = Task.objects.filter(
            name=TASK, state="waiting", reserved_resources_record__contains=[prn]
        )
        if not waiting.exists():
            dispatch(
                TASK,
                exclusive_resources=[repository],
                kwargs={"repository_pk": str(repository.pk)},
            )
