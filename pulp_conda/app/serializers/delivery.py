from gettext import gettext as _

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pulpcore.plugin.serializers import ModelSerializer
from pulpcore.plugin.util import reverse

from pulp_conda.app.models import WebhookDelivery
from pulp_conda.app.serializers.report import (
    ShortBlockedSerializer,
    ShortChangesSerializer,
    ShortVerdictSerializer,
)
from pulp_conda.app.vocabulary import (
    DeliveryState,
    EntryKind,
    EntryOutcome,
    WebhookEvent,
    choices_of,
)


class _NamedLifecycleSerializer(serializers.Serializer):
    name = serializers.CharField(help_text=_("Its name."))
    pulp_href = serializers.CharField(help_text=_("Its path in the API."))

    class Meta:
        ref_name = "CondaNamedLifecycle"


class _PayloadSerializer(serializers.Serializer):
    """The message that is sent."""

    event = serializers.ChoiceField(
        choices=choices_of(WebhookEvent), help_text=_("What happened, for example 'promoted'.")
    )
    lifecycle = _NamedLifecycleSerializer(help_text=_("The lifecycle."))
    stage = serializers.CharField(help_text=_("The name of the stage."))
    base_url = serializers.CharField(help_text=_("The URL of the stage, for clients."))
    entry = serializers.IntegerField(help_text=_("The number of the entry of the history."))
    kind = serializers.ChoiceField(
        choices=choices_of(EntryKind), help_text=_("What the entry of the history is about.")
    )
    outcome = serializers.ChoiceField(
        choices=choices_of(EntryOutcome), help_text=_("What happened to it.")
    )
    before = serializers.CharField(
        help_text=_("What the stage served before; null if that was nothing."), allow_null=True
    )
    after = serializers.CharField(help_text=_("What the stage serves, or was to serve: 'v42'."))
    requested_by = serializers.CharField(help_text=_("Who wanted it. Empty for Pulp itself."))
    reason = serializers.CharField(help_text=_("Why, at most 1000 characters."))
    changes = ShortChangesSerializer(help_text=_("How much changed, or null."), allow_null=True)
    blocked = ShortBlockedSerializer(
        help_text=_("What a block took out or gave back, or null."), allow_null=True
    )
    gates = ShortVerdictSerializer(many=True, help_text=_("What each gate said."))
    moved_at = serializers.DateTimeField(
        help_text=_("When the stage moved; null if it did not."), allow_null=True
    )

    class Meta:
        ref_name = "CondaWebhookPayload"


@extend_schema_field(_PayloadSerializer)
class _PayloadField(serializers.JSONField):
    """A message that is stored."""


class _AttemptSerializer(serializers.Serializer):
    """One try to deliver a message."""

    at = serializers.DateTimeField(help_text=_("When it began."))
    status = serializers.IntegerField(
        help_text=_("The HTTP status of the answer; null if there was none."), allow_null=True
    )
    error = serializers.CharField(help_text=_("What went wrong, or null."), allow_null=True)
    seconds = serializers.FloatField(help_text=_("How long it took."))

    class Meta:
        ref_name = "CondaWebhookAttempt"


@extend_schema_field(_AttemptSerializer(many=True))
class _AttemptsField(serializers.JSONField):
    """Attempts that are stored."""


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
    payload = _PayloadField(help_text=_("What is sent, as it was when it happened."))
    attempts = _AttemptsField(
        help_text=_(
            "Each try, oldest first: 'at', the 'status' of the answer or null, the 'error' or "
            "null, and 'seconds'."
        )
    )
    next_attempt_at = serializers.DateTimeField(
        help_text=_("When it is tried again; null if it is not."), allow_null=True
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
