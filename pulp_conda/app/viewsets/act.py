from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from django_filters import CharFilter, UUIDFilter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from pulpcore.plugin.viewsets import DATETIME_FILTER_OPTIONS, BaseFilterSet, NamedModelViewSet

from pulp_conda.app.access import view_policy
from pulp_conda.app.models import CondaAct
from pulp_conda.app.serializers import CondaActSerializer
from pulp_conda.app.viewsets.renderers import JSON_LINES, WITH_JSON_LINES
from pulp_conda.app.viewsets.requests import CheckedRequests

# How many acts an export has in memory at a time.
_BATCH = 1000


class CondaActFilter(BaseFilterSet):
    channel = CharFilter(
        method="filter_channel",
        help_text=(
            "The name of a repository, distribution, remote or lifecycle: what was done to one of "
            "these, to its versions and to its stages."
        ),
    )

    workflow = CharFilter(
        field_name="details__token",
        lookup_expr="icontains",
        help_text=(
            "A part of the name of a workflow, for example 'octo/hello': what was done by a token "
            "that a trusted publisher got for it."
        ),
    )

    after = UUIDFilter(
        field_name="pk",
        lookup_expr="gt",
        help_text="The key of an act: only later ones. An export goes on with the last one it had.",
    )

    actor = CharFilter(field_name="actor_name", help_text="The name of a user.")

    token = CharFilter(
        field_name="details__token", help_text="The name of the token by which it was done."
    )

    # Not a filter for choices: an unknown word finds nothing, and is no error.
    verb = CharFilter(help_text="Filter results where verb matches value")

    class Meta:
        model = CondaAct
        fields = {
            "verb": ["in"],
            "resource": ["exact", "in", "startswith"],
            "resource_name": ["exact", "icontains", "startswith"],
            "pulp_created": DATETIME_FILTER_OPTIONS,
        }

    def filter_channel(self, acts: QuerySet, field: str, name: str) -> QuerySet:
        return acts.filter(Q(resource_name=name) | Q(resource_name__startswith=f"{name}/"))


class CondaActViewSet(
    CheckedRequests, NamedModelViewSet, mixins.RetrieveModelMixin, mixins.ListModelMixin
):
    """A CondaAct says who did what to which object, and when. Nobody can change one."""

    endpoint_name = "conda/acts"
    queryset = CondaAct.objects.all()
    serializer_class = CondaActSerializer
    filterset_class = CondaActFilter
    ordering = ("-pulp_created",)
    queryset_filtering_required_permission = "conda.view_condaact"

    DEFAULT_ACCESS_POLICY = view_policy("export")
    LOCKED_ROLES = {"conda.condaact_viewer": ["conda.view_condaact"]}

    @extend_schema(
        summary="Export acts",
        description="Write acts as JSON lines, the oldest first: one JSON object in each line, as "
        "the list has them. The filters are those of the list. The answer is sent while it is "
        "read, so it may have any length.",
        responses={(200, JSON_LINES): OpenApiTypes.STR},
    )
    @action(detail=False, methods=["get"], renderer_classes=WITH_JSON_LINES)
    def export(self, request: Request, **kwargs: Any) -> StreamingHttpResponse:
        acts = self.filter_queryset(self.get_queryset()).order_by("pk")
        return StreamingHttpResponse(self._lines(acts), content_type=JSON_LINES)

    def _lines(self, acts: QuerySet) -> Iterator[bytes]:
        context = self.get_serializer_context()
        renderer = JSONRenderer()
        for act in acts.iterator(chunk_size=_BATCH):
            shown = self.serializer_class(act, context=context).data
            yield renderer.render(shown) + b"\n"
