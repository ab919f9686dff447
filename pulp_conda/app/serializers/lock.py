"""Requests to solve environments of a stage, and to write, import and find lock files."""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from gettext import gettext as _
from typing import Any, NamedTuple

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.serializers import ValidateFieldsMixin

from pulp_conda.app.access import find_visible
from pulp_conda.app.errors import StageServesNothing, UnknownEnvironment
from pulp_conda.app.lifecycle.gates import environments as gate
from pulp_conda.app.lifecycle.gates.case import find_channel
from pulp_conda.app.models import CondaEnvironment, CondaRepository, CondaStage
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.serializers.environment import ENVIRONMENT_NAME
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import visible_channels
from pulp_conda.app.serving.channel import served_at, served_now
from pulp_conda.app.solving.lock_files import Asked
from pulp_conda.app.solving.solutions import environments_of
from pulp_conda.app.vocabulary import GateKind, choices_of
from pulp_conda.channel.errors import BadLockFile, first_of, shown
from pulp_conda.channel.lockfiles.read import LARGEST, LockFormat

_MOST = 100
_MOST_SOURCES = 20
_NAMES_SHOWN = 10

_EXAMPLE = "@EXPLICIT\nhttps://conda.example.com/forge/noarch/tzdata-2025b-0.conda#sha256:…\n"

# User names, passwords and tokens in the URLs that conda and similar tools write. The file is
# deleted when a task has read it, so secrets in other places are not stored for long.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@|(?<=/)t/[^/\s]+/")


class Source(NamedTuple):
    """Where to take packages from.

    Fields:
        repository: The repository.
        number: The number of one of its versions. None stands for the whole repository.
    """

    repository: CondaRepository
    number: int | None


class _StageSerializer(ValidateFieldsMixin, serializers.Serializer):
    """A state of a stage, and other channels. The validated data has an `Asked` as `asked`."""

    stage = serializers.CharField(help_text=_("The name of a stage, for example 'stable'."))
    state = serializers.CharField(
        help_text=_(
            "Something that the stage serves or served: 'v42', or a date as behind the 'at/' of a "
            "URL. The default is what it serves now."
        ),
        max_length=64,
        required=False,
    )
    channels = serializers.ListField(
        child=serializers.CharField(max_length=255),
        help_text=_(
            "Other channels of this server whose packages may be used, by their base path, the one "
            "with the highest priority first; '.' is the channel itself, and without it that comes "
            "first. The default is what the stage's first gate of environments says, and else none."
        ),
        default=list,
        max_length=_MOST,
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        lifecycle = self.context["lifecycle"]
        stages = {stage.name: stage for stage in lifecycle.stages.all()}
        stage = stages.get(data["stage"])
        if stage is None:
            names = ", ".join(f"'{name}'" for name in stages)
            reason = _("There is no stage '{}'. The stages are {}.")
            raise serializers.ValidationError({"stage": reason.format(data["stage"], names)})
        with channel_errors_as_validation():
            served = (
                served_at(stage.distribution, data["state"])
                if "state" in data
                else served_now(stage.distribution)
            )
            if served is None or served.entry is None:
                raise StageServesNothing(stage=stage.name, lifecycle=lifecycle.name)
        try:
            channels = self._channels(data["channels"], stage)
            basis = gate.basis_of({"channels": channels}, served.publication)
        except ValueError as error:
            raise serializers.ValidationError({"channels": f"{error}."}) from None
        data["asked"] = Asked(stage, data.get("state"), served.entry.label, channels, basis)
        return data

    def _channels(self, given: list[str], stage: CondaStage) -> list[str]:
        if not given:
            gates = [one for one in stage.gates if one["kind"] == GateKind.ENVIRONMENTS]
            return gates[0]["channels"] if gates else []
        channels = visible_channels(self.context["request"])
        with channel_errors_as_validation():
            for channel in gate.channels_of(gate.check({"channels": given})):
                find_channel(channel, channels)
        return given


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Solve what a team installs before it is promoted",
            value={"stage": "testing", "environments": ["analysis", "train-*"]},
            request_only=True,
        )
    ]
)
class CondaSolveSerializer(_StageSerializer):
    """Which environments to solve on what a stage serves."""

    environments = serializers.ListField(
        child=serializers.CharField(max_length=255),
        help_text=_("Names or patterns of environments. The default is ['*'], all that there are."),
        default=lambda: ["*"],
        min_length=1,
        max_length=_MOST,
    )
    platforms = serializers.ListField(
        child=serializers.CharField(max_length=32),
        help_text=_("Only these subdirs. The default is all that the environments name."),
        default=list,
        max_length=_MOST,
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        asked, names = data["asked"], data["environments"]
        with channel_errors_as_validation():
            data["environments"] = find_environments(asked, names)
        platforms = {
            platform for environment in data["environments"] for platform in environment.platforms
        }
        for platform in data["platforms"]:
            if platform not in platforms:
                raise serializers.ValidationError({"platforms": _no_platform(platform, platforms)})
        return data


class CondaLockQuerySerializer(_StageSerializer):
    """Which lock file to write."""

    environment = serializers.RegexField(
        ENVIRONMENT_NAME, help_text=_("The name of an environment, for example 'analysis'.")
    )
    lock_format = serializers.ChoiceField(
        choices=choices_of(LockFormat),
        help_text=_(
            "'pixi' (pixi.lock), 'conda-lock' (conda-lock.yml) or 'explicit' (an @EXPLICIT list)."
        ),
    )
    platform = serializers.CharField(
        help_text=_(
            "Only this subdir, for example 'linux-64'. An explicit list needs it if the "
            "environment has more than one."
        ),
        max_length=32,
        required=False,
    )
    digest = serializers.ChoiceField(
        choices=("sha256", "md5"),
        help_text=_(
            "Which hashes an explicit list has: 'md5' for conda before 24.9 and mamba before 2.1. "
            "The default is 'sha256'."
        ),
        default="sha256",
    )

    def platforms_of(self, environment: CondaEnvironment) -> list[str]:
        """Return the platforms of an environment that the lock file is for.

        Raises:
            ValidationError: the environment does not have the platform, or an explicit list would
                be for several.
        """
        platform, platforms = self.validated_data.get("platform"), environment.platforms
        if platform and platform not in platforms:
            raise serializers.ValidationError({"platform": _no_platform(platform, platforms)})
        if platform:
            return [platform]
        if self.validated_data["lock_format"] == LockFormat.EXPLICIT and len(platforms) > 1:
            reason = _("An explicit list is for one platform. Name one of {}.")
            raise serializers.ValidationError({"platform": reason.format(_listed(platforms))})
        return platforms


@extend_schema_field(OpenApiTypes.STR)
class _LockFileField(serializers.Field):
    """A lock file, as a text or as an uploaded file.

    The validated value is a text without the user names, passwords and tokens of its URLs.
    """

    default_error_messages = {"invalid": _("Give the text of a lock file, or upload one.")}

    def to_internal_value(self, data: Any) -> str:
        with channel_errors_as_validation():
            if hasattr(data, "chunks"):
                data = self._decoded(data)
            elif not isinstance(data, str):
                self.fail("invalid")
            elif any("\ud800" <= character <= "\udfff" for character in data):
                raise _bad(_("it holds half a character, which no text has"))
            if len(data) > LARGEST:
                raise _too_large(len(data))
            if "\0" in data:
                raise _bad(_("it is no text: there is a NUL in it"))
            if not data.strip():
                raise _bad(_("it is empty"))
        return _CREDENTIALS.sub("", data)

    def _decoded(self, file: UploadedFile) -> str:
        if file.size > LARGEST:
            raise _too_large(file.size)
        try:
            return file.read().decode()
        except UnicodeDecodeError as error:
            raise _bad(_("byte {} is not UTF-8").format(error.start)) from None


@extend_schema_field(OpenApiTypes.URI)
class SourceField(serializers.Field):
    """A repository, or a version of one. The validated value is a `Source`."""

    def to_internal_value(self, data: Any) -> Source:
        found = find_visible(self.context["request"], data) if isinstance(data, str) else None
        number = None
        if isinstance(found, RepositoryVersion):
            found, number = found.repository.cast(), found.number
        if not isinstance(found, CondaRepository):
            reason = _("'{source}' is no conda repository, nor a version of one, that you may see.")
            raise serializers.ValidationError(reason.format(source=shown(str(data))))
        return Source(found, number)


class _SourcesField(serializers.ListField):
    """A list of sources. It may also be one text with JSON: pulp-glue sends that in a form."""

    child = SourceField()

    def to_internal_value(self, data: Any) -> list[Source]:
        if isinstance(data, list) and [str] == list(map(type, data)) and data[0].startswith("["):
            try:
                data = json.loads(data[0])
            except ValueError:
                pass  # The text is validated as a source, which does not exist.
        return super().to_internal_value(data)


class _UploadedLockSerializer(ValidateFieldsMixin, serializers.Serializer):
    lock_file = _LockFileField(
        help_text=_(
            "The text of a pixi.lock, a conda-lock.yml or an @EXPLICIT list, or such a file, up to "
            "32 MiB."
        )
    )
    lock_format = serializers.ChoiceField(
        choices=choices_of(LockFormat),
        help_text=_("The format of the file. By default, the text of the file says it."),
        required=False,
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Take what a lock file names from a mirror",
            value={
                "lock_file": _EXAMPLE,
                "sources": [
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-1c4d-7b11-a0e5-d0f1b8b3c920/"
                ],
            },
            request_only=True,
        )
    ]
)
class CondaImportLockSerializer(_UploadedLockSerializer):
    """A lock file: a repository gets exactly its packages."""

    sources = _SourcesField(
        help_text=_(
            "Repositories, of which all versions count, or versions, to take the packages from; "
            "the first that has a package is taken. The default is the repository itself."
        ),
        default=list,
        max_length=_MOST_SOURCES,
    )
    dry_run = serializers.BooleanField(
        help_text=_("Report what would happen, and change nothing. The default is false."),
        default=False,
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Ask which versions serve a lock file",
            value={"lock_file": _EXAMPLE},
            request_only=True,
        )
    ]
)
class CondaFindLockSerializer(_UploadedLockSerializer):
    """A lock file: the answer is which versions have its packages."""

    version = serializers.IntegerField(
        help_text=_("The number of a version, to be told what that one lacks. Optional."),
        min_value=0,
        max_value=2**31 - 1,
        required=False,
    )

    def validate_version(self, number: int) -> int:
        versions = self.context["repository"].versions.complete()
        if not versions.filter(number=number).exists():
            raise serializers.ValidationError(_("The repository has no such version."))
        return number


def find_environments(asked: Asked, names: list[str]) -> list[CondaEnvironment]:
    """Return the environments of a state that match names or patterns, sorted by name.

    Raises:
        UnknownEnvironment: a name or a pattern matches none.
    """
    available = environments_of(served_state(asked.basis.publication))
    for name in names:
        if not any(fnmatchcase(environment.name, name) for environment in available):
            raise UnknownEnvironment(
                state=asked.label,
                stage=asked.stage.name,
                environment=name,
                names=_listed([environment.name for environment in available]) or _("none at all"),
            )
    return [
        environment
        for environment in available
        if any(fnmatchcase(environment.name, name) for name in names)
    ]


def _no_platform(platform: str, available: Iterable[str]) -> str:
    names = _listed(sorted(available))
    return _("'{}' is no platform of it, but {}.").format(shown(platform), names)


def _listed(names: list[str]) -> str:
    return ", ".join(first_of([f"'{name}'" for name in names], _NAMES_SHOWN))


def _bad(reason: str) -> BadLockFile:
    return BadLockFile(format=_("of unknown format"), reason=reason)


def _too_large(size: int) -> BadLockFile:
    return _bad(_("it has {} bytes, and {} are allowed").format(size, LARGEST))
