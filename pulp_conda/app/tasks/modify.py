"""Add content to a repository, and remove some."""

from pulpcore.plugin.models import Content, RepositoryVersion
from pulpcore.plugin.serializers import RepositoryVersionSerializer

from pulp_conda.app.models import CondaRepository


def modify(
    repository_pk,
    add_content_units,
    remove_content_units,
    base_version_pk=None,
    overwrite=False,
):
    """Make a version with content removed and then added, and return it as the API shows it, or None if nothing changed.

    Args:
        remove_content_units: Keys, or "*" for all that the latest version has.
        base_version_pk: Of the version to start from. The default is the latest.
        overwrite: A package may replace another file of its name.

    Raises:
        CondaError: `PackageConflict`, `DuplicateFilename` or `PatchWithoutPackage`.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    latest = repository.latest_version()
    base = base_version_pk and RepositoryVersion.objects.get(pk=base_version_pk)
    added = Content.objects.filter(pk__in=add_content_units)
    removed = (
        latest.content
        if "*" in remove_content_units
        else Content.objects.filter(pk__in=remove_content_units)
    )
    if not overwrite:
        repository.check_content_overwrite(base or latest, added, removed)
    with repository.new_version(base) as version:
        version.remove_content(removed)
        version.add_content(added)
    if not version.complete:
        return None
    # Hrefs without a host, as tasks know none.
    return RepositoryVersionSerializer(version, context={"request": None}).data
