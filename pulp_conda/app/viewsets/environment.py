from typing import Any

from django.db.models import QuerySet
from django_filters import ChoiceFilter
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.viewsets import (
    NAME_FILTER_OPTIONS,
    NoArtifactContentViewSet,
)

from pulp_conda.app.access import content_policy
from pulp_conda.app.models import CondaEnvironment
from pulp_conda.app.serializers import (
    CondaEnvironmentSerializer,
    CondaEnvironmentSummarySerializer,
)
from pulp_conda.app.viewsets.content import CreatesContent
from pulp_conda.app.viewsets.members import MembersFilterSet, MembersPagination
from pulp_conda.app.viewsets.references import VisibleContentMixin, VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.app.vocabulary import choices_of
from pulp_conda.channel.environments.specs import EnvironmentFormat
from pulp_conda.channel.errors import BadEnvironment


class CondaEnvironmentFilter(VisibleReferencesFilterMixin, MembersFilterSet):
    # Not 'format': Django REST framework takes that parameter as the format of its answer.
    environment_format = ChoiceFilter(
        field_name="format",
        help_text="The format of its file.",
        choices=choices_of(EnvironmentFormat),
    )

    class Meta:
        model = CondaEnvironment
        fields = {"name": NAME_FILTER_OPTIONS}


class CondaEnvironmentViewSet(
    CheckedRequests, CreatesContent, VisibleContentMixin, NoArtifactContentViewSet
):
    """A CondaEnvironment is what a team installs from a channel. Gates check that it solves."""

    endpoint_name = "environments"
    queryset = CondaEnvironment.objects.all()
    serializer_class = CondaEnvironmentSerializer
    filterset_class = CondaEnvironmentFilter
    pagination_class = MembersPagination
    own_errors = {"source": BadEnvironment}

    DEFAULT_ACCESS_POLICY = content_policy("condarepository")

    def get_queryset(self) -> QuerySet:
        queryset = super().get_queryset()
        # pulpcore asks for the content of all types without an action.
        is_list = getattr(self, "action", None) == "list"
        return queryset.defer("source", "requirements") if is_list else queryset

    def get_serializer_class(self) -> type[Serializer]:
        is_list = self.action == "list"
        return CondaEnvironmentSummarySerializer if is_list else CondaEnvironmentSerializer

    @extend_schema(
        summary="Register an environment",
        description="Trigger a task that makes an environment and, with 'repository', a new "
        "version that has it in place of another of its name.",
        responses={202: AsyncOperationResponseSerializer},
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        return self.dispatch_creation(request)
