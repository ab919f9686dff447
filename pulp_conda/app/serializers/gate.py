"""The gates of a stage, as the OpenAPI schema describes them.

The serializers here check nothing: `pulp_conda.app.lifecycle.gates` does, since it says what is
wrong in which gate, and gives the defaults. `tests/api/test_openapi.py` compares what the schema
and the check take.
"""

from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from pulp_conda.app.lifecycle.gates import LONGEST_NAME, approval
from pulp_conda.app.lifecycle.gates.environments import LONGEST_TEXT, MOST_TEXTS
from pulp_conda.app.serializers.closed import Closed
from pulp_conda.app.vocabulary import GateAction, GateKind, choices_of
from pulp_conda.channel.policies import rules


class _GateSerializer(Closed):
    """What all kinds of gates have."""

    name = serializers.CharField(
        help_text=_("What people call it, unique in the stage, for example 'environments'."),
        max_length=LONGEST_NAME,
    )
    action = serializers.ChoiceField(
        choices=choices_of(GateAction),
        help_text=_(
            "What happens if the gate does not pass: 'block', or 'warn', which lets the stage move "
            "and reports what is wrong. The default is 'block'."
        ),
        required=False,
    )


def only(kind: str) -> serializers.ChoiceField:
    """Return the field `kind` of an object of one kind."""
    return serializers.ChoiceField(
        choices=[(kind, kind)], help_text=_("What it is: '{}'.").format(kind)
    )


def _specs(help_text: str, **options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(),
        help_text=help_text,
        min_length=1,
        max_length=rules.MOST_ENTRIES,
        **options,
    )


def _texts(help_text: str, longest: int, most: int, **options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=longest),
        help_text=help_text,
        max_length=most,
        required=False,
        **options,
    )


class EnvironmentsGateSerializer(_GateSerializer):
    """The solver finds packages for each environment in the new state."""

    kind = only(GateKind.ENVIRONMENTS.value)
    environments = _texts(
        _(
            "Names or patterns of environments, for example ['prod-*']. The default is all that "
            "the new state has."
        ),
        LONGEST_TEXT,
        MOST_TEXTS,
    )
    platforms = _texts(
        _(
            "Solve only for these subdirs, for example ['linux-64']. The default is all that the "
            "environments name."
        ),
        LONGEST_TEXT,
        MOST_TEXTS,
    )
    channels = _texts(
        _(
            "The base paths of other channels of this server whose packages may be used, for "
            "example ['conda-forge']. The one with the highest priority is first. '.' is the "
            "channel itself; without it, the channel itself is first."
        ),
        LONGEST_TEXT,
        MOST_TEXTS,
    )

    class Meta:
        ref_name = "CondaEnvironmentsGate"


class ApprovalGateSerializer(_GateSerializer):
    """People other than the requester have to approve of the move."""

    kind = only(GateKind.APPROVAL.value)
    approvals = serializers.IntegerField(
        help_text=_("How many people have to approve. The default is 1."),
        min_value=1,
        max_value=approval.MOST,
        required=False,
    )

    class Meta:
        ref_name = "CondaApprovalGate"


class _WaiverSerializer(Closed):
    """Lets packages pass that are too young, up to the end of a day."""

    spec = serializers.CharField(help_text=_("A match spec, for example 'openssl 3.5.5'."))
    # No format `date`: pulp-glue would take no text for it.
    until = serializers.RegexField(
        r"^[0-9]{4}(-?[0-9]{2}-?[0-9]{2}|-?W[0-9]{2}(-?[1-7])?)$",
        help_text=_("The last day on which they pass (UTC), for example '2027-01-31'."),
    )
    reason = serializers.CharField(help_text=_("Why."), max_length=rules.LONGEST_TEXT)

    class Meta:
        ref_name = "CondaWaiver"


class _MinimumAgeSerializer(Closed):
    """New packages wait for some days, in which others may notice what is wrong with them."""

    days = serializers.FloatField(
        help_text=_("How many days this server has to have a package, above 0, for example 7."),
        min_value=0,
        max_value=rules.MOST_DAYS,
    )
    exceptions = _specs(_("Match specs of packages that need not wait."), required=False)
    waivers = serializers.ListField(
        child=_WaiverSerializer(),
        help_text=_("Packages that pass earlier, up to a day, each with a reason."),
        min_length=1,
        max_length=rules.MOST_ENTRIES,
        required=False,
    )

    class Meta:
        ref_name = "CondaMinimumAge"


class _LicensesSerializer(Closed):
    """Packages have an allowed license. At least one of 'allowed', 'denied', 'unknown' is given."""

    allowed = _texts(
        _("Patterns for licenses that are allowed, for example ['MIT', 'BSD-*']."),
        rules.LONGEST_PATTERN,
        rules.MOST_ENTRIES,
        min_length=1,
    )
    denied = _texts(
        _("Patterns for licenses that are not allowed, for example ['AGPL-*']."),
        rules.LONGEST_PATTERN,
        rules.MOST_ENTRIES,
        min_length=1,
    )
    unknown = serializers.ChoiceField(
        choices=[("allow", "allow"), ("deny", "deny")],
        help_text=_("What to do about packages without a known license. The default is 'deny'."),
        required=False,
    )
    exceptions = _specs(_("Match specs of packages with any license."), required=False)

    class Meta:
        ref_name = "CondaLicenses"


class _BlockedSerializer(Closed):
    """Packages that must not come in, and why."""

    spec = serializers.CharField(help_text=_("A match spec, for example 'xz 5.6.0|5.6.1'."))
    reason = serializers.CharField(
        help_text=_("Why, for the report."), max_length=rules.LONGEST_TEXT
    )

    class Meta:
        ref_name = "CondaBlockedSpec"


# In place of a serializer: the schema of `true` or an object in one, which pulp-glue can read.
@extend_schema_field(
    {
        "type": ["boolean", "object"],
        "not": {"const": False},
        "properties": {
            "base_channels": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": rules.LONGEST_TEXT},
                "minItems": 1,
                "maxItems": rules.MOST_CHANNELS,
                "description": _(
                    "The base paths of channels of this server that users have beside this one, "
                    "for example ['conda-forge']."
                ),
            },
            "only_new": {
                "type": "boolean",
                "description": _(
                    "Leave out what packages need that the stage has already. The default is false."
                ),
            },
        },
        "additionalProperties": False,
    }
)
class _DependenciesField(serializers.JSONField):
    """`true`, or an object with options."""


class PolicyGateSerializer(_GateSerializer):
    """The packages of the new state keep rules, at least one."""

    kind = only(GateKind.POLICY.value)
    minimum_age = _MinimumAgeSerializer(help_text=_("How long new packages wait."), required=False)
    licenses = _LicensesSerializer(help_text=_("Which licenses are allowed."), required=False)
    blocked = serializers.ListField(
        child=_BlockedSerializer(),
        help_text=_("Packages that must not come in, each with a reason."),
        min_length=1,
        max_length=rules.MOST_ENTRIES,
        required=False,
    )
    required = _specs(_("Match specs, each of which a package has to match."), required=False)
    dependencies = _DependenciesField(
        help_text=_("All dependencies have to be satisfied: true, or an object with options."),
        required=False,
    )

    class Meta:
        ref_name = "CondaPolicyGate"


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="CondaGate",
        serializers={
            GateKind.ENVIRONMENTS.value: EnvironmentsGateSerializer,
            GateKind.POLICY.value: PolicyGateSerializer,
            GateKind.APPROVAL.value: ApprovalGateSerializer,
        },
        resource_type_field_name="kind",
        many=True,
    )
)
class GatesField(serializers.JSONField):
    """Takes any JSON, so that `check_gates` says what is wrong."""
