from typing import Any, ClassVar

from django.db import transaction
from django_filters import CharFilter
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.viewsets import (
    DATETIME_FILTER_OPTIONS,
    BaseFilterSet,
    NamedModelViewSet,
    OperationPostponedResponse,
)

from pulp_conda.app.access import lifecycle_part_policy
from pulp_conda.app.authentication import TokenScopes
from pulp_conda.app.models import HistoryEntry
from pulp_conda.app.serializers import CondaAnswerSerializer, HistoryEntrySerializer
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.tasks.moves import answer
from pulp_conda.app.viewsets.lifecycle import CondaLifecycleViewSet
from pulp_conda.app.viewsets.references import VisibleParentMixin
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.app.vocabulary import TokenScope


class HistoryEntryFilter(BaseFilterSet):
    stage = CharFilter(field_name="stage__name", help_text="The name of a stage.")

    # Not filters for choices: an unknown word finds nothing, and is no error.
    kind = CharFilter(help_text="Filter results where kind matches value")
    outcome = CharFilter(help_text="Filter results where outcome matches value")

    class Meta:
        model = HistoryEntry
        fields = {
            "number": ["exact", "lt", "gt"],
            "kind": ["in"],
            "outcome": ["in"],
            "requested_by": ["exact"],
            "moved_at": DATETIME_FILTER_OPTIONS,
        }


class HistoryEntryViewSet(
    CheckedRequests,
    VisibleParentMixin,
    NamedModelViewSet,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
):
    """A HistoryEntry is an event in the history of a stage: a move, or a request for one."""

    endpoint_name = "history"
    router_lookup = "entry"
    parent_viewset = CondaLifecycleViewSet
    parent_lookup_kwargs = {"lifecycle_pk": "lifecycle__pk"}
    queryset = HistoryEntry.objects.select_related("stage", "publication")
    serializer_class = HistoryEntrySerializer
    filterset_class = HistoryEntryFilter
    ordering = ("-number",)
    # Those of the lifecycles that the token is for: its viewset says which.
    token_scopes: ClassVar[TokenScopes] = {
        "list": TokenScope.PROMOTE,
        "retrieve": TokenScope.PROMOTE,
    }

    DEFAULT_ACCESS_POLICY = lifecycle_part_policy(approve="approve", reject="approve")

    @extend_schema(
        summary="Approve a request",
        description="Trigger a task that promotes what waits for an answer, if its gates still "
        "allow that.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaAnswerSerializer)
    def approve(self, request: Request, lifecycle_pk: str, pk: str, **kwargs: Any) -> Response:
        entry = self._answered(is_approved=True)
        task = dispatch(
            answer, exclusive_resources=[entry.lifecycle], kwargs={"entry_pk": str(entry.pk)}
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Reject a request",
        description="Close what waits for an answer. The stage stays where it is.",
        responses={200: HistoryEntrySerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaAnswerSerializer)
    def reject(self, request: Request, lifecycle_pk: str, pk: str, **kwargs: Any) -> Response:
        entry = self._answered(is_approved=False)
        context = self.get_serializer_context()
        return Response(HistoryEntrySerializer(entry, context=context).data)

    def _answered(self, is_approved: bool) -> HistoryEntry:
        """Note the answer of the user to a request, and return the entry of the request."""
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            entry = HistoryEntry.objects.select_for_update().get(pk=self.get_object().pk)
            with channel_errors_as_validation():
                entry.answer(self.request.user, is_approved, serializer.validated_data["reason"])
        return entry
