"""What the plugin does when Pulp itself does something, for which pulpcore calls no plugin: it
listens to the rows that Pulp saves. Imported when Pulp is ready, see `pulp_conda.app`.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.apps import AppConfig
from django.conf import settings
from django.db import connection
from django.db.models.signals import post_migrate, post_save, pre_save
from django.dispatch import receiver

from pulpcore.plugin.constants import TASK_STATES
from pulpcore.plugin.models import ProgressReport, TaskSchedule
from pulpcore.plugin.util import get_domain

from pulp_conda.app.tasks.cleanup import clean_up
from pulp_conda.app.tasks.replicate import check_replicated

# What the last step of pulpcore's orphan cleanup reports.
_CLEANED = "clean-up.artifacts"

_SEND_METRICS = "pulp_conda.app.tasks.metrics.send_metrics"

# The workers that looked for tasks, in this process: one.
_awake: set[UUID] = set()


@receiver(pre_save, sender="core.UpstreamPulp")
def fail_replication_in_part(update_fields: frozenset[str] | None, **kwargs: Any) -> None:
    """Let a replication fail at its very end if a channel was not replicated.

    The others serve their new states by then. The time of the replication is not stored, so the
    next one looks at the channel again.
    """
    if update_fields == {"last_replication"}:
        check_replicated()


@receiver(post_migrate)
def schedule_metrics(sender: AppConfig, **kwargs: Any) -> None:
    """Let Pulp send the metrics of channels again and again, as those of pulpcore, or stop it."""
    if sender.label != "conda":
        return
    if settings.OTEL_ENABLED:
        interval = timedelta(minutes=settings.OTEL_METRICS_DISPATCH_INTERVAL_MINUTES)
        TaskSchedule.objects.update_or_create(
            name="Send OpenTelemetry metrics of conda channels",
            defaults={"task_name": _SEND_METRICS, "dispatch_interval": interval},
        )
    else:
        TaskSchedule.objects.filter(task_name=_SEND_METRICS).delete()


@receiver(post_save, sender=ProgressReport)
def clean_up_with_pulp(instance: ProgressReport, **kwargs: Any) -> None:
    """Take part in pulpcore's orphan cleanup, which calls no plugins. It reports what it did."""
    if instance.code == _CLEANED and instance.state == TASK_STATES.COMPLETED:
        clean_up(get_domain())


@receiver(post_save, sender="core.AppStatus")
def look_for_waiting_tasks(instance: Any, created: bool, **kwargs: Any) -> None:
    """Let a worker that was started look for tasks at its first heartbeat.

    pulpcore only looks when a task is dispatched and a worker listens. After all workers were away,
    for example with the database, what was dispatched meanwhile would wait for minutes. A worker
    listens when its first heartbeat comes, and not yet when it is created.
    """
    if instance.app_type == "worker" and not created and instance.pk not in _awake:
        _awake.add(instance.pk)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('pulp_worker_wakeup', 'unblock')")
