"""The messages of a lifecycle to its webhook."""

from django.db import models

from pulpcore.plugin.models import BaseModel

from pulp_conda.app.models.lifecycle import CondaLifecycle, HistoryEntry
from pulp_conda.app.vocabulary import DeliveryState, WebhookEvent, choices_of


class WebhookDelivery(BaseModel):
    """One message to the webhook of a lifecycle, and how it went.

    Fields:
        entry (HistoryEntry): What it is about.
        event (str): One of `WebhookEvent`.
        payload (dict): What is sent, as it was when it happened.
        state (str): `pending`, `delivered` or `failed`.
        attempts (list): Each try: {"at", "status", "error", "seconds"}.
        next_attempt_at (datetime): When to try again, or None.
    """

    lifecycle = models.ForeignKey(
        CondaLifecycle, on_delete=models.CASCADE, related_name="deliveries"
    )
    entry = models.ForeignKey(HistoryEntry, on_delete=models.CASCADE)
    event = models.TextField(choices=choices_of(WebhookEvent))
    payload = models.JSONField()
    state = models.TextField(choices=choices_of(DeliveryState), default=DeliveryState.PENDING.value)
    attempts = models.JSONField(default=list)
    next_attempt_at = models.DateTimeField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        ordering = ("-pulp_created",)
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="conda_deliveries_due",
                condition=models.Q(state=DeliveryState.PENDING.value),
            )
        ]
