"""Make the `.conda` of packages that are there as `.tar.bz2`.

A conversion takes seconds to minutes, so nobody waits for it, and the task does not have the
repository for itself. What it made comes into the repository as uploads do: the task that adds what
waits takes it along. So it makes few versions of its own, and it is checked like any upload.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from gettext import gettext as _
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.files import File
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from pulpcore.plugin.models import Artifact, ProgressReport, RepositoryVersion, Task
from pulpcore.plugin.util import get_current_authenticated_user

from pulp_conda.app.artifacts import compute_md5, save_artifact
from pulp_conda.app.disk import disk_errors
from pulp_conda.app.errors import NotConverted
from pulp_conda.app.limits import Deadline, package_limits
from pulp_conda.app.models import (
    CondaDistribution,
    CondaPackage,
    CondaPackageInfo,
    CondaRepository,
    CondaUpload,
)
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.app.uploading.dispatching import ensure_conversion, ensure_task, task_for
from pulp_conda.app.uploading.reading import read_upload
from pulp_conda.app.versions.state import VersionState
from pulp_conda.app.versions.twins import OldForm, packages_in_old_form
from pulp_conda.app.vocabulary import UploadState
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.package.convert import convert, converted_name, converted_record
from pulp_conda.channel.records import RecordError

log = logging.getLogger(__name__)

# A conversion during which so many tasks have died is given up.
_MOST_ATTEMPTS = 3

_MADE = ["state", "artifact", "size", "sha256", "attempts", "errors", "decided_at"]

# Packages of each kind in a report.
_SHOWN = 1000


@dataclass(frozen=True)
class Wanted:
    """A package that somebody uploaded and that shall also appear as `.conda`.

    Fields:
        distribution: The channel to which it was uploaded, or None.
        user, token_name: Who uploaded it.
    """

    package: CondaPackage
    user: AbstractBaseUser | None = None
    token_name: str = ""
    distribution: CondaDistribution | None = None


@dataclass
class Made:
    """What became of conversions.

    Fields:
        converted: How many packages were converted.
        size: The bytes of the new files.
        failed: Why others were not: {"path", "code", "text"}.
    """

    converted: int = 0
    size: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    def note(self, upload: CondaUpload) -> None:
        """Add what became of a conversion."""
        if upload.artifact:
            self.converted += 1
            self.size += upload.size
        path = _path(upload.converted_from)
        self.failed += [{"path": path, **error} for error in upload.errors]

    def as_report(self) -> dict[str, Any]:
        """Return it for the result of a task."""
        return {"converted": self.converted, "size": self.size, "failed": self.failed[:_SHOWN]}


@dataclass
class Choice:
    """The packages of a repository that a conversion is about.

    Fields:
        keys: Those to convert, in the order of their paths.
        size: Their bytes. What is not known counts as nothing.
        kept: The paths of `.conda` files that stay although they were not made of the `.tar.bz2`
            beside them.
        not_here: The paths of packages whose bytes are not on this server.
        converted_before: How many have a `.conda` that was made of them.
    """

    keys: list[UUID] = field(default_factory=list)
    size: int = 0
    kept: list[str] = field(default_factory=list)
    not_here: list[str] = field(default_factory=list)
    converted_before: int = 0

    def add(self, package: OldForm) -> None:
        """Add a package that somebody wants as `.conda`."""
        subdir, filename = package.candidate.subdir, package.candidate.filename
        if not package.needs_conversion:
            if package.twin_made_of is None:
                self.kept.append(layout.package_path(subdir, converted_name(filename) or ""))
            else:
                self.converted_before += 1
        elif not package.is_here:
            self.not_here.append(package.candidate.path)
        else:
            self.keys.append(package.candidate.key)
            self.size += package.size or 0

    def as_report(self) -> dict[str, Any]:
        """Return it for the result of a task."""
        return {
            "count": len(self.keys),
            "size": self.size,
            "converted_before": self.converted_before,
            "kept": self.kept[:_SHOWN],
            "not_here": self.not_here[:_SHOWN],
        }


def choose(repository: CondaRepository, specs: Iterable[str]) -> Choice:
    """Return what there is to convert of the packages that specs match, or of all without specs.

    Raises:
        BadMatchSpec
    """
    queries = [Query(spec) for spec in specs]
    choice = Choice()
    for package in packages_in_old_form(VersionState(repository.latest_version())):
        if not queries or any(query.matches(package.candidate) for query in queries):
            choice.add(package)
    return choice


def ask_for_conversions(repository: CondaRepository, wanted: Iterable[Wanted]) -> None:
    """Let a task make the `.conda` of packages that have none, if the repository asks for that.

    Call it when the latest version has the packages.
    """
    if not repository.convert:
        return
    latest = repository.latest_version()
    rows = [
        CondaUpload(
            repository=repository,
            distribution=each.distribution,
            user=each.user,
            token_name=each.token_name,
            filename=filename,
            subdir=each.package.subdir,
            size=0,
            sha256="",
            state=UploadState.CONVERTING,
            converted_from=each.package,
        )
        for each in wanted
        if (filename := converted_name(each.package.filename))
        and _needs_conversion(each.package, filename, latest)
    ]
    if rows:
        CondaUpload.objects.bulk_create(rows)
        ensure_conversion(repository)


@disk_errors()
def convert_asked(repository: CondaRepository) -> Made:
    """Make what `ask_for_conversions` asked for. A task adds it to the repository later.

    Raises:
        CondaError: `DiskFull`.
    """
    made = Made()
    asked = CondaUpload.objects.filter(repository=repository, state=UploadState.CONVERTING)
    with _progress() as progress:
        while (upload := asked.order_by("attempts", "pulp_created").first()) is not None:
            CondaUpload.objects.filter(pk=upload.pk).update(attempts=F("attempts") + 1)
            if upload.attempts >= _MOST_ATTEMPTS:
                reason = _("{} tasks that tried it were killed").format(upload.attempts)
                _refuse(upload, NotConverted(path=_path(upload.converted_from), reason=reason))
            else:
                _make(upload, UploadState.WAITING)
            upload.attempts = 0
            made.note(upload)
            _save(upload, update_fields=_MADE)
            progress.increment()
    if made.converted:
        ensure_task(repository)
    return made


@disk_errors()
def convert_chosen(repository: CondaRepository, keys: Iterable[UUID]) -> tuple[Made, Task | None]:
    """Convert packages of a repository.

    Returns:
        What was made, and the task that adds it to the repository. None if nothing was made.

    Raises:
        CondaError: `DiskFull`.
    """
    made, batch, user = Made(), uuid4(), get_current_authenticated_user()
    with _progress() as progress:
        for package in _packages(keys):
            upload = CondaUpload(
                repository=repository,
                user=user,
                filename=converted_name(package.filename) or "",
                subdir=package.subdir,
                batch=batch,
                converted_from=package,
            )
            _make(upload, UploadState.HELD)
            made.note(upload)
            if upload.artifact:
                _save(upload)
            progress.increment()
    if not made.converted:
        return made, None
    return made, task_for(CondaUpload.objects.filter(batch=batch), repository)


def _packages(keys: Iterable[UUID]) -> Iterator[CondaPackage]:
    for key in keys:
        # It may be gone by now: the repository changes meanwhile.
        if (package := CondaPackage.objects.filter(pk=key).first()) is not None:
            yield package


def _make(upload: CondaUpload, state: UploadState) -> None:
    """Convert the package of a row, and set the row's state, its file and its errors."""
    package: CondaPackage = upload.converted_from
    try:
        upload.artifact = _converted(package, upload.filename)
    except NotConverted as error:
        _refuse(upload, error)
    except FileNotFoundError:
        reason = _("its bytes are lost")
        _refuse(upload, NotConverted(path=_path(package), reason=reason))
    except ChannelError as error:
        reason = error.text.rstrip(".")
        _refuse(upload, NotConverted(path=_path(package), reason=reason))
    else:
        upload.state = state
        upload.size, upload.sha256 = upload.artifact.size, upload.artifact.sha256


def _converted(package: CondaPackage, filename: str) -> Artifact:
    """Convert a package, check the new file as an upload, and store it.

    Raises:
        ChannelError, FileNotFoundError
    """
    reason = current_blocklist().reason_against(package.as_record())
    if reason is not None:
        raise NotConverted(path=_path(package), reason=_("it is blocked"))
    found = package.contentartifact_set.select_related("artifact").exclude(artifact=None).first()
    if found is None:
        raise NotConverted(path=_path(package), reason=_("its bytes are not on this server"))
    deadline = Deadline(_path(package))
    # In the working directory of the task, which is removed with the task.
    with TemporaryDirectory(dir=".") as folder:
        with found.artifact.file.open() as file:
            path = convert(
                file,
                filename=package.filename,
                size=found.artifact.size,
                folder=Path(folder).absolute(),
                limits=package_limits(),
                spend=deadline.spend,
            )
        artifact = Artifact.init_and_validate(str(path))
        with File(path.open("rb")) as new:
            record, _info = read_upload(
                new,
                filename=filename,
                subdir=package.subdir,
                sha256=artifact.sha256,
                md5=compute_md5(new),
                size=artifact.size,
                spend=deadline.spend,
            )
        try:
            converted_record(package.as_record(), record)
        except RecordError as error:
            raise NotConverted(path=_path(package), reason=str(error)) from None
        return save_artifact(artifact)


def _needs_conversion(package: CondaPackage, filename: str, version: RepositoryVersion) -> bool:
    twin = CondaPackage.at_path([version], package.subdir, filename)
    return twin is None or CondaPackageInfo.made_of(twin.sha256) not in (None, package.sha256)


def _save(upload: CondaUpload, **options: Any) -> None:
    with transaction.atomic():
        if upload.artifact:
            # So that no cleanup of orphans takes it before the row protects it.
            artifacts = Artifact.objects.select_for_update(no_key=True)
            artifacts.get(pk=upload.artifact.pk).touch()
        upload.save(**options)


def _refuse(upload: CondaUpload, error: ChannelError) -> None:
    log.warning("%s", error)
    upload.state, upload.decided_at = UploadState.REFUSED, timezone.now()
    upload.errors = [{"code": error.code, "text": str(error)}]


def _path(package: CondaPackage) -> str:
    return layout.package_path(package.subdir, package.filename)


def _progress() -> ProgressReport:
    return ProgressReport(message="Converting packages to .conda", code="convert.packages")
