"""What follows when a channel changed. Imported when Pulp is ready, see `pulp_conda.app`."""

from typing import Any

from django.dispatch import receiver

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.lifecycle.moves import follow
from pulp_conda.app.models import CondaPublication, CondaRepository
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.signals import publication_made, version_made


@receiver(version_made, sender=CondaRepository)
def publish_new_version(
    repository: CondaRepository, version: RepositoryVersion, **kwargs: Any
) -> None:
    """Publish a new version of a repository that wants it."""
    if repository.autopublish:
        publish_version(version)


@receiver(publication_made, sender=CondaPublication)
def follow_new_publication(publication: CondaPublication, **kwargs: Any) -> None:
    """Let the first stages of the repository serve a new publication."""
    follow(publication)
