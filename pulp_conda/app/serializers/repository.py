from collections.abc import Iterable
from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.models import Content
from pulpcore.plugin.serializers import (
    DetailRelatedField,
    RepositoryAddRemoveContentSerializer,
    RepositorySerializer,
    RepositorySyncURLSerializer,
)

from pulp_conda.app.access import visible
from pulp_conda.app.errors import BadVirtualChannel
from pulp_conda.app.models import CondaDistribution, CondaRepository, MergedChannel
from pulp_conda.app.models.repository import source_of
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import VisibleReferencesMixin, visible_content
from pulp_conda.app.serializers.selection import SelectionField
from pulp_conda.app.serializers.strict import SavedAsWhole, StrictFields
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.relations import check_relations
from pulp_conda.channel.ownership import check_owner_rule


# Only for the OpenAPI schema: `check_relations` checks them.
class _RelationsSerializer(serializers.Serializer):
    base = serializers.CharField(
        help_text=_("A channel with a higher priority, for example '../conda-forge'."),
        required=False,
        allow_null=True,
    )
    overrides = serializers.CharField(
        help_text=_("A channel with a lower priority."), required=False, allow_null=True
    )

    class Meta:
        ref_name = "CondaChannelRelations"


@extend_schema_field(_RelationsSerializer)
class _RelationsField(serializers.JSONField):
    """Takes any JSON, so that `check_relations` says what is wrong."""


class CondaMergedChannelSerializer(
    StrictFields, VisibleReferencesMixin, serializers.ModelSerializer
):
    """A channel that a virtual channel merges."""

    distribution = DetailRelatedField(
        help_text=_("The distribution of the channel, of this domain."),
        queryset=CondaDistribution.objects.all(),
        view_name_pattern=r"distributions(-.*/.*)?-detail",
    )
    owns = serializers.ListField(
        child=serializers.CharField(max_length=128),
        max_length=1000,
        help_text=_(
            "Patterns for package names that come from this channel alone, for example "
            "['acme-*'], also while it has no such package. '*' is any text, '?' any character; "
            "'-', '_' and '.' count as the same. If several patterns match, the first channel of "
            "the list with one of them owns the name. The default is an empty list."
        ),
        default=list,
        required=False,
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        # A rule that is misspelled would protect nothing.
        unknown = sorted(set(data) - self.fields.keys()) if isinstance(data, dict) else ()
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, [_("Unexpected field")]))
        # The list is replaced as a whole, so a change of it needs all, too.
        return {"owns": [], **super().to_internal_value(data)}

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "distribution" not in data:
            raise serializers.ValidationError({"distribution": [_("This field is required.")]})
        return data

    def instances(self) -> Iterable[MergedChannel]:
        repository = self.root.instance
        is_one = isinstance(repository, CondaRepository)
        return repository.merged_channels.all() if is_one else ()

    def validate_owns(self, patterns: list[str]) -> list[str]:
        with channel_errors_as_validation() as errors:
            checked = []
            for pattern in dict.fromkeys(patterns):
                with errors.at(None):
                    checked.append(check_owner_rule(pattern))
        return list(dict.fromkeys(checked))

    class Meta:
        fields = ("distribution", "owns")
        model = MergedChannel
        # They are replaced as a whole.
        validators: list[Any] = []


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A virtual channel",
            value={
                "name": "all",
                "merged_channels": [
                    {
                        "distribution": (
                            "/pulp/api/v3/distributions/conda/conda/"
                            "01924e1b-4f8f-7d22-b1f6-e1a2c9c4da31/"
                        ),
                        "owns": ["acme-*"],
                    },
                    {
                        "distribution": (
                            "/pulp/api/v3/distributions/conda/conda/"
                            "01924e1b-5f8f-7d22-b1f6-e1a2c9c4da32/"
                        )
                    },
                ],
            },
            request_only=True,
        ),
        OpenApiExample(
            "A channel that publishes itself",
            value={
                "name": "team",
                "remote": (
                    "/pulp/api/v3/remotes/conda/conda/01924e1b-0b2f-7c3a-9f64-6f1d2f2f7a10/"
                ),
                "autopublish": True,
                "retain_repo_versions": 30,
            },
            request_only=True,
        ),
    ]
)
class CondaRepositorySerializer(
    StrictFields, SavedAsWhole, VisibleReferencesMixin, RepositorySerializer
):
    """A channel's changing content: the packages of all its subdirs."""

    autopublish = serializers.BooleanField(
        help_text=_(
            "Publish each new version at once, so that distributions of this repository serve it. "
            "The default is false."
        ),
        default=False,
        required=False,
    )
    channel_relations = _RelationsField(
        help_text=_(
            "Channels that clients shall load with this one: 'base' with a higher priority, "
            "'overrides' with a lower one, as paths from the channel's URL, for example "
            "{'base': '../conda-forge'}. Published from the next publication on. The default, an "
            "empty object, names none."
        ),
        required=False,
    )
    convert = serializers.BooleanField(
        help_text=_(
            "Packages that are uploaded as '.tar.bz2' also appear as '.conda', which clients "
            "download and unpack faster. A task makes them after the upload, and those of earlier "
            "uploads are made by 'convert/'. The default is false."
        ),
        default=False,
        required=False,
    )
    legacy_metadata = serializers.BooleanField(
        help_text=_(
            "Also publish 'current_repodata.json' and 'repodata.json.bz2' for clients from before "
            "2023, from the next publication on. The default is false."
        ),
        default=False,
        required=False,
    )
    shards = serializers.BooleanField(
        help_text=_(
            "Publish sharded repodata, from the next publication on. Without shards, clients read "
            "the whole 'repodata.json.zst', and mamba sees each move of a stage at once instead of "
            "a day later. The default is true."
        ),
        default=True,
        required=False,
    )

    selection = SelectionField(
        help_text=_(
            "What a sync takes from the upstream, with what that needs, after the remote's "
            "'includes' and 'excludes'. It is replaced as a whole. The default, null, takes all "
            "that the remote takes."
        ),
        allow_null=True,
        default=None,
        required=False,
    )

    subdirs = serializers.ListField(
        child=serializers.CharField(max_length=32),
        max_length=100,
        allow_null=True,
        help_text=_(
            "The subdirs that clients find before they have packages, for example ['linux-64', "
            "'osx-arm64']. Subdirs with packages and 'noarch' are always there. The default, null, "
            "has the platforms of conda-forge. It holds at once, also for earlier publications."
        ),
        required=False,
    )

    merged_channels = CondaMergedChannelSerializer(
        many=True,
        required=False,
        max_length=50,
        help_text=_(
            "Makes this a virtual channel: it has no packages of its own, but serves those of "
            "these channels as one, and follows them. Each package name comes from the first of "
            "them that has it in any subdir, or from the one whose 'owns' says so. Only a new "
            "repository can become a virtual channel, and it stays one. The default is an empty "
            "list."
        ),
    )

    def validate_subdirs(self, subdirs: list[str] | None) -> list[str] | None:
        if subdirs is None:
            return None
        with channel_errors_as_validation():
            return [layout.check_subdir(subdir) for subdir in dict.fromkeys(subdirs)]

    def validate_channel_relations(self, relations: Any) -> dict[str, Any]:
        with channel_errors_as_validation():
            return check_relations(relations)

    def validate_merged_channels(self, channels: list[dict[str, Any]]) -> list[dict[str, Any]]:
        distributions = [channel["distribution"] for channel in channels]
        with channel_errors_as_validation() as errors:
            with errors.at(None):
                self._check_kind(channels)
            for distribution in distributions:
                with errors.at(None):
                    self._check_mergeable(distribution, distributions)
            given: dict[str, str] = {}
            for channel in channels:
                for pattern in channel["owns"]:
                    with errors.at(None):
                        _check_once(given, pattern, channel["distribution"].name)
        return channels

    def _check_kind(self, channels: list[dict[str, Any]]) -> None:
        """Refuse to make a repository a virtual channel that is none, and the other way round."""
        if self.instance is None or self.instance.is_virtual == bool(channels):
            return
        if channels:
            reason = _("repository '{}' is there already, and may have packages of its own")
        else:
            reason = _("repository '{}' is a virtual channel, and would have nothing to serve")
        raise BadVirtualChannel(reason=reason.format(self.instance.name))

    def _check_mergeable(
        self, distribution: CondaDistribution, others: list[CondaDistribution]
    ) -> None:
        """Refuse a channel that cannot be merged.

        Raises:
            BadVirtualChannel: it is named twice, serves checkpoints, or is a virtual channel.
        """
        reason = None
        source = source_of(distribution)
        if others.count(distribution) > 1:
            reason = _("'{}' is named twice")
        elif distribution.checkpoint:
            reason = _("'{}' serves checkpoints, and no state of its own")
        elif source is not None and source.is_virtual:
            reason = _("'{}' is a virtual channel itself. Name the channels that it merges")
        elif not self._may_see(distribution, source):
            reason = _("you may not see the repository that '{}' serves")
        if reason:
            raise BadVirtualChannel(reason=reason.format(distribution.name))

    def _may_see(self, distribution: CondaDistribution, source: CondaRepository | None) -> bool:
        """Say whether the user could serve the content of a channel as well without merging it."""
        request = self.context.get("request")
        if request is None or source is None:
            return True
        if self.instance and self.instance.merged_channels.filter(distribution=distribution):
            return True
        return visible(request, CondaRepository).filter(pk=source.pk).exists()

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        is_virtual = bool(data.get("merged_channels")) or (
            self.instance is not None and self.instance.is_virtual
        )
        if is_virtual and data.get("remote"):
            with channel_errors_as_validation():
                raise BadVirtualChannel(
                    reason=_("a virtual channel has no 'remote', since it has no own packages")
                )
        return data

    def create(self, validated_data: dict[str, Any]) -> CondaRepository:
        channels = validated_data.pop("merged_channels", ())
        repository: CondaRepository = super().create(validated_data)
        if channels:
            repository.merge_channels(channels, is_new=True)
        return repository

    def update(self, instance: CondaRepository, validated_data: dict[str, Any]) -> CondaRepository:
        channels = validated_data.pop("merged_channels", ())
        repository: CondaRepository = super().update(instance, validated_data)
        if channels:
            repository.merge_channels(channels)
        return repository

    class Meta:
        fields = RepositorySerializer.Meta.fields + (
            "autopublish",
            "merged_channels",
            "channel_relations",
            "convert",
            "legacy_metadata",
            "subdirs",
            "shards",
            "selection",
        )
        model = CondaRepository


def _check_once(given: dict[str, str], pattern: str, channel: str) -> None:
    """Refuse a pattern that another channel has, too."""
    if other := given.get(pattern):
        raise BadVirtualChannel(
            reason=_("'{}' and '{}' both own '{}'").format(other, channel, pattern)
        )
    given[pattern] = channel


@extend_schema_serializer(
    examples=[
        OpenApiExample("Keep what the upstream deleted", value={"mirror": False}, request_only=True)
    ]
)
class CondaSyncSerializer(StrictFields, VisibleReferencesMixin, RepositorySyncURLSerializer):
    """How to sync a channel from its upstream."""

    mirror = serializers.BooleanField(
        help_text=_(
            "If true, the new version equals the upstream. If false, packages that the upstream "
            "deleted stay, so that lock files keep working. The default is false."
        ),
        default=False,
        required=False,
    )
    optimize = serializers.BooleanField(
        help_text=_(
            "Ask the upstream only for what changed since the last sync. If false, read everything "
            "again. The default is true."
        ),
        default=True,
        required=False,
    )
    allow_mass_removal = serializers.BooleanField(
        help_text=_(
            "Allow 'mirror' to remove more of a subdir or of the channel than the setting "
            "'CONDA_MAX_REMOVED_PERCENT' says. If false, such a sync fails, because the upstream "
            "may be empty by accident. The default is false."
        ),
        default=False,
        required=False,
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "What numpy would bring, and why",
            value={
                "selection": {
                    "groups": [{"specs": ["python 3.13.*", "numpy"]}],
                    "with_dependencies": True,
                },
                "why": ["libblas"],
            },
            request_only=True,
        )
    ]
)
class CondaPlanSerializer(StrictFields, VisibleReferencesMixin, RepositorySyncURLSerializer):
    """Which selection to plan. Nothing is changed, and no package is downloaded."""

    mirror = None

    selection = SelectionField(
        help_text=_(
            "The selection to plan. The default is that of the repository, so another one can be "
            "tried before it is set."
        ),
        required=False,
    )
    why = serializers.ListField(
        child=serializers.CharField(max_length=255),
        max_length=100,
        help_text=_(
            "Names, file names or paths of packages, for example ['libblas']. The report has the "
            "shortest way from a root to each, or what keeps it out."
        ),
        default=list,
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Copy one package and remove another",
            value={
                "add_content_units": [
                    "/pulp/api/v3/content/conda/packages/01924e1b-2d6e-7a55-8c1c-0a4f4a8c4b11/"
                ],
                "remove_content_units": [
                    "/pulp/api/v3/content/conda/packages/01924e1b-2d6e-7a55-8c1c-0a4f4a8c4b12/"
                ],
            },
            request_only=True,
        )
    ]
)
class CondaModifySerializer(
    StrictFields, VisibleReferencesMixin, RepositoryAddRemoveContentSerializer
):
    """Packages and patches to add to a repository, or to remove from it."""

    def validate_add_content_units(self, references: list[str]) -> list[str]:
        keys = visible_content(self.context["request"], references)
        Content.objects.filter(pk__in=keys).touch()
        return keys

    def validate_remove_content_units(self, references: list[str]) -> list[str]:
        if "*" not in references:
            return visible_content(self.context["request"], references)
        return super().validate_remove_content_units(references)

    overwrite = serializers.BooleanField(
        help_text=_(
            "If true, a package replaces another file of the same name. If false, that is an "
            "error, because lock files and caches rely on the bytes behind a name. The default is "
            "false."
        ),
        default=False,
        required=False,
    )
