"""Publish a repository version."""

from typing import Any

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.models import CondaPublication
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.results import checked, named


def publish(repository_version_pk: str, checkpoint: bool = False) -> dict[str, Any]:
    """Write the metadata files of a version into a new publication. Return where that is."""
    version = RepositoryVersion.objects.get(pk=repository_version_pk)
    publication = publish_version(version, checkpoint, check=_result)
    return _result(publication)


def _result(publication: CondaPublication) -> dict[str, Any]:
    return checked({**named(publication), "package_counts": publication.package_counts})
