"""Read the records of an upstream, in whatever form it has them."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing

from django.conf import settings

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.findings import Findings
from pulp_conda.app.models import CondaPatch, CondaRemote, CondaRepository, UpstreamShards
from pulp_conda.app.sync.checksums import Checksums
from pulp_conda.app.sync.ingest import PatchChanges
from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.app.sync.reports import warn
from pulp_conda.app.sync.upstream import FetchedFile, FetchedSubdir, Upstream
from pulp_conda.app.sync.upstream_files import Seen
from pulp_conda.app.versions.state import VersionState
from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    BadRecord,
    BadShard,
    BadUpstreamFile,
    ChannelError,
    RepodataTooLarge,
    UpstreamError,
    first_of,
)
from pulp_conda.channel.matchspec import PackageFilter
from pulp_conda.channel.metadata.repodata import Entry, Repodata, Unservable, named_by
from pulp_conda.channel.metadata.run_exports import canonical, read_run_exports
from pulp_conda.channel.metadata.shards import MAX_SIZE, Shard, ShardIndex, read_index, read_shard

log = logging.getLogger(__name__)

# Of the entries of a file that are passed over, so many are named.
_MOST_REASONS = 3


class UnusableForm(Exception):
    """A form of the repodata could be downloaded, and is wrong.

    Attributes:
        form: The name of its file: the repodata or the shard index.
        error: What is wrong.
    """

    def __init__(self, fetched: FetchedSubdir, error: UpstreamError) -> None:
        super().__init__(fetched, error)
        self.form = fetched.form
        self.has_other_form = fetched.has_other_form
        self.error = error


class UpstreamReader:
    """Reads the packages that a remote takes from what was downloaded of its upstream.

    Args:
        repository: The one that is synced, which remembers shard indexes. None to read only.
        package_filter: Says which packages the remote takes.
        fetched: The subdirs that changed since the last sync, each with its file.
        seen_before: By subdir, what the last sync saw. Of a shard index that it saw, only the
            shards that changed are read.
        checksums: Gives a sha256 to records that have none. None to yield these as they are.

    Attributes:
        looked_at: By subdir, the package names that were looked at. It has no entry for a subdir
            that was read as a whole.
    """

    def __init__(
        self,
        upstream: Upstream,
        remote: CondaRemote,
        repository: CondaRepository | None,
        package_filter: PackageFilter,
        fetched: Iterable[FetchedSubdir],
        seen_before: Mapping[str, Seen],
        checksums: Checksums | None = None,
    ) -> None:
        self._upstream = upstream
        self._remote = remote
        self._repository = repository
        self._fetched = list(fetched)
        self._seen_before = seen_before
        self._filter = package_filter
        self._checksums = checksums
        self._without_sha256: list[UpstreamPackage] = []
        self._left_out = Findings("Left out", "sync.left_out")
        self._corrected = Findings("Corrected", "sync.corrected")
        self._removed = defaultdict[str, set[str]](set)
        self._now_ms = int(time.time() * 1000)
        self.looked_at: dict[str, set[str]] = {}

    def packages(self) -> Iterator[UpstreamPackage]:
        """Yield the packages that the remote takes, in the order of the upstream's files.

        Raises:
            UnusableForm: when the reading gets to a file that is wrong. A record that is wrong is
                left out.
            ChannelError: when it gets to what would be as wrong in another form.
        """
        for fetched in self._fetched:
            read = self._read_shards if fetched.is_sharded else self._read_repodata
            try:
                yield from read(fetched)
            except RepodataTooLarge:
                raise
            except UpstreamError as error:
                raise UnusableForm(fetched, error) from None
        yield from self._with_sha256()

    def run_exports(self) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
        """Yield each subdir whose run_exports are in a file of their own, with what that says.

        This is the file name and the run_exports, as canonical JSON, for each package. What is
        wrong in the file is noted with the upstream, and ends the reading or is passed over.
        """
        for fetched in self._fetched:
            if fetched.run_exports:
                yield fetched.subdir, self._read_run_exports(fetched.run_exports)

    def patches(self, latest: RepositoryVersion) -> PatchChanges:
        """Return how patches have to change, so that the channel lists what the upstream removed.

        Args:
            latest: The version to compare with.
        """
        upstream_patches = CondaPatch.of_upstream(VersionState(latest))
        patches_before = {patch.subdir: patch for patch in upstream_patches}
        added, removed = [], []
        for fetched in self._fetched:
            before = patches_before.get(fetched.subdir)
            now = CondaPatch.for_upstream(
                fetched.subdir, self._removed_from(fetched.subdir, before)
            )
            if now != before:
                added += [now.pk] if now else []
                removed += [before.pk] if before else []
        return PatchChanges(added, removed)

    def remember(self) -> None:
        """Store the shard indexes, so that the next sync can compare with them."""
        for fetched in self._fetched:
            if fetched.is_sharded:
                with open(fetched.new_path, "rb") as file:
                    UpstreamShards.objects.update_or_create(
                        repository=self._repository,
                        subdir=fetched.subdir,
                        defaults={"data": file.read()},
                    )

    def leave_out(self, subdir: str, filename: str, code: str, reason: str) -> None:
        """Note that a package that was yielded is left out after all."""
        self._left_out.add(f"{reason} [{code}]", layout.package_path(subdir, filename))

    def report(self) -> None:
        """Tell the user which forms were read instead of better ones, and what was left out."""
        read_instead = defaultdict[str, list[str]](list)
        for fetched in self._fetched:
            if fetched.instead_of:
                path = layout.metadata_path(fetched.subdir, fetched.form)
                reasons = " ".join(map(str, fetched.instead_of))
                read_instead[reasons].append(f"'{path}'")
        for reason, paths in read_instead.items():
            warn(f"Read {', '.join(paths)} instead: {reason}")
        for subdir, error in self._upstream.doubtful.items():
            warn(f"Left out: '{subdir}', which may exist: {error}")
        self._left_out.report()
        self._corrected.report()

    def _read_repodata(self, fetched: FetchedSubdir) -> Iterator[UpstreamPackage]:
        with open(fetched.new_path, "rb") as file:
            repodata = Repodata(
                file,
                fetched.url,
                fetched.subdir,
                settings.CONDA_MAX_REPODATA_SIZE,
                self._now_ms,
            )
            packages_url = repodata.packages_url(self._remote.url)
            entries = repodata.records(self._filter)
            yield from self._taken(fetched.subdir, entries, packages_url)
            self._note_removed(fetched.subdir, repodata.removed())
            self._note_contradictions(fetched.subdir, repodata.listed_and_removed)

    def _read_shards(self, fetched: FetchedSubdir) -> Iterator[UpstreamPackage]:
        with open(fetched.new_path, "rb") as file:
            index = self._read_index(fetched, file.read())
        changed = set(index.digests)
        if known := self._known_digests(index, fetched):
            changed = {name for name, digest in index.digests.items() if known.get(name) != digest}
            looked_at = changed | (known.keys() - index.digests.keys())
            self.looked_at[fetched.subdir] = set(filter(layout.is_name, looked_at))
        names = sorted(changed)
        urls = map(index.shard_url, names)
        with closing(self._upstream.files.fetch_all(urls, MAX_SIZE)) as answers:
            for name, data in zip(names, answers, strict=True):
                shard = self._read_shard(index, name, data)
                yield from self._taken(fetched.subdir, shard.records, index.packages_url)
                self._note_removed(fetched.subdir, shard.removed, name)
                self._note_contradictions(fetched.subdir, shard.listed_and_removed)

    def _taken(
        self, subdir: str, entries: Iterable[Entry], packages_url: str
    ) -> Iterator[UpstreamPackage]:
        """Yield the packages that the remote takes, and note the others with the reasons."""
        for record, reason in entries:
            if isinstance(reason, Unservable):
                path = layout.package_path(subdir, reason.filename)
                log.debug("%s", BadRecord(filename=path, reason=reason.reason))
                self._left_out.add(f"{reason.reason} [{BadRecord.code}]", path)
            elif reason is not None:
                self._left_out.add(reason)
            else:
                assert record is not None, "what has no record has a reason"
                for correction in record.corrections or ():
                    path = layout.package_path(subdir, record.filename)
                    self._corrected.add(correction, path)
                url = layout.join_url(packages_url, record.filename)
                package = UpstreamPackage(record, url)
                if record.sha256 or not self._checksums:
                    yield package
                else:
                    self._without_sha256.append(package)

    def _with_sha256(self) -> Iterator[UpstreamPackage]:
        """Yield the packages without sha256, if it can be found out."""
        packages, self._without_sha256 = self._without_sha256, []
        checked = self._checksums.add_to(packages) if self._checksums else ()
        for package, whole in checked:
            path = layout.package_path(package.record.subdir, package.record.filename)
            if isinstance(whole, UpstreamError):
                self._left_out.add(f"{whole.text} [{whole.code}]", path)
            # The file may be blocked by its sha256.
            elif (reason := self._filter.reason_against(whole.record)) is not None:
                self._left_out.add(reason)
            else:
                yield whole

    def _read_shard(self, index: ShardIndex, name: str, data: bytes | str) -> Shard:
        """Check a shard; `data` is what `UpstreamFiles.fetch_all` gave for it."""
        url = index.shard_url(name)
        if isinstance(data, str):
            raise BadShard(url=url, name=name, reason=data)
        return read_shard(
            data,
            url=url,
            name=name,
            digest=index.digests[name],
            subdir=index.subdir,
            package_filter=self._filter,
            max_size=settings.CONDA_MAX_REPODATA_SIZE,
            now_ms=self._now_ms,
        )

    def _read_index(self, fetched: FetchedSubdir, data: bytes) -> ShardIndex:
        return read_index(
            data,
            url=fetched.url,
            subdir=fetched.subdir,
            channel_url=self._remote.url,
            max_size=settings.CONDA_MAX_REPODATA_SIZE,
        )

    def _known_digests(self, index: ShardIndex, fetched: FetchedSubdir) -> dict[str, bytes] | None:
        """Return the digests of the last sync's shard index, or None if all shards must be read.

        If the packages have moved to another URL, all shards are read, since the URLs of all
        packages change.
        """
        seen = self._seen_before.get(fetched.subdir)
        if seen is None or seen["url"] != fetched.url:
            return None
        stored = UpstreamShards.objects.filter(
            repository=self._repository, subdir=fetched.subdir
        ).first()
        if stored is None:
            return None
        try:
            known = self._read_index(fetched, bytes(stored.data))
        except ChannelError:
            # An older version of this plugin stored it, and took what this one refuses.
            return None
        return known.digests if known.packages_url == index.packages_url else None

    def _read_run_exports(self, file: FetchedFile) -> Iterator[tuple[str, str]]:
        reasons: list[str] = []
        refused = 0
        try:
            with open(file.path, "rb") as opened:
                max_size = settings.CONDA_MAX_REPODATA_SIZE
                for filename, found in read_run_exports(opened, url=file.url, max_size=max_size):
                    if isinstance(found, str):
                        refused += 1
                        reasons += [found] if refused <= _MOST_REASONS else []
                    elif layout.is_filename(filename):
                        yield filename, canonical(found).decode()
        except UpstreamError as error:
            self._upstream.problems.append(error)
        if refused:
            reason = "; ".join(first_of(reasons, _MOST_REASONS, refused))
            self._upstream.problems.append(BadUpstreamFile(url=file.url, reason=reason))

    def _note_removed(self, subdir: str, filenames: Iterable[str], name: str | None = None) -> None:
        """Note the packages that the upstream removed, if the remote takes them.

        Args:
            name: The package name of the shard that lists them. It can say nothing about packages
                of other names.
        """
        for filename in filenames:
            record = named_by(subdir, filename)
            assert record is not None, "readers give valid file names only"
            if (
                name in (None, record.name)
                and self._filter.reason_against(record, is_listed=False) is None
            ):
                self._removed[subdir].add(filename)

    def _note_contradictions(self, subdir: str, filenames: Iterable[str]) -> None:
        """Note the packages that the upstream lists and also says to be removed."""
        for filename in filenames:
            path = layout.package_path(subdir, filename)
            self._corrected.add("it is listed, and also said to be removed", path)

    def _removed_from(self, subdir: str, before: CondaPatch | None) -> set[str]:
        """Return the names of all files that the upstream removed from a subdir.

        Args:
            before: The patch of the last sync, which still holds for names that were not looked at.
        """
        removed = set(self._removed[subdir])
        looked_at = self.looked_at.get(subdir)
        if before and looked_at is not None:
            removed |= {
                filename
                for filename in before.filenames
                if layout.parse_filename(filename).name not in looked_at
            }
        return removed
