"""Upload many package files to a channel in one new version. Files on the server are not sent.

The files are sent to the server one by one. At the end, they are added to the channel in one step.
If an upload is interrupted, the next one finds the files that have arrived by their hashes.
"""

import hashlib
import os
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pulp_glue.common.exceptions import (
    OpenAPIError,
    PulpException,
    PulpHTTPError,
    PulpNotAutorized,
)
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.answers import sentences
from pulp_glue.conda.context import PulpCondaPackageContext, PulpCondaRepositoryContext
from pulp_glue.core.context import PulpUploadContext

translation = get_translation(__package__)
_ = translation.gettext

EXTENSIONS = (".conda", ".tar.bz2")

# Larger files are sent in pieces of this many bytes, because this program and proxies hold a whole
# request in memory.
CHUNK_SIZE = 20_000_000

# How many hashes or names are in one query. A hash has 64 characters, and a URL should not have
# more than a few thousand.
_AT_ONCE = 50


@dataclass
class Progress:
    """The progress of an upload. `sent` is how many bytes of the current `file` were sent."""

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
        self._one_by_one = False

    def run(self, files: Sequence[Path]) -> Report:
        """Upload the files, and return the report.

        Raises:
            PulpException: the server does not answer as it should, or refuses the last step.
        """
        progress = Progress(len(files))
        hashes = {file: self._hash(file, progress) for file in files}
        files = [file for file in files if hashes[file]]
        present = {unit["sha256"] for unit in self._units(set(hashes.values()), in_channel=True)}
        missing = {digest for digest in hashes.values() if digest not in present}
        here = {unit["sha256"]: unit["artifact"] for unit in self._units(missing)}

        units: dict[str, dict[str, t.Any]] = {}
        progress = Progress(len(files))
        for file in files:
            digest = hashes[file]
            progress.file, progress.size, progress.sent = str(file), 0, 0
            self._show(progress)
            if digest in present:
                self.report.present.append(str(file))
            elif self._pulp.fake_mode:
                self.report.added.append(str(file))
                present.add(digest)
            elif unit := self._send(file, digest, here.get(digest), progress):
                units[str(file)] = unit
                present.add(digest)
            progress.done += 1
        progress.file = ""
        self._show(progress)
        if units:
            self._add(units)
            self._show(progress)
        return self.report

    def _hash(self, file: Path, progress: Progress) -> str:
        self._show(progress)
        progress.done += 1
        if not file.name.endswith(EXTENSIONS):
            # The file may be private, so it is not sent.
            reason = _("It is not a conda package: its name does not end in {extensions}.")
            self.report.refused[str(file)] = reason.format(extensions=_extensions())
            return ""
        try:
            with file.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            self.report.refused[str(file)] = _unreadable(error)
            return ""

    def _units(self, hashes: set[str], in_channel: bool = False) -> Iterator[dict[str, t.Any]]:
        """Yield the packages with these hashes whose files the server has.

        With in_channel, yield those of the channel, even if the server does not have their files.
        """
        query: dict[str, t.Any] = {"fields": ["sha256", "artifact"]}
        if in_channel:
            if self._repository.entity["pulp_href"] == "<FAKE ENTITY>":
                return
            query["repository_version"] = self._repository.entity["latest_version_href"]
        for chunk in _chunks(sorted(hashes - {""})):
            for unit in self._packages.list_iterator({**query, "sha256__in": chunk}):
                if in_channel or unit["artifact"]:
                    yield unit

    def _send(self, file: Path, digest: str, artifact: str | None, progress: Progress) -> t.Any:
        """Make a package of a file, and return it.

        Return None if the file was refused, or if it is already in the channel.
        """
        try:
            progress.size = file.stat().st_size
            if not self._one_by_one:
                try:
                    unit = self._send_apart(file, artifact, progress)
                    if unit["sha256"] == digest:
                        return unit
                    reason = _("It changed while it was sent. Run this again when it is complete.")
                    self.report.refused[str(file)] = reason
                    return None
                except PulpNotAutorized:
                    # An owner of a repository may add files to it, but may not upload files
                    # without a repository. So each file makes a version.
                    self._one_by_one = True
                except _ArtifactOfOthers as kept:
                    self._send_into(upload=kept.upload)
                    self.report.added.append(str(file))
                    return None
            self._send_into(file=file, chunk_size=self._chunk_size)
            self.report.added.append(str(file))
        except PulpHTTPError as error:
            if error.status_code in (401, 403):
                raise
            self.report.refused[str(file)] = sentences(error)
        except OpenAPIError:
            raise
        except PulpException as error:  # of a task
            self.report.refused[str(file)] = str(error)
        except OSError as error:
            self.report.refused[str(file)] = _unreadable(error)
        return None

    def _send_apart(self, file: Path, artifact: str | None, progress: Progress) -> t.Any:
        if artifact is None and progress.size > self._chunk_size:
            artifact = self._send_chunks(file, progress)
        if artifact is not None:
            return self._packages.call("upload", body={"artifact": artifact, **self._fields})
        with file.open("rb") as opened:
            return self._packages.call("upload", body={"file": opened, **self._fields})

    def _send_chunks(self, file: Path, progress: Progress) -> str:
        """Send a file in pieces, and return the href of the artifact."""
        upload = PulpUploadContext(self._pulp)
        upload.create(body={"size": progress.size})
        digest = hashlib.sha256()
        try:
            with file.open("rb") as opened:
                while chunk := opened.read(self._chunk_size):
                    digest.update(chunk)
                    upload.upload_chunk(chunk, size=progress.size, start=progress.sent)
                    progress.sent += len(chunk)
                    self._show(progress)
        except (Exception, KeyboardInterrupt):
            upload.delete()
            raise
        try:
            task = upload.commit(digest.hexdigest())
        except (OpenAPIError, PulpHTTPError):
            raise
        except PulpException as error:
            raise _ArtifactOfOthers(upload.pulp_href) from error
        return t.cast(str, task["created_resources"][0])

    def _send_into(self, **body: t.Any) -> None:
        packages = PulpCondaPackageContext(self._pulp, repository_ctx=self._repository)
        packages.create(body={**body, **self._fields, "overwrite": self._overwrite})
        self._repository.pulp_href = self._repository.pulp_href  # there is a later version now
        self.report.version = _number(self._repository.entity["latest_version_href"])

    def _add(self, units: dict[str, dict[str, t.Any]]) -> None:
        """Add the packages to the channel, except those that would replace another file."""
        taken = {} if self._overwrite else self._taken(units)
        for file, unit in units.items():
            path = f"{unit['subdir']}/{unit['filename']}"
            if taken.setdefault(path, unit["sha256"]) != unit["sha256"]:
                reason = _(
                    "[CND0018] '{path}' is already in '{repository}' with other bytes (sha256 "
                    "{found}, not {sha256}). Give the new build another build number, or set "
                    "'overwrite'."
                )
                self.report.refused[file] = reason.format(
                    path=path,
                    repository=self._repository.entity["name"],
                    found=taken[path],
                    sha256=unit["sha256"],
                )
        added = {file: unit for file, unit in units.items() if file not in self.report.refused}
        if not added:
            return
        hrefs = [unit["pulp_href"] for unit in added.values()]
        version = self._repository.modify(add_content=hrefs, overwrite=self._overwrite)
        self.report.version = version.get("number")
        self.report.added += added

    def _taken(self, units: dict[str, dict[str, t.Any]]) -> dict[str, str]:
        """Return the hashes of the files of these names in the channel, by their paths."""
        names = sorted({unit["filename"] for unit in units.values()})
        query = {
            "repository_version": self._repository.entity["latest_version_href"],
            "fields": ["subdir", "filename", "sha256"],
        }
        return {
            f"{unit['subdir']}/{unit['filename']}": unit["sha256"]
            for chunk in _chunks(names)
            for unit in self._packages.list_iterator({**query, "filename__in": chunk})
        }


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


def _unreadable(error: OSError) -> str:
    return _("It cannot be read: {reason}.").format(reason=error.strerror)


def _number(version_href: str) -> int:
    return int(version_href.rstrip("/").rpartition("/")[2])


def _chunks(items: list[str]) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _AT_ONCE)):
        yield chunk
