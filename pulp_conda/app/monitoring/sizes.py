"""Keep the sizes of channels, so that nobody has to count packages to answer a request."""

from uuid import UUID

from django.utils import timezone

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.models import ChannelCondition
from pulp_conda.app.versions.sizes import sizes_between, sizes_of


def measure(version: RepositoryVersion) -> None:
    """Note the sizes of a version that is published, unless a newer one was measured.

    Only changes are counted, if an earlier version was measured that is not deleted.
    """
    condition, _ = ChannelCondition.objects.get_or_create(repository_id=version.repository_id)
    before = condition.version
    versions = RepositoryVersion.objects.filter(repository=version.repository_id)
    if before is None or not versions.filter(number=before).exists():
        _measure_all(version)
    elif before < version.number:
        grown = sizes_between(before, version)
        _store(
            version,
            referenced_size=condition.referenced_size + grown.referenced,
            stored_size=condition.stored_size + grown.stored,
        )


def measure_again(domain: UUID) -> None:
    """Count the sizes of all channels of a domain again: packages came from upstreams on demand."""
    measured = ChannelCondition.objects.filter(
        repository__pulp_domain=domain, version__isnull=False
    )
    for repository, number in measured.values_list("repository", "version").iterator():
        versions = RepositoryVersion.objects.filter(repository=repository, number=number)
        if version := versions.first():
            _measure_all(version)


def _measure_all(version: RepositoryVersion) -> None:
    sizes = sizes_of(version)
    _store(
        version,
        referenced_size=sizes.referenced,
        stored_size=sizes.stored,
        measured_at=timezone.now(),
    )


def _store(version: RepositoryVersion, **fields: object) -> None:
    ChannelCondition.objects.filter(repository=version.repository_id).update(
        version=version.number, **fields
    )
