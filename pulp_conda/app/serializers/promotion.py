from collections.abc import Iterable
from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import ValidateFieldsMixin

from pulp_conda.app.errors import WrongOrder
from pulp_conda.app.models import CondaStage
from pulp_conda.app.serializers.bounds import DependencyBoundsSerializer
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.history import LONGEST_REASON
from pulp_conda.channel.matchspec import Query

_STATE = r"^v[0-9]{1,9}(\.[0-9]{1,9})?$"


class _PromotionSerializer(ValidateFieldsMixin, serializers.Serializer):
    """The fields of all promotions."""

    stage = serializers.CharField(help_text=_("The stage that moves, for example 'testing'."))
    reason = serializers.CharField(
        help_text=_("Why, for the history."), default="", max_length=LONGEST_REASON
    )
    overrides = serializers.DictField(
        child=serializers.CharField(max_length=LONGEST_REASON),
        help_text=_(
            "Gates to pass whatever they say, each with the reason: "
            "{'environments': 'known, fixed tomorrow'}."
        ),
        default=dict,
        required=False,
    )
    dry_run = serializers.BooleanField(
        help_text=_("Report what would happen, and change nothing. The default is false."),
        default=False,
    )

    def default_source(self, stages: list[CondaStage], stage: CondaStage) -> CondaStage | None:
        """Return the stage to promote from if the request names none."""
        return stages[stage.position - 1] if stage.position else None

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        stages = list(self.context["lifecycle"].stages.all())
        names = [stage.name for stage in stages]
        stage = _find(stages, "stage", data["stage"])
        source = (
            _find(stages, "source", data["source"])
            if "source" in data
            else self.default_source(stages, stage)
        )
        with channel_errors_as_validation():
            if source is None or source.position >= stage.position:
                raise WrongOrder(
                    lifecycle=self.context["lifecycle"].name,
                    source=source.name if source else _("the repository"),
                    stage=stage.name,
                    order=" → ".join(names),
                )
        gates = [gate["name"] for gate in stage.gates]
        for name in data["overrides"]:
            if name not in gates:
                reason = _("Stage '{stage}' has no gate '{gate}'. Its gates are: {gates}.")
                raise serializers.ValidationError(
                    {
                        "overrides": reason.format(
                            stage=stage.name, gate=name, gates=", ".join(gates) or _("none")
                        )
                    }
                )
        return {**data, "stage": stage, "source": source}


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Promote what the stage before serves",
            value={"stage": "testing", "reason": "The week's updates."},
            request_only=True,
        ),
        OpenApiExample(
            "Pass a gate whatever it says",
            value={
                "stage": "stable",
                "state": "v42",
                "reason": "The fix of CVE-2024-3094 cannot wait.",
                "overrides": {"environments": "'docs' is known to fail, fixed tomorrow."},
            },
            request_only=True,
        ),
    ]
)
class CondaPromoteSerializer(_PromotionSerializer):
    """Which stage to promote to, and how."""

    source = serializers.CharField(
        help_text=_(
            "The stage whose state it takes. The default is the one before; another one is a "
            "jump, which needs a permission of its own."
        ),
        required=False,
    )
    state = serializers.RegexField(
        _STATE,
        help_text=_(
            "Something that the source serves or served, for example 'v42'. The default is what it "
            "serves when the task runs."
        ),
        required=False,
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Bring a fix to the stable stage",
            value={
                "stage": "stable",
                "source": "testing",
                "specs": ["openssl 3.5.5"],
                "reason": "CVE-2026-0001",
                "dry_run": True,
            },
            request_only=True,
        )
    ]
)
class CondaPromotePackagesSerializer(_PromotionSerializer, DependencyBoundsSerializer):
    """Which packages to promote to a stage that otherwise stays as it is."""

    source = serializers.CharField(
        help_text=_("The stage that has them. The default is the first one."), required=False
    )
    specs = serializers.ListField(
        child=serializers.CharField(max_length=1000),
        help_text=_(
            "MatchSpecs of the packages to promote, for example ['openssl 3.5.5']. With "
            "dependencies, the specs are for packages that are installed together, and several "
            "specs for one name are alternatives."
        ),
        min_length=1,
        max_length=100,
    )

    def default_source(self, stages: list[CondaStage], stage: CondaStage) -> CondaStage:
        return stages[0]

    def validate_specs(self, specs: list[str]) -> list[str]:
        with channel_errors_as_validation() as errors:
            for spec in specs:
                with errors.at(None):
                    Query(spec)
        return specs


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Go back to the state before",
            value={"stage": "stable", "reason": "numpy 2.4.0 breaks the reports."},
            request_only=True,
        )
    ]
)
class CondaRollbackSerializer(ValidateFieldsMixin, serializers.Serializer):
    """Which stage to roll back, and to which state."""

    stage = serializers.CharField(help_text=_("The stage that moves, for example 'stable'."))
    entry = serializers.IntegerField(
        help_text=_(
            "The number of the entry of the history by which the stage came into the state that it "
            "shall have again. The default is the last other state."
        ),
        min_value=1,
        max_value=2**31 - 1,
        required=False,
    )
    reason = serializers.CharField(
        help_text=_("Why, for the history."), default="", max_length=LONGEST_REASON
    )
    dry_run = serializers.BooleanField(
        help_text=_("Report what would happen, and change nothing. The default is false."),
        default=False,
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        stage = _find(self.context["lifecycle"].stages.all(), "stage", data["stage"])
        return {**data, "stage": stage}


def _find(stages: Iterable[CondaStage], field: str, name: str) -> CondaStage:
    for stage in stages:
        if stage.name == name:
            return stage
    names = ", ".join(f"'{stage.name}'" for stage in stages)
    raise serializers.ValidationError(
        {field: _("There is no stage '{}'. The stages are {}.").format(name, names)}
    )
