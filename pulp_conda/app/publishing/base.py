"""The publication before: what a new one can take from it, and what it cannot.

A new publication encodes only the names that changed, and copies the entries of all others. What it
gives is what a full pass over all packages gives, byte for byte. Where that is not sure, there is a
`Doubt`, and the full pass is taken.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from hashlib import sha256
from importlib.metadata import version as version_of_library
from typing import Any, NamedTuple

import msgpack
import orjson
import zstandard
from django.core.files.base import File
from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from pulpcore.plugin.models import Artifact, PublishedArtifact

from pulp_conda.app.artifacts import stored_size
from pulp_conda.app.compression import levels
from pulp_conda.app.models import (
    CondaPatch,
    CondaPublication,
    CondaRepository,
    PublicationLayout,
)
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.publishing.left_out import ByName
from pulp_conda.app.versions.changes import (
    COLUMNS_OF_KNOWN,
    changes_between,
    names_at,
    names_of_files,
)
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError
from pulp_conda.channel.metadata.patches import Patches
from pulp_conda.channel.metadata.shards import FORMAT, read_index
from pulp_conda.channel.metadata.splice import Earlier, Layout, Section

log = logging.getLogger(__name__)

# It has to be increased whenever the same packages give other bytes than before, or another
# `PublicationLayout`.
WRITER = 2

# The distributions whose versions the bytes of files may depend on.
_LIBRARIES = ("pulp-conda", "msgpack", "orjson", "py-rattler", "zstandard")

# A publication is taken from another only if less than this part of its bytes changes. Otherwise a
# full pass is faster. Small channels do not matter.
_MOST_CHANGED = 0.3
_SMALL = 10 * 2**20
# The bytes of an average package in all files together.
_PACKAGE = 700

_PIECE = 2**20

_TAKE_SHARDS = """
INSERT INTO conda_publishedshard (
    pulp_id, pulp_created, pulp_last_updated, publication_id, shard_id
)
SELECT gen_random_uuid(), now(), now(), %(publication)s, shard_id
FROM conda_publishedshard
WHERE publication_id = %(base)s AND shard_id <> ALL(%(gone)s)
ON CONFLICT DO NOTHING
"""
_SHARDS_OF = """
SELECT pulp_id FROM conda_condashard
WHERE pulp_domain_id = %(domain)s AND sha256 = ANY(%(digests)s)
"""


class Doubt(Exception):
    """Why a publication has to be made by a full pass, in words."""


class Places(NamedTuple):
    """What `PublicationLayout.data` holds.

    Attributes:
        layouts: By path, those of the files that can be copied from.
        counts: By subdir and name, the number of packages that the index has.
        left_out: What no client could read.
    """

    layouts: dict[str, Layout]
    counts: dict[str, dict[str, int]]
    left_out: ByName

    def encode(self) -> bytes:
        files = {
            path: [
                {key: [s.start, s.names, s.sizes] for key, s in places.sections.items()},
                places.revisions,
            ]
            for path, places in self.layouts.items()
        }
        left_out = [[*key, found] for key, found in self.left_out.items()]
        return zstandard.compress(msgpack.packb([files, self.counts, left_out]), 1)

    @classmethod
    def decode(cls, data: bytes) -> "Places":
        files, counts, left_out = msgpack.unpackb(zstandard.decompress(data))
        layouts = {
            path: Layout(
                {key: Section(*section) for key, section in sections.items()},
                {name: tuple(revision) for name, revision in revisions.items()},
            )
            for path, (sections, revisions) in files.items()
        }
        found = {(subdir, name): [tuple(each) for each in of] for subdir, name, of in left_out}
        return cls(layouts, counts, found)


class Change(NamedTuple):
    """What differs between a base and a new publication.

    Attributes:
        names: The package names that may differ in some file, sorted.
        subdirs: The subdirs whose files may differ.
    """

    names: Sequence[str]
    subdirs: frozenset[str]


class Base:
    """An earlier publication of the same repository, from which a new one is made.

    Attributes:
        publication: It.
        places: Where the entries of names stand in its files.
    """

    def __init__(self, found: PublicationLayout) -> None:
        self.publication = found.publication
        self._facts = found.facts
        self.places = Places.decode(bytes(found.data))
        self._open: list[_CheckedFile] = []
        self._digests: dict[str, dict[str, bytes]] = {}

    @classmethod
    def of(cls, publication: CondaPublication, repository: CondaRepository) -> "Base | None":
        """Return the base of a new publication: the newest of the same version or of an earlier
        one. None if there is none with the same settings.
        """
        if repository.legacy_metadata:
            return None
        version = publication.repository_version
        found = PublicationLayout.objects.filter(
            writer=writer_of(repository),
            publication__complete=True,
            publication__repository_version__repository=repository,
            publication__repository_version__number__lte=version.number,
        ).select_related("publication")
        newest = found.order_by(
            "-publication__repository_version__number", "-publication__pulp_created"
        ).first()
        return cls(newest) if newest else None

    @cached_property
    def artifacts(self) -> dict[str, Artifact]:
        """Its files, by path.

        Raises:
            Doubt: one of them is lost or cut short.
        """
        published = PublishedArtifact.objects.filter(publication=self.publication)
        found = {
            each.relative_path: each.content_artifact.artifact
            for each in published.select_related("content_artifact__artifact")
        }
        for path, artifact in found.items():
            if stored_size(artifact) != artifact.size:
                raise Doubt(f"the file '{path}' of the publication before is not whole")
        return found

    @property
    def listed_subdirs(self) -> set[str]:
        """The subdirs whose indexes have packages."""
        return {subdir for subdir, counts in self.places.counts.items() if counts}

    def artifact(self, path: str) -> Artifact:
        """Return one of its files.

        Raises:
            Doubt: it is not there, or not whole.
        """
        try:
            return self.artifacts[path]
        except KeyError:
            raise Doubt(f"the publication before has no '{path}'") from None

    def open(self, path: str, changed: Sequence[str]) -> Earlier:
        """Return one of its files to copy from. It is opened when something is read from it.

        Raises:
            Doubt: it is not there, or not whole.
        """
        file = _CheckedFile(path, self.artifact(path))
        self._open.append(file)
        if path not in self.places.layouts:
            raise Doubt(f"nobody noted the places in '{path}'")
        return Earlier(file, self.places.layouts[path], changed)

    def check_copied(self) -> None:
        """Make sure that the files that were copied from had the right bytes, and close them.

        Raises:
            Doubt: one of them had not.
        """
        for file in self._open:
            file.check()
        self.close()

    def close(self) -> None:
        """Close all files."""
        for file in self._open:
            file.close()
        self._open = []

    def shard_digests(self, subdir: str) -> dict[str, bytes]:
        """Return the sha256 of its shards in a subdir, in binary, by package name.

        Raises:
            Doubt: the index is not there, or not whole.
        """
        if subdir not in self._digests:
            self._digests[subdir] = self._read_digests(subdir)
        return self._digests[subdir]

    def _read_digests(self, subdir: str) -> dict[str, bytes]:
        path = layout.metadata_path(subdir, layout.SHARD_INDEX)
        artifact = self.artifact(path)
        with artifact.file.open("rb") as file:
            data = file.read()
        if sha256(data).hexdigest() != artifact.sha256:
            raise Doubt(f"the file '{path}' of the publication before is damaged")
        try:
            return read_index(data, url=path, subdir=subdir, channel_url="").digests
        except ChannelError as error:
            raise Doubt(str(error)) from None

    def take_shards(self, publication: CondaPublication, gone: Collection[bytes]) -> None:
        """Give a publication all shards of this one, without those of some digests.

        Raises:
            Doubt: it is being deleted.
        """
        facts: dict[str, Any] = {
            "publication": publication.pk,
            "base": self.publication.pk,
            "domain": publication.pulp_domain_id,
            "digests": list(gone),
        }
        with self.held() as cursor:
            cursor.execute(_SHARDS_OF, facts)
            facts["gone"] = [shard for (shard,) in cursor.fetchall()]
            cursor.execute(_TAKE_SHARDS, facts)

    @contextmanager
    def held(self) -> Iterator[CursorWrapper]:
        """Give a cursor in a transaction in which nobody deletes the publication.

        Raises:
            Doubt: it is being deleted.
        """
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                locked = CondaPublication.objects.select_for_update(of=("self",), no_key=True)
                if not locked.filter(pk=self.publication.pk).exists():
                    raise Doubt("the publication before was deleted")
                yield cursor
        except IntegrityError:
            raise Doubt("the publication before was deleted") from None

    def change(
        self,
        publication: CondaPublication,
        known: list[int],
        known_before: list[int],
        keys: list[str],
        patches: Mapping[str, Patches],
    ) -> Change:
        """Return what may differ in a new publication.

        Args:
            known, known_before: What `known_at` returned for its version, and for that of this one.
            keys: The primary keys of the patches that hold now, sorted.
            patches: What they say, by subdir.

        Raises:
            Doubt: nobody can say, or it is so much that a full pass is faster.
        """
        before = version_of(self.publication)
        if known_before != self._facts["known"]:
            raise Doubt("something was noted late")
        is_learned = known[:COLUMNS_OF_KNOWN] != known_before[:COLUMNS_OF_KNOWN]
        changes = changes_between(before, publication.repository_version, is_learned)
        names = changes.names | names_of_files(
            set(self.publication.withheld) ^ set(publication.withheld)
        )
        subdirs = set()
        if keys != self._facts["patches"]:
            patches_before = CondaPatch.merged(self._facts["patches"])
            for subdir in patches_before.keys() | patches.keys():
                old, new = patches_before.get(subdir, Patches()), patches.get(subdir, Patches())
                if old.document() != new.document():
                    subdirs.add(subdir)
                filenames = old.differing(new)
                found = {filename.rsplit("-", 2)[0] for filename in filenames}
                names |= {(subdir, name) for name in found | names_at(subdir, filenames)}
        changed = sorted({name for _, name in names} | changes.summarized)
        self._check_size(changed, changes.added)
        return Change(changed, frozenset(subdirs | {subdir for subdir, _ in names}))

    def _check_size(self, changed: Sequence[str], added: int) -> None:
        sections = [
            section
            for places in self.places.layouts.values()
            for section in places.sections.values()
        ]
        total = sum(section.offsets[-1] for section in sections)
        new = added * _PACKAGE + sum(
            section.size_of(name) for section in sections for name in changed
        )
        if new > _SMALL + _MOST_CHANGED * total:
            raise Doubt(f"{len(changed)} names changed")


def writer_of(repository: CondaRepository) -> str:
    """Return a digest of all that the bytes of files depend on besides packages and patches."""
    facts = {
        "writer": WRITER,
        "shards": FORMAT if repository.shards else None,
        "libraries": _library_versions(),
        "zstd": zstandard.ZSTD_VERSION,
        "levels": levels()._asdict(),
        "relations": repository.channel_relations,
        "legacy_metadata": repository.legacy_metadata,
    }
    return sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


@cache
def _library_versions() -> dict[str, str]:
    return {name: version_of_library(name) for name in _LIBRARIES}


class _CheckedFile:
    """A file of a publication, opened when it is read. It is read from its start to its end, and
    only then one knows whether it was the right one.

    Args:
        path: What errors call it.
    """

    def __init__(self, path: str, artifact: Artifact) -> None:
        self._path = path
        self._artifact = artifact
        self._file: File | None = None
        self._hasher = sha256()
        self._position = 0

    def seek(self, position: int) -> int:
        while self._position < position:
            self.read(min(_PIECE, position - self._position))
        if self._position > position:
            raise Doubt(f"the places in {self._name} are wrong")
        return position

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            Doubt: there are none.
        """
        if data := self._read(size):
            return data
        raise Doubt(f"{self._name} is cut short")

    def check(self) -> None:
        """Read the rest, if the file was read at all.

        Raises:
            Doubt: the file has other bytes than it should have.
        """
        if self._file is None:
            return
        while self._read(_PIECE):
            pass
        if self._hasher.hexdigest() != self._artifact.sha256:
            log.warning("%s is damaged. Repair the repository version.", self._name)
            raise Doubt(f"{self._name} is damaged")

    @property
    def _name(self) -> str:
        return f"the file '{self._path}' of the publication before"

    def _read(self, size: int) -> bytes:
        try:
            if self._file is None:
                self._file = self._artifact.file.open("rb")
            data: bytes = self._file.read(size)
        except OSError as error:
            raise Doubt(f"{self._name} cannot be read: {error}") from error
        self._hasher.update(data)
        self._position += len(data)
        return data

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
