from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import ValidateFieldsMixin

from pulp_conda.app.serializers.bounds import DependencyBoundsSerializer
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.lock import SourceField
from pulp_conda.channel.matchspec import Query


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Copy what a team needs from a mirror",
            value={
                "source": (
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-1c4d-7b11-a0e5-d0f1b8b3c920/"
                ),
                "specs": ["numpy >=2", "scipy"],
            },
            request_only=True,
        )
    ]
)
class CondaCopySerializer(ValidateFieldsMixin, DependencyBoundsSerializer):
    """Which packages of another repository to add to this one."""

    source = SourceField(
        help_text=_("The repository, or a version of one, that has the packages, by its href.")
    )
    specs = serializers.ListField(
        child=serializers.CharField(max_length=1000),
        help_text=_(
            "MatchSpecs of the packages to copy, for example ['numpy >=2', 'lib*']. With "
            "dependencies, the specs are for packages that are installed together, and several "
            "specs for one name are alternatives."
        ),
        max_length=100,
        default=list,
    )
    environments = serializers.ListField(
        child=serializers.CharField(max_length=200),
        help_text=_(
            "In place of specs: names of environments that the source has. The packages that they "
            "are solved to are copied, on all their platforms, and nothing else: those of their "
            "lock files."
        ),
        max_length=100,
        default=list,
    )
    overwrite = serializers.BooleanField(
        help_text=_(
            "If true, a package replaces another file of the same name. If false, that is an "
            "error, because lock files and caches rely on the bytes behind a name. The default is "
            "false."
        ),
        default=False,
    )
    dry_run = serializers.BooleanField(
        help_text=_("Report what would happen, and change nothing. The default is false."),
        default=False,
    )

    def validate_specs(self, specs: list[str]) -> list[str]:
        with channel_errors_as_validation() as errors:
            for spec in specs:
                with errors.at(None):
                    Query(spec)
        return specs

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        if bool(data["specs"]) == bool(data["environments"]):
            raise serializers.ValidationError(
                {"specs": _("Give either 'specs' or 'environments', and at least one of them.")}
            )
        return data
