from gettext import gettext as _

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pulpcore.plugin.serializers import IdentityField, ModelSerializer
from pulpcore.plugin.util import reverse

from pulp_conda.app.models import CondaAct
from pulp_conda.app.vocabulary import ActVerb, EntryKind, EntryOutcome, choices_of


class _DetailsSerializer(serializers.Serializer):
    """Facts about an act. Each verb has some of them."""

    version = serializers.IntegerField(
        help_text=_("'changed_content', 'deleted_version': the number of the version."),
        required=False,
    )
    packages = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("'changed_content': the first paths of packages that the user uploaded."),
        required=False,
    )
    package_count = serializers.IntegerField(
        help_text=_("'changed_content': how many packages the user uploaded."), required=False
    )
    converted_count = serializers.IntegerField(
        help_text=_("'changed_content': how many of them were made of a '.tar.bz2'."),
        required=False,
    )
    entry = serializers.IntegerField(
        help_text=_("'moved': the number of the entry of the history."), required=False
    )
    kind = serializers.ChoiceField(
        choices=choices_of(EntryKind),
        help_text=_("'moved': what the entry is about."),
        required=False,
    )
    outcome = serializers.ChoiceField(
        choices=choices_of(EntryOutcome),
        help_text=_("'moved': what happened to it."),
        required=False,
    )
    state = serializers.CharField(
        help_text=_("'moved': what the stage serves, or was to serve."), required=False
    )
    role = serializers.CharField(help_text=_("'granted', 'revoked': the role."), required=False)
    user = serializers.CharField(
        help_text=_("'granted', 'revoked': the user who has or had the role."), required=False
    )
    group = serializers.CharField(
        help_text=_("'granted', 'revoked': the group that has or had the role."), required=False
    )
    all_domains = serializers.BooleanField(
        help_text=_("'granted', 'revoked': whether the role is for all domains."), required=False
    )
    channel = serializers.CharField(
        help_text=_("'minted': the name of the distribution."), required=False
    )
    claims = serializers.DictField(
        child=serializers.CharField(),
        help_text=_(
            "'minted': what the CI service said of the workflow, by the name of the claim."
        ),
        required=False,
    )
    token = serializers.CharField(
        help_text=_("The name of the token by which the user did it; for 'minted', the new one."),
        required=False,
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        # Not an attribute: serializers have one with this name.
        names = serializers.ListField(
            child=serializers.CharField(),
            help_text=_("'updated': the names of the fields that changed."),
            required=False,
        )
        return {"fields": names, **super().get_fields()}

    class Meta:
        ref_name = "CondaActDetails"


@extend_schema_field(_DetailsSerializer)
class _DetailsField(serializers.JSONField):
    """Facts that are stored."""


class CondaActSerializer(ModelSerializer):
    """What somebody did to an object."""

    pulp_href = IdentityField(view_name="conda/acts-detail")
    verb = serializers.ChoiceField(
        choices=choices_of(ActVerb),
        help_text=_(
            "'created', 'updated' or 'deleted'; 'changed_content' (a repository got a new "
            "version), 'deleted_version', 'moved' (a stage serves another state, or a request for "
            "that was made or answered), 'granted' or 'revoked' (a role)."
        ),
        read_only=True,
    )
    resource = serializers.CharField(
        help_text=_("The PRN of the object. The object may be gone by now."), read_only=True
    )
    resource_name = serializers.CharField(
        help_text=_("The name of the object at that time."), read_only=True
    )
    details = _DetailsField(
        help_text=_(
            "Facts about the act, by verb: 'fields' are the names of the fields that were "
            "updated; 'version' is the number of a repository version, 'packages' are the "
            "first packages that a user uploaded for it, of 'package_count'; 'entry', 'kind', "
            "'outcome' and 'state' are those of the history of a stage; 'role' was given to or "
            "taken from 'user' or 'group', 'all_domains' if it is for all of them. 'token' is the "
            "name of the token by which the user did it."
        ),
        read_only=True,
    )
    actor = serializers.CharField(
        source="actor_name",
        help_text=_("The user who did it. Empty for Pulp itself."),
        read_only=True,
    )
    task = serializers.SerializerMethodField(
        help_text=_("The task that did it. Null for an act of a request.")
    )
    task_name = serializers.CharField(
        help_text=_("What the task does. Tasks are purged, their names stay here."), read_only=True
    )

    class Meta:
        model = CondaAct
        fields = (
            "pulp_href",
            "prn",
            "pulp_created",
            "verb",
            "resource",
            "resource_name",
            "details",
            "actor",
            "task",
            "task_name",
        )

    def get_task(self, act: CondaAct) -> str | None:
        return reverse("tasks-detail", kwargs={"pk": act.task}) if act.task else None
