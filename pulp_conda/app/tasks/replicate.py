"""Replicate the channels of another Pulp: one that cannot be replicated does not stop the others.

pulpcore lets no channel serve its new state if a single task of a replication failed. So the task
of a channel reports its error and ends as completed, and the replication fails at its end, when
the others serve what is new.
"""

import logging
from gettext import gettext as _
from typing import Any

from pulpcore.plugin.exceptions import PulpException
from pulpcore.plugin.models import ProgressReport, Task

from pulp_conda.app.errors import ReplicatedInPart
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.tasks.sync import synchronize
from pulp_conda.channel.errors import first_of

log = logging.getLogger(__name__)

_CODE = "replicate.failed"
# The most channels that the error names. The progress reports of the tasks name all.
_MOST_CHANNELS = 10


def replicate_channel(remote_pk: str, repository_pk: str, **options: Any) -> dict[str, Any] | None:
    """Sync a channel from another Pulp, and report it if that fails.

    Args:
        options: Those of `synchronize`.

    Returns:
        Where the new version is, or None if there is none.
    """
    try:
        return synchronize(remote_pk, repository_pk, **options)
    except PulpException as error:
        reason = str(error)
    except Exception:
        log.exception("A channel was not replicated")
        reason = _("an internal error, which is in the log of the worker.")
    report_failure(CondaRepository.objects.get(pk=repository_pk).name, reason)
    return None


def report_failure(channel: str, reason: str) -> None:
    """Note in the current task that a channel was not replicated, and why."""
    message = f"Channel '{channel}' was not replicated: {reason}"
    ProgressReport.objects.create(message=message, code=_CODE, state="failed", suffix=channel)


def check_replicated() -> None:
    """Fail if a channel was not replicated by the group of the current task.

    Raises:
        CondaError: `ReplicatedInPart`.
    """
    group = Task.current().task_group_id
    reports = ProgressReport.objects.filter(code=_CODE, task__task_group=group)
    messages = list(reports.order_by("suffix").values_list("message", flat=True))
    if messages:
        first = first_of(messages[:_MOST_CHANNELS], _MOST_CHANNELS, len(messages))
        raise CondaError(ReplicatedInPart(count=len(messages), channels=" ".join(first)))
