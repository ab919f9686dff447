"""What a lifecycle told its webhook."""

from django.db import models

from pulpcore.plugin.models import BaseModel

from pulp_conda.app.models.lifecycle import CondaLifecycle, HistoryEntry


class WebhookDelivery(BaseModel):
    """One message to the webhook of a lifecycle, and how it went.

    Fields:
        entry (HistoryEntry): What it is about.
        event (str): One of `EVENTS`.
        payload (dict): What is sent, as it was when it happened.
        state (str): `pending`, `delivered` or `failed`.
        attempts (list): Each try: {"at", "status", "error", "seconds"}.
        next_attempt_at (datetime): When to try again, or None.
    """

    EVENTS = ("promoted", "rolled_back", "gate_failed", "approval_wanted")

    lifecycle = models.ForeignKey(
        CondaLifecycle, on_delete=models.CASCADE, related_name="deliveries"
    )
    entry = models.ForeignKey(HistoryEntry, on_delete=models.CASCADE)
    event = models.TextField()
    payload = models.JSONField()
    state = models.TextField(default="pending")
    attempts = models.JSONField(default=list)
    next_attempt_at = models.DateTimeField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        ordering = ("-pulp_created",)
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="conda_deliveries_due",
                condition=models.Q(state="pending"),
            )
        ]
