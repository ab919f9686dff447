"""Store files as artifacts of Pulp."""

import hashlib
import logging
from collections.abc import Iterable

from django.core.files import File
from django.db import IntegrityError, transaction

from pulpcore.plugin.models import Artifact
from pulpcore.plugin.util import get_domain_pk

log = logging.getLogger(__name__)


def save_artifact(artifact: Artifact) -> Artifact:
    """Save a new artifact, unless this domain has one with the same bytes. Return the saved one.

    Another task or request may save the same bytes at the same time. If the file of the artifact
    that is there is lost or cut, the new one takes its place.
    """
    same_bytes = Artifact.objects.filter(sha256=artifact.sha256, pulp_domain=get_domain_pk())
    existing = same_bytes.first()
    if existing is not None:
        _heal(existing, artifact)
        return existing
    try:
        with transaction.atomic():
            artifact.save()
    except IntegrityError:
        return same_bytes.get()
    return artifact


def save_artifacts(artifacts: Iterable[Artifact]) -> dict[str, Artifact]:
    """Do as `save_artifact` does with many, in a few statements. Return the saved ones by sha256.

    Those that were there before are protected from the cleanup of orphans for a while.
    """
    by_digest = {artifact.sha256: artifact for artifact in artifacts}
    domain = get_domain_pk()
    present = Artifact.objects.filter(sha256__in=by_digest, pulp_domain=domain)
    present.touch()
    saved = {artifact.sha256: artifact for artifact in present}
    for sha256, artifact in saved.items():
        _heal(artifact, by_digest[sha256])
    new = by_digest.keys() - saved.keys()
    # In the same order each time: otherwise two requests could wait for each other.
    Artifact.objects.bulk_create(
        [by_digest[sha256] for sha256 in sorted(new)], ignore_conflicts=True
    )
    found = Artifact.objects.filter(sha256__in=new, pulp_domain=domain)
    return saved | {artifact.sha256: artifact for artifact in found}


def stored_size(artifact: Artifact) -> int | None:
    """Return how many bytes the file of an artifact has in the storage, or None if it is lost."""
    try:
        return artifact.file.storage.size(artifact.file.name)
    except FileNotFoundError:
        return None


def compute_md5(file: File) -> str:
    """Return the md5 of a file in hex, and rewind the file.

    Clients expect it in records. Pulp does not compute it, because MD5 is not secure.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    for chunk in file.chunks():
        md5.update(chunk)
    file.seek(0)
    return md5.hexdigest()


def _heal(artifact: Artifact, new: Artifact) -> None:
    """Give an artifact the file of a new one with the same digest, unless its own is whole."""
    size = stored_size(artifact)
    if size == artifact.size:
        return
    log.warning(
        "The file '%s' had %s bytes and not %d. It is stored again.",
        artifact.file.name,
        "no" if size is None else size,
        artifact.size,
    )
    # A storage on the disk leaves a file that is there as it is.
    artifact.file.storage.delete(artifact.file.name)
    artifact.file = new.file
    artifact.save()
