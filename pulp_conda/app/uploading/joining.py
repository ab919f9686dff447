"""Add all uploads that wait for a repository to it: one version and one publication for all.

Each file is read and decided by itself, so a bad one fails alone. What is decided is written at
the end, in one step: a task that dies before leaves the rows to the next one, which finds the
packages that are in the channel already.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from gettext import gettext as _
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from pulpcore.plugin.models import Artifact, ProgressReport, RepositoryVersion

from pulp_conda.app.artifacts import compute_md5
from pulp_conda.app.attestations import attested
from pulp_conda.app.disk import disk_errors
from pulp_conda.app.errors import PackageConflict, UploadFailed
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPackage, CondaRepository, CondaUpload
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.uploading.reading import read_upload, store_package
from pulp_conda.app.versions.published import newest_publication
from pulp_conda.app.vocabulary import UploadState
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError

log = logging.getLogger(__name__)

# A file that was being read when so many tasks died is refused: it may be what kills them.
_MOST_ATTEMPTS = 3

_DECIDED = ["state", "errors", "filename", "subdir", "sha256", "artifact", "decided_at"]


@dataclass(frozen=True)
class Joined:
    """What became of the uploads that a task took.

    Fields:
        uploads: All of them, decided.
        version: The version that was made, or None.
    """

    uploads: list[CondaUpload]
    version: RepositoryVersion | None


@disk_errors()
def join(repository: CondaRepository) -> Joined:
    """Decide all uploads that wait for a repository, and return what became of them.

    Only a task that has the repository for itself may do this.

    Raises:
        CondaError: the version or the publication cannot be made. Then all are refused with that.
    """
    waiting = CondaUpload.objects.filter(repository=repository, state=UploadState.WAITING)
    uploads = list(waiting.select_related("artifact", "distribution"))
    joining = _Joining(repository)
    try:
        with ProgressReport(
            message="Reading uploaded packages", code="upload.read", total=len(uploads)
        ) as progress:
            for upload in progress.iter(uploads):
                joining.decide(upload)
        version = joining.finish(uploads)
    except Exception as error:
        _refuse_all(uploads, error)
        raise
    return Joined(uploads, version)


class _Joining:
    """The packages that come into the next version of a repository."""

    def __init__(self, repository: CondaRepository) -> None:
        self._repository = repository
        self._latest = repository.latest_version()
        # By path: the digest of the file and the key of the unit.
        self._added: dict[str, tuple[str, UUID]] = {}

    def decide(self, upload: CondaUpload) -> None:
        """Read a file, and set the state of its upload. The unit is stored if it is to be added."""
        if upload.attempts >= _MOST_ATTEMPTS:
            reason = _("{} tasks that read it did not come to their end").format(upload.attempts)
            _refuse(upload, UploadFailed(filename=upload.filename, reason=reason))
            return
        CondaUpload.objects.filter(pk=upload.pk).update(attempts=F("attempts") + 1)
        try:
            self._read(upload, upload.artifact)
        except FileNotFoundError:
            reason = _("its bytes are lost")
            _refuse(upload, UploadFailed(filename=upload.filename, reason=reason))
        except PackageConflict as error:
            _refuse(upload, error, UploadState.CONFLICT)
        except ChannelError as error:
            _refuse(upload, error)

    def finish(self, uploads: Iterable[CondaUpload]) -> RepositoryVersion | None:
        """Make the version, publish what channels shall serve, and write what was decided."""
        version = None
        if self._added:
            with self._repository.new_version() as made:
                keys = [pk for _sha256, pk in self._added.values()]
                made.add_content(CondaPackage.objects.filter(pk__in=keys))
            version = made if made.complete else None
        wanted = [
            upload
            for upload in uploads
            if upload.state in (UploadState.PUBLISHED, UploadState.EXISTS)
        ]
        if self._repository.autopublish or any(upload.distribution for upload in wanted):
            latest = self._repository.latest_version()
            if wanted and newest_publication("pulp_id", latest.pk) is None:
                publish_version(latest)
        _write(uploads)
        return version

    def _read(self, upload: CondaUpload, artifact: Artifact) -> None:
        with artifact.file.open() as file:
            record, info = read_upload(
                file,
                filename=upload.filename,
                subdir=upload.subdir or None,
                sha256=artifact.sha256,
                md5=upload.md5 or compute_md5(file),
                size=artifact.size,
            )
        upload.filename, upload.subdir = record.filename, record.subdir
        path = layout.package_path(record.subdir, record.filename)
        found = self._present(path, record.subdir, record.filename)
        if found == record.sha256 and not upload.attestation:
            upload.state = UploadState.EXISTS
            return
        if found not in (None, record.sha256) and not upload.force:
            raise PackageConflict(
                path=path, repository=self._repository.name, found=found, sha256=record.sha256
            )
        record = attested(record, upload.attestation, self._repository)
        self._added[path] = record.sha256, store_package(record, info, artifact).pk
        upload.state = UploadState.PUBLISHED

    def _present(self, path: str, subdir: str, filename: str) -> str | None:
        """Return the digest of the file that the next version has at a path so far, or None."""
        if path in self._added:
            return self._added[path][0]
        package = CondaPackage.at_path([self._latest], subdir, filename)
        return package and package.sha256


def _refuse(
    upload: CondaUpload, error: ChannelError, state: UploadState = UploadState.REFUSED
) -> None:
    upload.state = state
    upload.errors = [{"code": error.code, "text": str(error)}]


def _refuse_all(uploads: Iterable[CondaUpload], error: Exception) -> None:
    """Refuse what was to be added, because it cannot be."""
    for upload in uploads:
        if upload.state not in (UploadState.WAITING, UploadState.PUBLISHED):
            continue
        if isinstance(error, CondaError):
            _refuse(upload, error.error)
        else:
            reason = _("the server made a mistake, which its log has")
            _refuse(upload, UploadFailed(filename=upload.filename, reason=reason))
    _write(uploads)


def _write(uploads: Iterable[CondaUpload]) -> None:
    """Write what was decided, and let go of the files."""
    now = timezone.now()
    for upload in uploads:
        upload.artifact, upload.decided_at = None, now
    CondaUpload.objects.bulk_update(uploads, _DECIDED, batch_size=500)
