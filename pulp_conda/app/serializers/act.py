from gettext import gettext as _

from rest_framework import serializers

from pulpcore.plugin.serializers import IdentityField, ModelSerializer
from pulpcore.plugin.util import reverse

from pulp_conda.app.models import CondaAct
from pulp_conda.app.vocabulary import ActVerb, choices_of


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
    details = serializers.JSONField(
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
