from collections.abc import Iterable
from gettext import gettext as _
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Model, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import IdentityField, ModelSerializer
from pulpcore.plugin.util import get_domain, get_domain_pk

from pulp_conda.app.access import has_permission, visible
from pulp_conda.app.authentication import issue_token
from pulp_conda.app.models import CondaDistribution, CondaLifecycle, CondaRobot, CondaToken
from pulp_conda.app.vocabulary import TokenScope, choices_of

_MOST_LIMITS = 1000


@extend_schema_serializer(
    examples=[OpenApiExample("A robot for CI", value={"name": "ci"}, request_only=True)]
)
class CondaRobotSerializer(ModelSerializer):
    """A user for a program. It has no password and acts by tokens."""

    pulp_href = IdentityField(view_name="conda/robots-detail")
    name = serializers.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        help_text=_(
            "A name that is unique in its domain: letters, digits, '.', '_' and '-', for example "
            "'ci'."
        ),
        max_length=80,
    )
    username = serializers.CharField(
        source="user.username",
        help_text=_("The name of its user, to which roles are given: 'robot+<domain>+<name>'."),
        read_only=True,
    )

    def validate_name(self, name: str) -> str:
        username = CondaRobot(name=name, pulp_domain=get_domain()).username
        users = get_user_model().objects
        longest = users.model._meta.get_field("username").max_length
        if len(username) > longest:
            raise serializers.ValidationError(
                _("The name of its user, '{}', would have more than {} characters.").format(
                    username, longest
                )
            )
        if users.filter(username=username).exists():
            raise serializers.ValidationError(_("There is a robot with this name already."))
        return name

    class Meta:
        fields = ModelSerializer.Meta.fields + ("name", "username")
        model = CondaRobot


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Let a robot upload to one channel",
            value={
                "name": "github",
                "owner": "robot+default+ci",
                "scopes": ["upload"],
                "channels": ["team/unstable"],
                "expires": "2027-12-01T00:00:00Z",
            },
            request_only=True,
        ),
    ]
)
class CondaTokenSerializer(ModelSerializer):
    """A secret by which programs act as a user. It never allows more than its owner may do."""

    pulp_href = IdentityField(view_name="conda/tokens-detail")
    name = serializers.CharField(
        help_text=_("A name that is unique among the tokens of its owner in the domain."),
        max_length=200,
    )
    owner = serializers.CharField(
        source="owner.username",
        help_text=_(
            "The name of the user as whom it acts: you, which is the default, or a robot for "
            "which you may create tokens. Administrators may name any user."
        ),
        required=False,
    )
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=choices_of(TokenScope)),
        help_text=_(
            "What it is for: 'read' channels, 'upload' packages, 'promote' between stages. It is "
            "not accepted by any other operation."
        ),
        min_length=1,
    )
    channels = serializers.ListField(
        child=serializers.CharField(),
        help_text=_(
            "The base paths of the channels for which it is. The default is null: if 'lifecycles' "
            "is null as well, it is for all channels of the domain."
        ),
        max_length=_MOST_LIMITS,
        allow_null=True,
        required=False,
    )
    lifecycles = serializers.ListField(
        child=serializers.CharField(),
        help_text=_(
            "The names of the lifecycles for all of whose stages it is. The default is null, as "
            "for 'channels'."
        ),
        max_length=_MOST_LIMITS,
        allow_null=True,
        required=False,
    )
    expires = serializers.DateTimeField(
        help_text=_("From when on it is refused. The default is null: never."),
        allow_null=True,
        required=False,
    )
    revoked = serializers.DateTimeField(
        help_text=_("Since when it is revoked, or null."), read_only=True, allow_null=True
    )
    last_used = serializers.DateTimeField(
        help_text=_("When it was last accepted, to a minute, or null."),
        read_only=True,
        allow_null=True,
    )

    def to_representation(self, token: CondaToken) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(token)
        request = self.context.get("request")
        for field, model, name, keys in (
            ("channels", CondaDistribution, "base_path", token.channels),
            ("lifecycles", CondaLifecycle, "name", token.lifecycles),
        ):
            shown[field] = None
            if token.is_limited and keys:
                # What was deleted has no name any more.
                named = visible(request, model) if request else model.objects.all()
                shown[field] = sorted(named.filter(pk__in=keys).values_list(name, flat=True))
        if token.is_limited and shown["channels"] is None and shown["lifecycles"] is None:
            shown["channels"] = []
        return shown

    def validate_owner(self, username: str) -> AbstractBaseUser:
        user = get_user_model().objects.filter(username=username).first()
        if user is None or not may_issue(self.context["request"].user, user):
            # The same for both: who makes tokens need not know who there is.
            raise serializers.ValidationError(
                _("There is no user or robot '{}' for whom you may create tokens.").format(username)
            )
        return user

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        return [scope for scope in TokenScope if scope in scopes]

    def validate_channels(self, paths: list[str] | None) -> list[UUID] | None:
        channels = visible(self.context["request"], CondaDistribution)
        return _keys(channels, "base_path", paths, _("There is no channel '{}'."))

    def validate_lifecycles(self, names: list[str] | None) -> list[UUID] | None:
        lifecycles = visible(self.context["request"], CondaLifecycle)
        return _keys(lifecycles, "name", names, _("There is no lifecycle '{}'."))

    def validate_expires(self, expires: Any) -> Any:
        if expires is not None and expires <= timezone.now():
            raise serializers.ValidationError(_("Give a time in the future, or leave it out."))
        return expires

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        owner = data.pop("owner", {}).get("username")
        if self.instance is None:
            owner = owner or self.context["request"].user
        elif owner not in (None, self.instance.owner):
            raise serializers.ValidationError(
                {"owner": _("A token stays that of its owner. Create another one.")}
            )
        else:
            owner = self.instance.owner
        limits = [
            data[field] for field in ("channels", "lifecycles") if data.get(field) is not None
        ]
        if limits and not any(limits):
            raise serializers.ValidationError(
                _("This would be for no channel. Name one, or leave out both lists for all.")
            )
        tokens = CondaToken.objects.filter(pulp_domain=get_domain_pk(), owner=owner)
        if self.instance is not None:
            tokens = tokens.exclude(pk=self.instance.pk)
        if "name" in data and tokens.filter(name=data["name"]).exists():
            raise serializers.ValidationError(
                {
                    "name": _(
                        "'{}' has a token of this name already. Rotate it, delete it, or choose "
                        "another name."
                    ).format(owner.get_username())
                }
            )
        return {**data, "owner": owner}

    def create(self, data: dict[str, Any]) -> CondaToken:
        token, self.secret = issue_token(**data)
        return token

    def update(self, token: CondaToken, data: dict[str, Any]) -> CondaToken:
        for field, value in data.items():
            setattr(token, field, value)
        if {"channels", "lifecycles"} & data.keys():
            token.is_limited = bool(token.channels or token.lifecycles)
            token.channels, token.lifecycles = token.channels or [], token.lifecycles or []
        token.save()
        return token

    class Meta:
        fields = ModelSerializer.Meta.fields + (
            "name",
            "owner",
            "scopes",
            "channels",
            "lifecycles",
            "expires",
            "revoked",
            "last_used",
        )
        model = CondaToken


class CondaTokenSecretSerializer(CondaTokenSerializer):
    """A token with its secret, which is shown this once."""

    token = serializers.SerializerMethodField(
        help_text=_("The token itself, for clients. It is shown only now, and stored nowhere.")
    )

    def get_token(self, token: CondaToken) -> str:
        return str(self.context["secret"])

    class Meta(CondaTokenSerializer.Meta):
        fields = CondaTokenSerializer.Meta.fields + ("token",)
        ref_name = "CondaTokenSecret"


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A new secret for a year", value={"expires": "2027-12-01T00:00:00Z"}, request_only=True
        )
    ]
)
class CondaRotateTokenSerializer(serializers.Serializer):
    """How to rotate a token."""

    expires = serializers.DateTimeField(
        help_text=_(
            "From when on the new secret is refused; null for never. By default this stays as it "
            "is, which is not possible if that time is over."
        ),
        allow_null=True,
        required=False,
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        expires = data.get("expires", self.context["token"].expires)
        if expires is not None and expires <= timezone.now():
            raise serializers.ValidationError({"expires": _("Give a time in the future, or null.")})
        return {"expires": expires}


def may_issue(user: AbstractBaseUser, owner: AbstractBaseUser) -> bool:
    """Say whether a user may get the secret of a token that acts as an owner.

    That gives the rights of the owner, so no role gives it for people: only administrators may act
    as others.
    """
    if user == owner or getattr(user, "is_superuser", False):
        return True
    robot = CondaRobot.objects.filter(user=owner, pulp_domain=get_domain_pk()).first()
    return robot is not None and has_permission(user, "conda.issue_condarobot", robot)


def _keys(
    named: QuerySet[Model], field: str, names: Iterable[str] | None, missing: str
) -> list[UUID] | None:
    """Return the keys of what has these names.

    Raises:
        ValidationError: there is none with one of the names.
    """
    if names is None:
        return None
    found = dict(named.filter(**{f"{field}__in": names}).values_list(field, "pk"))
    if wrong := [name for name in names if name not in found]:
        raise serializers.ValidationError([missing.format(name) for name in wrong])
    return list(found.values())
