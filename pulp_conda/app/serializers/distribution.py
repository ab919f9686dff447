from gettext import gettext as _

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.models import Publication
from pulpcore.plugin.serializers import DetailRelatedField, DistributionSerializer

from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.channel.layout import check_channel_name

_SERVED = ("publication", "repository", "repository_version")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Serve a publication as stable",
            value={
                "name": "team-stable",
                "base_path": "team/stable",
                "publication": "/pulp/api/v3/publications/conda/conda/01924e1b-3e7f-7d22-b1f6-e1a2c9c4da31/",
            },
            request_only=True,
        )
    ]
)
class CondaDistributionSerializer(DistributionSerializer):
    """The URL of a channel. Its base_path is the channel's name, for example 'team/stable'."""

    publication = DetailRelatedField(
        help_text=_(
            "The publication to serve. To promote or roll back a channel, point its distribution at another "
            "publication."
        ),
        required=False,
        allow_null=True,
        queryset=Publication.objects.exclude(complete=False),
        view_name_pattern=r"publications(-.*/.*)?-detail",
    )
    checkpoint = serializers.BooleanField(
        help_text=_(
            "Serve the checkpoint publications of 'repository', each under its date. The default is false."
        ),
        required=False,
    )

    def validate_base_path(self, path):
        with channel_errors_as_validation():
            check_channel_name(path)
        return super().validate_base_path(path)

    def validate(self, data):
        given = [field for field in _SERVED if data.get(field)]
        if self.partial and len(given) == 1:
            # To pin a channel that followed a repository is one request, and one thing to say.
            data = {**dict.fromkeys(_SERVED), **data}
        return super().validate(data)

    class Meta:
        fields = DistributionSerializer.Meta.fields + ("publication", "checkpoint")
        model = CondaDistribution
