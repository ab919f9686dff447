from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import NoArtifactContentSerializer
from pulpcore.plugin.util import get_domain

from pulp_conda.app.models import CondaEnvironment
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.serializers.strict import StrictFields
from pulp_conda.app.serializers.virtual_packages import PlatformsVirtualPackagesField
from pulp_conda.app.vocabulary import choices_of
from pulp_conda.channel.environments.specs import LARGEST, EnvironmentFormat, read_environment
from pulp_conda.channel.environments.virtual_packages import check_virtual_packages
from pulp_conda.channel.errors import BadEnvironment
from pulp_conda.channel.layout import check_subdir
from pulp_conda.channel.secrets import find_secret

ENVIRONMENT_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$"

_GIVEN = ("format", "source", "section", "platforms", "virtual_packages")


class CondaEnvironmentSummarySerializer(
    StrictFields, VisibleReferencesMixin, NoArtifactContentSerializer
):
    """An environment without its file, as lists show it."""

    name = serializers.RegexField(
        ENVIRONMENT_NAME,
        help_text=_("The name for gates and people. A version has only one environment of a name."),
    )
    format = serializers.ChoiceField(
        choices=choices_of(EnvironmentFormat), help_text=_("What 'source' is.")
    )
    section = serializers.CharField(
        help_text=_("Which environment of a pixi manifest. The default is 'default'."),
        default="default",
        max_length=128,
    )
    platforms = serializers.ListField(
        child=serializers.CharField(max_length=32),
        help_text=_(
            "The subdirs to solve it for, for example ['linux-64']. The default are those that the "
            "source names."
        ),
        required=False,
        max_length=20,
    )
    virtual_packages = PlatformsVirtualPackagesField(
        help_text=_(
            "What the machines have, by platform: "
            "{'linux-64': {'__glibc': '2.28', '__cuda': '12.4'}} (CEP 30). The default is what the "
            "source says, and else a machine without a GPU and with a system of 2018."
        ),
        required=False,
    )
    channels = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("The channels that the source names. The gate decides which ones it uses."),
        read_only=True,
    )
    pip = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("What the source wants from PyPI. It is stored, but not solved."),
        read_only=True,
    )

    class Meta:
        fields = tuple(
            field for field in NoArtifactContentSerializer.Meta.fields if field != "overwrite"
        ) + (
            "name",
            "format",
            "section",
            "platforms",
            "virtual_packages",
            "channels",
            "pip",
        )
        model = CondaEnvironment
        ref_name = "conda.CondaEnvironmentSummary"


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "What the analysts install",
            value={
                "repository": (
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-0b2f-7c3a-9f64-6f1d2f2f7a10/"
                ),
                "name": "analysis",
                "format": "environment.yml",
                "source": "dependencies:\n  - python 3.13.*\n  - scipy\n",
                "platforms": ["linux-64", "osx-arm64"],
            },
            request_only=True,
        )
    ]
)
class CondaEnvironmentSerializer(CondaEnvironmentSummarySerializer):
    """What a team installs from a channel. Gates check that the solver still finds a solution."""

    source = serializers.CharField(
        help_text=_("The text of the file, up to 64 KiB."),
        max_length=LARGEST,
        trim_whitespace=False,
    )
    requirements = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text=_("The specs by platform, read from the source."),
        read_only=True,
    )

    def validate_platforms(self, platforms: list[str]) -> list[str]:
        with channel_errors_as_validation():
            return [check_subdir(platform) for platform in platforms]

    def validate_virtual_packages(self, by_platform: Any) -> dict[str, dict[str, str | None]]:
        if not isinstance(by_platform, dict):
            raise serializers.ValidationError(_("Give an object with a key for each platform."))
        with channel_errors_as_validation():
            return {
                check_subdir(platform): check_virtual_packages(packages)
                for platform, packages in by_platform.items()
            }

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        given = {"platforms": [], "virtual_packages": {}, **data}
        with channel_errors_as_validation():
            if secret := find_secret(given["source"]):
                reason = f"'{secret}' has a secret, and everybody who sees the environment reads it"
                raise BadEnvironment(reason=reason)
            environment = read_environment(
                given["source"],
                format=given["format"],
                section=given["section"],
                platforms=given["platforms"],
            )
        if not environment.platforms:
            raise serializers.ValidationError(
                {
                    "platforms": _(
                        "The source names none, so say for which to solve it: ['linux-64']."
                    )
                }
            )
        data["digest"] = CondaEnvironment.digest_of(*(given[field] for field in _GIVEN))
        data["platforms"] = list(environment.platforms)
        data["requirements"] = {
            platform: list(specs) for platform, specs in environment.requirements.items()
        }
        data["channels"] = list(environment.channels)
        data["pip"] = list(environment.pip)
        data["virtual_packages"] = {
            platform: environment.virtual_packages.get(platform, {})
            | given["virtual_packages"].get(platform, {})
            for platform in environment.platforms
        }
        data["_pulp_domain"] = get_domain()
        return data

    def retrieve(self, validated_data: dict[str, Any]) -> CondaEnvironment | None:
        return CondaEnvironment.objects.filter(
            name=validated_data["name"],
            digest=validated_data["digest"],
            _pulp_domain=validated_data["_pulp_domain"],
        ).first()

    class Meta(CondaEnvironmentSummarySerializer.Meta):
        fields = CondaEnvironmentSummarySerializer.Meta.fields + ("source", "requirements")
        ref_name = "conda.CondaEnvironment"
