from gettext import gettext as _

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import DetailRelatedField, ModelSerializer, ValidateFieldsMixin
from pulpcore.plugin.util import reverse

from pulp_conda.app.models import HistoryEntry
from pulp_conda.app.serializers.report import AnswersField, ReportField
from pulp_conda.app.vocabulary import EntryKind, EntryOutcome, choices_of

LONGEST_REASON = 10_000


class HistoryEntrySerializer(ModelSerializer):
    """One event in the history of a stage: a move, or a request for one."""

    pulp_href = serializers.SerializerMethodField()
    stage = serializers.CharField(source="stage.name", help_text=_("The name of the stage."))
    state = serializers.CharField(
        source="label", help_text=_("What the stage serves since then, or was to serve: 'v42'.")
    )
    kind = serializers.ChoiceField(
        choices=choices_of(EntryKind),
        help_text=_(
            "'adopted' (a new stage serves what its distribution served), 'published' (the first "
            "stage follows its repository), 'promoted', 'packages' (single packages were "
            "promoted), 'rolled_back', 'blocked' (published again without blocked packages) or "
            "'unblocked' (published again with packages that are not blocked any more)."
        ),
        read_only=True,
    )
    outcome = serializers.ChoiceField(
        choices=choices_of(EntryOutcome),
        help_text=_(
            "'moved', 'blocked' by a gate, 'waiting' for an approval, 'rejected', or 'superseded' "
            "by another move."
        ),
        read_only=True,
    )
    before = serializers.CharField(
        help_text=_("What it served before; null if that was nothing."), allow_null=True
    )
    publication = DetailRelatedField(
        help_text=_("The publication of the state; null once it is deleted."),
        read_only=True,
        allow_null=True,
        view_name_pattern=r"publications(-.*/.*)?-detail",
    )

    report = ReportField(
        help_text=_("What differed, and what each gate said. Empty if the stage followed."),
        read_only=True,
    )
    specs = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("For single packages: the match specs that were asked for."),
        read_only=True,
    )
    answers = AnswersField(
        help_text=_("What approvers said, the last answer of each, oldest first."), read_only=True
    )

    def get_pulp_href(self, entry: HistoryEntry) -> str:
        return reverse(
            "history-detail", kwargs={"lifecycle_pk": entry.lifecycle_id, "pk": entry.pk}
        )

    class Meta:
        fields = ModelSerializer.Meta.fields + (
            "number",
            "stage",
            "kind",
            "outcome",
            "state",
            "before",
            "publication",
            "requested_by",
            "reason",
            "report",
            "specs",
            "answers",
            "moved_at",
            "until",
        )
        read_only_fields = fields
        model = HistoryEntry


@extend_schema_serializer(
    examples=[OpenApiExample("Why", value={"reason": "Tried on two machines."}, request_only=True)]
)
class CondaAnswerSerializer(ValidateFieldsMixin, serializers.Serializer):
    """The answer of an approver to a request."""

    reason = serializers.CharField(
        help_text=_("Why, for the history."), default="", max_length=LONGEST_REASON
    )
