"""Copy packages from one channel into another."""

from pulpcore.plugin.models import Content

from pulp_conda.app.models import CondaRepository
from pulp_conda.app.versions.selection import choose_packages, describe


def copy_packages(
    repository_pk,
    source_pk,
    specs,
    source_number=None,
    with_dependencies=True,
    overwrite=False,
    dry_run=False,
):
    """Make a version with packages of another repository on top, and return the report.

    Args:
        source_number: Of the version to take them from. The default is the latest.
        specs: MatchSpecs; all packages that match one of them are copied.
        with_dependencies: Also what they depend on, as far as the repository does not have it.
        overwrite: A package may replace another file of its name.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `NothingToPromote`, `BadMatchSpec` or `PackageConflict`.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    source = _version(CondaRepository.objects.get(pk=source_pk), source_number)
    base = repository.latest_version()
    found = choose_packages(specs, source, base, with_dependencies)
    keys = [package.key for package in found.packages]
    if not overwrite:
        repository.check_content_overwrite(base, keys)
    report = {
        "outcome": "made" if keys else "unchanged",
        "dry_run": dry_run,
        "version": None,
        "source_version": source.number,
        "count": len(keys),
        **describe(found),
    }
    if keys and not dry_run:
        report["version"] = _add(repository, keys)
    return report


def _version(repository, number):
    versions = repository.versions.complete()
    return repository.latest_version() if number is None else versions.get(number=number)


def _add(repository, keys):
    """Return the number of a new version that has this content, too."""
    with repository.new_version() as version:
        version.add_content(Content.objects.filter(pk__in=keys))
    return version.number
