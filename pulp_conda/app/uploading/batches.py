"""Take many files of one user, in one request or in several, for one version of a repository."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models.functions import Lower
from django.utils import timezone

from pulpcore.plugin.models import Artifact, Task

from pulp_conda.app.artifacts import save_artifacts
from pulp_conda.app.disk import disk_errors
from pulp_conda.app.models import CondaPackage, CondaRepository, CondaToken, CondaUpload
from pulp_conda.app.uploading.accepting import check_place
from pulp_conda.app.uploading.dispatching import task_for
from pulp_conda.app.versions.state import VersionState
from pulp_conda.app.vocabulary import UploadState
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError


class Known(NamedTuple):
    """A file that a client need not send, if its bytes are here.

    Fields:
        filename: The name of the package, as the client says it.
        sha256: Its digest in hex.
        artifact: Its bytes, if the user may use those that are here.
    """

    filename: str
    sha256: str
    artifact: Artifact | None


class Batch:
    """Files that one user sends for one version of a repository.

    Args:
        key: What the client calls the batch, or None for one that is sent by one request.
        subdir: The subdir of packages that do not say it, or None.
        force: The packages may replace other files of the same names.
        auth: What the `auth` of the request is: a token, or something else.
    """

    def __init__(
        self,
        repository: CondaRepository,
        user: AbstractBaseUser,
        key: UUID | None,
        subdir: str | None,
        force: bool,
        auth: object = None,
    ) -> None:
        self._repository = repository
        # No user finds the batch of another one by its key.
        self.key = uuid5(key or uuid4(), f"{repository.pk}/{user.pk}")
        self._common = {
            "repository": repository,
            "user": user,
            "batch": self.key,
            "subdir": subdir or "",
            "force": force,
            "token_name": auth.name if isinstance(auth, CondaToken) else "",
        }

    @disk_errors()
    def add(self, files: Iterable[UploadedFile]) -> None:
        """Take files that arrived. A file that is no package by its name is refused alone.

        Raises:
            LayoutError: the subdir is none.
            CondaError: `DiskFull`.
        """
        if subdir := self._common["subdir"]:
            layout.check_subdir(subdir)
        good, refused = [], []
        for file in files:
            try:
                check_place(file.name)
                good.append(file)
            except ChannelError as error:
                refused.append(self._refused(file, error))
        saved = save_artifacts([Artifact.init_and_validate(file) for file in good])
        digests = {file: file.hashers["sha256"].hexdigest() for file in good}
        self._keep([(file.name, saved[digests[file]]) for file in good], refused)

    def add_known(self, files: Iterable[Known]) -> list[Known]:
        """Take files whose bytes are here, and return those that have to be sent."""
        files = list(files)
        present = self._present({file.sha256 for file in files})
        here = [file for file in files if file.sha256 not in present]
        self._keep(
            [(file.filename, file.artifact) for file in here if file.artifact],
            [
                CondaUpload(
                    **self._common | {"subdir": present[file.sha256].subdir},
                    filename=file.filename,
                    sha256=file.sha256,
                    size=present[file.sha256].size or 0,
                    state=UploadState.EXISTS,
                    decided_at=timezone.now(),
                )
                for file in files
                if file.sha256 in present
            ],
        )
        return [file for file in here if not file.artifact]

    def complete(self) -> Task:
        """Let all files of the batch be added to the repository, and return the task for that."""
        return task_for(CondaUpload.objects.filter(batch=self.key), self._repository)

    def _keep(self, here: Iterable[tuple[str, Artifact]], decided: Iterable[CondaUpload]) -> None:
        held = [
            CondaUpload(
                **self._common,
                filename=filename,
                artifact=artifact,
                size=artifact.size,
                sha256=artifact.sha256,
                state=UploadState.HELD,
            )
            for filename, artifact in here
        ]
        with transaction.atomic():
            # So that no cleanup of orphans takes them before the rows protect them.
            Artifact.objects.filter(pk__in=[upload.artifact_id for upload in held]).touch()
            CondaUpload.objects.bulk_create([*held, *decided])

    def _refused(self, file: UploadedFile, error: ChannelError) -> CondaUpload:
        return CondaUpload(
            **self._common,
            filename=file.name,
            size=file.size,
            sha256=file.hashers["sha256"].hexdigest(),
            state=UploadState.REFUSED,
            errors=[{"code": error.code, "text": str(error)}],
            decided_at=timezone.now(),
        )

    def _present(self, digests: set[str]) -> Mapping[str, CondaPackage]:
        """Return the packages of the latest version that have one of these digests, by digest."""
        with_digest = CondaPackage.objects.annotate(digest=Lower("sha256")).filter(
            digest__in=digests
        )
        state = VersionState(self._repository.latest_version())
        return {package.sha256: package for package in state.having(with_digest)}
