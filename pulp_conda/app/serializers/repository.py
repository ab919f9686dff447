from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.models import Content
from pulpcore.plugin.serializers import (
    RepositoryAddRemoveContentSerializer,
    RepositorySerializer,
    RepositorySyncURLSerializer,
)

from pulp_conda.app.models import CondaRepository
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import VisibleReferencesMixin, visible_content
from pulp_conda.app.serializers.selection import SelectionField
from pulp_conda.app.serializers.strict import SavedAsWhole, StrictFields
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.relations import check_relations


@extend_schema_serializer(
    examples=[
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
        )
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
    channel_relations = serializers.JSONField(
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

    def validate_subdirs(self, subdirs: list[str] | None) -> list[str] | None:
        if subdirs is None:
            return None
        with channel_errors_as_validation():
            return [layout.check_subdir(subdir) for subdir in dict.fromkeys(subdirs)]

    def validate_channel_relations(self, relations: Any) -> dict[str, Any]:
        with channel_errors_as_validation():
            return check_relations(relations)

    class Meta:
        fields = RepositorySerializer.Meta.fields + (
            "autopublish",
            "channel_relations",
            "convert",
            "legacy_metadata",
            "subdirs",
            "shards",
            "selection",
        )
        model = CondaRepository


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
