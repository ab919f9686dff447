"""Add content to a repository, and remove some."""

from typing import Any

from pulpcore.plugin.models import Content, RepositoryVersion

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.results import checked, named_version


@disk_errors()
def modify(
    repository_pk: str,
    add_content_units: list[str],
    remove_content_units: list[str],
    base_version_pk: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any] | None:
    """Make a version from another one: remove content first, and then add content.

    Args:
        add_content_units: The keys of the content to add.
        remove_content_units: The keys of the content to remove. "*" means all that the version to
            start from has.
        base_version_pk: The key of the version to start from. The default is the latest.
        overwrite: Packages may replace other files of the same name.

    Returns:
        Where the new version is, or None if nothing changed.

    Raises:
        CondaError: `PackageConflict`, `DuplicateFilename` or `PatchWithoutPackage`.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    latest = repository.latest_version()
    base = base_version_pk and RepositoryVersion.objects.get(pk=base_version_pk)
    added = Content.objects.filter(pk__in=add_content_units)
    removed = (
        (base or latest).content
        if "*" in remove_content_units
        else Content.objects.filter(pk__in=remove_content_units)
    )
    if not overwrite:
        repository.check_content_overwrite(base or latest, added, removed)
    with repository.new_version(base) as version:
        version.remove_content(removed)
        version.add_content(added)
        result = checked(named_version(version))
    return result if version.complete else None
