from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.viewsets import (
    OperationPostponedResponse,
    PublicationFilter,
    PublicationViewSet,
)

from pulp_conda.app.access import model_policy, model_roles
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPublication
from pulp_conda.app.serializers import CondaPublicationSerializer
from pulp_conda.app.tasks.publish import publish
from pulp_conda.app.viewsets.noted import NotedRoles
from pulp_conda.app.viewsets.references import VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.requests import CheckedRequests


class CondaPublicationFilter(VisibleReferencesFilterMixin, PublicationFilter):
    pass


class CondaPublicationViewSet(CheckedRequests, NotedRoles, PublicationViewSet):
    """A CondaPublication holds the metadata files of one version of a channel."""

    endpoint_name = "conda"
    queryset = CondaPublication.objects.exclude(complete=False)
    serializer_class = CondaPublicationSerializer
    filterset_class = CondaPublicationFilter
    queryset_filtering_required_permission = "conda.view_condapublication"

    DEFAULT_ACCESS_POLICY = model_policy("condapublication", immutable=True)
    LOCKED_ROLES = model_roles("condapublication", immutable=True)

    @extend_schema(
        summary="Publish a repository version",
        description="Trigger a task that writes the metadata files of a version. Give 'repository' "
        "for its latest version, or 'repository_version'.",
        responses={202: AsyncOperationResponseSerializer},
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        repository_version = serializer.validated_data["repository_version"]
        task = dispatch(
            publish,
            shared_resources=[repository_version.repository],
            kwargs={
                "repository_version_pk": str(repository_version.pk),
                "checkpoint": serializer.validated_data.get("checkpoint", False),
            },
        )
        return OperationPostponedResponse(task, request)

    def perform_destroy(self, publication: CondaPublication) -> None:
        try:
            super().perform_destroy(publication)
        except CondaError as error:
            raise ValidationError([str(error)], code=error.error_code) from None
