"""Add the files that clients uploaded to their channels."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from pulpcore.plugin.models import Task

from pulp_conda.app.models import CondaRepository, CondaUpload
from pulp_conda.app.results import checked
from pulp_conda.app.uploading.dispatching import ensure_conversion, ensure_task, set_alarm
from pulp_conda.app.uploading.domains import in_domain
from pulp_conda.app.uploading.gathering import gather
from pulp_conda.app.uploading.joining import join
from pulp_conda.app.vocabulary import UploadState

# How long it is known what became of an upload.
_KEPT = timedelta(days=7)

# A batch of which nothing more came for so long is given up.
_HELD = timedelta(days=1)


def join_uploads(repository_pk: str) -> dict[str, Any]:
    """Add all uploads that wait for a repository to it, in one version.

    Returns:
        About the uploads that wait for this very task, also if another one has added them.
        "version": the number of the newest version that has one of them, or None; "uploads": what
        became of each file, as they arrived.

    Raises:
        CondaError: the version or the publication cannot be made.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    task = Task.current()
    own = CondaUpload.objects.filter(task=task.pk)
    gather(repository)
    try:
        join(repository)
        while own.filter(state=UploadState.WAITING).exists():
            # They replace what others uploaded at the same time.
            join(repository)
    finally:
        if _waiting().filter(repository=repository).exists():
            ensure_task(repository)
    uploads = list(own)
    versions = [upload.version for upload in uploads if upload.version is not None]
    return checked(
        {
            "version": max(versions, default=None),
            "uploads": [
                {
                    "filename": upload.filename,
                    "subdir": upload.subdir,
                    "sha256": upload.sha256,
                    "state": upload.state,
                    "errors": upload.errors,
                }
                for upload in uploads
            ],
        }
    )


def tend_uploads() -> None:
    """Dispatch tasks for uploads and conversions that wait and have none, and delete old rows.

    It does so in all domains.
    """
    now = timezone.now()
    for repository in CondaRepository.objects.filter(pk__in=_waiting().values("repository")):
        with in_domain(repository.pulp_domain):
            ensure_task(repository)
    asked = CondaUpload.objects.filter(state=UploadState.CONVERTING)
    for repository in CondaRepository.objects.filter(pk__in=asked.values("repository")):
        with in_domain(repository.pulp_domain):
            ensure_conversion(repository)
    CondaUpload.objects.filter(decided_at__lt=now - _KEPT).delete()
    CondaUpload.objects.filter(state=UploadState.HELD, pulp_last_updated__lt=now - _HELD).delete()
    if _waiting().exists() or asked.exists():
        set_alarm()


def _waiting() -> QuerySet[CondaUpload]:
    return CondaUpload.objects.filter(state=UploadState.WAITING, decided_at=None)
