from gettext import gettext as _

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import ValidateFieldsMixin

from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.channel.matchspec import Query


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "See how much there is to convert of two packages",
            value={"specs": ["numpy <2", "scipy"], "dry_run": True},
            request_only=True,
        )
    ]
)
class CondaConvertSerializer(ValidateFieldsMixin, serializers.Serializer):
    """Which packages to convert from '.tar.bz2' to '.conda'."""

    specs = serializers.ListField(
        child=serializers.CharField(max_length=1000),
        help_text=_(
            "MatchSpecs of the packages to convert, for example ['numpy <2', 'lib*']. The default, "
            "an empty list, means all packages."
        ),
        max_length=100,
        default=list,
    )
    dry_run = serializers.BooleanField(
        help_text=_(
            "Report how many packages there are to convert and how many bytes they have, and "
            "change nothing. The default is false."
        ),
        default=False,
    )

    def validate_specs(self, specs: list[str]) -> list[str]:
        with channel_errors_as_validation() as errors:
            for spec in specs:
                with errors.at(None):
                    Query(spec)
        return specs
