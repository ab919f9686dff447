from datetime import datetime
from gettext import gettext as _
from typing import Any

import orjson
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import DetailRelatedField, NoArtifactContentSerializer
from pulpcore.plugin.util import get_domain

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.limits import package_limits
from pulp_conda.app.models import CondaPackage, CondaPatch
from pulp_conda.app.serializers.closed import Closed
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.package import CondaRunExportsSerializer
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.serializers.strict import StrictFields
from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadPatch, ChannelError
from pulp_conda.channel.metadata.patch_instructions import (
    LISTS,
    check_instructions,
    read_patches_package,
)
from pulp_conda.channel.metadata.patches import SECTIONS, VERSION

_SHOWN_FILENAMES = 100


def _specs() -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), required=False)


def _texts() -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), required=False, allow_null=True)


def _text() -> serializers.CharField:
    return serializers.CharField(required=False, allow_null=True, allow_blank=True)


class _PatchedRecordSerializer(Closed):
    """New values of the keys of a record that a patch may change."""

    constrains = _specs()
    depends = _specs()
    extra_depends = serializers.DictField(child=_specs(), required=False, allow_null=True)
    features = _text()
    flags = _texts()
    license = _text()
    license_family = _text()
    purls = _texts()
    run_exports = CondaRunExportsSerializer(required=False)
    track_features = _text()

    class Meta:
        ref_name = "CondaPatchedRecord"


class _InstructionsSerializer(Closed):
    """What to change, by section."""

    def get_fields(self) -> dict[str, serializers.Field]:
        # Names with dots are no names of attributes.
        return {
            VERSION: serializers.IntegerField(
                min_value=1, max_value=2, required=False, allow_null=True
            ),
            **{
                section: serializers.DictField(child=_PatchedRecordSerializer(), required=False)
                for section in SECTIONS
            },
            **{
                key: serializers.ListField(child=serializers.CharField(), required=False)
                for key in LISTS
            },
        }

    class Meta:
        ref_name = "CondaPatchInstructions"


@extend_schema_field(_InstructionsSerializer)
class _Instructions(serializers.JSONField):
    """Takes any JSON, so that `check_instructions` says what is wrong."""

    def to_representation(self, value: str) -> dict[str, Any]:
        return orjson.loads(value)


class CondaPatchSummarySerializer(
    StrictFields, VisibleReferencesMixin, NoArtifactContentSerializer
):
    """A repodata patch without its instructions, which may be large."""

    subdir = serializers.CharField(
        help_text=_("The platform folder whose records it changes, for example 'linux-64'.")
    )
    author = serializers.CharField(
        help_text=_(
            "The name of the user who made it, for example 'ada'. Empty for what an upstream "
            "removed."
        ),
        read_only=True,
    )
    credit = serializers.CharField(
        help_text=_(
            "Whom else to thank or ask, for example 'Grace Hopper <grace@example.org>'. Nobody "
            "checks it. The default is empty."
        ),
        max_length=255,
        default="",
        allow_blank=True,
    )
    reason = serializers.CharField(
        help_text=_("Why, for example 'numpy 2 breaks scipy 1.10, see issue 42'."), max_length=2000
    )
    expires_at = serializers.DateTimeField(
        help_text=_(
            "Publications after this moment leave it out, for example '2027-01-31T00:00:00Z'. "
            "The default is never."
        ),
        allow_null=True,
        default=None,
    )

    class Meta:
        fields = tuple(
            field for field in NoArtifactContentSerializer.Meta.fields if field != "overwrite"
        ) + ("subdir", "author", "credit", "reason", "expires_at")
        model = CondaPatch
        ref_name = "conda.CondaPatchSummary"


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Correct what two packages need, and take one out",
            value={
                "repository": (
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-0b2f-7c3a-9f64-6f1d2f2f7a10/"
                ),
                "subdir": "noarch",
                "reason": "scipy 1.10 breaks with numpy 2",
                "instructions": {
                    "packages.conda": {
                        "scipy-1.10.0-0.conda": {"depends": ["numpy >=1.22,<2", "python >=3.10"]},
                        "scipy-1.10.1-0.conda": {"depends": ["numpy >=1.22,<2", "python >=3.10"]},
                    },
                    "remove": ["scipy-1.9.9-0.conda"],
                },
            },
            request_only=True,
        )
    ]
)
class CondaPatchSerializer(CondaPatchSummarySerializer):
    """A repodata patch: it corrects the records of packages, and does not change the packages."""

    instructions = _Instructions(
        help_text=_(
            "What to change, as in conda's 'patch_instructions.json': 'packages' and "
            "'packages.conda' have new values of keys by file name, 'remove' and 'revoke' have "
            "lists of file names. Up to 1 MiB."
        ),
        required=False,
    )
    package = DetailRelatedField(
        help_text=_(
            "A package in the form of 'conda-forge-repodata-patches' to read the instructions of "
            "'subdir' from."
        ),
        view_name_pattern=r"content(-.*/.*)-detail",
        queryset=CondaPackage.objects.all(),
        required=False,
        write_only=True,
    )

    def validate_subdir(self, subdir: str) -> str:
        with channel_errors_as_validation():
            return layout.check_subdir(subdir)

    def validate_instructions(self, document: Any) -> dict[str, Any]:
        with channel_errors_as_validation():
            return check_instructions(document)

    def validate_expires_at(self, expires_at: datetime | None) -> datetime | None:
        # Only in a request: the task that follows may run after the moment.
        if self.context.get("request") and expires_at and expires_at <= timezone.now():
            raise serializers.ValidationError(
                _("This moment is over. Give a later one, or leave 'expires_at' out.")
            )
        return expires_at

    def validate_package(self, package: CondaPackage) -> CondaPackage:
        if not package._artifacts.exists():
            reason = _(
                "'{filename}' is not on this server yet. Sync it with the policy 'immediate', or "
                "upload it."
            )
            raise serializers.ValidationError(reason.format(filename=package.filename))
        return package

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "author" in self.initial_data:
            reason = _("The author is the user who makes the patch. Name others in 'credit'.")
            raise serializers.ValidationError({"author": [reason]})
        data = super().validate(data)
        if ("instructions" in data) == ("package" in data):
            raise serializers.ValidationError(_("Give either 'instructions' or 'package'."))
        if not self.context.get("request"):
            self._add_columns(data)
        return data

    def retrieve(self, validated_data: dict[str, Any]) -> CondaPatch | None:
        key = {field: validated_data[field] for field in CondaPatch.natural_key_fields()}
        return CondaPatch.objects.filter(**key).first()

    def _add_columns(self, data: dict[str, Any]) -> None:
        """Add the columns of the patch to the data.

        The task calls this, not the request: to read a package takes time.

        Raises:
            CondaError: the package has no valid instructions for the subdir.
        """
        if package := data.pop("package", None):
            try:
                data["instructions"] = _instructions_in(package, data["subdir"])
            except ChannelError as error:
                raise CondaError(error) from None
        columns = CondaPatch.columns(
            data["subdir"],
            data["instructions"],
            author=self.context["author"],
            credit=data["credit"],
            reason=data["reason"],
            expires_at=data["expires_at"],
        )
        data.update(columns, _pulp_domain=get_domain())

    class Meta(CondaPatchSummarySerializer.Meta):
        fields = CondaPatchSummarySerializer.Meta.fields + ("instructions", "package")
        ref_name = "conda.CondaPatch"


class CondaPatchDiffSerializer(CondaPatchSummarySerializer):
    """A repodata patch that only one of two versions has."""

    filenames = serializers.SerializerMethodField(
        help_text=_("The first 100 of the files that it names.")
    )
    filename_count = serializers.SerializerMethodField(help_text=_("How many files it names."))

    def get_filenames(self, patch: CondaPatch) -> list[str]:
        return patch.filenames[:_SHOWN_FILENAMES]

    def get_filename_count(self, patch: CondaPatch) -> int:
        return len(patch.filenames)

    class Meta:
        fields = (
            "pulp_href",
            "subdir",
            "author",
            "credit",
            "reason",
            "expires_at",
            "filenames",
            "filename_count",
        )
        model = CondaPatch
        ref_name = "conda.CondaPatchDiff"


def _instructions_in(package: CondaPackage, subdir: str) -> dict[str, Any]:
    artifact = package._artifacts.get()
    with artifact.file.open("rb") as file:
        documents = read_patches_package(
            file,
            filename=package.filename,
            size=artifact.size,
            subdirs=[subdir],
            limits=package_limits(),
        )
    if subdir not in documents:
        member = f"{subdir}/{layout.PATCH_INSTRUCTIONS}"
        raise BadPatch(reason=f"'{package.filename}' has no '{member}' that changes something")
    return documents[subdir]
