from gettext import gettext as _

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pulp_conda.app.serializers.counts import CondaFileCountsSerializer, CondaNameCountsSerializer
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.patch import CondaPatchDiffSerializer
from pulp_conda.app.versions.comparison import NameQuery
from pulp_conda.app.vocabulary import choices_of
from pulp_conda.channel.diff import ChangeKind, Summary


class _DiffQuerySerializer(serializers.Serializer):
    """Which part of a diff to show."""

    name = serializers.CharField(
        help_text=_(
            "Show only the package of this name, for example 'numpy', packages of names like "
            "'py*', or changes that a match spec of one name matches, for example 'numpy >=2'."
        ),
        required=False,
    )
    subdir = serializers.CharField(
        help_text=_("Compare only this subdir, for example 'linux-64'."), required=False
    )
    kind = serializers.ChoiceField(
        choices=choices_of(ChangeKind),
        help_text=_("Show only changes of this kind, for example 'replaced'."),
        required=False,
    )
    summary = serializers.ChoiceField(
        choices=choices_of(Summary),
        help_text=_("Show only names to which this happened, for example 'downgraded'."),
        required=False,
    )
    offset = serializers.IntegerField(
        help_text=_("How many names to leave out at the start. The default is 0."),
        min_value=0,
        max_value=2**31 - 1,
        default=0,
    )
    limit = serializers.IntegerField(
        help_text=_("How many names to show, at most 1000. The default is 100."),
        min_value=1,
        max_value=1000,
        default=100,
    )

    def validate_name(self, name: str) -> str:
        with channel_errors_as_validation():
            NameQuery(name)
        return name


class CondaDiffQuerySerializer(_DiffQuerySerializer):
    """With what to compare a version, and which part of the diff to show."""

    base = serializers.IntegerField(
        help_text=_(
            "The number of the version to compare with. The default is the version before."
        ),
        min_value=0,
        max_value=2**31 - 1,
        required=False,
    )


class CondaLifecycleDiffQuerySerializer(_DiffQuerySerializer):
    """Which two states of a lifecycle to compare, and which part of the diff to show."""

    base = serializers.CharField(
        help_text=_(
            "The older state: a stage ('stable'), what a stage served ('stable/at/v42', "
            "'stable/at/2026-03-03'), a state of the channel ('v42', 'v42.1', '2026-03-03'), or "
            "the href of a publication."
        ),
        max_length=500,
    )
    target = serializers.CharField(help_text=_("The newer state, in the same way."), max_length=500)


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": {
                "from": {"description": _("The old value. Missing if the record had no such key.")},
                "to": {"description": _("The new value. Missing if the record has no such key.")},
            },
        },
    }
)
class _ValuesField(serializers.JSONField):
    """Values of a record, which may be of any type."""


class CondaChangeSerializer(serializers.Serializer):
    """One file of the channel that differs between the two versions."""

    kind = serializers.ChoiceField(
        choices=choices_of(ChangeKind),
        help_text=_(
            "'added', 'removed', 'replaced' (other bytes under the same name) or 'updated' (the "
            "record changed, the file did not)."
        ),
    )
    subdir = serializers.CharField(source="record.subdir")
    filename = serializers.CharField(source="record.filename")
    version = serializers.CharField(source="record.version")
    build = serializers.CharField(source="record.build")
    sha256 = serializers.CharField(source="record.sha256")
    keys = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("For 'updated': the keys of the record that changed, for example ['depends']."),
    )
    values = _ValuesField(
        help_text=_(
            "For 'updated': the old and the new values of these keys, for example "
            "{'license': {'from': 'BSD', 'to': 'MIT'}}. Large values are left out."
        ),
    )


class CondaNameChangeSerializer(serializers.Serializer):
    """What happened to the packages of a name."""

    name = serializers.CharField()
    summary = serializers.ChoiceField(
        choices=choices_of(Summary),
        help_text=_(
            "'upgraded' or 'downgraded' (the highest version is another), 'new', 'gone', 'rebuilt' "
            "(the highest version got new files) or 'changed' (only metadata or versions below the "
            "highest)."
        ),
    )
    from_version = serializers.CharField(
        help_text=_("The highest version in the older state, or null."), allow_null=True
    )
    to_version = serializers.CharField(
        help_text=_("The highest version in the newer state, or null."), allow_null=True
    )
    subdirs = serializers.ListField(
        child=serializers.CharField(),
        help_text=_(
            "Where it changed; for 'upgraded' and 'downgraded', where the new version is new."
        ),
    )
    counts = CondaFileCountsSerializer(
        help_text=_("How many of its files were added, removed, replaced and updated."),
    )


class CondaPatchesDiffSerializer(serializers.Serializer):
    """The repodata patches that only one of two versions has."""

    added = CondaPatchDiffSerializer(
        many=True,
        help_text=_("Patches that only the newer version has, in the order they were made."),
    )
    removed = CondaPatchDiffSerializer(
        many=True,
        help_text=_("Patches that only the older version has, in the order they were made."),
    )


class CondaDiffSerializer(serializers.Serializer):
    """What differs between two states of a channel."""

    counts = CondaFileCountsSerializer(
        help_text=_("How many files were added, removed, replaced and updated."),
    )
    summaries = CondaNameCountsSerializer(
        help_text=_("How many package names were upgraded, downgraded and so on."),
    )
    names = CondaNameChangeSerializer(
        many=True, help_text=_("What happened to each package name of this page, sorted by name.")
    )
    packages = serializers.DictField(
        child=CondaChangeSerializer(many=True),
        help_text=_(
            "The changes by package name, for example {'numpy': [{'kind': 'added', …}]}. At most "
            "10000 on a page, shared evenly by its names; 'counts' of a name says how many there "
            "are."
        ),
    )
    patches = CondaPatchesDiffSerializer(
        help_text=_("The repodata patches that were added and removed.")
    )


class CondaVersionDiffSerializer(CondaDiffSerializer):
    """What differs between two versions of a channel."""

    base = serializers.IntegerField(help_text=_("The number of the older version."))
    target = serializers.IntegerField(help_text=_("The number of the newer version."))


class CondaLifecycleDiffSerializer(CondaDiffSerializer):
    """What differs between two states of a lifecycle."""

    base = serializers.CharField(help_text=_("The older state, for example 'stable/at/v42'."))
    target = serializers.CharField(help_text=_("The newer state, for example 'stable'."))
