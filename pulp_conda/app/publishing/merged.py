"""Write the metadata files of a virtual channel, from the files of the channels that it merges.

Nothing is encoded again: entries are copied as ranges of bytes, and shards are those of the
channels. A subdir in which nothing changed keeps its files. So the cost is that of the subdirs that
changed, and not that of reading packages from the database.
"""

import bz2
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import orjson
from django.db.models import Q

from pulpcore.plugin.models import Artifact, ProgressReport, PublishedArtifact, RepositoryVersion

from pulp_conda.app.compression import levels
from pulp_conda.app.errors import NotMerged
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPublication, CondaRepository, PublicationLayout
from pulp_conda.app.publishing.base import Base, Doubt, Places, writer_of
from pulp_conda.app.publishing.files import (
    WrittenFile,
    store_files,
    write_both,
    write_bytes,
    write_document,
)
from pulp_conda.app.publishing.names import NamesWriter
from pulp_conda.app.versions.blocked import blocked_packages
from pulp_conda.app.versions.changes import names_of_files
from pulp_conda.app.versions.published import newest_publication
from pulp_conda.app.versions.state import MergedState, VersionState
from pulp_conda.channel import layout
from pulp_conda.channel.errors import BadRepodata
from pulp_conda.channel.metadata.channeldata import merge_channeldata
from pulp_conda.channel.metadata.current_repodata import CurrentCandidate, select_current
from pulp_conda.channel.metadata.repodata import RepodataWriter, merge_repodata, read_removed
from pulp_conda.channel.metadata.run_exports import merge_run_exports
from pulp_conda.channel.metadata.shards import encode_index
from pulp_conda.channel.metadata.splice import Earlier
from pulp_conda.channel.metadata.stream import read_json

_PIECE = 2**20

# It has to be increased whenever the same files of channels give other bytes than before.
_MERGER = 1

_NO_PLACES = Places({}, {}, {})

Files = dict[str, WrittenFile | Artifact | bytes]


class Member(NamedTuple):
    """What one channel brings to a virtual channel.

    Attributes:
        version: What it serves.
        base: The publication of this version.
        writer: What its bytes depend on, see `writer_of`.
    """

    version: RepositoryVersion
    base: Base
    writer: str

    def names(self) -> set[str]:
        """Return all package names that it has, also those of which it lists no file now.

        Raises:
            Doubt: a file of the publication is lost or damaged.
        """
        places, publication = self.base.places, self.base.publication
        found = {name for counts in places.counts.values() for name in counts}
        found |= {name for _, name in places.left_out}
        found |= {name for _, name in names_of_files(publication.withheld)}
        for subdir in publication.package_counts:
            found |= {_name_of(filename) for filename in self.removed(subdir)}
            if self.has_shards(subdir):
                found |= self.base.shard_digests(subdir).keys()
        return found

    def has_shards(self, subdir: str) -> bool:
        """Say whether it has sharded repodata of a subdir."""
        return layout.metadata_path(subdir, layout.SHARD_INDEX) in self.base.artifacts

    def removed(self, subdir: str) -> list[str]:
        """Return the file names in the list of removed packages of a subdir.

        Raises:
            Doubt: the file is lost or damaged.
        """
        path = layout.metadata_path(subdir, layout.REPODATA)
        artifact = self.base.artifact(path)
        try:
            with artifact.file.open("rb") as file:
                return read_removed(file, self.base.places.layouts[path])
        except (OSError, ValueError) as error:
            raise Doubt(f"the file '{path}' cannot be read: {error}") from error


def member_of(version: RepositoryVersion) -> Member:
    """Return what a version brings to a virtual channel.

    Raises:
        Doubt: it is not published in a way that can be merged.
    """
    publication = newest_publication("pulp_id", version.pk)
    found = PublicationLayout.objects.select_related("publication").filter(publication=publication)
    for each in found:
        return Member(version, Base(each), each.writer)
    if publication is None:
        raise Doubt("it is not published")
    raise Doubt("it was published by an earlier version of pulp_conda, or lists broken records")


def publish_merged(
    publication: CondaPublication,
    state: MergedState,
    folder: Path,
    progress: ProgressReport,
    replace: Callable[[CondaPublication], object],
) -> None:
    """Write the channel files of a virtual channel, and store them with a publication.

    Args:
        folder: An empty folder for the files.
        progress: Counts the packages.
        replace: Publishes the version of a publication again, because it lists packages that are
            blocked now, or lacks some that are not blocked any more.

    Raises:
        CondaError: `NotMerged`.
    """
    members = []
    try:
        for part in state.parts:
            member = member_of(part.version)
            blocked = {package.sha256 for package in blocked_packages(VersionState(part.version))}
            if blocked != set(member.base.publication.withheld):
                replace(member.base.publication)
                member = member_of(part.version)
            members.append(member)
        _Merger(publication, state, members, folder).write(progress)
    except Doubt as doubt:
        channel = publication.repository_version.repository.name
        names = ", ".join(part.version.repository.name for part in state.parts)
        raise CondaError(not_merged(channel, names, doubt)) from doubt
    finally:
        for member in members:
            member.base.close()


class _Part(NamedTuple):
    """A member, with the names that it has and does not own, sorted."""

    member: Member
    hidden: Sequence[str]
    hidden_set: frozenset[str]

    def owns(self, name: str) -> bool:
        return name not in self.hidden_set


def not_merged(channel: str, member: str, doubt: Doubt) -> NotMerged:
    """Return the error that says why a virtual channel cannot serve what a channel serves."""
    advice = "Publish its version again: pulp conda publication create"
    return NotMerged(channel=channel, member=member, reason=doubt, advice=advice)


class _Merger:
    """Writes and stores the files of a virtual channel."""

    def __init__(
        self,
        publication: CondaPublication,
        state: MergedState,
        members: Sequence[Member],
        folder: Path,
    ) -> None:
        self._publication = publication
        self._version = publication.repository_version
        self._repository = CondaRepository.objects.get(pk=self._version.repository_id)
        self._state = state
        self._parts = [
            _Part(member, sorted(part.hidden), frozenset(part.hidden))
            for member, part in zip(members, state.parts, strict=True)
        ]
        self._folder = folder
        self._levels = levels()
        self._earlier, self._fingerprints_before = self._find_earlier()
        self._fingerprints: dict[str, str] = {}

    def write(self, progress: ProgressReport) -> None:
        """Write the files, and store them."""
        files: Files = {}
        counts = {}
        subdirs = {
            subdir for part in self._parts for subdir in part.member.base.publication.package_counts
        }
        for subdir in sorted(subdirs | self._subdirs_before() | {layout.NOARCH}):
            files |= self._write_subdir(subdir)
            counts[subdir] = self._count(subdir)
        files |= self._write_channeldata(counts)
        for part in self._parts:
            part.member.base.check_copied()
            self._take_shards(part)
        empty = self._repository.as_empty()
        for subdir in sorted(empty.subdirs - counts.keys()):
            for filename, data in empty.files(subdir).items():
                files[layout.metadata_path(subdir, filename)] = data
        store_files(self._publication, files)
        NamesWriter(self._publication).store_merged(
            [(part.member.base.publication, part.hidden_set) for part in self._parts]
        )
        self._publication.package_counts = counts
        self._publication.withheld = sorted(
            {package.sha256 for package in blocked_packages(self._state)}
        )
        PublicationLayout.objects.create(
            publication=self._publication,
            writer=writer_of(self._repository),
            facts={
                "merged": [str(part.member.base.publication.pk) for part in self._parts],
                "fingerprints": self._fingerprints,
            },
            data=_NO_PLACES.encode(),
        )
        progress.total = sum(counts.values())
        progress.increase_by(progress.total)

    def _find_earlier(self) -> tuple[CondaPublication | None, Mapping[str, str]]:
        """Return the publication before of the virtual channel, with its fingerprints."""
        found = PublicationLayout.objects.filter(
            publication__complete=True,
            publication__repository_version__repository=self._repository,
            publication__repository_version__number__lte=self._version.number,
        ).select_related("publication")
        newest = found.order_by(
            "-publication__repository_version__number", "-publication__pulp_created"
        ).first()
        if newest is None:
            return None, {}
        return newest.publication, newest.facts.get("fingerprints", {})

    def _subdirs_before(self) -> set[str]:
        # A client that once finds no shards does not look for them again.
        return set(self._earlier.package_counts) if self._earlier else set()

    def _count(self, subdir: str) -> int:
        return sum(
            count
            for part in self._parts
            for name, count in part.member.base.places.counts.get(subdir, {}).items()
            if part.owns(name)
        )

    def _write_subdir(self, subdir: str) -> Files:
        """Return the files of a subdir: new ones, or those before if nothing changed."""
        parts = [
            part for part in self._parts if subdir in part.member.base.publication.package_counts
        ]
        has_shards = self._repository.shards and all(
            part.member.has_shards(subdir) for part in parts
        )
        names = (layout.REPODATA, layout.RUN_EXPORTS)
        if earlier := self._unchanged(subdir, parts, names, has_shards):
            return earlier
        folder = self._folder / subdir
        folder.mkdir()
        repodata, revisions = merge_repodata(
            subdir,
            self._repository.channel_relations,
            _opened(parts, layout.metadata_path(subdir, layout.REPODATA)),
            {
                filename
                for part in parts
                for filename in part.member.removed(subdir)
                if part.owns(_name_of(filename))
            },
        )
        run_exports = merge_run_exports(
            subdir, _opened(parts, layout.metadata_path(subdir, layout.RUN_EXPORTS))
        )
        written: Files = {}
        for document, name, packed, level in (
            (repodata, layout.REPODATA, layout.REPODATA_ZST, self._levels.repodata),
            (run_exports, layout.RUN_EXPORTS, layout.RUN_EXPORTS_ZST, self._levels.run_exports),
        ):
            written[name], written[packed] = write_both(
                document, folder / name, folder / packed, level
            )
        if has_shards:
            index = encode_index(
                subdir,
                _digests_of(subdir, parts),
                self._version.pulp_created,
                self._levels.shards,
                relations=self._repository.channel_relations,
                revisions=revisions,
            )
            written[layout.SHARD_INDEX] = write_bytes(folder / layout.SHARD_INDEX, index)
        if self._repository.legacy_metadata:
            written |= self._write_legacy(subdir, folder)
        return {layout.metadata_path(subdir, name): file for name, file in written.items()}

    def _write_legacy(self, subdir: str, folder: Path) -> Files:
        """Write the files for old clients."""
        compressor = bz2.BZ2Compressor()
        packed = WrittenFile(folder / layout.REPODATA_BZ2)
        with (folder / layout.REPODATA).open("rb") as source:
            while piece := source.read(_PIECE):
                packed.write(compressor.compress(piece))
        packed.write(compressor.flush())
        packed.close()
        records = {}
        depths = {"info": 1, "packages": 2, "packages.conda": 2, "removed": 1}
        with (folder / layout.REPODATA).open("rb") as source:
            for path, fields in read_json(source, depths, url=subdir, error=BadRepodata):
                if path[0] in ("packages", "packages.conda") and len(path) == 2:
                    records[str(path[1])] = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        current = RepodataWriter(subdir, self._repository.channel_relations)
        for filename in sorted(select_current(_candidates(records))):
            current.add(filename, records[filename])
        written = write_document(current.finish(), folder / layout.CURRENT_REPODATA)
        return {layout.REPODATA_BZ2: packed, layout.CURRENT_REPODATA: written}

    def _write_channeldata(self, counts: Mapping[str, int]) -> Files:
        path = layout.CHANNELDATA
        listed = sorted(subdir for subdir, count in counts.items() if count)
        if earlier := self._unchanged("", self._parts, (path,), listed):
            return earlier
        document = merge_channeldata(_opened(self._parts, path), listed)
        return {path: write_document(document, self._folder / path)}

    def _unchanged(
        self,
        subdir: str,
        parts: Sequence[_Part],
        names: Sequence[str],
        more: object,
    ) -> Files:
        """Return the files of the publication before, if the same would be written; else none.

        Args:
            subdir: Empty for the root of the channel.
            names: The files that it depends on.
            more: What else the files depend on.
        """
        prefix = f"{subdir}/" if subdir else ""
        facts = [
            _MERGER,
            writer_of(self._repository),
            [
                [
                    part.member.writer,
                    [part.member.base.artifact(f"{prefix}{name}").sha256 for name in names],
                    part.hidden,
                ]
                for part in parts
            ],
            more,
        ]
        fingerprint = sha256(orjson.dumps(facts)).hexdigest()
        self._fingerprints[subdir] = fingerprint
        if self._earlier is None or self._fingerprints_before.get(subdir) != fingerprint:
            return {}
        wanted = Q(relative_path__startswith=prefix) if subdir else Q(relative_path__in=names)
        found = PublishedArtifact.objects.filter(wanted, publication=self._earlier)
        return {
            each.relative_path: each.content_artifact.artifact
            for each in found.select_related("content_artifact__artifact")
        }

    def _take_shards(self, part: _Part) -> None:
        """Give the publication the shards of a member, without those of names it does not own."""
        member = part.member
        subdirs = [s for s in member.base.publication.package_counts if member.has_shards(s)]
        if not self._repository.shards or not subdirs:
            return
        owned, foreign = set[bytes](), set[bytes]()
        for subdir in subdirs:
            for name, digest in member.base.shard_digests(subdir).items():
                (owned if part.owns(name) else foreign).add(digest)
        member.base.take_shards(self._publication, foreign - owned)


def _opened(parts: Iterable[_Part], path: str) -> list[Earlier]:
    return [part.member.base.open(path, part.hidden) for part in parts]


def _digests_of(subdir: str, parts: Iterable[_Part]) -> dict[str, bytes]:
    return {
        name: digest
        for part in parts
        for name, digest in part.member.base.shard_digests(subdir).items()
        if part.owns(name)
    }


def _candidates(records: Mapping[str, bytes]) -> Iterator[CurrentCandidate]:
    """Yield packages as `select_current` takes them."""
    for filename, record in records.items():
        fields = orjson.loads(record)
        yield (
            fields["name"],
            fields["version"],
            fields["build"],
            fields["build_number"],
            filename,
            fields.get("depends") or [],
        )


def _name_of(filename: str) -> str:
    """Return the package name in a file name."""
    return filename.rsplit("-", 2)[0]
