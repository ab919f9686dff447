"""Remove a package from a channel."""

from typing import Any

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.models import CondaPackage, CondaRepository
from pulp_conda.app.results import checked, named_version


@disk_errors()
def remove_package(repository_pk: str, subdir: str, filename: str) -> dict[str, Any] | None:
    """Make and publish a version without a package.

    Returns:
        Where the new version is, or None if the repository had no such package.

    Raises:
        CondaError: the version or the publication cannot be made.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    latest = repository.latest_version()
    package = CondaPackage.at_path([latest], subdir, filename)
    if package is None:
        return None
    with repository.new_version() as version:
        version.published_at_once = True
        version.remove_content(CondaPackage.objects.filter(pk=package.pk))
        return checked(named_version(version))
