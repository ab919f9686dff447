from typing import Any

import orjson
from django.db.models import QuerySet
from django_filters import CharFilter
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.viewsets import NoArtifactContentViewSet

from pulp_conda.app.access import content_policy
from pulp_conda.app.models import CondaPatch
from pulp_conda.app.serializers import CondaPatchSerializer, CondaPatchSummarySerializer
from pulp_conda.app.viewsets.content import CreatesContent
from pulp_conda.app.viewsets.members import MembersFilterSet, MembersPagination
from pulp_conda.app.viewsets.references import VisibleContentMixin, VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.channel.errors import BadPatch


class CondaPatchFilter(VisibleReferencesFilterMixin, MembersFilterSet):
    filename = CharFilter(
        method="filter_filename",
        help_text="Patches that name this file, for example 'numpy-2.0.0-0.conda'.",
    )

    def filter_filename(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        # In the form of JSON. Only names of files end like the name of a package file.
        return queryset.filter(instructions__contains=orjson.dumps(value).decode())

    class Meta:
        model = CondaPatch
        fields = {
            "subdir": ["exact", "in"],
            "author": ["exact", "in"],
            "credit": ["icontains"],
            "reason": ["icontains"],
            "expires_at": ["lt", "lte", "gt", "gte", "range", "isnull"],
        }


class CondaPatchViewSet(
    CheckedRequests, CreatesContent, VisibleContentMixin, NoArtifactContentViewSet
):
    """A CondaPatch corrects records of packages, and does not change the packages."""

    endpoint_name = "patches"
    queryset = CondaPatch.objects.all()
    serializer_class = CondaPatchSerializer
    filterset_class = CondaPatchFilter
    pagination_class = MembersPagination
    parser_classes = [JSONParser]
    own_errors = {"instructions": BadPatch}

    DEFAULT_ACCESS_POLICY = content_policy("condarepository")

    def get_queryset(self) -> QuerySet:
        queryset = super().get_queryset()
        # pulpcore asks for the content of all types without an action.
        is_list = getattr(self, "action", None) == "list"
        return queryset.defer("instructions") if is_list else queryset

    def get_serializer_class(self) -> type[Serializer]:
        return CondaPatchSummarySerializer if self.action == "list" else CondaPatchSerializer

    def get_deferred_context(self, request: Request) -> dict[str, Any]:
        return {"author": request.user.get_username()}

    @extend_schema(
        summary="Make a repodata patch",
        description="Trigger a task that makes a patch and, with 'repository', a new version that "
        "has it.",
        responses={202: AsyncOperationResponseSerializer},
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        return self.dispatch_creation(request)
