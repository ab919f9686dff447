from gettext import gettext as _
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import (
    DetailRelatedField,
    IdentityField,
    ModelSerializer,
    RelatedField,
)
from pulpcore.plugin.util import get_domain_pk, reverse

from pulp_conda.app.errors import BadPromotion, NothingToRefresh
from pulp_conda.app.models import CondaLifecycle, CondaRefresh, CondaRefreshRun, CondaRepository
from pulp_conda.app.refreshing.schedules import begin, timetable_of
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.serializers.strict import StrictFields
from pulp_conda.app.vocabulary import RunOutcome, choices_of
from pulp_conda.channel.timetable import check_timetable

_TIMES = ("interval", "cron", "time_zone", "max_age")


class _ProblemSerializer(serializers.Serializer):
    code = serializers.CharField(help_text=_("A code such as 'CND0152', or empty."))
    text = serializers.CharField(help_text=_("What is wrong, and what to do about it."))


@extend_schema_field(_ProblemSerializer(allow_null=True))
class _ProblemField(serializers.JSONField):
    """An error that is stored."""


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Sync each night",
            value={
                "repository": (
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-0b2f-7c3a-9f64-6f1d2f2f7a10/"
                ),
                "cron": "30 3 * * *",
                "time_zone": "Europe/Berlin",
            },
            request_only=True,
        ),
        OpenApiExample(
            "Sync every six hours",
            value={
                "repository": (
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-0b2f-7c3a-9f64-6f1d2f2f7a10/"
                ),
                "interval": 21600,
            },
            request_only=True,
        ),
    ]
)
class CondaRefreshSerializer(StrictFields, VisibleReferencesMixin, ModelSerializer):
    """When a repository is synced from its remote, without anybody asking."""

    pulp_href = IdentityField(view_name="conda/refreshes-detail")
    repository = DetailRelatedField(
        help_text=_("The repository that is synced from its remote. It cannot be changed."),
        queryset=CondaRepository.objects.all(),
        view_name="repositories-conda/conda-detail",
    )
    interval = serializers.IntegerField(
        help_text=_(
            "Seconds from the beginning of one run to that of the next, at least 60. The first run "
            "is at once. Null if there is a 'cron'."
        ),
        allow_null=True,
        required=False,
    )
    cron = serializers.CharField(
        help_text=_(
            "In place of an interval, a cron line with the fields minute, hour, day of the month, "
            "month and day of the week, for example '30 3 * * *'. A time that the change to "
            "summer time leaves out comes right after it, and a time that comes twice is used once."
        ),
        allow_blank=True,
        required=False,
    )
    time_zone = serializers.CharField(
        help_text=_("The time zone of 'cron', for example 'Europe/Berlin'. The default is 'UTC'."),
        required=False,
    )
    max_age = serializers.IntegerField(
        help_text=_(
            "In place of 'interval' and 'cron', how many seconds old the metadata may be that "
            "channels of the repository serve, at least 60. A request for older metadata is "
            "answered at once with what is there, and starts one sync. Null if it is not so."
        ),
        allow_null=True,
        required=False,
    )
    mirror = serializers.BooleanField(
        help_text=_("Also remove what the upstream removed, as for a sync. The default is false."),
        required=False,
    )
    lifecycle = RelatedField(
        help_text=_(
            "A lifecycle of the repository: after each run that does not fail, what its first "
            "stage serves is promoted to the second one, if the gates of that stage allow it. "
            "Null for none, which is the default."
        ),
        queryset=CondaLifecycle.objects.all(),
        view_name="conda/lifecycles-detail",
        allow_null=True,
        required=False,
    )
    user = serializers.CharField(
        source="user_name",
        help_text=_("Who set this last. Runs happen in the name of this user."),
        read_only=True,
    )
    next_run = serializers.DateTimeField(
        help_text=_(
            "When the next run is due; with 'max_age', if somebody asks then. It is later after "
            "failures."
        ),
        read_only=True,
    )
    checked_at = serializers.DateTimeField(
        help_text=_("When the last good sync began: so old is what the repository has. Or null."),
        read_only=True,
        allow_null=True,
    )
    failures = serializers.IntegerField(
        help_text=_("How many runs have failed since the last one that did not."), read_only=True
    )
    stopped = _ProblemField(
        help_text=_("Why there are no more runs, until somebody sets this again. Null if not."),
        read_only=True,
    )

    def validate_repository(self, repository: CondaRepository) -> CondaRepository:
        if self.instance:
            if self.instance.repository_id != repository.pk:
                text = _("A refresh stays with its repository. Make one for the other repository.")
                raise serializers.ValidationError(text)
        elif CondaRefresh.objects.filter(repository=repository).exists():
            text = _("Repository '{name}' has a refresh already. Change that one.")
            raise serializers.ValidationError(text.format(name=repository.name))
        return repository

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        none = {"interval": None, "cron": "", "max_age": None}
        given = {name for name in none if data.get(name)}
        if len(given) == 1 and self.instance:
            # The other kinds of times were there before.
            data.update({name: value for name, value in none.items() if name not in given})
        with channel_errors_as_validation() as errors:
            with errors.at(None):
                timetable = check_timetable(
                    self._now(data, "interval"),
                    self._now(data, "cron"),
                    self._now(data, "time_zone"),
                    timezone.now(),
                    self._now(data, "max_age"),
                )
                data.update({name: getattr(timetable, name) for name in _TIMES})
            repository = self._now(data, "repository")
            with errors.at(None):
                if repository.remote_id is None:
                    raise NothingToRefresh(repository=repository.name)
            with errors.at(None):
                _check_lifecycle(self._now(data, "lifecycle"), repository)
        return data

    def create(self, data: dict[str, Any]) -> CondaRefresh:
        refresh = CondaRefresh(**data, pulp_domain_id=get_domain_pk())
        begin(refresh)
        return refresh

    def update(self, refresh: CondaRefresh, data: dict[str, Any]) -> CondaRefresh:
        before = timetable_of(refresh)
        for name, value in data.items():
            setattr(refresh, name, value)
        if refresh.stopped or refresh.failures or timetable_of(refresh) != before:
            begin(refresh)
        else:
            refresh.save()
        return refresh

    def _now(self, data: dict[str, Any], name: str) -> Any:
        """Return the value that a field is going to have."""
        if name in data:
            return data[name]
        if self.instance:
            return getattr(self.instance, name)
        return CondaRefresh._meta.get_field(name).get_default()

    class Meta:
        model = CondaRefresh
        fields = ModelSerializer.Meta.fields + (
            "repository",
            *_TIMES,
            "mirror",
            "lifecycle",
            "user",
            "next_run",
            "checked_at",
            "failures",
            "stopped",
        )


def _check_lifecycle(lifecycle: CondaLifecycle | None, repository: CondaRepository) -> None:
    """Refuse a lifecycle in which nothing can be promoted.

    Raises:
        BadPromotion: it is of another repository.
    """
    if lifecycle and lifecycle.repository_id != repository.pk:
        raise BadPromotion(lifecycle=lifecycle.name, repository=repository.name)


class CondaRefreshRunSerializer(ModelSerializer):
    """One time that a repository was due to be synced."""

    pulp_href = IdentityField(view_name="conda/refresh_runs-detail")
    repository = DetailRelatedField(
        help_text=_("The repository."),
        read_only=True,
        view_name="repositories-conda/conda-detail",
    )
    outcome = serializers.ChoiceField(
        choices=choices_of(RunOutcome),
        help_text=_(
            "'running' until it is over; 'changed' if there is a new version, 'unchanged' if not; "
            "'failed'; 'skipped' because another sync waited or ran; 'stopped' because the user "
            "who set the refresh may not sync the repository any more."
        ),
        read_only=True,
    )
    version = serializers.IntegerField(
        help_text=_("The number of the version that it made, or null."),
        read_only=True,
        allow_null=True,
    )
    error = _ProblemField(
        help_text=_("Why it failed or stopped. Null if it did not."), read_only=True
    )
    task = serializers.SerializerMethodField(help_text=_("The task that syncs, or null."))
    promotion = serializers.SerializerMethodField(
        help_text=_("The task that promotes the first stage afterwards, or null.")
    )
    finished_at = serializers.DateTimeField(
        help_text=_("When it was over; null as long as it runs."),
        read_only=True,
        allow_null=True,
    )

    def get_task(self, run: CondaRefreshRun) -> str | None:
        return reverse("tasks-detail", kwargs={"pk": run.task}) if run.task else None

    def get_promotion(self, run: CondaRefreshRun) -> str | None:
        return reverse("tasks-detail", kwargs={"pk": run.promotion}) if run.promotion else None

    class Meta:
        model = CondaRefreshRun
        fields = (
            "pulp_href",
            "prn",
            "pulp_created",
            "repository",
            "outcome",
            "version",
            "error",
            "task",
            "promotion",
            "finished_at",
        )
