"""What happens when a refresh is due, and when a run of it ends.

Both change the row of the refresh, and lock it before. So a refresh that is looked at twice is
synced once.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from pulpcore.plugin.constants import TASK_FINAL_STATES
from pulpcore.plugin.exceptions import PulpException
from pulpcore.plugin.models import Task
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_prn

from pulp_conda.app.errors import NothingToRefresh, Offline, RefreshStopped, RunLost
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaRefresh, CondaRefreshRun, CondaRepository
from pulp_conda.app.models.act import acting_as
from pulp_conda.app.monitoring.syncs import Problem, note_failed_sync
from pulp_conda.app.refreshing.rights import missing_right_of
from pulp_conda.app.refreshing.schedules import is_running, retry_after, set_alarm, timetable_of
from pulp_conda.app.vocabulary import RunOutcome
from pulp_conda.channel.errors import ChannelError

# By their names: the room of tasks imports this one.
_RUN = "pulp_conda.app.tasks.refresh.run"
_SYNCS = (_RUN, "pulp_conda.app.tasks.sync.synchronize")
_PROMOTE = "pulp_conda.app.tasks.moves.promote"

# How many runs of a repository are kept.
_MOST_RUNS = 100


def take_turn(repository_pk: str) -> None:
    """Dispatch a sync if the refresh of a repository is due, and set the next moment in any case.

    The sync has its locks, and happens in the name of the user who set the refresh.
    """
    with transaction.atomic():
        refresh = _locked(repository_pk)
        if refresh is None or refresh.stopped:
            return
        now = timezone.now()
        _settle_lost(refresh, now)
        # Who asks again while a run goes on, gets no second one.
        if refresh.next_run <= now and not (refresh.max_age and is_running(refresh)):
            refresh.next_run = timetable_of(refresh).after(refresh.next_run, now)
            _begin_run(refresh, now)
            _forget_old(refresh)
        refresh.save()
        set_alarm(refresh)


def finish_run(
    run: CondaRefreshRun,
    version: int | None = None,
    error: Exception | None = None,
) -> None:
    """Note how a run went. After a good one, promote the first stage if that is wanted.

    Args:
        version: The number of the version that was made, or None.
        error: Why it failed, or None.
    """
    with transaction.atomic():
        refresh = _locked(run.repository_id)
        now = timezone.now()
        if error:
            _close(run, RunOutcome.FAILED, now, problem_of(error))
        else:
            run.version = version
            _close(run, RunOutcome.UNCHANGED if version is None else RunOutcome.CHANGED, now)
        if refresh is None or refresh.stopped:
            return
        if error:
            _back_off(refresh, now)
        else:
            refresh.failures = 0
            _promote(refresh, run)
        refresh.save()
        set_alarm(refresh)


def problem_of(error: Exception) -> Problem:
    """Return an error as the API shows it. What is no error of Pulp is only in the log."""
    if isinstance(error, CondaError):
        error = error.error
    if isinstance(error, ChannelError):
        return {"code": error.code, "text": str(error)}
    if isinstance(error, PulpException):
        return {"code": error.error_code, "text": str(error)}
    return {"code": "", "text": "The server made a mistake, which its log has."}


def _locked(repository_pk: str) -> CondaRefresh | None:
    """Return the refresh of a repository, and let no other task change it until the end of the
    transaction.
    """
    refreshes = CondaRefresh.objects.select_for_update(of=("self",))
    found: CondaRefresh | None = refreshes.filter(repository=repository_pk).first()
    return found


def _begin_run(refresh: CondaRefresh, now: datetime) -> None:
    repository = refresh.repository
    run = CondaRefreshRun(repository=repository, pulp_domain_id=refresh.pulp_domain_id)
    if reason := missing_right_of(refresh):
        stopped = RefreshStopped(repository=repository.name, user=refresh.user_name, reason=reason)
        refresh.stopped = problem_of(stopped)
        _close(run, RunOutcome.STOPPED, now, refresh.stopped)
    elif settings.CONDA_OFFLINE:
        _close(run, RunOutcome.SKIPPED, now, problem_of(Offline()))
    elif _has_sync(repository):
        _close(run, RunOutcome.SKIPPED, now)
    elif repository.remote_id is None:
        missing = problem_of(NothingToRefresh(repository=repository.name))
        _close(run, RunOutcome.FAILED, now, missing)
        note_failed_sync(repository.pk, missing)
        _back_off(refresh, now)
    else:
        run.save()
        with acting_as(refresh.user):
            task = dispatch(
                _RUN,
                exclusive_resources=[repository],
                shared_resources=[repository.remote],
                kwargs={
                    "run_pk": str(run.pk),
                    "remote_pk": str(repository.remote_id),
                    "mirror": refresh.mirror,
                },
            )
        run.task = task.pk
        run.save()


def _has_sync(repository: CondaRepository) -> bool:
    """Say whether a task waits or runs that syncs a repository."""
    tasks = Task.objects.filter(
        name__in=_SYNCS, reserved_resources_record__contains=[get_prn(repository)]
    )
    return bool(tasks.exclude(state__in=TASK_FINAL_STATES).exists())


def _settle_lost(refresh: CondaRefresh, now: datetime) -> None:
    """Note the outcome of runs whose task ended without doing so."""
    running = _runs(refresh).filter(outcome=RunOutcome.RUNNING)
    for run in running:
        # A task that notes an outcome does so while it runs.
        tasks = Task.objects.filter(pk=run.task)
        if not tasks.exclude(state__in=TASK_FINAL_STATES).exists():
            run.refresh_from_db()
            if run.outcome == RunOutcome.RUNNING:
                _close(run, RunOutcome.FAILED, now, problem_of(RunLost()))
                note_failed_sync(refresh.repository_id, problem_of(RunLost()))
                _back_off(refresh, now)


def _close(
    run: CondaRefreshRun, outcome: RunOutcome, now: datetime, error: Problem | None = None
) -> None:
    run.outcome, run.finished_at, run.error = outcome.value, now, error
    run.save()


def _back_off(refresh: CondaRefresh, now: datetime) -> None:
    refresh.failures += 1
    # For an age, there is at most one run in that time, also if it fails.
    wait = max(retry_after(refresh.failures), timedelta(seconds=refresh.max_age or 0))
    refresh.next_run = now + wait


def _promote(refresh: CondaRefresh, run: CondaRefreshRun) -> None:
    """Promote what the first stage serves to the second one, whose gates decide."""
    if refresh.lifecycle is None or missing_right_of(refresh):
        return
    first, second = refresh.lifecycle.stages.order_by("position")[:2]
    if first.current is None:
        return
    own_repository = [second.repository] if second.repository else []
    with acting_as(refresh.user):
        task = dispatch(
            _PROMOTE,
            exclusive_resources=[refresh.lifecycle, *own_repository],
            kwargs={
                "stage_pk": str(second.pk),
                "source_pk": str(first.pk),
                "requester_pk": refresh.user.pk,
                "reason": "Refreshed from the upstream.",
            },
        )
    run.promotion = task.pk
    run.save()


def _forget_old(refresh: CondaRefresh) -> None:
    kept = _runs(refresh).order_by("-pulp_created")[:_MOST_RUNS].values("pk")
    finished = _runs(refresh).exclude(outcome=RunOutcome.RUNNING)
    finished.exclude(pk__in=list(kept.values_list("pk", flat=True))).delete()


def _runs(refresh: CondaRefresh) -> QuerySet[CondaRefreshRun]:
    return CondaRefreshRun.objects.filter(repository=refresh.repository_id)
