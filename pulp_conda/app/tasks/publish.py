"""Publish a repository version."""

from typing import Any

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.serializers import CondaPublicationSerializer


def publish(repository_version_pk: str, checkpoint: bool = False) -> dict[str, Any]:
    """Write the channel files of a version into a new publication, and return it as the API shows it."""
    version = RepositoryVersion.objects.get(pk=repository_version_pk)
    publication = publish_version(version, checkpoint)
    # Hrefs without a host, as tasks know none.
    return CondaPublicationSerializer(publication, context={"request": None}).data
