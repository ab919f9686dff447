from gettext import gettext as _
from typing import Any
from urllib.parse import urlsplit

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.models import Remote
from pulpcore.plugin.serializers import RemoteSerializer

from pulp_conda.app.models import CondaRemote
from pulp_conda.app.models.remote import split_token
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.secrets import MaskedHeadersField, MaskedUrlField
from pulp_conda.app.serializers.strict import SavedAsWhole, StrictFields
from pulp_conda.app.vocabulary import OnError, RepodataForm, choices_of
from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadUpstreamUrl
from pulp_conda.channel.matchspec import Query


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Mirror a part of conda-forge",
            value={
                "name": "conda-forge",
                "url": "https://conda.anaconda.org/conda-forge",
                "subdirs": ["linux-64", "noarch"],
                "includes": ["numpy >=1.26", "scipy"],
                "excludes": ["numpy 2.0.*"],
                "policy": "on_demand",
            },
            request_only=True,
        )
    ]
)
class CondaRemoteSerializer(StrictFields, SavedAsWhole, RemoteSerializer):
    """An upstream channel, and which of its packages to take."""

    url = MaskedUrlField(
        help_text=_(
            "The URL of the upstream channel: the part before the subdir, for example "
            "'https://conda.anaconda.org/conda-forge'. The token of a '/t/<token>/' URL is stored "
            "separately and never shown again. '***' stands for other secrets, and can be given "
            "back as it is shown."
        ),
    )
    headers = MaskedHeadersField(
        help_text=_(
            "Headers of the requests to the upstream's own server, for example "
            "[{'X-Api-Key': 'secret'}]. '***' stands for values that may be secrets, and can be "
            "given back as it is shown. The default, null, sends none."
        ),
        required=False,
        allow_null=True,
    )
    policy = serializers.ChoiceField(
        help_text=_(
            "When to download package files: 'on_demand' when a client first asks for one, "
            "'immediate' during the sync, 'streamed' each time and never kept. The default is "
            "'on_demand'."
        ),
        choices=Remote.POLICY_CHOICES,
        default=Remote.ON_DEMAND,
    )
    subdirs = serializers.ListField(
        child=serializers.CharField(),
        help_text=_(
            "The subdirs to take, for example ['linux-64', 'noarch']. The default, an empty list, "
            "takes all that the channel has."
        ),
        required=False,
    )
    includes = serializers.ListField(
        child=serializers.CharField(),
        help_text=_(
            "Match specs of packages to take, for example ['numpy >=1.26', 'scipy']. A name may "
            "hold globs, 'lib*'. The default, an empty list, takes all. Dependencies are not added."
        ),
        required=False,
    )
    excludes = serializers.ListField(
        child=serializers.CharField(),
        help_text=_(
            "Match specs of packages to leave out, for example ['numpy <2']. Applied after "
            "'includes'."
        ),
        required=False,
    )
    repodata_form = serializers.ChoiceField(
        help_text=_(
            "In which form to read the repodata of the upstream: 'shards' (CEP 16), 'flat' for "
            "'repodata.json' or zstd of it, or 'auto' for the shards and, where they cannot be "
            "used, the flat form. The default is 'auto'."
        ),
        choices=choices_of(RepodataForm),
        required=False,
    )
    on_error = serializers.ChoiceField(
        help_text=_(
            "What a sync with the policy 'immediate' does about package files that it cannot "
            "download, or whose bytes are wrong: 'fail', or 'skip' to make a version without them. "
            "Both name them in progress reports. The default is 'fail'."
        ),
        choices=choices_of(OnError),
        required=False,
    )
    total_timeout = serializers.FloatField(
        help_text=_(
            "Seconds that one request for a file may take. The default, null, sets no limit: a "
            "download may take as long as bytes come, see 'sock_read_timeout'."
        ),
        required=False,
        allow_null=True,
        min_value=0.0,
    )
    sock_read_timeout = serializers.FloatField(
        help_text=_(
            "Seconds that a download waits for the next bytes. The default, null, means 300."
        ),
        required=False,
        allow_null=True,
        min_value=0.0,
    )
    trust_dates = serializers.BooleanField(
        help_text=_(
            "Whether the rule 'minimum_age' of gates believes this upstream: the "
            "'indexed_timestamp' of its records and, at the first sync of its URL, the 'timestamp' "
            "of their builds. It holds for packages that come from then on. The default is false: "
            "their age is the time since this server first saw them."
        ),
        required=False,
    )
    token = serializers.CharField(
        help_text=_(
            "The token that the upstream wants in front of the path, as in '/t/<token>/channel'. "
            "Taken from the URL if it has one."
        ),
        required=False,
        allow_null=True,
        write_only=True,
    )

    def validate_url(self, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            with channel_errors_as_validation():
                raise BadUpstreamUrl(url=url, reason=str(error)) from None
        if parts.scheme not in ("http", "https", "file"):
            reason = "it does not start with 'https://', 'http://' or 'file://'"
        elif parts.scheme != "file" and not parts.hostname:
            reason = "it names no host"
        elif parts.path.rstrip("/").rpartition("/")[2] in layout.KNOWN_SUBDIRS:
            reason = "it ends in a subdir"
        else:
            return super().validate_url(url)
        with channel_errors_as_validation():
            raise BadUpstreamUrl(url=url, reason=reason)

    def validate_subdirs(self, subdirs: list[str]) -> list[str]:
        with channel_errors_as_validation():
            return [layout.check_subdir(subdir) for subdir in dict.fromkeys(subdirs)]

    def validate_includes(self, specs: list[str]) -> list[str]:
        return self._check_matchspecs("includes", specs)

    def validate_excludes(self, specs: list[str]) -> list[str]:
        return self._check_matchspecs("excludes", specs)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "url" in data:
            data["url"], token = split_token(data["url"])
            if token:
                data["token"] = token
        return super().validate(data)

    def _check_matchspecs(self, field: str, specs: list[str]) -> list[str]:
        with channel_errors_as_validation() as errors:
            for index, spec in enumerate(specs):
                with errors.at(f"{field}[{index}]"):
                    Query(spec)
        return specs

    class Meta:
        fields = RemoteSerializer.Meta.fields + (
            "subdirs",
            "includes",
            "excludes",
            "repodata_form",
            "on_error",
            "trust_dates",
            "token",
        )
        model = CondaRemote
