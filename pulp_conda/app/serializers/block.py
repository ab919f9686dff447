from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_field,
    extend_schema_serializer,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.fields import Field

from pulpcore.plugin.serializers import IdentityField, ModelSerializer
from pulpcore.plugin.util import get_domain_pk, reverse

from pulp_conda.app.lifecycle.touched import describe_touched
from pulp_conda.app.models import CondaBlock
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.channel.matchspec import Query


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Block two builds of a package",
            value={
                "spec": "xz 5.6.0|5.6.1",
                "public_reason": "It has a backdoor (CVE-2024-3094). Use xz 5.4.6.",
                "internal_note": "Ticket SEC-1234",
            },
            request_only=True,
        ),
        OpenApiExample(
            "Block a file by its bytes",
            value={
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "public_reason": "It was built with a secret in it.",
            },
            request_only=True,
        ),
    ]
)
class CondaBlockSerializer(ModelSerializer):
    """A block of packages in all channels of the domain."""

    pulp_href = IdentityField(view_name="conda/blocks-detail")
    sha256 = serializers.RegexField(
        # A block by a spec has an empty text here, which a request cannot have.
        r"^([0-9a-f]{64})?$",
        help_text=_(
            "The SHA-256 of the file to block, in hex. It need not be on this server. Give this or "
            "'spec'."
        ),
        required=False,
    )
    spec = serializers.CharField(
        help_text=_(
            "A MatchSpec: the packages to block, for example 'xz 5.6.0|5.6.1'. It is also for "
            "packages that come later. Give this or 'sha256'."
        ),
        max_length=1000,
        required=False,
    )
    public_reason = serializers.CharField(
        help_text=_(
            "Why, for everyone: who asks for such a package reads it, for example 'It has a "
            "backdoor (CVE-2024-3094). Use xz 5.4.6.'"
        ),
        max_length=1000,
    )
    internal_note = serializers.CharField(
        help_text=_(
            "What only those read who may see the block, for example a ticket. The default is "
            "empty."
        ),
        max_length=10_000,
        allow_blank=True,
        required=False,
    )
    author = serializers.CharField(
        source="author_name", help_text=_("The user who made it."), read_only=True
    )
    file_count = serializers.SerializerMethodField(
        help_text=_("How many files are blocked by it, by their SHA-256.")
    )

    def get_file_count(self, block: CondaBlock) -> int:
        return block.files.count()

    def validate_spec(self, spec: str) -> str:
        with channel_errors_as_validation():
            return Query(spec).spec

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        what = {field: data[field] for field in ("sha256", "spec") if data.get(field)}
        if self.instance:
            if any(getattr(self.instance, field) != value for field, value in what.items()):
                raise serializers.ValidationError(
                    _("A block stays about the same packages. Make another one for others.")
                )
        elif len(what) != 1:
            raise serializers.ValidationError(_("Give either 'sha256' or 'spec'."))
        elif CondaBlock.objects.filter(pulp_domain=get_domain_pk(), **what).exists():
            raise serializers.ValidationError(_("There is a block for this already."))
        return data

    class Meta:
        fields = ModelSerializer.Meta.fields + (
            "sha256",
            "spec",
            "public_reason",
            "internal_note",
            "author",
            "file_count",
        )
        model = CondaBlock


def _text(help_text: str, **options: Any) -> serializers.CharField:
    return serializers.CharField(help_text=help_text, **options)


def _touched(name: str, shown: Field, help_text: str) -> serializers.Serializer:
    """Return a field for some of what a block touches.

    Args:
        name: The name of the schema.
        shown: What describes one of them.
    """
    many = serializers.ListField(
        child=shown, help_text=_("The first 100 of those that the user may see.")
    )
    count = serializers.IntegerField(help_text=_("How many there are."))
    return inline_serializer(name, {"count": count, "shown": many}, help_text=help_text)


class _TouchedChannelSerializer(serializers.Serializer):
    name = _text(_("The name of the distribution."))
    base_url = _text(_("The URL that clients use."))
    now = serializers.BooleanField(
        help_text=_("Whether the version that it serves has such files, listed or not.")
    )
    paths = serializers.ListField(
        child=serializers.CharField(), help_text=_("The paths of the files: the first 20.")
    )

    class Meta:
        ref_name = "CondaTouchedChannel"


class _TouchedEnvironmentSerializer(serializers.Serializer):
    repository = _text(_("The name of the repository."))
    environment = _text(_("The name of the environment."))
    platform = _text(_("The subdir for which it was solved."))

    class Meta:
        ref_name = "CondaTouchedEnvironment"


class _TouchedLockFileSerializer(serializers.Serializer):
    lifecycle = _text(_("The name of the lifecycle."))
    stage = _text(_("The name of the stage."))
    state = _text(_("The state, for example 'v42'."))
    environment = _text(_("The name of the environment."))
    platform = _text(_("The subdir for which it was solved."))

    class Meta:
        ref_name = "CondaTouchedLockFile"


class CondaTouchedSerializer(serializers.Serializer):
    """What has or had the files of a block, as far as history is kept."""

    channels = _touched(
        "CondaTouchedChannels",
        _TouchedChannelSerializer(),
        _("Channels that give such files, or did lately."),
    )
    # Inline, because no attribute of a class can have the name `from`.
    stages = _touched(
        "CondaTouchedStages",
        inline_serializer(
            "CondaTouchedStage",
            {
                "lifecycle": _text(_("The name of the lifecycle.")),
                "stage": _text(_("The name of the stage.")),
                "state": _text(_("The state, for example 'v42'.")),
                "from": serializers.DateTimeField(help_text=_("Since when the stage served it.")),
                "until": serializers.DateTimeField(
                    help_text=_("Until when; null for what the stage serves."), allow_null=True
                ),
            },
        ),
        _("States of stages that have such files."),
    )
    environments = _touched(
        "CondaTouchedEnvironments",
        _TouchedEnvironmentSerializer(),
        _("Environments whose stored solutions have such files."),
    )
    lock_files = _touched(
        "CondaTouchedLockFiles",
        _TouchedLockFileSerializer(),
        _("Lock files that this server could write, and did perhaps, with such files in them."),
    )
    purge = _touched(
        "CondaTouchedUrls",
        _text(_("A URL.")),
        _(
            "URLs to purge from proxies and CDNs, which may still give the files: this server "
            "cannot do that. One that ends with '/at/' or '@' stands for all URLs that begin with "
            "it."
        ),
    )

    def to_representation(self, block: CondaBlock) -> dict[str, Any]:
        digests = block.files.values_list("sha256", flat=True)
        return describe_touched(list(digests), self.context["request"].user)


class CondaBlockCreatedSerializer(CondaBlockSerializer):
    """A new block, and what it touches."""

    touched = serializers.SerializerMethodField(help_text=_("What has or had the files."))
    task_group = serializers.SerializerMethodField(
        help_text=_("The tasks that publish the channels again.")
    )

    @extend_schema_field(CondaTouchedSerializer)
    def get_touched(self, block: CondaBlock) -> dict[str, Any]:
        return CondaTouchedSerializer(block, context=self.context).data

    def get_task_group(self, block: CondaBlock) -> str:
        group: str = reverse("task-groups-detail", kwargs={"pk": self.context["task_group"].pk})
        return group

    class Meta(CondaBlockSerializer.Meta):
        fields = CondaBlockSerializer.Meta.fields + ("touched", "task_group")
        ref_name = "CondaBlockCreated"
