"""Read from an upstream what a selection takes, with what that needs."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

from pulp_conda.app.errors import NoSuchEnvironment, PlatformNotMirrored
from pulp_conda.app.models import CondaRemote, CondaRepository, CondaSolution, UpstreamShards
from pulp_conda.app.solving.bases import base_states
from pulp_conda.app.solving.selection import ask
from pulp_conda.app.solving.solutions import environments_of
from pulp_conda.app.sync.checksums import Checksums
from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.app.sync.reader import UnusableForm, UpstreamReader
from pulp_conda.app.sync.spool import Spool
from pulp_conda.app.sync.upstream import FetchedSubdir, Upstream
from pulp_conda.app.sync.upstream_files import Seen, run
from pulp_conda.app.versions.candidates import packages_named
from pulp_conda.app.versions.needed import held_paths
from pulp_conda.app.versions.state import State, VersionState
from pulp_conda.channel import layout
from pulp_conda.channel.errors import RepodataTooLarge, UpstreamError, shown
from pulp_conda.channel.fields import served_form
from pulp_conda.channel.lockfiles.read import read_lock_file
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.shards import MAX_SIZE, ShardIndex
from pulp_conda.channel.policies.satisfaction import Candidate
from pulp_conda.channel.selection.curation import LockedRoots, RootGroup, curate
from pulp_conda.channel.selection.pool import Package
from pulp_conda.channel.selection.rules import Offer, SelectionBounds
from pulp_conda.channel.selection.selected import Selected

_DAY_MS = 24 * 60 * 60 * 1000

# Packages in a report.
_MOST_SHOWN = 1000


class Remembered(TypedDict):
    """What a repository remembers of its selection, as JSON.

    Attributes:
        walk: By subdir and name, the digest of the records that were looked at; empty if there
            were none.
        until: When time alone may change the selection, in milliseconds since 1970, or None.
        paths: What was selected.
        dropped: The paths of what was selected once, with the time when it fell out, in
            milliseconds since 1970.
        report: What a sync says of the selection.
    """

    walk: dict[str, dict[str, str]]
    until: int | None
    paths: list[str]
    dropped: dict[str, int]
    report: dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """The selection of a repository, with what it refers to.

    Attributes:
        selection: The fields of the selection, as they are stored.
        base: The channels whose packages are not mirrored, the first one first.
    """

    selection: Mapping[str, Any]
    groups: tuple[RootGroup, ...]
    locked: tuple[LockedRoots, ...]
    base: tuple[State, ...]

    @classmethod
    def of(cls, repository: CondaRepository, selection: Mapping[str, Any]) -> "Wanted":
        """Return the selection of a repository.

        Raises:
            NoSuchEnvironment: The repository has no environment of a name.
            NoSuchBaseChannel, BaseChannelCycle: A base channel is gone, or serves the repository.
        """
        latest = repository.latest_version()
        environments = {each.name: each for each in environments_of(VersionState(latest))}
        groups: list[RootGroup] = []
        locked: list[LockedRoots] = []
        for number, group in enumerate(selection["groups"], 1):
            name = f"group {number}"
            if group["specs"]:
                groups.append(RootGroup(name, tuple(group["specs"])))
            for wanted in group["environments"]:
                if wanted not in environments:
                    known = ", ".join(f"'{shown(one)}'" for one in sorted(environments))
                    raise NoSuchEnvironment(
                        environment=shown(wanted),
                        names=known or "no other",
                        version=latest.number,
                        repository=repository.name,
                    )
                environment = environments[wanted]
                groups += [
                    RootGroup(
                        f"environment '{shown(wanted)}'",
                        environment.specs_for(platform),
                        platform,
                        environment.virtual_packages.get(platform, {}),
                        own=False,
                    )
                    for platform in environment.platforms
                ]
            for place, text in enumerate(group["lock_files"], 1):
                lock = read_lock_file(text)
                locked.append(LockedRoots(f"lock file {place} of {name}", lock.packages))
        base = base_states(repository, selection["base_channels"])
        return cls(selection, tuple(groups), tuple(locked), tuple(base))

    @property
    def bounds(self) -> SelectionBounds:
        """How much is selected."""
        fields: dict[str, Any] = {
            key: tuple(each) if isinstance(each, list) else each
            for key, each in self.selection.items()
            if key not in ("groups", "base_channels", "keep_days")
        }
        return SelectionBounds(**fields)

    @property
    def keep_ms(self) -> int:
        """How long a file stays that fell out."""
        return self.selection["keep_days"] * _DAY_MS

    def settings(self) -> dict[str, Any]:
        """Return, as JSON, everything but the upstream that decides what is selected."""
        return {
            "selection": self.selection,
            "groups": [
                [group.name, list(group.specs), group.platform, group.machine]
                for group in self.groups
            ],
            "base": [str(state.facts("base")["base_version"]) for state in self.base],
        }


class CuratedReader(UpstreamReader):
    """Reads the packages that a selection takes, and of sharded subdirs only the shards of the
    names that it looks at.

    A context manager: its file exists from its beginning to its end.

    Attributes:
        selected: What was selected. Only after `select`.
    """

    selected: Selected

    def __init__(
        self,
        wanted: Wanted,
        upstream: Upstream,
        remote: CondaRemote,
        repository: CondaRepository,
        package_filter: PackageFilter,
        fetched: Iterable[FetchedSubdir],
        seen_before: Mapping[str, Seen],
        checksums: Checksums | None = None,
    ) -> None:
        # All records are read, so that a report can say what the filter leaves out.
        super().__init__(
            upstream, remote, repository, PackageFilter(), fetched, seen_before, checksums
        )
        self._channel = repository
        self._wanted = wanted
        self._rules = package_filter
        self._folder = TemporaryDirectory(dir=".")
        self._spool = Spool(Path(self._folder.name, "records"))
        self._walked: set[str] = set()
        self._is_flat_read = False

    def __enter__(self) -> "CuratedReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self._spool.close()
        self._folder.cleanup()

    def select(self) -> Selected:
        """Find out what is selected, before any package is downloaded.

        Raises:
            UnusableForm: As for `packages`.
            ChannelError: See `curate`.
        """
        platforms = frozenset(fetched.subdir for fetched in self._fetched)
        for group in self._wanted.groups:
            if group.platform and group.platform not in platforms:
                raise PlatformNotMirrored(
                    name=group.name,
                    platform=group.platform,
                    platforms=", ".join(sorted(platforms)),
                )
        offer = Offer(
            self._named,
            self._named_in_base,
            self._names,
            self._rules.reason_against,
            platforms,
            self._now_ms,
        )
        self.selected = curate(
            self._wanted.groups, self._wanted.locked, self._wanted.bounds, offer, ask
        )
        return self.selected

    def remember_selected(
        self, before: Remembered | None, is_mirror: bool
    ) -> tuple[Remembered, list[str]]:
        """Select, and return what to remember of it, with the paths of packages that were selected
        earlier and stay.

        Args:
            before: What the last sync remembered.
            is_mirror: Packages that are not selected any more go after a time.
        """
        selected = self.select()
        now, keep_ms = self._now_ms, self._wanted.keep_ms
        paths, had = list(selected.packages), before["paths"] if before else []
        dropped = {path: now for path in had} | (before["dropped"] if before else {})
        dropped = {path: since for path, since in dropped.items() if path not in selected.packages}
        over = [path for path, since in dropped.items() if now - since >= keep_ms]
        needed = _needed(self._channel, over)
        gone = [path for path in over if path not in needed] if is_mirror else []
        kept = {path: since for path, since in dropped.items() if path not in gone}
        came = [path for path in paths if path not in set(had)]
        report = selected.report() | {
            "came": [{"path": path, "why": why} for path, why in selected.whys(came).items()],
            "kept": [
                {
                    "path": path,
                    "since": _day(since),
                    "why": needed.get(path) or f"kept until {_day(since + keep_ms)}",
                }
                for path, since in sorted(kept.items())[:_MOST_SHOWN]
            ],
            "gone": gone[:_MOST_SHOWN],
        }
        remembered: Remembered = {
            "walk": self.walk(),
            "until": self._until(kept, is_mirror),
            "paths": paths,
            "dropped": kept,
            "report": report,
        }
        return remembered, list(kept)

    def _until(self, kept: Mapping[str, int], is_mirror: bool) -> int | None:
        """Return when time alone may change what is selected, or None."""
        moments = [since + self._wanted.keep_ms for since in kept.values() if is_mirror]
        bounds = self._wanted.bounds
        if bounds.min_age_days or bounds.max_age_days is not None:
            moments.append(self._now_ms)
        # What a stage needs is looked at every day.
        return max(min(moments), self._now_ms + _DAY_MS) if moments else None

    def packages(self) -> Iterator[UpstreamPackage]:
        """Yield the packages that were selected."""
        paths = self.selected.packages
        names = sorted({package.candidate.name for package in paths.values()})
        for package in self._spool.named(names):
            record = package.record
            if layout.package_path(record.subdir, record.filename) in paths:
                if record.sha256 or not self._checksums:
                    yield package
                else:
                    self._without_sha256.append(package)
        yield from self._with_sha256()

    def walk(self, names: Iterable[str] | None = None) -> dict[str, dict[str, str]]:
        """Return by subdir and name the digest of the records, for the names that were looked at or
        for others.
        """
        if names is None:
            names = self._walked
        names = sorted(names)
        return {
            fetched.subdir: {name: self._digest(fetched, name) for name in names}
            for fetched in self._fetched
        }

    def is_as(self, walk: Mapping[str, Mapping[str, str]]) -> bool:
        """Say whether the records that a selection looked at are the same as then."""
        return self.walk({name for digests in walk.values() for name in digests}) == walk

    def _digest(self, fetched: FetchedSubdir, name: str) -> str:
        if fetched.is_sharded:
            index = self._indexes[fetched.subdir]
            digest = index.digests.get(name)
            # The packages may move to another URL.
            return f"{digest.hex()} {index.packages_url}" if digest else ""
        self._read_flat()
        return self._spool.digest(fetched.subdir, name)

    @cached_property
    def _indexes(self) -> dict[str, ShardIndex]:
        indexes = {}
        for fetched in self._fetched:
            if fetched.is_sharded:
                with self._usable(fetched):
                    data = Path(fetched.new_path).read_bytes()
                    indexes[fetched.subdir] = self._read_index(fetched, data)
        return indexes

    def _read_flat(self) -> None:
        """Read all records of the subdirs that have no shards, once."""
        if self._is_flat_read:
            return
        self._is_flat_read = True
        for fetched in self._fetched:
            if not fetched.is_sharded:
                with self._usable(fetched), self._with_doubtful():
                    self._spool.add(self._read_repodata(fetched))

    def _names(self) -> set[str]:
        self._read_flat()
        names = self._spool.names()
        return names.union(*(index.digests for index in self._indexes.values()))

    def _named(self, names: Iterable[str]) -> Iterator[Package]:
        """Yield the packages of some names, after their shards were read if they were not yet."""
        self._read_flat()
        names = sorted(set(names))
        new = [name for name in names if name not in self._walked]
        self._walked.update(new)
        for fetched in self._fetched:
            if fetched.is_sharded:
                with self._usable(fetched), self._with_doubtful():
                    self._spool.add(self._of_shards(fetched, new))
        for package in self._spool.named(names):
            if (as_read := _as_package(package)) is not None:
                yield as_read

    def _of_shards(self, fetched: FetchedSubdir, names: Iterable[str]) -> Iterator[UpstreamPackage]:
        index = self._indexes[fetched.subdir]
        here = [name for name in names if name in index.digests]
        urls = map(index.shard_url, here)
        with closing(self._upstream.files.fetch_all(urls, MAX_SIZE)) as answers:
            for name, data in zip(here, answers, strict=True):
                shard = self._read_shard(index, name, data)
                yield from self._taken(fetched.subdir, shard.records, index.packages_url)
                self._note_removed(fetched.subdir, shard.removed, name)
                self._note_contradictions(fetched.subdir, shard.listed_and_removed)

    def _named_in_base(self, names: Iterable[str]) -> Iterator[Package]:
        left = set(names)
        subdirs = {fetched.subdir for fetched in self._fetched} | {layout.NOARCH}
        for state in self._wanted.base:
            found = [
                package
                for package in packages_named(state, sorted(left))
                if package.candidate.subdir in subdirs
            ]
            left -= {package.candidate.name for package in found}
            yield from found

    @contextmanager
    def _with_doubtful(self) -> Iterator[None]:
        """Take packages without sha256 as they are: that of a selected one is found out later."""
        checksums, self._checksums = self._checksums, None
        try:
            yield
        finally:
            self._checksums = checksums

    @contextmanager
    def _usable(self, fetched: FetchedSubdir) -> Iterator[None]:
        try:
            yield
        except RepodataTooLarge:
            raise
        except UpstreamError as error:
            raise UnusableForm(fetched, error) from None


def _needed(repository: CondaRepository, paths: Sequence[str]) -> dict[str, str]:
    """Return those of some paths that a stage serves or lately served, or that an environment is
    solved to, each with a sentence that says so.
    """
    if not paths:
        return {}
    numbers = repository.staged_versions().values_list("number", flat=True)
    needed = dict.fromkeys(
        held_paths(repository.pk, list(numbers), paths), "a stage or its history has it"
    )
    latest = repository.latest_version()
    solutions = CondaSolution.objects.filter(publication__repository_version=latest)
    for solution in solutions.select_related("environment"):
        for package in solution.packages:
            path = layout.package_path(package["subdir"], package["fn"])
            needed[path] = f"environment '{solution.environment.name}' is solved to it"
    return {path: needed[path] for path in paths if path in needed}


def is_due(selected: Remembered | None) -> bool:
    """Say whether a selection has to be made again because time has passed."""
    if selected is None or selected["until"] is None:
        return selected is None
    return time.time() * 1000 >= selected["until"]


def whole(
    repository: CondaRepository, upstream: Upstream, fetched: Iterable[FetchedSubdir]
) -> list[FetchedSubdir]:
    """Return subdirs with the files of those that did not change since the last sync: of a shard
    index the one that was stored, and of other forms the file itself.
    """
    stored = {
        shards.subdir: bytes(shards.data)
        for shards in UpstreamShards.objects.filter(repository=repository)
    }
    return [
        each if each.path else _restored(each, upstream, stored.get(each.subdir))
        for each in fetched
    ]


def _restored(fetched: FetchedSubdir, upstream: Upstream, stored: bytes | None) -> FetchedSubdir:
    if fetched.is_sharded and stored is not None:
        path = Path(f"{fetched.subdir}.index")
        path.write_bytes(stored)
        return FetchedSubdir(
            fetched.subdir, str(path), fetched.seen, has_other_form=fetched.has_other_form
        )
    again = run(upstream.fetch_form(fetched.subdir, fetched.form, None))
    if isinstance(again, UpstreamError):
        raise again
    return again


def _as_package(package: UpstreamPackage) -> Package | None:
    """Return a package in the form that clients read, or None if no client could read it."""
    record = package.record
    served = record.canonical
    if not record.is_plain:
        try:
            served = served_form(record.subdir, record.filename, served)
        except ValueError:
            return None
    candidate = Candidate(
        record.subdir,
        record.filename,
        record.name,
        record.version,
        record.build,
        record.build_number,
        license=record.license,
        sha256=record.sha256,
        md5=record.md5,
        indexed_timestamp=record.indexed_timestamp or record.timestamp,
        is_new=True,
    )
    return Package.read(candidate, served, record.in_v3)


def _day(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).date().isoformat()
