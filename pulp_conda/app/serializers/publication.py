from gettext import gettext as _

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import DetailRelatedField, PublicationSerializer

from pulp_conda.app.models import CondaPublication
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.serializers.strict import StrictFields


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Publish the latest version",
            value={
                "repository": (
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-1c4d-7b11-a0e5-d0f1b8b3c920/"
                )
            },
            request_only=True,
        )
    ]
)
class CondaPublicationSerializer(StrictFields, VisibleReferencesMixin, PublicationSerializer):
    """The metadata files of one state of a channel."""

    checkpoint = serializers.BooleanField(
        help_text=_(
            "Keep this publication as a checkpoint, which a checkpoint distribution serves under "
            "its date. The default is false."
        ),
        required=False,
    )
    distributions = DetailRelatedField(
        help_text=_("The distributions that serve this publication."),
        source="distribution_set",
        view_name="condadistributions-detail",
        many=True,
        read_only=True,
    )
    package_counts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=_(
            "The number of packages by subdir, for example {'noarch': 12, 'linux-64': 30}."
        ),
        read_only=True,
    )

    class Meta:
        fields = PublicationSerializer.Meta.fields + (
            "checkpoint",
            "distributions",
            "package_counts",
        )
        model = CondaPublication
