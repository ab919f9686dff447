import re
from gettext import gettext as _
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.models import ContentGuard, Publication
from pulpcore.plugin.serializers import DetailRelatedField, DistributionSerializer
from pulpcore.plugin.util import get_default_domain, get_domain

from pulp_conda.app.errors import BadOrigin, ManagedByLifecycle, NotPrivateByFlag, TakenAlias
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.models.content_guard import is_private_guard, private_guard
from pulp_conda.app.models.distribution import SERVED_FIELDS, stage_of
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.serializers.strict import SavedAsWhole, StrictFields
from pulp_conda.channel.errors import BadChannelName
from pulp_conda.channel.layout import check_channel_name
from pulp_conda.channel.metadata.notices import LEVELS, check_notices

_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
)
_USUAL_PORTS = {"http": 80, "https": 443}


# Only for the OpenAPI schema: `check_notices` checks notices.
class CondaNoticeSerializer(serializers.Serializer):
    """A message that conda and pixi show to the users of a channel."""

    id = serializers.CharField(
        help_text=_(
            "Different for each notice, at most 100 bytes. The server makes one by default."
        ),
        required=False,
    )
    message = serializers.CharField(help_text=_("What users read, at most 2000 bytes."))
    level = serializers.ChoiceField(choices=LEVELS, help_text=_("How much it matters."))
    created_at = serializers.DateTimeField(
        help_text=_("When it was made. The default is now."), required=False
    )
    expires_at = serializers.DateTimeField(
        help_text=_("From when on it is not shown, for example '2027-01-31T00:00:00Z'.")
    )


@extend_schema_field(CondaNoticeSerializer(many=True))
class _NoticesField(serializers.JSONField):
    """Takes any JSON, so that `check_notices` can name all errors at once."""


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Serve a publication as stable",
            value={
                "name": "team-stable",
                "base_path": "team/stable",
                "publication": (
                    "/pulp/api/v3/publications/conda/conda/01924e1b-3e7f-7d22-b1f6-e1a2c9c4da31/"
                ),
            },
            request_only=True,
        ),
        OpenApiExample(
            "Let only readers read a channel",
            value={"name": "team", "base_path": "team", "private": True},
            request_only=True,
        ),
        OpenApiExample(
            "Tell the users of a channel something",
            value={
                "name": "team",
                "base_path": "team",
                "notices": [
                    {
                        "message": (
                            "The channel moves to https://conda.example.org/team on 1 February."
                        ),
                        "level": "warning",
                        "expires_at": "2027-02-01T00:00:00Z",
                    }
                ],
            },
            request_only=True,
        ),
    ]
)
class CondaDistributionSerializer(
    StrictFields, SavedAsWhole, VisibleReferencesMixin, DistributionSerializer
):
    """The URL of a channel. Its base_path is the channel's name, for example 'team/stable'."""

    publication = DetailRelatedField(
        help_text=_(
            "The publication to serve. To promote or roll back a channel, point its distribution "
            "at another publication."
        ),
        required=False,
        allow_null=True,
        queryset=Publication.objects.exclude(complete=False),
        view_name_pattern=r"publications(-.*/.*)?-detail",
    )
    checkpoint = serializers.BooleanField(
        help_text=_(
            "Serve the checkpoint publications of 'repository', each under its date. "
            "The default is false."
        ),
        required=False,
    )
    notices = _NoticesField(
        help_text=_(
            "What clients show to their users, see 'notices.json' at the channel's root. At most "
            "100; those that have expired are not served. The default is an empty list."
        ),
        required=False,
    )

    private = serializers.BooleanField(
        help_text=_(
            "Whether not everybody may read the channel. true sets a content guard that lets "
            "those users read it who have the role of a reader, on the distribution, its "
            "lifecycle, its repository or the domain; false takes that guard away. A content "
            "guard that was chosen stays, and then this is true. The default is false, or true if "
            "the domain has a default content guard."
        ),
        required=False,
    )
    cors_origins = serializers.ListField(
        child=serializers.CharField(),
        help_text=_(
            "The web sites whose scripts may read the channel, for example "
            "['https://example.org'], or ['*'] for all. Scripts of a site that is named may use "
            "the credentials that the browser has for this server. By default, all sites may read "
            "a channel without a content guard, and none may read one with a content guard."
        ),
        required=False,
        allow_null=True,
    )

    upload_alias = serializers.CharField(
        help_text=_(
            "A name without slashes by which upload tools find the channel, for example "
            "'team-stable' for 'team/stable': some take only the last part of a channel's path. "
            "It is unique on the server, also over domains. The default is none."
        ),
        required=False,
        allow_null=True,
    )

    warnings = serializers.SerializerMethodField(
        help_text=_(
            "What is allowed, and may be a mistake: a stage without the guard of other stages. "
            "Null in lists."
        )
    )

    def get_warnings(self, distribution: CondaDistribution) -> list[str] | None:
        if getattr(self.context.get("view"), "action", None) == "list":
            return None
        stage = stage_of(distribution)
        is_warned = stage and stage.name in stage.lifecycle.public_stages
        return [public_stage(stage.name, stage.lifecycle.name)] if is_warned else []

    def validate_notices(self, notices: Any) -> list[dict[str, Any]]:
        with channel_errors_as_validation():
            return check_notices(notices, timezone.now())

    def validate_cors_origins(self, origins: list[str] | None) -> list[str] | None:
        if origins is None:
            return None
        checked: dict[str, None] = {}
        with channel_errors_as_validation() as errors:
            for number, origin in enumerate(origins):
                with errors.at(f"cors_origins[{number}]"):
                    checked[check_origin(origin)] = None
        return list(checked)

    def validate_base_path(self, path: str) -> str:
        is_kept = self.instance is not None and self.instance.base_path == path
        with channel_errors_as_validation():
            check_channel_name(path, exists=is_kept)
            # URLs of upload tools without a domain are about the default domain.
            is_default = get_domain() == get_default_domain()
            if is_default and self._others().filter(upload_alias=path).exists():
                raise TakenAlias(name=path)
        return super().validate_base_path(path)

    def validate_upload_alias(self, alias: str | None) -> str | None:
        """Refuse an alias that is no name of one part, or that means another channel."""
        if alias is None:
            return None
        with channel_errors_as_validation():
            check_channel_name(alias)
            if "/" in alias:
                raise BadChannelName(name=alias, reason="an upload alias has no slash")
            at_the_root = Q(base_path=alias, pulp_domain=get_default_domain())
            if self._others().filter(Q(upload_alias=alias) | at_the_root).exists():
                raise TakenAlias(name=alias)
        return alias

    def _others(self) -> QuerySet[CondaDistribution]:
        """Return all channels of the server but this one."""
        return CondaDistribution.objects.exclude(pk=self.instance and self.instance.pk)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        with channel_errors_as_validation():
            self._check_stage(data)
            self._check_private(data)
        given = [field for field in SERVED_FIELDS if data.get(field)]
        if self.partial and len(given) == 1:
            # One request with one field lets a channel that followed a repository serve a
            # publication: the other fields become empty.
            data = {**dict.fromkeys(SERVED_FIELDS), **data}
        return super().validate(data)

    def _check_stage(self, data: dict[str, Any]) -> None:
        """Refuse to change what a stage of a lifecycle serves: its history would not have it.

        Raises:
            ManagedByLifecycle: with the name of the stage.
        """
        stage = getattr(self.instance, "stage", None)
        fields = (*SERVED_FIELDS, "checkpoint")
        if stage and any(
            field in data and data[field] != getattr(self.instance, field) for field in fields
        ):
            raise ManagedByLifecycle(
                distribution=self.instance.name, stage=stage.name, lifecycle=stage.lifecycle.name
            )

    def _check_private(self, data: dict[str, Any]) -> None:
        """Refuse to change who may read the channel by `private`, if a content guard says it.

        Raises:
            NotPrivateByFlag: with the content guard.
        """
        private, is_chosen = data.get("private"), "content_guard" in data
        guard = data["content_guard"] if is_chosen else self._guard_before()
        if private is False and guard and (is_chosen or not is_private_guard(guard)):
            shown = f"'{guard.name}'"
        elif private and is_chosen and guard is None:
            shown = "null"
        else:
            return
        name = data.get("name") or self.instance.name
        raise NotPrivateByFlag(private=str(private).lower(), distribution=name, guard=shown)

    def _guard_before(self) -> ContentGuard | None:
        """Return the guard that the channel has, or that pulpcore gives to a new one."""
        return self.instance.content_guard if self.instance else get_domain().default_content_guard

    def create(self, validated_data: dict[str, Any]) -> CondaDistribution:
        private = validated_data.pop("private", None)
        if private and not (validated_data.get("content_guard") or self._guard_before()):
            validated_data["content_guard"] = private_guard()
        distribution = super().create(validated_data)
        if private is False and distribution.content_guard:
            # It is the default of the domain, which pulpcore gives to every new one.
            distribution.content_guard = None
            distribution.save()
        return distribution

    def update(
        self, instance: CondaDistribution, validated_data: dict[str, Any]
    ) -> CondaDistribution:
        private = validated_data.pop("private", None)
        if private is False:
            validated_data["content_guard"] = None
        elif private and not validated_data.get("content_guard", instance.content_guard):
            validated_data["content_guard"] = private_guard()
        return super().update(instance, validated_data)

    class Meta:
        fields = DistributionSerializer.Meta.fields + (
            "publication",
            "checkpoint",
            "notices",
            "private",
            "cors_origins",
            "upload_alias",
            "warnings",
        )
        model = CondaDistribution


def check_origin(text: str) -> str:
    """Return the origin of a web site as browsers write it (RFC 6454, section 6.2), or `*`.

    Raises:
        BadOrigin: it is none, for example a URL with a path, or `null`.
    """
    if text == "*":
        return text
    match = _ORIGIN.fullmatch(text.lower())
    if match is None or int(match["port"] or 0) > 65535:
        raise BadOrigin(origin=text)
    scheme, host, port = match["scheme"], match["host"], match["port"]
    is_usual = port is None or int(port) == _USUAL_PORTS.get(scheme)
    return f"{scheme}://{host}" if is_usual else f"{scheme}://{host}:{int(port)}"


def public_stage(stage: str, lifecycle: str) -> str:
    """Return the warning that everybody may read a stage, while a guard protects another."""
    return _(
        "Everybody may read stage '{stage}', and other stages of lifecycle '{lifecycle}' have a "
        "content guard."
    ).format(stage=stage, lifecycle=lifecycle)
