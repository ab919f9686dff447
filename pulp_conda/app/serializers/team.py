"""Roles in a channel."""

from gettext import gettext as _
from typing import Any

from django.contrib.auth import get_user_model
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.models import Group

from pulp_conda.app.vocabulary import ChannelRole, choices_of


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Let a robot and a group upload",
            value={"role": "uploader", "users": ["ci"], "groups": ["devs"]},
            request_only=True,
        )
    ]
)
class CondaChannelRoleSerializer(serializers.Serializer):
    """A role in a channel, and whose it is."""

    role = serializers.ChoiceField(
        choices=choices_of(ChannelRole),
        help_text=_(
            "'reader' sees the channel, 'uploader' also adds packages, 'promoter' also moves its "
            "stages, 'approver' also answers requests for approval, and 'owner' does everything."
        ),
    )
    users = serializers.ListField(
        child=serializers.SlugRelatedField(
            slug_field="username", queryset=get_user_model().objects.all()
        ),
        help_text=_("The names of users, for example ['ci']. The default is none."),
        default=list,
    )
    groups = serializers.ListField(
        child=serializers.SlugRelatedField(slug_field="name", queryset=Group.objects.all()),
        help_text=_("The names of groups, for example ['devs']. The default is none."),
        default=list,
    )

    def validate_role(self, role: str) -> ChannelRole:
        return ChannelRole(role)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if not data["users"] and not data["groups"]:
            raise serializers.ValidationError(_("Name at least one user or group."))
        return data


class CondaMemberSerializer(serializers.Serializer):
    """A role of a user, or of a group, in a channel."""

    role = serializers.ChoiceField(
        choices=choices_of(ChannelRole), help_text=_("The role."), read_only=True
    )
    user = serializers.CharField(
        help_text=_("The user. Null for a role of a group."), allow_null=True, read_only=True
    )
    group = serializers.CharField(
        help_text=_("The group. Null for a role of a user."), allow_null=True, read_only=True
    )
    granted = serializers.BooleanField(
        help_text=_(
            "True if the role was given as a role in the channel. False if other roles, for "
            "example those of who created the channel, allow the same."
        ),
        read_only=True,
    )
    complete = serializers.BooleanField(
        help_text=_(
            "False if parts of the channel, for example a stage that came later, lack the role. "
            "Give it again."
        ),
        read_only=True,
    )
