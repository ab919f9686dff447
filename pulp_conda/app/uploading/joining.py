"""Add all uploads that wait for a repository to it: one version and one publication for all.

Each file is read and decided by itself, so a bad one fails alone. What is decided is written at
the end, in one step: a task that dies before leaves the rows to the next one, which finds the
packages that are in the channel already.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from gettext import gettext as _
from itertools import islice

import orjson
from django.db.models import F, QuerySet
from django.utils import timezone

from pulpcore.plugin.models import Artifact, ProgressReport, RepositoryVersion
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.artifacts import compute_md5
from pulp_conda.app.attestations import attested, with_its_attestation
from pulp_conda.app.disk import disk_errors
from pulp_conda.app.errors import DuplicateFilename, NotConverted, PackageConflict, UploadFailed
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPackage, CondaPackageInfo, CondaRepository, CondaUpload
from pulp_conda.app.models.act import Contribution, acting_as
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.uploading.converting import Wanted, ask_for_conversions
from pulp_conda.app.uploading.dispatching import locked
from pulp_conda.app.uploading.reading import read_upload, store_package
from pulp_conda.app.versions.published import newest_publication
from pulp_conda.app.vocabulary import UploadState
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError
from pulp_conda.channel.package.convert import converted_name, converted_record
from pulp_conda.channel.package.info import PackageInfo
from pulp_conda.channel.records import PackageRecord, RecordError

log = logging.getLogger(__name__)

# Uploads of a set of which so many tasks have died are refused.
_MOST_ATTEMPTS = 5

# What was read of so many packages is kept in memory, before it is stored.
_BATCH = 100

# So many file names of one user are in an act.
_MOST_NAMED = 20

_DECIDED = [
    "state",
    "errors",
    "filename",
    "subdir",
    "artifact",
    "attestation",
    "version",
    "decided_at",
]


def join(repository: CondaRepository) -> RepositoryVersion | None:
    """Decide all uploads that wait for a repository. Return the version that was made, if any.

    Only a task that has the repository for itself may do this. Uploads that came while it works
    still wait when it is done, and so does an upload that replaces another one of the same set.

    Raises:
        CondaError: the version or the publication cannot be made. Then all uploads that were to be
            added are refused with that.
    """
    waiting = CondaUpload.objects.filter(repository=repository, state=UploadState.WAITING)
    with locked(repository):
        uploads = list(waiting.select_related("artifact", "distribution", "user", "converted_from"))
    if not uploads:
        return None
    joining = _Joining(repository, uploads)
    try:
        with disk_errors():
            joining.begin()
            with ProgressReport(
                message="Reading uploaded packages", code="upload.read", total=len(uploads)
            ) as progress:
                for upload in progress.iter(uploads):
                    joining.decide(upload)
            version = joining.finish()
    except Exception as error:
        joining.give_up(error)
        raise
    joining.ask_for_conversions()
    return version


@dataclass
class _Added:
    """A package that comes into the next version.

    Fields:
        package: Its unit, once it is stored.
    """

    upload: CondaUpload
    record: PackageRecord
    info: PackageInfo
    artifact: Artifact
    package: CondaPackage | None = None


class _Joining:
    """The uploads that a task took, and what comes into the next version of the repository."""

    def __init__(self, repository: CondaRepository, uploads: Sequence[CondaUpload]) -> None:
        self._repository = repository
        self._uploads = uploads
        self._latest = repository.latest_version()
        self._blocklist = current_blocklist()
        self._added: dict[str, _Added] = {}  # by path
        self._unstored: list[_Added] = []
        # A task died that had some of the uploads.
        self._is_careful = any(upload.attempts for upload in uploads)
        self._suspect: CondaUpload | None = None

    def begin(self) -> None:
        """Note that a task has the uploads."""
        _rows(self._uploads).update(attempts=F("attempts") + 1)

    def decide(self, upload: CondaUpload) -> None:
        """Read a file, and set the state of its upload. It stays as it is if it has to wait."""
        if upload.is_suspect or upload.attempts >= _MOST_ATTEMPTS:
            reason = _("the tasks that had it were killed, the last one while it read this file")
            if not upload.is_suspect:
                reason = _("{} tasks that had it were killed").format(upload.attempts)
            _refuse(upload, UploadFailed(filename=upload.filename, reason=reason))
            return
        self._suspect_it(upload)
        try:
            self._read(upload, upload.artifact)
        except FileNotFoundError:
            reason = _("its bytes are lost")
            _refuse(upload, UploadFailed(filename=upload.filename, reason=reason))
        except PackageConflict as error:
            _refuse(upload, error, UploadState.CONFLICT)
        except ChannelError as error:
            _refuse(upload, error)
        if upload.converted_from and upload.errors:
            log.warning("%s", upload.errors[0]["text"])  # No client waits to read it.
        if len(self._unstored) >= _BATCH:
            self._store()

    def finish(self) -> RepositoryVersion | None:
        """Make the version, publish what channels shall serve, and write what was decided."""
        self._suspect_it(None)
        self._store()
        with self._acting():
            version = self._make_version()
            self._publish()
        if version:
            for added in self._added.values():
                added.upload.version = version.number
        _write(self._uploads)
        return version

    def ask_for_conversions(self) -> None:
        """Let the packages be converted that clients uploaded, if the repository asks for that."""
        ask_for_conversions(self._repository, self._to_convert())

    def give_up(self, error: Exception) -> None:
        """Refuse what was to be added, because it cannot be."""
        for upload in self._uploads:
            if upload.state not in (UploadState.WAITING, UploadState.PUBLISHED):
                continue
            if isinstance(error, CondaError):
                _refuse(upload, error.error)
            else:
                reason = _("the server made a mistake, which its log has")
                _refuse(upload, UploadFailed(filename=upload.filename, reason=reason))
        _write(self._uploads)

    def _read(self, upload: CondaUpload, artifact: Artifact) -> None:
        attested_by = upload.filename, artifact.sha256, upload.attestation, self._repository
        with artifact.file.open() as file, with_its_attestation(*attested_by):
            record, info = read_upload(
                file,
                filename=upload.filename,
                subdir=upload.subdir or None,
                sha256=artifact.sha256,
                md5=upload.md5 or compute_md5(file),
                size=artifact.size,
                blocklist=self._blocklist,
            )
        if upload.converted_from:
            record, info = self._as_source(upload.converted_from, record, info)
        path = layout.package_path(record.subdir, record.filename)
        before = self._added.get(path)
        found = self._present(record)
        if found not in (None, record.sha256) and not self._may_replace(upload, found):
            raise PackageConflict(
                path=path, repository=self._repository.name, found=found, sha256=record.sha256
            )
        has_same = found == record.sha256 and not upload.attestation
        if before and not has_same:
            if upload.batch and upload.batch == before.upload.batch:
                raise DuplicateFilename(path=path, repository=self._repository.name, count=2)
            # It changes what this version adds: it comes into the next one.
            return
        upload.filename, upload.subdir = record.filename, record.subdir
        if has_same:
            upload.state = UploadState.EXISTS
            return
        if upload.attestation:
            record = attested(record, upload.attestation, self._repository)
        self._added[path] = _Added(upload, record, info, artifact)
        self._unstored.append(self._added[path])
        upload.state = UploadState.PUBLISHED

    def _as_source(
        self, source: CondaPackage, record: PackageRecord, info: PackageInfo
    ) -> tuple[PackageRecord, PackageInfo]:
        """Return what is said of a converted file: what the channel says of the `.tar.bz2`.

        Raises:
            NotConverted: the `.tar.bz2` is not in the repository any more.
        """
        of_source = source.as_record()
        path = layout.package_path(source.subdir, source.filename)
        if self._present(of_source) != of_source.sha256:
            reason = _("repository '{}' does not have that file any more").format(
                self._repository.name
            )
            raise NotConverted(path=path, reason=reason)
        known = CondaPackageInfo.objects.filter(
            pulp_domain=get_domain_pk(), sha256=of_source.sha256, run_exports__isnull=False
        )
        for run_exports in known.values_list("run_exports", flat=True):
            info = replace(info, run_exports=orjson.loads(run_exports))
        try:
            return converted_record(of_source, record), info
        except RecordError as error:
            raise NotConverted(path=path, reason=str(error)) from None

    def _present(self, record: PackageRecord) -> str | None:
        """Return the digest of the file that the next version has under a name so far, or None."""
        added = self._added.get(layout.package_path(record.subdir, record.filename))
        if added:
            return added.record.sha256
        package = CondaPackage.at_path([self._latest], record.subdir, record.filename)
        return package and package.sha256

    def _may_replace(self, upload: CondaUpload, found: str | None) -> bool:
        """Say whether an upload may replace a file that has this digest.

        What this server made of an earlier `.tar.bz2` is replaced by what it made of the one that
        has replaced it: clients would get the earlier package otherwise.
        """
        if upload.converted_from and found:
            return CondaPackageInfo.made_of(found) is not None
        return upload.force

    def _suspect_it(self, upload: CondaUpload | None) -> None:
        """Note which file is being read, if a task died before: this one may be what kills it."""
        if self._is_careful:
            if self._suspect:
                _rows([self._suspect]).update(is_suspect=False)
            if upload:
                _rows([upload]).update(is_suspect=True)
            self._suspect = upload

    def _store(self) -> None:
        some, self._unstored = self._unstored, []
        # Before a version has the packages: a publication of that version uses this information.
        CondaPackageInfo.remember_all({added.record.sha256: added.info for added in some})
        for added in some:
            if source := added.upload.converted_from:
                infos = CondaPackageInfo.objects.filter(pulp_domain=get_domain_pk())
                infos.filter(sha256=added.record.sha256).update(converted_from=source.sha256)
            added.package = store_package(added.record, added.artifact)

    def _make_version(self) -> RepositoryVersion | None:
        packages = [added.package.pk for added in self._added.values() if added.package]
        if not packages:
            return None
        with self._repository.new_version() as version:
            version.contributions = self._contributions()
            # Who uploads to a channel waits until it serves the package.
            version.published_at_once = any(upload.distribution for upload in self._uploads)
            version.add_content(CondaPackage.objects.filter(pk__in=packages))
        return version if version.complete else None

    def _publish(self) -> None:
        """Publish the latest version for the channels of uploads, unless that is done."""
        wanted = [
            upload
            for upload in self._uploads
            if upload.state in (UploadState.PUBLISHED, UploadState.EXISTS)
            and (upload.distribution or self._repository.autopublish)
        ]
        latest = self._repository.latest_version()
        if wanted and newest_publication("pulp_id", latest.pk) is None:
            publish_version(latest)

    def _to_convert(self) -> Iterator[Wanted]:
        """Yield the packages that clients uploaded, for their conversion."""
        latest = self._repository.latest_version()
        for upload in self._uploads:
            if upload.converted_from or upload.state not in (
                UploadState.PUBLISHED,
                UploadState.EXISTS,
            ):
                continue
            if converted_name(upload.filename) and (
                package := CondaPackage.at_path([latest], upload.subdir, upload.filename)
            ):
                yield Wanted(package, upload.user, upload.token_name, upload.distribution)

    def _acting(self) -> AbstractContextManager[None]:
        """Return the context in which the version and the publication are the work of the user of
        all uploads, or of nobody if there are several.
        """
        users = {added.upload.user for added in self._added.values()}
        return acting_as(users.pop() if len(users) == 1 else None) if users else nullcontext()

    def _contributions(self) -> list[Contribution]:
        """Return who added what, for the table of acts."""
        paths: dict[tuple, list[str]] = {}
        converted: Counter[tuple] = Counter()
        for path, added in self._added.items():
            key = (added.upload.user, added.upload.token_name)
            paths.setdefault(key, []).append(path)
            converted[key] += added.upload.converted_from is not None
        return [
            Contribution(
                user,
                {
                    "packages": list(islice(sorted(of_user), _MOST_NAMED)),
                    "package_count": len(of_user),
                    **({"token": token_name} if token_name else {}),
                    **({"converted_count": count} if count else {}),
                },
            )
            for (user, token_name), of_user in paths.items()
            for count in [converted[user, token_name]]
        ]


def _rows(uploads: Iterable[CondaUpload]) -> QuerySet[CondaUpload]:
    return CondaUpload.objects.filter(pk__in=[upload.pk for upload in uploads])


def _refuse(
    upload: CondaUpload, error: ChannelError, state: UploadState = UploadState.REFUSED
) -> None:
    upload.state = state
    upload.errors = [{"code": each.code, "text": str(each)} for each in error.errors]


def _write(uploads: Iterable[CondaUpload]) -> None:
    """Write what was decided, and let go of the files."""
    now = timezone.now()
    decided = [upload for upload in uploads if upload.state != UploadState.WAITING]
    for upload in decided:
        upload.artifact, upload.attestation, upload.decided_at = None, [], now
    CondaUpload.objects.bulk_update(decided, _DECIDED, batch_size=500)
