import json
from collections.abc import Iterable
from gettext import gettext as _
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import orjson
from django.core.files import File
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pulpcore.plugin.exceptions import PulpException
from pulpcore.plugin.models import Artifact, PulpTemporaryFile
from pulpcore.plugin.serializers import SingleArtifactContentUploadSerializer
from pulpcore.plugin.util import get_domain, get_domain_pk

from pulp_conda.app.artifacts import compute_md5, save_artifact
from pulp_conda.app.attestations import attested, uploaded_bundles, with_its_attestation
from pulp_conda.app.disk import disk_errors
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.limits import UploadBudget
from pulp_conda.app.models import CondaPackage, CondaPackageInfo, CondaRemote
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.serializers.strict import StrictFields
from pulp_conda.app.uploading.reading import read_upload
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError, DownloadFailed
from pulp_conda.channel.metadata import run_exports
from pulp_conda.channel.package.archive import spend_freely
from pulp_conda.channel.package.info import TRAITS

_INFO_FIELDS = {"about", "run_exports", "licenses", "link", "traits"}


_ANY_OBJECT = {"type": ["object", "null"], "additionalProperties": True}


# In place of a serializer: the JSON of a bundle is defined by Sigstore, and a form sends its text.
@extend_schema_field({"type": ["object", "array", "string"], "items": {"type": "object"}})
class _AttestationField(serializers.JSONField):
    """Takes any JSON, so that `uploaded_bundles` says what is wrong."""


class CondaRunExportsSerializer(serializers.Serializer):
    """Dependencies that packages built with this one get, by kind (CEP 12)."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {
            kind: serializers.ListField(child=serializers.CharField(), required=False)
            for kind in run_exports.KINDS
        }

    class Meta:
        ref_name = "CondaRunExports"


class _TraitsSerializer(serializers.Serializer):
    """What the package has, by the keys of 'channeldata.json' (CEP 38)."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {trait: serializers.BooleanField() for trait in TRAITS}

    class Meta:
        ref_name = "CondaTraits"


class CondaPackageListSerializer(serializers.ListSerializer):
    """Packages, with one query for the facts that their files say."""

    def to_representation(self, packages: Iterable[CondaPackage]) -> list[dict[str, Any]]:
        listed = list(packages)
        if _INFO_FIELDS & self.child.fields.keys():
            _attach_info(listed)
        return super().to_representation(listed)


class CondaPackageSerializer(
    StrictFields, VisibleReferencesMixin, SingleArtifactContentUploadSerializer
):
    """A package file and its record. Everything is read from the file itself."""

    # With which pulpcore downloads 'file_url'.
    REMOTE_CLASS = CondaRemote

    subdir = serializers.CharField(
        help_text=_(
            "The platform folder, for example 'linux-64'. Only old packages need it: they do not "
            "say it themselves. It is an error if the package says something else."
        ),
        required=False,
    )
    filename = serializers.CharField(
        help_text=_("The file's name, for example 'numpy-1.26.4-py312heda63a1_0.conda'."),
        read_only=True,
    )
    name = serializers.CharField(
        help_text=_("The package's name, for example 'numpy'."), read_only=True
    )
    version = serializers.CharField(
        help_text=_("The package's version, for example '1.26.4'."), read_only=True
    )
    build = serializers.CharField(
        help_text=_("The build string, for example 'py312heda63a1_0'."), read_only=True
    )
    build_number = serializers.IntegerField(
        help_text=_("The build number, for example 0."), read_only=True
    )
    sha256 = serializers.CharField(
        help_text=_("The SHA-256 of the file, in hex. Known before the file is downloaded."),
        read_only=True,
    )
    md5 = serializers.CharField(
        help_text=_("The MD5 of the file, in hex, or empty."), read_only=True
    )
    size = serializers.IntegerField(
        help_text=_("The size of the file in bytes."), read_only=True, allow_null=True
    )
    license = serializers.CharField(
        help_text=_("The license, for example 'BSD-3-Clause', or empty."), read_only=True
    )
    noarch = serializers.CharField(
        help_text=_("'python', 'generic', or empty for a package of one platform."), read_only=True
    )
    depends = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("What the package needs, for example ['python >=3.12,<3.13.0a0']."),
        read_only=True,
    )
    timestamp = serializers.IntegerField(
        help_text=_("When the package was built, in milliseconds since 1970."),
        read_only=True,
        allow_null=True,
    )
    record = serializers.SerializerMethodField(
        help_text=_(
            "The whole entry of repodata, as it is stored. Clients see values of the wrong type in "
            "another form."
        )
    )
    record_digest = serializers.CharField(
        help_text=_("The SHA-256 of the record in canonical JSON, which tells hotfixes apart."),
        read_only=True,
    )
    about = serializers.SerializerMethodField(
        help_text=_(
            "The package's 'info/about.json', for example "
            "{'summary': 'Arrays', 'home': 'https://numpy.org'}, and {} if it has none. Null until "
            "the file was read: at upload, or after it was first downloaded."
        )
    )
    run_exports = serializers.SerializerMethodField(
        help_text=_(
            "Dependencies that packages built with this one get, for example "
            "{'weak': ['libpng >=1.6,<1.7']}, from the file or from the upstream. Null if not "
            "known."
        )
    )
    licenses = serializers.SerializerMethodField(
        help_text=_(
            "The names of the license texts in the package, for example ['LICENSE.txt']: the first "
            "thousand. Null until the file was read."
        )
    )
    link = serializers.SerializerMethodField(
        help_text=_(
            "The package's 'info/link.json', for example {'noarch': {'type': 'python'}}. Null if "
            "it has none, and until the file was read."
        )
    )
    traits = serializers.SerializerMethodField(
        help_text=_(
            "Whether the package has scripts that run at installation or activation ('pre_link', "
            "'post_link', 'pre_unlink', 'activate.d', 'deactivate.d'), and files that contain the "
            "path of the environment ('text_prefix', 'binary_prefix'). Null until the file was "
            "read."
        )
    )
    attestations_sha256 = serializers.CharField(
        help_text=_("The SHA-256 of the package's attestations, in hex, or empty (CEP 50)."),
        read_only=True,
    )
    attestation = _AttestationField(
        help_text=_(
            "A signed statement that this file is published in this channel (CEP 27): a Sigstore "
            "bundle, or a list of them. It needs 'repository', and is added to the attestations "
            "that the repository has of the file."
        ),
        required=False,
        write_only=True,
    )
    overwrite = serializers.BooleanField(
        help_text=_(
            "If true, the package replaces another file of the same name in 'repository'. If "
            "false, that is an error, because lock files and caches rely on the bytes behind a "
            "name. The default is false."
        ),
        default=False,
        required=False,
        write_only=True,
    )

    def get_record(self, package: CondaPackage) -> dict:
        return orjson.loads(package.record)

    @extend_schema_field(_ANY_OBJECT)
    def get_about(self, package: CondaPackage) -> dict | None:
        return package.info and package.info.about

    @extend_schema_field(CondaRunExportsSerializer(allow_null=True))
    def get_run_exports(self, package: CondaPackage) -> dict[str, list[str]] | None:
        return package.info and orjson.loads(package.info.run_exports or b"null")

    def get_licenses(self, package: CondaPackage) -> list[str] | None:
        return package.info.licenses if package.info and package.info.read_at else None

    @extend_schema_field(_ANY_OBJECT)
    def get_link(self, package: CondaPackage) -> dict | None:
        return package.info and package.info.link

    @extend_schema_field(_TraitsSerializer(allow_null=True))
    def get_traits(self, package: CondaPackage) -> dict[str, bool] | None:
        return package.info.traits if package.info and package.info.read_at else None

    def to_representation(self, package: CondaPackage) -> dict[str, Any]:
        if _INFO_FIELDS & self.fields.keys() and not hasattr(package, "info"):
            _attach_info([package])
        return super().to_representation(package)

    def validate_attestation(self, attestation: Any) -> list[dict[str, Any]]:
        """Return the bundles. A form sends their text, a JSON request sends objects.

        Raises:
            ValidationError: with `BadAttestation`, if they are no Sigstore bundles.
        """
        text = attestation if isinstance(attestation, str) else json.dumps(attestation)
        filename = getattr(self.initial_data.get("file"), "name", "the package")
        with channel_errors_as_validation():
            return uploaded_bundles(text, filename)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("attestation") and not data.get("repository"):
            reason = _("An attestation is for a channel: give the 'repository' as well.")
            raise serializers.ValidationError({"attestation": [reason]})
        return super().validate(data)

    @disk_errors()
    def deferred_validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Read the package in a task, before anything of it is stored.

        Raises:
            CondaError: with the `ChannelError` that says what is wrong with the package.
        """
        file_url = data.get("file_url")
        filename = self.context.get("filename") or _filename_in(file_url)
        try:
            # Skip the method of the parent: it saves an artifact before the file is checked.
            data = super(SingleArtifactContentUploadSerializer, self).deferred_validate(data)
            return self._with_record(data, filename)
        except ChannelError as error:
            if pk := self.context.get("pulp_temp_file_pk"):
                PulpTemporaryFile.objects.get(pk=pk).delete()
            raise CondaError(error) from None

    def download(self, url: str, **expected: Any) -> Any:
        try:
            with disk_errors():
                return super().download(url, **expected)
        except CondaError:
            raise
        except (aiohttp.ClientError, OSError, ValueError, PulpException) as error:
            reason = str(error).rstrip(".")
            raise DownloadFailed(url=url, reason=reason) from None

    @disk_errors()
    def create(self, validated_data: dict[str, Any]) -> CondaPackage:
        # Before a version has the package: a publication of that version uses this information.
        CondaPackageInfo.remember(validated_data["sha256"], validated_data.pop("info"))
        return super().create(validated_data)

    def retrieve(self, validated_data: dict[str, Any]) -> CondaPackage | None:
        key = {field: validated_data[field] for field in CondaPackage.natural_key_fields()}
        return CondaPackage.objects.filter(**key).first()

    def _with_record(
        self, data: dict[str, Any], filename: str | None, budget: UploadBudget | None = None
    ) -> dict[str, Any]:
        """Read the package file, and add the columns of the package and its artifact to the data.

        Args:
            budget: What it may take while a client waits. None in a task.

        Raises:
            ChannelError: something is wrong with the package, or it is blocked.
        """
        artifact = data.get("artifact")
        file = artifact.file if artifact else data.pop("file")
        if budget:
            budget.check_size(file.size)  # Before its bytes are read to compute the MD5.
        sha256 = artifact.sha256 if artifact else file.hashers["sha256"].hexdigest()
        bundles, repository = data.pop("attestation", []), data.get("repository")
        with with_its_attestation(filename, sha256, bundles, repository):
            record, data["info"] = read_upload(
                file,
                filename=filename,
                subdir=data.get("subdir"),
                sha256=sha256,
                md5=compute_md5(file),
                size=file.size,
                spend=budget.spend if budget else spend_freely,
            )
        path = layout.package_path(record.subdir, record.filename)
        record = attested(record, bundles, repository)
        data.update(CondaPackage.columns(record))
        data["_pulp_domain"] = get_domain()
        data["artifact"] = artifact or _saved_artifact(file)
        data["relative_path"] = path
        return data

    class Meta:
        fields = tuple(
            field
            for field in SingleArtifactContentUploadSerializer.Meta.fields
            if field != "relative_path"
        ) + (
            "subdir",
            "filename",
            "name",
            "version",
            "build",
            "build_number",
            "sha256",
            "md5",
            "size",
            "license",
            "noarch",
            "depends",
            "timestamp",
            "record",
            "record_digest",
            "about",
            "run_exports",
            "licenses",
            "link",
            "traits",
            "attestations_sha256",
            "attestation",
        )
        model = CondaPackage
        list_serializer_class = CondaPackageListSerializer


# Fields that need a task or a repository.
_NOT_AT_ONCE = {
    "repository",
    "overwrite",
    "attestation",
    "upload",
    "file_url",
    "downloader_config",
}


class CondaPackageUploadSerializer(CondaPackageSerializer):
    """A package file that is uploaded while the client waits, without a task."""

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        with channel_errors_as_validation():
            filename = data["file"].name if "file" in data else None
            return self._with_record(data, filename, UploadBudget(filename or "the package"))

    class Meta(CondaPackageSerializer.Meta):
        fields = tuple(
            field for field in CondaPackageSerializer.Meta.fields if field not in _NOT_AT_ONCE
        )
        ref_name = "CondaPackageUpload"


def _attach_info(packages: list[CondaPackage]) -> None:
    """Give each package the attribute `info`: its `CondaPackageInfo`, or None."""
    rows = CondaPackageInfo.objects.filter(
        pulp_domain=get_domain_pk(), sha256__in={package.sha256 for package in packages}
    )
    by_sha256 = {row.sha256: row for row in rows}
    for package in packages:
        package.info = by_sha256.get(package.sha256)


def _filename_in(url: str | None) -> str | None:
    """Return the file name at the end of a URL, or None if it ends in something else."""
    filename = unquote(urlsplit(url or "").path.rpartition("/")[2])
    return filename if filename.endswith(layout.EXTENSIONS) else None


def _saved_artifact(file: File) -> Artifact:
    """Save a file as an artifact, and return that, or the artifact that has the same bytes."""
    artifact = Artifact.init_and_validate(file)
    saved = save_artifact(artifact)
    if saved is not artifact:
        # A cleanup of orphans may be about to remove it.
        saved.touch()
    return saved
