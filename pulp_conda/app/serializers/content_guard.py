from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

from pulpcore.plugin.serializers import ContentGuardSerializer

from pulp_conda.app.models import CondaContentGuard


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A guard for the private channels of a domain",
            value={"name": "readers", "description": "Who has the role of a reader"},
            request_only=True,
        )
    ]
)
class CondaContentGuardSerializer(ContentGuardSerializer):
    """Lets those users read a channel who have the role of a reader. `private` of a distribution
    sets one, so there is no need to make one.
    """

    class Meta:
        fields = ContentGuardSerializer.Meta.fields
        model = CondaContentGuard
