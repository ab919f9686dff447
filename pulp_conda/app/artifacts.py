"""Store files as artifacts of Pulp."""

from django.db import IntegrityError, transaction

from pulpcore.plugin.models import Artifact
from pulpcore.plugin.util import get_domain_pk


def save_artifact(artifact: Artifact) -> Artifact:
    """Save a new artifact, unless this domain has one with the same bytes. Return the saved one.

    Another task or request may save the same bytes at the same time.
    """
    same_bytes = Artifact.objects.filter(sha256=artifact.sha256, pulp_domain=get_domain_pk())
    existing = same_bytes.first()
    if existing is not None:
        return existing
    try:
        with transaction.atomic():
            artifact.save()
    except IntegrityError:
        return same_bytes.get()
    return artifact
