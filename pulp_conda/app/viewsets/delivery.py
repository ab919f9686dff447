from typing import Any

from django.db import transaction
from django.utils import timezone
from django_filters import CharFilter
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.viewsets import (
    BaseFilterSet,
    NamedModelViewSet,
    OperationPostponedResponse,
)

from pulp_conda.app.access import lifecycle_part_policy
from pulp_conda.app.models import WebhookDelivery
from pulp_conda.app.serializers import WebhookDeliverySerializer
from pulp_conda.app.tasks.webhooks import deliver
from pulp_conda.app.viewsets.lifecycle import CondaLifecycleViewSet
from pulp_conda.app.viewsets.references import VisibleParentMixin
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.app.vocabulary import DeliveryState


class WebhookDeliveryFilter(BaseFilterSet):
    # Not filters for choices: an unknown word finds nothing, and is no error.
    state = CharFilter(help_text="Filter results where state matches value")
    event = CharFilter(help_text="Filter results where event matches value")

    class Meta:
        model = WebhookDelivery
        fields = {"state": ["in"], "event": ["in"]}


class WebhookDeliveryViewSet(
    CheckedRequests,
    VisibleParentMixin,
    NamedModelViewSet,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
):
    """A WebhookDelivery is a message to the webhook of a lifecycle, with its attempts."""

    endpoint_name = "deliveries"
    router_lookup = "delivery"
    parent_viewset = CondaLifecycleViewSet
    parent_lookup_kwargs = {"lifecycle_pk": "lifecycle__pk"}
    queryset = WebhookDelivery.objects.select_related("entry__stage")
    serializer_class = WebhookDeliverySerializer
    filterset_class = WebhookDeliveryFilter
    ordering = ("-pulp_created",)

    DEFAULT_ACCESS_POLICY = lifecycle_part_policy(redeliver="change")

    @extend_schema(
        summary="Deliver once more",
        description="Trigger a task that sends the message now, even if it was delivered or "
        "given up.",
        request=None,
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"])
    def redeliver(self, request: Request, lifecycle_pk: str, pk: str, **kwargs: Any) -> Response:
        delivery = self.get_object()
        with transaction.atomic():
            delivery = WebhookDelivery.objects.select_for_update().get(pk=delivery.pk)
            delivery.state, delivery.next_attempt_at = DeliveryState.PENDING, timezone.now()
            delivery.save()
            task = dispatch(deliver, args=(str(delivery.lifecycle_id),))
        return OperationPostponedResponse(task, request)
