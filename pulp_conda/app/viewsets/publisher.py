from django.db import transaction
from django.db.models import QuerySet
from rest_framework import mixins
from rest_framework.exceptions import PermissionDenied
from rest_framework.serializers import Serializer

from pulpcore.plugin.util import get_objects_for_user
from pulpcore.plugin.viewsets import NAME_FILTER_OPTIONS, BaseFilterSet, NamedModelViewSet

from pulp_conda.app import team
from pulp_conda.app.access import channel_part_policy
from pulp_conda.app.errors import NotAllManaged
from pulp_conda.app.models import CondaPublisher, CondaRepository
from pulp_conda.app.oidc.publishers import allow, withdraw_tokens
from pulp_conda.app.serializers import CondaPublisherSerializer
from pulp_conda.app.uploading import repository_of
from pulp_conda.app.viewsets.references import VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.requests import CheckedRequests


class CondaPublisherFilter(VisibleReferencesFilterMixin, BaseFilterSet):
    class Meta:
        model = CondaPublisher
        fields = {
            "name": NAME_FILTER_OPTIONS,
            "distribution": ["exact", "in"],
            "provider": ["exact", "in"],
        }


class CondaPublisherViewSet(
    CheckedRequests,
    NamedModelViewSet,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
):
    """A CondaPublisher is a workflow of a CI service that may upload to a channel.

    Whoever may manage the roles of a channel sees and manages its publishers.
    """

    endpoint_name = "conda/publishers"
    queryset = CondaPublisher.objects.all()
    serializer_class = CondaPublisherSerializer
    filterset_class = CondaPublisherFilter

    DEFAULT_ACCESS_POLICY = channel_part_policy()

    def scope_queryset(self, queryset: QuerySet) -> QuerySet:
        manageable = get_objects_for_user(
            self.request.user, "conda.manage_roles_condarepository", CondaRepository.objects.all()
        )
        return queryset.filter(repository__in=manageable)

    def perform_create(self, serializer: Serializer) -> None:
        repository = repository_of(serializer.validated_data["distribution"])
        self._check_manageable(repository)
        with transaction.atomic():
            allow(serializer.save(repository=repository))

    def perform_update(self, serializer: Serializer) -> None:
        self._check_manageable(serializer.instance.repository)
        with transaction.atomic():
            withdraw_tokens(serializer.save())

    def perform_destroy(self, publisher: CondaPublisher) -> None:
        self._check_manageable(publisher.repository)
        with transaction.atomic():
            publisher.delete()

    def _check_manageable(self, repository: CondaRepository) -> None:
        try:
            team.check_manageable(self.request.user, repository)
        except NotAllManaged as error:
            raise PermissionDenied(str(error), code=error.code) from None
