"""Repositories that are synced again and again, and how each time went."""

from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models

from pulpcore.plugin.models import BaseModel, TaskSchedule
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models.act import Audited
from pulp_conda.app.models.lifecycle import CondaLifecycle
from pulp_conda.app.models.repository import CondaRepository
from pulp_conda.app.vocabulary import RunOutcome, choices_of


class CondaRefresh(Audited, BaseModel):
    """When a repository is synced from its remote, without anybody asking.

    Fields:
        repository (CondaRepository): What is synced. It has at most one refresh.
        interval (int): Seconds from one run to the next, or None if there is a cron line.
        cron (str): A cron line, or empty.
        time_zone (str): The zone of the cron line.
        max_age (int): In place of these, how many seconds old the metadata may be that a channel of
            the repository serves. A request for older metadata starts a run. None if it is not so.
        mirror (bool): Also remove what the upstream removed.
        lifecycle (CondaLifecycle): Where the first stage is promoted to the second one after each
            run that does not fail, or None.
        user (User), user_name (str): Who set it. Runs happen in the name of this user, and none
            does once the user goes.
        next_run (datetime): When it is due, for `max_age` if somebody asks.
        checked_at (datetime): When the last good sync began: so old is what the repository has.
        failures (int): How many runs have failed since the last one that did not.
        stopped (dict): Why there are no more runs, as {"code", "text"}, or None.
        schedule (TaskSchedule): What makes Pulp look whether it is due.
    """

    SET_BY_SERVER: ClassVar[frozenset[str]] = frozenset(
        {"user", "user_name", "next_run", "checked_at", "failures", "stopped", "schedule"}
    )

    repository = models.OneToOneField(CondaRepository, on_delete=models.CASCADE)
    interval = models.PositiveIntegerField(null=True)
    cron = models.TextField(default="")
    time_zone = models.TextField(default="UTC")
    max_age = models.PositiveIntegerField(null=True)
    mirror = models.BooleanField(default=False)
    lifecycle = models.ForeignKey(CondaLifecycle, null=True, on_delete=models.SET_NULL)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    user_name = models.TextField(default="")
    next_run = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    stopped = models.JSONField(null=True)
    schedule = models.OneToOneField(TaskSchedule, null=True, on_delete=models.SET_NULL)
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"

    @property
    def act_name(self) -> str:
        return str(self.repository.name)

    @property
    def act_domain(self) -> UUID:
        return self.pulp_domain_id


class CondaRefreshRun(BaseModel):
    """One time that a repository was due to be synced. The last ones are kept.

    Fields:
        outcome (str): A `RunOutcome`.
        task (UUID): The task that syncs, or None if there is none. Tasks are purged, so this is no
            foreign key.
        version (int): The number of the version that was made, or None.
        error (dict): Why it failed or stopped: {"code", "text"}; None if it did not.
        promotion (UUID): The task that promotes the first stage afterwards, or None.
        finished_at (datetime): When the outcome was known; None as long as it runs.
    """

    repository = models.ForeignKey(CondaRepository, on_delete=models.CASCADE)
    outcome = models.TextField(choices=choices_of(RunOutcome), default=RunOutcome.RUNNING.value)
    task = models.UUIDField(null=True)
    version = models.BigIntegerField(null=True)
    error = models.JSONField(null=True)
    promotion = models.UUIDField(null=True)
    finished_at = models.DateTimeField(null=True)
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.CASCADE)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        indexes = [
            models.Index(fields=["repository", "pulp_created"], name="conda_runs_of_repository")
        ]
