"""Publish a repository version."""

from typing import Any

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.serializers import CondaPublicationSerializer


def publish(repository_version_pk: str, checkpoint: bool = False) -> dict[str, Any]:
    """Write the metadata files of a version into a new publication. Return it as the API does."""
    version = RepositoryVersion.objects.get(pk=repository_version_pk)
    publication = publish_version(version, checkpoint)
    # Without a request: the hrefs have no host, because a task knows none.
    return CondaPublicationSerializer(publication, context={"request": None}).data
