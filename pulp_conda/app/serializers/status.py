from gettext import gettext as _

from rest_framework import serializers

from pulpcore.plugin.util import get_url

from pulp_conda.app.monitoring.conditions import Condition
from pulp_conda.app.vocabulary import EntryOutcome, choices_of


class _ProblemSerializer(serializers.Serializer):
    code = serializers.CharField(help_text=_("A code such as 'CND0152', or empty."))
    text = serializers.CharField(help_text=_("What is wrong."))


class _GateVerdictSerializer(serializers.Serializer):
    name = serializers.CharField(help_text=_("The name of the gate."))
    verdict = serializers.CharField(help_text=_("What it said, for example 'passed'."))


class _LastPromotionSerializer(serializers.Serializer):
    number = serializers.IntegerField(help_text=_("The number of the entry of the history."))
    outcome = serializers.ChoiceField(
        choices=choices_of(EntryOutcome), help_text=_("What became of it.")
    )
    asked_at = serializers.DateTimeField(help_text=_("When somebody asked for it."))
    gates = _GateVerdictSerializer(many=True, help_text=_("What each gate said."))


class _StageStatusSerializer(serializers.Serializer):
    lifecycle = serializers.CharField(help_text=_("The name of its lifecycle."))
    name = serializers.CharField(help_text=_("The name of the stage."))
    state = serializers.CharField(
        help_text=_("What it serves, for example 'v42'. Null if it serves nothing."),
        allow_null=True,
    )
    since = serializers.DateTimeField(
        help_text=_("Since when it serves that, or null."), allow_null=True
    )
    behind_since = serializers.DateTimeField(
        help_text=_(
            "Since when the stage before has something newer, which waits to be promoted. Null if "
            "there is nothing newer."
        ),
        allow_null=True,
    )
    waiting = serializers.IntegerField(help_text=_("How many requests wait for an approval."))
    promotions = serializers.IntegerField(help_text=_("How often something was promoted to it."))
    last_promotion = _LastPromotionSerializer(
        source="verdict",
        help_text=_("What became of the last promotion that was asked for. Null if none was."),
        allow_null=True,
    )


class CondaChannelStatusSerializer(serializers.Serializer):
    """How a channel is: what it serves, how fresh that is, and what is wrong."""

    pulp_href = serializers.SerializerMethodField(help_text=_("The repository of the channel."))
    name = serializers.CharField(
        source="repository.name", help_text=_("The name of the repository of the channel.")
    )
    problems = _ProblemSerializer(
        many=True,
        help_text=_("What somebody has to look at, the worst first. Empty if all is well."),
    )
    version = serializers.IntegerField(help_text=_("The number of the latest version."))
    published_version = serializers.IntegerField(
        help_text=_("The number of the newest version that is published. Null for none."),
        allow_null=True,
    )
    published_at = serializers.DateTimeField(
        help_text=_("When that was published, or null."), allow_null=True
    )
    packages = serializers.IntegerField(help_text=_("How many packages are published."))
    withheld = serializers.IntegerField(
        help_text=_("How many files are not listed, because their packages are blocked.")
    )
    referenced_size = serializers.IntegerField(
        help_text=_(
            "How many bytes the files of the packages have. Null if they were not counted yet, and "
            "for a virtual channel."
        ),
        allow_null=True,
    )
    stored_size = serializers.IntegerField(
        help_text=_(
            "How many of these bytes are on this server; the others come from the upstream when "
            "somebody asks for them. What came so is counted at 'measured_at'."
        ),
        allow_null=True,
    )
    measured_at = serializers.DateTimeField(
        help_text=_("When all bytes were counted last. Between, changes are added. Or null."),
        allow_null=True,
    )
    checked_at = serializers.DateTimeField(
        help_text=_(
            "When the last good sync from the upstream began; for a virtual channel, that of the "
            "mirror among its channels whose last one is the longest ago. Or null."
        ),
        allow_null=True,
    )
    lag = serializers.IntegerField(
        help_text=_(
            "How many seconds what is published may be behind the upstream. Null for a channel "
            "without upstream, or before the first good sync."
        ),
        allow_null=True,
    )
    failures = serializers.IntegerField(
        help_text=_(
            "How many syncs have failed since the last good one; for a virtual channel, how often "
            "it could not follow its channels since it last did."
        )
    )
    error = _ProblemSerializer(
        help_text=_("Why the last one of these failed. Null if it did not."), allow_null=True
    )
    next_run = serializers.DateTimeField(
        help_text=_("When the next sync is due. Null if the channel is not refreshed."),
        allow_null=True,
    )
    stages = _StageStatusSerializer(
        many=True, help_text=_("The stages of the channel, as far as the user may view them.")
    )

    def get_pulp_href(self, condition: Condition) -> str:
        return str(get_url(condition.repository))
