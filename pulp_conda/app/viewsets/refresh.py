from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django_filters import CharFilter
from rest_framework import mixins
from rest_framework.exceptions import PermissionDenied
from rest_framework.serializers import Serializer

from pulpcore.plugin.util import get_objects_for_user
from pulpcore.plugin.viewsets import DATETIME_FILTER_OPTIONS, BaseFilterSet, NamedModelViewSet

from pulp_conda.app.access import channel_part_policy, view_policy
from pulp_conda.app.models import CondaRefresh, CondaRefreshRun, CondaRepository
from pulp_conda.app.refreshing.rights import missing_right
from pulp_conda.app.serializers import CondaRefreshRunSerializer, CondaRefreshSerializer
from pulp_conda.app.viewsets.references import VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.requests import CheckedRequests


class _OfVisibleRepositories(CheckedRequests, NamedModelViewSet):
    """Objects of repositories, for those who may view the repository."""

    def scope_queryset(self, queryset: QuerySet) -> QuerySet:
        repositories = get_objects_for_user(
            self.request.user, "conda.view_condarepository", CondaRepository.objects.all()
        )
        return queryset.filter(repository__in=repositories)


class CondaRefreshFilter(VisibleReferencesFilterMixin, BaseFilterSet):
    class Meta:
        model = CondaRefresh
        fields = {"repository": ["exact", "in"], "next_run": DATETIME_FILTER_OPTIONS}


class CondaRefreshViewSet(
    _OfVisibleRepositories,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
):
    """A CondaRefresh says when a repository is synced from its remote, without anybody asking.

    Whoever may view a repository sees it. Whoever may sync the repository sets it, and runs happen
    in the name of this user from then on.
    """

    endpoint_name = "conda/refreshes"
    queryset = CondaRefresh.objects.select_related("repository", "lifecycle")
    serializer_class = CondaRefreshSerializer
    filterset_class = CondaRefreshFilter

    DEFAULT_ACCESS_POLICY = channel_part_policy()

    def perform_create(self, serializer: Serializer) -> None:
        data = serializer.validated_data
        self._check_rights(data["repository"], data.get("lifecycle"))
        self._save(serializer)

    def perform_update(self, serializer: Serializer) -> None:
        refresh = serializer.instance
        lifecycle = serializer.validated_data.get("lifecycle", refresh.lifecycle)
        self._check_rights(refresh.repository, lifecycle)
        with transaction.atomic():
            # A task may be looking whether it is due.
            serializer.instance = CondaRefresh.objects.select_for_update().get(pk=refresh.pk)
            self._save(serializer)

    def perform_destroy(self, refresh: CondaRefresh) -> None:
        self._check_rights(refresh.repository, None)
        with transaction.atomic():
            refresh.delete()

    def _check_rights(self, *objects: Any) -> None:
        if reason := missing_right(self.request.user, *objects):
            raise PermissionDenied(f"User '{self.request.user.username}' {reason}.")

    def _save(self, serializer: Serializer) -> None:
        user = self.request.user
        with transaction.atomic():
            serializer.save(user=user, user_name=user.username)


class CondaRefreshRunFilter(VisibleReferencesFilterMixin, BaseFilterSet):
    # Not a filter for choices: an unknown word finds nothing, and is no error.
    outcome = CharFilter(help_text="Filter results where outcome matches value")

    class Meta:
        model = CondaRefreshRun
        fields = {
            "repository": ["exact", "in"],
            "outcome": ["in", "ne"],
            "pulp_created": DATETIME_FILTER_OPTIONS,
        }


class CondaRefreshRunViewSet(
    _OfVisibleRepositories, mixins.RetrieveModelMixin, mixins.ListModelMixin
):
    """A CondaRefreshRun says how it went when a repository was due to be synced."""

    endpoint_name = "conda/refresh_runs"
    queryset = CondaRefreshRun.objects.select_related("repository")
    serializer_class = CondaRefreshRunSerializer
    filterset_class = CondaRefreshRunFilter
    ordering = ("-pulp_created",)

    DEFAULT_ACCESS_POLICY = view_policy()
