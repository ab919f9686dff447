from typing import Any

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from pulpcore.plugin.serializers import TaskGroupOperationResponseSerializer
from pulpcore.plugin.viewsets import (
    BaseFilterSet,
    NamedModelViewSet,
    TaskGroupOperationResponse,
)

from pulp_conda.app.access import model_policy, model_roles, statement
from pulp_conda.app.models import CondaBlock
from pulp_conda.app.serializers import (
    CondaBlockCreatedSerializer,
    CondaBlockSerializer,
    CondaTouchedSerializer,
)
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.tasks.blocks import dispatch_for_block, dispatch_for_files
from pulp_conda.app.viewsets.noted import NotedRoles
from pulp_conda.app.viewsets.requests import CheckedRequests

_MODEL = "condablock"


class CondaBlockFilter(BaseFilterSet):
    class Meta:
        model = CondaBlock
        fields = {
            "sha256": ["exact", "in"],
            "spec": ["exact", "in", "icontains"],
            "public_reason": ["icontains"],
        }


class CondaBlockViewSet(
    CheckedRequests,
    NamedModelViewSet,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    mixins.UpdateModelMixin,
    NotedRoles,
):
    """A CondaBlock blocks packages in all channels of a domain."""

    endpoint_name = "conda/blocks"
    queryset = CondaBlock.objects.all()
    serializer_class = CondaBlockSerializer
    filterset_class = CondaBlockFilter
    queryset_filtering_required_permission = "conda.view_condablock"

    DEFAULT_ACCESS_POLICY = model_policy(
        _MODEL,
        extra=[
            statement("publish", _MODEL, "change"),
            statement("touched", _MODEL, "view", view=False),
        ],
    )
    LOCKED_ROLES = model_roles(_MODEL)

    @extend_schema(
        summary="Block packages",
        description="Block the bytes of packages at once, for each channel of the domain: content "
        "apps answer 451 with the public reason from the next request on. A task group then "
        "publishes the channels that list them again. The answer says what has or had the "
        "packages, and which URLs to purge from caches that are not Pulp's.",
        responses={201: CondaBlockCreatedSerializer},
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        author = {"author": request.user, "author_name": request.user.get_username()}
        try:
            with transaction.atomic(), channel_errors_as_validation():
                block = serializer.save(**author)
                block.match()
                group = dispatch_for_block(block, request.user.pk)
        except IntegrityError:
            # Another request made the same block since it was validated. Say what it says then.
            self.get_serializer(data=request.data).is_valid(raise_exception=True)
            raise
        context = {**self.get_serializer_context(), "task_group": group}
        answer = CondaBlockCreatedSerializer(block, context=context).data
        headers = self.get_success_headers(answer)
        return Response(answer, status=status.HTTP_201_CREATED, headers=headers)

    @extend_schema(
        summary="Lift a block",
        description="Let everyone have the packages again, unless another block is for them, too. "
        "A task group publishes the channels again that have them. No stage moves back.",
        responses={202: TaskGroupOperationResponseSerializer},
    )
    def destroy(self, request: Request, pk: str, **kwargs: Any) -> Response:
        block = self.get_object()
        with transaction.atomic():
            digests = list(block.files.values_list("sha256", flat=True))
            block.delete()
            group = dispatch_for_files(digests, request.user.pk, block.public_reason)
        return TaskGroupOperationResponse(group, request)

    @extend_schema(
        summary="Publish channels again",
        description="Trigger a task group that publishes the channels again that still list the "
        "packages, for example because a task failed when the block was made. It changes nothing "
        "if there are none.",
        request=None,
        responses={202: TaskGroupOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str, **kwargs: Any) -> Response:
        with transaction.atomic():
            group = dispatch_for_block(self.get_object(), request.user.pk)
        return TaskGroupOperationResponse(group, request)

    @extend_schema(
        summary="Show what a block touches",
        description="List the channels, the states of stages, the environments and the lock files "
        "that have or had the packages, and the URLs to purge from caches.",
        responses={200: CondaTouchedSerializer},
    )
    @action(detail=True, methods=["get"], serializer_class=CondaTouchedSerializer)
    def touched(self, request: Request, pk: str, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)
