from gettext import gettext as _

from rest_framework import serializers

from pulpcore.plugin.serializers import ModelSerializer
from pulpcore.plugin.util import reverse

from pulp_conda.app.models import WebhookDelivery
from pulp_conda.app.vocabulary import DeliveryState, WebhookEvent, choices_of


class WebhookDeliverySerializer(ModelSerializer):
    """One message to the webhook of a lifecycle, and how it went."""

    pulp_href = serializers.SerializerMethodField()
    entry = serializers.IntegerField(
        source="entry.number", help_text=_("The number of the entry of the history it is about.")
    )
    stage = serializers.CharField(source="entry.stage.name", help_text=_("The name of the stage."))
    event = serializers.ChoiceField(
        choices=choices_of(WebhookEvent), help_text=_("What happened, for example 'promoted'.")
    )
    state = serializers.ChoiceField(
        choices=choices_of(DeliveryState),
        help_text=_(
            "'delivered' once the receiver answered with a status of 200 to 299, 'failed' when it "
            "is not tried again."
        ),
    )
    payload = serializers.JSONField(help_text=_("What is sent, as it was when it happened."))
    attempts = serializers.JSONField(
        help_text=_(
            "Each try, oldest first: 'at', the 'status' of the answer or null, the 'error' or "
            "null, and 'seconds'."
        )
    )
    next_attempt_at = serializers.DateTimeField(
        help_text=_("When it is tried again; null if it is not.")
    )

    def get_pulp_href(self, delivery: WebhookDelivery) -> str:
        return reverse(
            "deliveries-detail", kwargs={"lifecycle_pk": delivery.lifecycle_id, "pk": delivery.pk}
        )

    class Meta:
        fields = ModelSerializer.Meta.fields + (
            "event",
            "stage",
            "entry",
            "state",
            "attempts",
            "next_attempt_at",
            "payload",
        )
        read_only_fields = fields
        model = WebhookDelivery
