"""Add the files that clients uploaded to their channels."""

from typing import Any

from pulp_conda.app.models import CondaRepository, CondaUpload
from pulp_conda.app.results import checked, named_version
from pulp_conda.app.uploading.dispatching import ensure_task
from pulp_conda.app.uploading.joining import join
from pulp_conda.app.vocabulary import UploadState


def join_uploads(repository_pk: str) -> dict[str, Any]:
    """Add all uploads that wait for a repository to it, in one version.

    Returns:
        The version, or None if nothing was added, and how many uploads came to which end.

    Raises:
        CondaError: the version or the publication cannot be made.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    try:
        joined = join(repository)
    finally:
        waiting = CondaUpload.objects.filter(repository=repository, state=UploadState.WAITING)
        if waiting.exists():
            ensure_task(repository)
    ends = [upload.state for upload in joined.uploads]
    return checked(
        {
            "version": joined.version and named_version(joined.version),
            "uploads": {str(state): ends.count(state) for state in UploadState if state in ends},
        }
    )
