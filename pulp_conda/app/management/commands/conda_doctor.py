"""Find processes of Pulp that are gone but still hold tasks, and remove them."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction

from pulpcore.plugin.models import Task


class Command(BaseCommand):
    """List processes without a heartbeat and what they hold; with `--fix`, remove them."""

    help = (
        "List the processes of Pulp that gave no sign of life for longer than their time to live, "
        "with the tasks that they hold. With --fix, remove them: their tasks count as failed, and "
        "what waits behind these goes on. Do not use it while the machine of such a process only "
        "stands still: its task would go on beside the next one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="remove these processes")

    def handle(self, *args: Any, fix: bool, **options: Any) -> None:
        processes = apps.get_model("core", "AppStatus").objects
        with transaction.atomic():
            missing = list(processes.missing().select_for_update().order_by("app_type", "name"))
            for process in missing:
                self.stdout.write(
                    f"{process.app_type} '{process.name}': no sign of life since "
                    f"{process.last_heartbeat:%Y-%m-%d %H:%M:%S} UTC"
                )
                for task in Task.objects.filter(app_lock=process).order_by("pulp_created"):
                    resources = ", ".join(_exclusive(task)) or "nothing"
                    self.stdout.write(f"  task {task.pk} ({task.name}, {task.state}): {resources}")
            if fix:
                processes.filter(pk__in=[process.pk for process in missing]).delete()
        if not missing:
            self.stdout.write("Every process that is noted is alive.")
        elif not fix:
            self.stdout.write("Remove them with --fix, if they do not run any more.")
        else:
            # Workers look at once, and not at their next cleanup.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify('pulp_worker_wakeup', 'unblock')")
                cursor.execute("SELECT pg_notify('pulp_worker_wakeup', 'handle')")
            self.stdout.write(f"Removed {len(missing)}. What waited behind them goes on.")


def _exclusive(task: Task) -> list[str]:
    """Return what a task holds for itself alone."""
    resources = task.reserved_resources_record or ()
    return [name for name in resources if not name.startswith("shared:")]
