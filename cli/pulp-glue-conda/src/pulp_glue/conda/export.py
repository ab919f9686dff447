"""Write a channel to a folder that any web server can serve.

The order of the steps keeps the folder whole for clients at each moment: packages and shards come
first, under names that nobody asks for yet. Then the indexes are replaced, each in one step. What
no index names any more is deleted last. An export that was stopped goes on where it was: a shard
is only there when all of its packages are.
"""

import hashlib
import json
import os
import re
import shutil
import typing as t
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.exported import (
    CHANNELDATA,
    FILES_OF_CHANNEL,
    FILES_OF_SUBDIR,
    FLAT,
    INCOMING,
    INDEX,
    ExportError,
    PackageFile,
    State,
    files_of,
    has_bytes,
    read_flat,
    read_index,
    read_shard,
    shard_path,
)
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

translation = get_translation(__package__)
_ = translation.gettext

_SUBDIR = re.compile(r"noarch|[a-z0-9]+-[a-z0-9]+", re.ASCII)

_DOWNLOADS_AT_ONCE = 8
_PIECE = 2**20
_TIMEOUT = (30, 300)  # seconds to connect, and without a byte
# How often the channel may move while it is exported.
_MOST_ROUNDS = 10
_MOST_NAMED = 100


@dataclass
class ExportReport:
    """What an export wrote and deleted. The first hundred files are named."""

    packages: int = 0
    bytes: int = 0
    written: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def as_result(self) -> dict[str, t.Any]:
        return {
            "packages": self.packages,
            "bytes": self.bytes,
            "files_written": len(self.written),
            "files_deleted": len(self.deleted),
            "written": sorted(self.written)[:_MOST_NAMED],
            "deleted": sorted(self.deleted)[:_MOST_NAMED],
        }


class Channel:
    """A channel on a server.

    Parameters:
        url: Its URL.
        token: A token that may read it.
        verify: As in `requests`: whether certificates are checked, or the path of a bundle.
    """

    def __init__(self, url: str, token: str | None = None, verify: bool | str = True) -> None:
        self.url = f"{url.rstrip('/')}/"
        self._session = requests.Session()
        self._session.verify = verify
        # A login from .netrc must not take the place of the token.
        self._session.trust_env = token is None
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        retry = Retry(3, backoff_factor=1, status_forcelist=[429, 502, 503, 504])
        adapter = HTTPAdapter(pool_maxsize=_DOWNLOADS_AT_ONCE, max_retries=retry)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def read(self, path: str) -> bytes | None:
        """Return a small file, or None if the channel does not have it."""
        with self._get(path) as answer:
            return None if answer.status_code == 404 else answer.content

    def save(self, path: str, file: Path, etag: str | None = None) -> tuple[int, str | None]:
        """Write a file, and return its status and entity tag: 200, 304 or 404.

        Parameters:
            etag: With it, a file that did not change is not sent.
        """
        with self._get(path, {"If-None-Match": etag} if etag else {}) as answer:
            if answer.status_code == 200:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as opened:
                    for piece in answer.iter_content(_PIECE):
                        opened.write(piece)
            return answer.status_code, answer.headers.get("ETag")

    def _get(self, path: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        url = self.url + path
        try:
            answer = self._session.get(
                url, headers=headers, stream=True, timeout=_TIMEOUT, allow_redirects=True
            )
        except requests.RequestException as error:
            raise ExportError(_("'{url}': {error}").format(url=url, error=error)) from None
        if answer.status_code in (401, 403):
            raise ExportError(
                _("'{url}' is private. Name a token that may read it, with --token.").format(
                    url=self.url
                )
            )
        if answer.status_code not in (200, 304, 404):
            raise ExportError(
                _("'{url}' answers {status}: {text}").format(
                    url=url, status=answer.status_code, text=answer.text[:200].strip()
                )
            )
        return answer


class Export:
    """The export of a channel to a folder.

    Parameters:
        show: Called with (done, total) of the package names that changed.
    """

    def __init__(
        self,
        channel: Channel,
        folder: Path,
        show: Callable[[int, int], None] | None = None,
    ) -> None:
        self.report = ExportReport()
        self._channel = channel
        self._folder = folder
        self._incoming = folder / INCOMING
        self._show = show or (lambda done, total: None)
        self._state = State.read(folder)

    def run(self) -> ExportReport:
        """Bring the folder to what the channel serves now.

        Raises:
            ExportError: the channel or the folder is not what it has to be. What the folder
                serves is as before.
        """
        if self._state is None and self._folder.exists() and any(self._folder.iterdir()):
            raise ExportError(
                _("'{folder}' has files that no export wrote. Name a new or empty folder.").format(
                    folder=self._folder
                )
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        state = self._state or State()
        # From now on, the folder is known as that of an export.
        state.write(self._folder)
        for _round in range(_MOST_ROUNDS):
            shutil.rmtree(self._incoming, ignore_errors=True)
            step = _Step(self._channel, self._folder, state, self.report, self._show)
            step.fetch()
            if step.is_whole():
                step.switch()
                return self.report
        raise ExportError(
            _("'{url}' changed {count} times while it was exported. Try again later.").format(
                url=self._channel.url, count=_MOST_ROUNDS
            )
        )


class _Step:
    """One try to bring a folder to one state of the channel."""

    def __init__(
        self,
        channel: Channel,
        folder: Path,
        state: State,
        report: ExportReport,
        show: Callable[[int, int], None],
    ) -> None:
        self._channel = channel
        self._folder = folder
        self._incoming = folder / INCOMING
        self._state = state
        self._report = report
        self._show = show
        # The index of each subdir, as it was when the step began.
        self._indexes: dict[str, bytes | None] = {}
        self._channeldata = b""
        self._etags: dict[str, str] = {}
        self._places: list[str] = []  # of what waits in the folder for incoming files
        self._gone: set[str] = set()
        self._superseded: set[str] = set()
        self._absent: list[str] = []  # metadata files that the channel does not have
        self._missing: list[str] = []  # what an index named, and the channel did not have

    def fetch(self) -> None:
        """Fetch all that the folder lacks. What clients see does not change."""
        channeldata = self._channel.read(CHANNELDATA)
        if channeldata is None:
            raise ExportError(
                _("'{url}' serves no channel: it has no '{file}'.").format(
                    url=self._channel.url, file=CHANNELDATA
                )
            )
        self._channeldata = channeldata
        named = json.loads(channeldata).get("subdirs", [])
        self._subdirs = sorted({"noarch", *(each for each in named if _SUBDIR.fullmatch(each))})
        for subdir in self._subdirs:
            self._indexes[subdir] = self._channel.read(f"{subdir}/{INDEX}")
            if self._indexes[subdir] is None:
                self._fetch_flat(subdir)
            else:
                self._fetch_shards(subdir)
        for subdir in set(self._state.subdirs) - set(self._subdirs):
            self._leave(subdir)
        for path in self._metadata_paths():
            self._fetch_metadata(path)

    def is_whole(self) -> bool:
        """Say whether the channel is still in the state in which it was when the step began.

        Raises:
            ExportError: it is, and lacks a file that its index names.
        """
        is_same = self._channel.read(CHANNELDATA) == self._channeldata and all(
            self._channel.read(f"{subdir}/{INDEX}") == index
            for subdir, index in self._indexes.items()
        )
        if is_same and self._missing:
            raise ExportError(
                _("'{url}' answers 404, but the index names this file.").format(
                    url=self._channel.url + self._missing[0]
                )
            )
        return is_same

    def switch(self) -> None:
        """Let clients see the new state, and delete what it does not have."""
        state = self._state
        in_use = self._in_use()
        superseded = self._superseded - in_use
        leaving = {*state.leaving, *state.superseded, *self._gone}
        leaving -= {*self._places, *superseded, *in_use}
        # If this is stopped, the next export knows what it has to delete.
        state.leaving = sorted(leaving)
        state.subdirs = sorted({*state.subdirs, *self._subdirs})
        state.write(self._folder)
        for path in self._places:
            file = self._folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self._incoming / path, file)
            self._report.written.append(path)
        for path in [*self._absent, *state.leaving]:
            file = self._folder / path
            if file.exists():
                file.unlink()
                self._report.deleted.append(path)
        for subdir in set(state.subdirs) - set(self._subdirs):
            _remove_empty(self._folder / subdir)
        shutil.rmtree(self._incoming, ignore_errors=True)
        known = {**state.etags, **self._etags}
        present = set(self._metadata_paths()) - set(self._absent)
        state.etags = {path: known[path] for path in sorted(present) if path in known}
        state.subdirs = self._subdirs
        state.leaving = []
        state.superseded = sorted(superseded)
        state.write(self._folder)

    def _in_use(self) -> set[str]:
        """Return the paths of the shards that the new indexes name."""
        return {
            shard_path(subdir, digest)
            for subdir, index in self._indexes.items()
            if index is not None
            for digest in read_index(subdir, index).values()
        }

    def _metadata_paths(self) -> Iterator[str]:
        for subdir in self._subdirs:
            yield from (f"{subdir}/{name}" for name in FILES_OF_SUBDIR)
        yield from FILES_OF_CHANNEL

    def _fetch_metadata(self, path: str) -> None:
        file = self._folder / path
        etag = self._state.etags.get(path) if file.exists() else None
        status, etag = self._channel.save(path, self._incoming / path, etag)
        if status == 404:
            self._absent.append(path)
        elif status == 200:
            if etag:
                self._etags[path] = etag
            if not _is_same(file, self._incoming / path):
                self._places.append(path)

    def _fetch_shards(self, subdir: str) -> None:
        index = self._indexes[subdir]
        assert index is not None
        new, old = read_index(subdir, index), self._old_index(subdir)
        changed = {name: digest for name, digest in new.items() if old.get(name) != digest}
        former = [
            package
            for name, digest in old.items()
            if new.get(name) != digest
            for package in self._old_shard(subdir, digest)
        ]
        replaced = {package.path: package.sha256 for package in former}
        named: set[str] = set()
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            jobs = [
                pool.submit(self._fetch_shard, subdir, digest, replaced)
                for digest in changed.values()
            ]
            try:
                for done, job in enumerate(jobs, 1):
                    named.update(job.result())
                    self._show(done, len(jobs))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self._gone.update(set(files_of(former)) - named)
        self._superseded.update(
            shard_path(subdir, digest) for name, digest in old.items() if new.get(name) != digest
        )

    def _fetch_shard(self, subdir: str, digest: str, replaced: Mapping[str, str]) -> set[str]:
        """Fetch a shard after its packages, and return the paths that it names."""
        path = shard_path(subdir, digest)
        data = self._channel.read(path)
        if data is None:
            # Did the channel move? Then the next step sees the new index.
            self._missing.append(path)
            return set()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ExportError(
                _("'{url}' sent other bytes than its name says.").format(
                    url=self._channel.url + path
                )
            )
        packages = list(read_shard(subdir, data))
        if all([self._fetch_package(package, replaced) for package in packages]):
            file = self._folder / path
            if not file.exists():
                self._put(file, data)
                self._report.written.append(path)
        return set(files_of(packages))

    def _fetch_flat(self, subdir: str) -> None:
        """Fetch the packages of a channel without shards."""
        path = f"{subdir}/{FLAT}"
        data = self._channel.read(path)
        packages = list(read_flat(subdir, data)) if data else []
        former: list[PackageFile] = []
        file = self._folder / path
        if file.exists():
            former = list(read_flat(subdir, file.read_bytes()))
        replaced = {package.path: package.sha256 for package in former}
        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            jobs = [pool.submit(self._fetch_package, package, replaced) for package in packages]
            try:
                for done, job in enumerate(jobs, 1):
                    job.result()
                    self._show(done, len(jobs))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self._gone.update(set(files_of(former)) - set(files_of(packages)))
        self._leave_shards(subdir)

    def _fetch_package(self, package: PackageFile, replaced: Mapping[str, str]) -> bool:
        """Fetch a package and its attestations. Return False if the channel moved meanwhile."""
        is_there = self._fetch_file(package.path, package.sha256, package.size, replaced)
        if is_there and package.sidecar:
            sidecar = f"{package.path}.sigs.{package.sidecar}"
            is_there = self._fetch_file(sidecar, package.sidecar, None, {})
            if is_there:
                # The name that is always the newest list is replaced with the index.
                waiting = self._incoming / f"{package.path}.sigs"
                waiting.parent.mkdir(parents=True, exist_ok=True)
                source = self._folder / sidecar
                shutil.copyfile(source, waiting)
                if not _is_same(self._folder / f"{package.path}.sigs", waiting):
                    self._places.append(f"{package.path}.sigs")
        return is_there

    def _fetch_file(
        self, path: str, sha256: str, size: int | None, replaced: Mapping[str, str]
    ) -> bool:
        file = self._folder / path
        if file.exists() and has_bytes(file, sha256, size):
            return True
        incoming = self._incoming / path
        status, _etag = self._channel.save(path, incoming)
        if status == 404:
            self._missing.append(path)
            return False
        if not has_bytes(incoming, sha256, size):
            raise ExportError(
                _("'{url}' is not the file that the index names: its sha256 is another.").format(
                    url=self._channel.url + path
                )
            )
        self._report.packages += not path.rpartition("/")[2].count(".sigs")
        self._report.bytes += incoming.stat().st_size
        if file.exists() and replaced.get(path, sha256) != sha256:
            # Until the index is replaced, clients ask for the old file.
            self._places.insert(0, path)
            return True
        file.parent.mkdir(parents=True, exist_ok=True)
        os.replace(incoming, file)
        self._report.written.append(path)
        return True

    def _leave(self, subdir: str) -> None:
        """Note all files of a subdir that the channel has no more."""
        folder = self._folder / subdir
        if folder.is_dir():
            self._gone.update(
                file.relative_to(self._folder).as_posix()
                for file in folder.rglob("*")
                if file.is_file()
            )

    def _leave_shards(self, subdir: str) -> None:
        digests = set(self._old_index(subdir).values())
        self._gone.update(shard_path(subdir, digest) for digest in digests)

    def _old_index(self, subdir: str) -> dict[str, str]:
        file = self._folder / subdir / INDEX
        return read_index(subdir, file.read_bytes()) if file.exists() else {}

    def _old_shard(self, subdir: str, digest: str) -> list[PackageFile]:
        file = self._folder / shard_path(subdir, digest)
        return list(read_shard(subdir, file.read_bytes())) if file.exists() else []

    def _put(self, file: Path, data: bytes) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        waiting = file.with_name(f"{file.name}.new")
        waiting.write_bytes(data)
        os.replace(waiting, file)


def _is_same(file: Path, other: Path) -> bool:
    if not file.exists() or file.stat().st_size != other.stat().st_size:
        return False
    with file.open("rb") as one, other.open("rb") as two:
        return (
            hashlib.file_digest(one, "sha256").digest()
            == hashlib.file_digest(two, "sha256").digest()
        )


def _remove_empty(folder: Path) -> None:
    for each in sorted((folder, *folder.rglob("*")), reverse=True):
        if each.is_dir() and not any(each.iterdir()):
            each.rmdir()
