"""What the history says of a move: the packages, the verdicts of the gates, the answers.

Reports are stored as they were when it happened. The serializers here only describe them for the
OpenAPI schema. Keys that not all kinds of entries have are not required.
"""

from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field, inline_serializer
from rest_framework import serializers

from pulp_conda.app.lifecycle.gates import environments
from pulp_conda.app.lifecycle.gates.blocks import GATE as BLOCKS
from pulp_conda.app.serializers.counts import CondaFileCountsSerializer, CondaNameCountsSerializer
from pulp_conda.app.serializers.gate import only
from pulp_conda.app.vocabulary import GateAction, GateKind, GateVerdict, SolverVerdict, choices_of
from pulp_conda.channel.diff import Summary
from pulp_conda.channel.policies.rules import RULES

_UNSOLVED = [SolverVerdict.UNSOLVABLE.value, SolverVerdict.UNKNOWN.value, environments.MISSING]


def _text(help_text: str, **options: Any) -> serializers.CharField:
    return serializers.CharField(help_text=help_text, **options)


def _texts(help_text: str, **options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), help_text=help_text, **options)


class _UnsolvedSerializer(serializers.Serializer):
    environment = _text(_("The name of the environment."))
    platform = _text(_("The subdir for which it was solved."), required=False)
    verdict = serializers.ChoiceField(
        choices=[(word, word) for word in _UNSOLVED],
        help_text=_(
            "'unsolvable', 'unknown' if the solver reached a limit or did not work, or 'missing' "
            "if there is no such environment."
        ),
    )
    explanation = _text(_("What the solver says, in words."))

    class Meta:
        ref_name = "CondaUnsolved"


class _BrokenRuleSerializer(serializers.Serializer):
    rule = serializers.ChoiceField(
        choices=[(rule, rule) for rule in RULES], help_text=_("Which rule is broken.")
    )
    subject = _text(_("The path of a package, or the spec that no package matches."))
    text = _text(_("What is wrong, in words."))

    class Meta:
        ref_name = "CondaBrokenRule"


class _BlockedFileSerializer(serializers.Serializer):
    path = _text(_("The path of the package in the channel."))
    sha256 = _text(_("The SHA-256 of the file, in hex."))
    reason = _text(_("The public reason of the block."))

    class Meta:
        ref_name = "CondaBlockedFile"


class _VerdictSerializer(serializers.Serializer):
    """What a gate says about a move."""

    name = _text(_("The name of the gate."))
    action = serializers.ChoiceField(
        choices=choices_of(GateAction),
        help_text=_("'block', or 'warn', which lets the stage move in any case."),
    )
    verdict = serializers.ChoiceField(
        choices=choices_of(GateVerdict),
        help_text=_(
            "'passed', 'failed', 'unknown' if the gate could not find out, or 'waiting' for people."
        ),
    )
    summary = _text(_("One line for people."))
    count = serializers.IntegerField(help_text=_("The number of all findings."))
    overridden = _text(
        _("The reason to pass the gate whatever it says. Null if it is not overridden."),
        allow_null=True,
    )
    overridden_by = _text(_("Who overrode it, or null."), allow_null=True, required=False)


def _findings(serializer: type[serializers.Serializer]) -> serializers.Serializer:
    return serializer(many=True, help_text=_("What is wrong: the first 100."))


class EnvironmentsVerdictSerializer(_VerdictSerializer):
    """What the gate says that solves environments."""

    kind = only(GateKind.ENVIRONMENTS.value)
    findings = _findings(_UnsolvedSerializer)

    class Meta:
        ref_name = "CondaEnvironmentsVerdict"


class PolicyVerdictSerializer(_VerdictSerializer):
    """What the gate says whose rules packages have to keep."""

    kind = only(GateKind.POLICY.value)
    findings = _findings(_BrokenRuleSerializer)

    class Meta:
        ref_name = "CondaPolicyVerdict"


class ApprovalVerdictSerializer(_VerdictSerializer):
    """What the gate says for which people approve of the move."""

    kind = only(GateKind.APPROVAL.value)
    findings = serializers.ListField(
        child=serializers.CharField(), max_length=0, help_text=_("Always empty.")
    )

    class Meta:
        ref_name = "CondaApprovalVerdict"


class BlocksVerdictSerializer(_VerdictSerializer):
    """That the state lists blocked packages, which no gate of the stage can let pass."""

    kind = only(BLOCKS["kind"])
    findings = _findings(_BlockedFileSerializer)

    class Meta:
        ref_name = "CondaBlocksVerdict"


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="CondaGateVerdict",
        serializers={
            GateKind.ENVIRONMENTS.value: EnvironmentsVerdictSerializer,
            GateKind.POLICY.value: PolicyVerdictSerializer,
            GateKind.APPROVAL.value: ApprovalVerdictSerializer,
            BLOCKS["kind"]: BlocksVerdictSerializer,
        },
        resource_type_field_name="kind",
        many=True,
    )
)
class _VerdictsField(serializers.JSONField):
    """Verdicts that are stored."""


class _ChangesSerializer(serializers.Serializer):
    """What differs between what the stage served and what it was to serve."""

    counts = CondaFileCountsSerializer(help_text=_("How many files changed."))
    summaries = CondaNameCountsSerializer(help_text=_("How many package names changed."))
    # Inline, because no attribute of a class can have the name `from`.
    names = inline_serializer(
        "CondaMovedName",
        {
            "name": _text(_("The package name.")),
            "summary": serializers.ChoiceField(
                choices=choices_of(Summary), help_text=_("What happened to it.")
            ),
            "from": _text(_("The highest version before, or null."), allow_null=True),
            "to": _text(_("The highest version after, or null."), allow_null=True),
            "subdirs": _texts(_("Where it changed.")),
        },
        many=True,
        help_text=_("What happened to each package name: the first 100, sorted by name."),
    )

    class Meta:
        ref_name = "CondaMoveChanges"


class _SolvedEnvironmentSerializer(serializers.Serializer):
    name = _text(_("The name of the environment."))
    platforms = _texts(_("The subdirs for which there is a lock file."))

    class Meta:
        ref_name = "CondaSolvedEnvironment"


class _WayBackSerializer(serializers.Serializer):
    """What a client has to do that has packages of the state that was left."""

    names = serializers.IntegerField(help_text=_("How many package names are concerned."))
    install = _texts(_("Match specs to install."))
    reinstall = _texts(_("Names of packages to install again: they have other bytes now."))
    remove = _texts(_("Names of packages to remove: the state has none of them."))
    environments = _SolvedEnvironmentSerializer(
        many=True, help_text=_("The environments of the state, and whether they have lock files.")
    )

    class Meta:
        ref_name = "CondaWayBack"


class _OverrideSerializer(serializers.Serializer):
    reason = _text(_("Why the gate is passed whatever it says."))
    user = _text(_("Who wants that."))

    class Meta:
        ref_name = "CondaOverride"


class _PackageSerializer(serializers.Serializer):
    path = _text(_("The path of the package in the channel."))
    name = _text(_("Its name."))
    version = _text(_("Its version."))
    build = _text(_("Its build string."))
    sha256 = _text(_("The SHA-256 of the file, in hex."))

    class Meta:
        ref_name = "CondaChosenPackage"


class _ReportSerializer(serializers.Serializer):
    """What differed, and what each gate said. Empty if a stage followed its repository."""

    changes = _ChangesSerializer(
        help_text=_("What differs from what the stage served."), required=False
    )
    way_back = _WayBackSerializer(
        help_text=_("What brings clients back. Null unless the stage goes back."),
        required=False,
        allow_null=True,
    )
    gates = _VerdictsField(help_text=_("What each gate said, in their order."), required=False)
    overrides = serializers.DictField(
        child=_OverrideSerializer(),
        help_text=_("By the name of a gate, why it is passed whatever it says."),
        required=False,
    )
    packages = _PackageSerializer(
        many=True, help_text=_("For single packages: the first 100."), required=False
    )
    size = serializers.IntegerField(
        help_text=_("For single packages: their size in bytes."), required=False
    )
    unmet = _texts(
        _("For single packages: what they need and the stage does not have."), required=False
    )
    not_installable = _texts(
        _("For single packages: sentences about what cannot be installed on a platform."),
        required=False,
    )
    blocked = _texts(
        _("Paths of files that a block took out or gave back, some with the reason behind it."),
        required=False,
    )
    count = serializers.IntegerField(
        help_text=_("How many files a block took out or gave back."), required=False
    )

    class Meta:
        ref_name = "CondaMoveReport"


@extend_schema_field(_ReportSerializer)
class ReportField(serializers.JSONField):
    """A report that is stored."""


class _AnswerSerializer(serializers.Serializer):
    """What an approver said."""

    user = _text(_("The name of the approver."))
    user_id = serializers.IntegerField(help_text=_("The key of the user."))
    approved = serializers.BooleanField(help_text=_("Whether the user approved."))
    reason = _text(_("Why, or empty."))
    at = serializers.DateTimeField(help_text=_("When."))

    class Meta:
        ref_name = "CondaGivenAnswer"


@extend_schema_field(_AnswerSerializer(many=True))
class AnswersField(serializers.JSONField):
    """Answers that are stored."""


class ShortChangesSerializer(serializers.Serializer):
    counts = CondaFileCountsSerializer(help_text=_("How many files changed."))
    summaries = CondaNameCountsSerializer(help_text=_("How many package names changed."))

    class Meta:
        ref_name = "CondaMoveCounts"


class ShortBlockedSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text=_("How many files a block took out or gave back."))
    files = _texts(_("Their paths, some with the reason: the first 20."))

    class Meta:
        ref_name = "CondaBlockedCount"


class ShortVerdictSerializer(serializers.Serializer):
    name = _text(_("The name of the gate."))
    verdict = serializers.ChoiceField(
        choices=choices_of(GateVerdict), help_text=_("What the gate says.")
    )
    summary = _text(_("One line for people."))
    overridden = _text(_("Why it is passed whatever it says, or null."), allow_null=True)

    class Meta:
        ref_name = "CondaShortVerdict"
