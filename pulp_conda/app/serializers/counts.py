"""How many files and names changed. What did not happen is left out."""

from gettext import gettext as _

from rest_framework import serializers

# The words are those of `channel.diff.ChangeKind` and `Summary`.


def _count(help_text: str) -> serializers.IntegerField:
    return serializers.IntegerField(help_text=help_text, required=False)


class CondaFileCountsSerializer(serializers.Serializer):
    """How many files changed, by what happened to them."""

    added = _count(_("Files that only the newer state has."))
    removed = _count(_("Files that only the older state has."))
    replaced = _count(_("Files with other bytes under the same name."))
    updated = _count(_("Files of which only the record changed."))


class CondaNameCountsSerializer(serializers.Serializer):
    """How many package names changed, by what happened to them."""

    upgraded = _count(_("Names whose highest version is higher now."))
    downgraded = _count(_("Names whose highest version is lower now."))
    new = _count(_("Names that only the newer state has."))
    gone = _count(_("Names that only the older state has."))
    rebuilt = _count(_("Names whose highest version has new files."))
    changed = _count(_("Names with changes only of metadata, or below the highest version."))
