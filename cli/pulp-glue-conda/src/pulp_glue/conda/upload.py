"""Upload many package files to a channel in one new version. Files on the server are not sent.

The server is asked which files it needs. These are sent in several requests at the same time, and
then added to the channel in one step. If an upload is interrupted, the server needs only the rest
of the files the next time.
"""

import hashlib
import os
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from uuid import uuid4

from pulp_glue.common.exceptions import OpenAPIError, PulpException, PulpHTTPError
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.answers import sentences
from pulp_glue.conda.context import PulpCondaPackageContext, PulpCondaRepositoryContext
from pulp_glue.core.context import PulpUploadContext

translation = get_translation(__package__)
_ = translation.gettext

_T = t.TypeVar("_T")

EXTENSIONS = (".conda", ".tar.bz2")

# Larger files are sent in pieces of this many bytes, because this program and proxies hold a whole
# request in memory.
CHUNK_SIZE = 20_000_000

# How many hashes are in one query. A hash has 64 characters, and a URL should not have more than a
# few thousand.
_AT_ONCE = 50

# How many files are in one request, at most, and how many requests are sent at the same time.
_FILES_AT_ONCE = 50
_REQUESTS_AT_ONCE = 4

# How many hashes are in the body of one request.
_KNOWN_AT_ONCE = 5000


@dataclass
class Progress:
    """The progress of an upload. `sent` is how many bytes of the current `file` were sent.

    `file` is empty if several files are sent at the same time.
    """

    count: int
    done: int = 0
    file: str = ""
    size: int = 0
    sent: int = 0


@dataclass
class Report:
    """The result for each file, by its path as it was given.

    Attributes:
        version: The number of the new version, or None if nothing was added.
        added: Files that were added to the channel.
        present: Files that the channel already had.
        refused: The reason of the server for each refused file.
    """

    version: int | None = None
    added: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def find_packages(paths: Iterable[str | Path]) -> list[Path]:
    """Return the files, and the packages at any depth below the folders.

    Raises:
        PulpException: a path does not exist, a folder has no package, or something cannot be read.
    """
    try:
        return list(dict.fromkeys(file for path in paths for file in _files(Path(path))))
    except OSError as error:
        reason = _("'{path}' cannot be read: {reason}.")
        raise PulpException(reason.format(path=error.filename, reason=error.strerror)) from None


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise PulpException(_("There is no file or folder '{path}'.").format(path=path))
    packages = sorted(filter(_is_package, _files_below(path)))
    if not packages:
        reason = _("There is no file in '{path}' that ends in {extensions}.")
        raise PulpException(reason.format(path=path, extensions=_extensions()))
    return packages


def _files_below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> t.NoReturn:
        raise error

    # Path.rglob() ignores folders that it cannot read, so their packages would be missing without
    # an error.
    for parent, _folders, names in os.walk(folder, onerror=fail):
        yield from (Path(parent, name) for name in names)


def _is_package(path: Path) -> bool:
    return path.name.endswith(EXTENSIONS) and path.is_file()


class Upload:
    """The upload of files to a repository. `report` has the results so far.

    Parameters:
        overwrite: Whether a package may replace another file with the same name.
        subdir: The subdir of old packages that do not name it.
        chunk_size: Larger files are sent in pieces of this many bytes.
        show: Called with the `Progress` each time it changes.
    """

    def __init__(
        self,
        repository_ctx: PulpCondaRepositoryContext,
        overwrite: bool = False,
        subdir: str | None = None,
        chunk_size: int | None = None,
        show: Callable[[Progress], None] | None = None,
    ) -> None:
        self.report = Report()
        self._repository = repository_ctx
        self._pulp = repository_ctx.pulp_ctx
        self._packages = PulpCondaPackageContext(self._pulp)
        self._overwrite = overwrite
        self._fields = {"subdir": subdir} if subdir else {}
        self._chunk_size = chunk_size or self._pulp.chunk_size or CHUNK_SIZE
        self._show = show or (lambda progress: None)
        self._batch = str(uuid4())
        self._progress = Progress(0)

    def run(self, files: Sequence[Path]) -> Report:
        """Upload the files, and return the report.

        Raises:
            PulpException: the server does not answer as it should, or refuses the last step.
        """
        self._progress = Progress(len(files))
        hashes = {file: self._hash(file) for file in files}
        hashes = {file: digest for file, digest in hashes.items() if digest}
        if self._pulp.fake_mode:
            self._rehearse(hashes)
            return self.report
        self._progress = Progress(len(files), done=len(files) - len(hashes))
        if hashes:
            self._send(hashes)
            self._progress.file = ""
            self._show(self._progress)
            self._finish(hashes)
            self._show(self._progress)
        return self.report

    def _hash(self, file: Path) -> str:
        self._show(self._progress)
        self._progress.done += 1
        if not file.name.endswith(EXTENSIONS):
            # The file may be private, so it is not sent.
            reason = _("It is not a conda package: its name does not end in {extensions}.")
            self._refuse(file, reason.format(extensions=_extensions()))
            return ""
        try:
            with file.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            self._refuse(file, _unreadable(error))
            return ""

    def _rehearse(self, hashes: dict[Path, str]) -> None:
        """Report what an upload would do, without the checks of the server."""
        present: set[str] = set()
        if self._repository.entity["pulp_href"] != "<FAKE ENTITY>":
            query = {
                "repository_version": self._repository.entity["latest_version_href"],
                "fields": ["sha256"],
            }
            for chunk in _chunks(sorted(set(hashes.values())), _AT_ONCE):
                units = self._packages.list_iterator({**query, "sha256__in": chunk})
                present.update(unit["sha256"] for unit in units)
        for file, digest in hashes.items():
            (self.report.present if digest in present else self.report.added).append(str(file))
            present.add(digest)

    def _send(self, hashes: dict[Path, str]) -> None:
        """Send the bytes that the server does not have, in several requests at the same time."""
        missing = self._name(hashes)
        small: dict[Path, int] = {}
        # The same bytes under another name are another question.
        taken: set[tuple[str, str]] = set()
        for file, digest in hashes.items():
            if digest not in missing or (file.name, digest) in taken:
                self._progress.done += 1
                continue
            taken.add((file.name, digest))
            try:
                size = file.stat().st_size
            except OSError as error:
                self._refuse(file, _unreadable(error))
                continue
            if size > self._chunk_size:
                self._send_large(file, size, digest)
            else:
                small[file] = size
        self._show(self._progress)
        groups = list(_grouped(small, self._chunk_size))
        if len(groups) == 1:
            self._send_together(groups[0], hashes)
            self._count(groups[0])
            return
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            sent: dict[Future[None], list[Path]] = {
                pool.submit(self._send_together, group, hashes): group for group in groups
            }
            try:
                for future in as_completed(sent):
                    future.result()
                    self._count(sent[future])
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _name(self, hashes: dict[Path, str]) -> set[str]:
        """Tell the server the names and hashes of files, and return the hashes of those to send."""
        missing: set[str] = set()
        known = [{"filename": file.name, "sha256": digest} for file, digest in hashes.items()]
        for chunk in _chunks(known, _KNOWN_AT_ONCE):
            missing.update(self._call(known=chunk)["missing"])
        return missing

    def _send_together(self, files: list[Path], hashes: dict[Path, str]) -> None:
        """Send some files in one request."""
        bodies: dict[str, bytes] = {}
        for file in files:
            try:
                bodies[file.name] = file.read_bytes()
            except OSError as error:
                self._refuse(file, _unreadable(error))
                continue
            if hashlib.sha256(bodies[file.name]).hexdigest() != hashes[file]:
                del bodies[file.name]
                self._refuse(file, _changed())
        if not bodies:
            return
        try:
            self._call(bodies)
        except PulpHTTPError as error:
            if error.status_code in (401, 403):
                raise
            for file in files:
                if file.name in bodies:
                    self._refuse(file, sentences(error))

    def _send_large(self, file: Path, size: int, digest: str) -> None:
        """Send a file in pieces."""
        self._progress.file, self._progress.size, self._progress.sent = str(file), size, 0
        self._show(self._progress)
        try:
            self._send_chunks(file, size, digest)
            # Its name, now that the bytes are there.
            self._call(known=[{"filename": file.name, "sha256": digest}])
        except _ArtifactOfOthers as kept:
            self._send_alone(file, kept.upload)
        except _NotInPieces:
            self._send_together([file], {file: digest})
        except _Changed:
            self._refuse(file, _changed())
        except PulpHTTPError as error:
            if error.status_code in (401, 403):
                raise
            self._refuse(file, sentences(error))
        except OpenAPIError:
            raise
        except PulpException as error:  # of a task
            self._refuse(file, str(error))
        except OSError as error:
            self._refuse(file, _unreadable(error))
        self._count([file])

    def _send_chunks(self, file: Path, size: int, expected: str) -> None:
        upload = PulpUploadContext(self._pulp)
        try:
            upload.create(body={"size": size})
        except PulpHTTPError as error:
            if error.status_code != 403:
                raise
            raise _NotInPieces from error
        digest = hashlib.sha256()
        try:
            with file.open("rb") as opened:
                while chunk := opened.read(self._chunk_size):
                    digest.update(chunk)
                    if self._progress.sent + len(chunk) > size:
                        raise _Changed
                    upload.upload_chunk(chunk, size=size, start=self._progress.sent)
                    self._progress.sent += len(chunk)
                    self._show(self._progress)
            if digest.hexdigest() != expected:
                raise _Changed
        except (Exception, KeyboardInterrupt):
            upload.delete()
            raise
        try:
            upload.commit(expected)
        except (OpenAPIError, PulpHTTPError):
            raise
        except PulpException as error:
            raise _ArtifactOfOthers(upload.pulp_href) from error

    def _send_alone(self, file: Path, upload: str) -> None:
        """Add a file that was sent in pieces by a version of its own."""
        packages = PulpCondaPackageContext(self._pulp, repository_ctx=self._repository)
        try:
            packages.create(body={"upload": upload, **self._fields, "overwrite": self._overwrite})
        except PulpHTTPError as error:
            self._refuse(file, sentences(error))
        except OpenAPIError:
            raise
        except PulpException as error:  # of a task
            self._refuse(file, str(error))
        else:
            self.report.added.append(str(file))
            self._repository.pulp_href = self._repository.pulp_href  # there is a later version now
            self.report.version = _number(self._repository.entity["latest_version_href"])

    def _finish(self, hashes: dict[Path, str]) -> None:
        """Let the server add what it has, and report what became of each file."""
        result = self._call(complete=True)
        if result["version"] is not None:
            self.report.version = result["version"]
        states = {(each["filename"], each["sha256"]): each for each in result["uploads"]}
        for file, digest in hashes.items():
            found = states.get((file.name, digest))
            if found is None or str(file) in self.report.refused:
                continue
            match found["state"]:
                case "published":
                    self.report.added.append(str(file))
                case "exists":
                    self.report.present.append(str(file))
                case _:
                    reasons = [error["text"] for error in found["errors"]]
                    self._refuse(file, "\n".join(reasons) or found["state"])

    def _call(self, files: dict[str, bytes] | None = None, **body: t.Any) -> t.Any:
        body = {"batch": self._batch, "complete": False, "overwrite": self._overwrite, **body}
        return self._repository.upload(files, **body, **self._fields)

    def _refuse(self, file: Path, reason: str) -> None:
        self.report.refused[str(file)] = reason

    def _count(self, files: Sequence[Path]) -> None:
        self._progress.done += len(files)
        self._show(self._progress)


class _Changed(Exception):
    """A file has other bytes than when its hash was computed."""


class _NotInPieces(Exception):
    """A token is not for the requests that send a file in pieces."""


class _ArtifactOfOthers(Exception):
    """The server already has the sent bytes as an artifact that this user may not see.

    Attributes:
        upload: The href of the upload, which has the bytes, too.
    """

    def __init__(self, upload: str) -> None:
        super().__init__(upload)
        self.upload = upload


def _extensions() -> str:
    return _(" or ").join(f"'{extension}'" for extension in EXTENSIONS)


def _changed() -> str:
    return _("It changed while it was sent. Run this again when it is complete.")


def _unreadable(error: OSError) -> str:
    return _("It cannot be read: {reason}.").format(reason=error.strerror)


def _number(version_href: str) -> int:
    return int(version_href.rstrip("/").rpartition("/")[2])


def _chunks(items: Iterable[_T], count: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, count)):
        yield chunk


def _grouped(sizes: dict[Path, int], most: int) -> Iterator[list[Path]]:
    """Yield the files of each request. No two of them have the same name."""
    group: list[Path] = []
    names: set[str] = set()
    total = 0
    for file, size in sizes.items():
        if group and (len(group) == _FILES_AT_ONCE or total + size > most or file.name in names):
            yield group
            group, names, total = [], set(), 0
        group.append(file)
        names.add(file.name)
        total += size
    if group:
        yield group
