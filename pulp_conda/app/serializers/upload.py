"""Uploads of many packages to a repository."""

from gettext import gettext as _
from typing import Any

from django.db.models.functions import Lower
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.models import Artifact, ContentArtifact, CreatedResource, Task
from pulpcore.plugin.serializers import ValidateFieldsMixin
from pulpcore.plugin.util import get_domain, get_objects_for_user

from pulp_conda.app.access import visible
from pulp_conda.app.models import CondaPackage, CondaUpload
from pulp_conda.app.uploading.batches import Known

# Django takes no more files in one request.
_MOST_FILES = 100
_MOST_KNOWN = 10_000


class KnownFileSerializer(serializers.Serializer):
    """A file whose bytes the server may have already."""

    filename = serializers.CharField(
        help_text=_("The name of the package, for example 'numpy-1.26.4-py312heda63a1_0.conda'.")
    )
    sha256 = serializers.RegexField(
        r"^[0-9a-f]{64}\Z", help_text=_("The SHA-256 of the file, in hex and lower case.")
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Ask which files have to be sent",
            value={
                "batch": "3f2b7d0e-5c0a-4a51-9f0e-0f8e4d1c2b3a",
                "complete": False,
                "known": [{"filename": "scipy-1.13.1-py312_0.conda", "sha256": "8f3c" * 16}],
            },
            request_only=True,
        )
    ]
)
class CondaUploadSerializer(ValidateFieldsMixin, serializers.Serializer):
    """Package files to add to a repository, in one request or in several."""

    file = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        help_text=_(
            "The package files: each part of the request that is a file is one, whatever the name "
            "of the part is. At most {} in a request; 'batch' takes more."
        ).format(_MOST_FILES),
        max_length=_MOST_FILES,
        required=False,
    )
    known = KnownFileSerializer(
        many=True,
        help_text=_(
            "Files that need not be sent if the server has their bytes, as packages that you may "
            "see, or because you sent them before."
        ),
        required=False,
    )
    subdir = serializers.CharField(
        help_text=_(
            "The platform folder, for example 'linux-64'. Only old packages need it: they do not "
            "say it themselves. It is an error if a package says something else."
        ),
        required=False,
    )
    overwrite = serializers.BooleanField(
        help_text=_(
            "If true, a package replaces another file of the same name. If false, that is a "
            "conflict, because lock files and caches rely on the bytes behind a name. The default "
            "is false."
        ),
        default=False,
    )
    batch = serializers.UUIDField(
        help_text=_(
            "A new UUID, the same in all requests that send files for one version. Not needed if "
            "one request has all files."
        ),
        required=False,
    )
    complete = serializers.BooleanField(
        help_text=_(
            "If true, the batch is complete, and a task adds it to the repository. If false, its "
            "files are kept until a request with 'complete' comes, or for a day. The default is "
            "true."
        ),
        default=True,
    )

    def validate_known(self, known: list[dict[str, str]]) -> list[Known]:
        if len(known) > _MOST_KNOWN:
            reason = _("There are more than {} files. Send them in several requests.")
            raise serializers.ValidationError(reason.format(_MOST_KNOWN))
        artifacts = self._artifacts({each["sha256"] for each in known})
        return [
            Known(each["filename"], each["sha256"], artifacts.get(each["sha256"])) for each in known
        ]

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        if not data["complete"] and not data.get("batch"):
            reason = _("A batch that is not complete needs a UUID, by which it goes on.")
            raise serializers.ValidationError({"batch": [reason]})
        if not (data.get("file") or data.get("known") or data.get("batch")):
            reason = _("Send at least one file, or complete a batch.")
            raise serializers.ValidationError({"file": [reason]})
        return data

    def _artifacts(self, digests: set[str]) -> dict[str, Artifact]:
        """Return those of some files whose bytes the user has, or may read, anyway."""
        request, domain = self.context["request"], get_domain()
        packages = visible(request, CondaPackage).annotate(digest=Lower("sha256"))
        of_packages = ContentArtifact.objects.filter(
            content__in=packages.filter(digest__in=digests).values("pk")
        )
        artifacts = Artifact.objects.filter(pulp_domain=domain, sha256__in=digests)
        sent = CondaUpload.objects.filter(
            user=request.user, repository=self.context["repository"], artifact__in=artifacts
        )
        made = CreatedResource.objects.filter(object_id__in=artifacts.values("pk"))
        # The permission of the role that pulpcore gives to whoever dispatches a task.
        own_tasks = get_objects_for_user(
            request.user,
            "core.add_task",
            Task.objects.filter(pk__in=made.values("task")),
            accept_domain_perms=False,
            accept_global_perms=False,
        )
        keys = {
            *of_packages.values_list("artifact", flat=True),
            *sent.values_list("artifact", flat=True),
            *made.filter(task__in=own_tasks).values_list("object_id", flat=True),
        }
        return {artifact.sha256: artifact for artifact in artifacts.filter(pk__in=keys - {None})}


class CondaUploadAnswerSerializer(serializers.Serializer):
    """What is still to be sent of a batch."""

    missing = serializers.ListField(
        child=serializers.CharField(),
        help_text=_("The SHA-256 of those 'known' files whose bytes have to be sent."),
        read_only=True,
    )
