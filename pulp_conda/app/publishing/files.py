"""The files of a publication: written and stored without reading them again."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from django.core.files.base import ContentFile
from django.db import transaction

from pulpcore.plugin import pulp_hashlib
from pulpcore.plugin.models import (
    Artifact,
    ContentArtifact,
    PublishedArtifact,
    PublishedMetadata,
)

from pulp_conda.app.artifacts import save_artifact
from pulp_conda.app.models import CondaPublication
from pulp_conda.channel.metadata.compression import Level, threaded_compressor
from pulp_conda.channel.metadata.splice import Document


class WrittenFile:
    """A file that takes the checksums that Pulp wants while it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._size = 0
        self._hashers = {name: pulp_hashlib.new(name) for name in Artifact.DIGEST_FIELDS}

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._size += self._file.write(data)
        for hasher in self._hashers.values():
            hasher.update(data)

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def as_artifact(self) -> Artifact:
        """Return the file as an artifact, which is not saved yet."""
        digests = {name: hasher.hexdigest() for name, hasher in self._hashers.items()}
        return Artifact(file=str(self._path), size=self._size, **digests)


def write_bytes(path: Path, data: bytes) -> WrittenFile:
    """Write a file of a few bytes."""
    file = WrittenFile(path)
    file.write(data)
    file.close()
    return file


def write_document(document: Document, path: Path) -> WrittenFile:
    """Write a file."""
    file = WrittenFile(path)
    for piece in document.pieces():
        file.write(piece)
    file.close()
    return file


def write_both(
    document: Document, path: Path, packed_path: Path, level: Level
) -> tuple[WrittenFile, WrittenFile]:
    """Write a file and its compressed form in one pass, and return both.

    The header of the zstd frame has the size, because some clients refuse a file without it.
    """
    plain, packed = WrittenFile(path), WrittenFile(packed_path)
    stream = threaded_compressor(level).compressobj(size=document.size)
    for piece in document.pieces():
        plain.write(piece)
        packed.write(stream.compress(piece))
    packed.write(stream.flush())
    plain.close()
    packed.close()
    return plain, packed


def store_files(
    publication: CondaPublication, files: Mapping[str, WrittenFile | Artifact | bytes]
) -> None:
    """Store files with a publication.

    Args:
        files: By the path below the URL of the channel, what was written, an artifact that another
            publication has, or a few bytes.
    """
    with transaction.atomic():
        constants = _stored_constants(publication, files)
        artifacts = {}
        for path, file in files.items():
            if isinstance(file, bytes):
                artifacts[path] = constants[sha256(file).hexdigest()]
            elif isinstance(file, WrittenFile):
                artifacts[path] = save_artifact(file.as_artifact())
            else:
                artifacts[path] = file
        # From now on, no cleanup removes them before they are used.
        Artifact.objects.filter(pk__in={artifact.pk for artifact in artifacts.values()}).touch()
        contents = []
        for path, artifact in artifacts.items():
            metadata = PublishedMetadata(publication=publication, relative_path=path)
            metadata.save()
            contents.append(
                ContentArtifact(artifact=artifact, content=metadata, relative_path=path)
            )
        ContentArtifact.objects.bulk_create(contents)
        PublishedArtifact.objects.bulk_create(
            PublishedArtifact(
                publication=publication, content_artifact=each, relative_path=each.relative_path
            )
            for each in contents
        )


def _stored_constants(
    publication: CondaPublication, files: Mapping[str, WrittenFile | Artifact | bytes]
) -> dict[str, Artifact]:
    """Return an artifact for each file that is given as bytes, by its sha256.

    Most publications have the same, so the storage is not asked for those that are there.
    """
    by_digest = {sha256(data).hexdigest(): data for data in files.values() if type(data) is bytes}
    found = Artifact.objects.filter(
        pulp_domain=publication.pulp_domain_id, sha256__in=by_digest.keys()
    )
    artifacts = {artifact.sha256: artifact for artifact in found}
    for digest in by_digest.keys() - artifacts.keys():
        data = by_digest[digest]
        hashers = {name: pulp_hashlib.new(name) for name in Artifact.DIGEST_FIELDS}
        for hasher in hashers.values():
            hasher.update(data)
        digests = {name: hasher.hexdigest() for name, hasher in hashers.items()}
        file = ContentFile(data, digest)
        artifacts[digest] = save_artifact(Artifact(file=file, size=len(data), **digests))
    return artifacts
