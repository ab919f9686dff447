"""Copy packages from one channel into another."""

from typing import Any

from pulpcore.plugin.models import Content, RepositoryVersion

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.models.virtual import state_of
from pulp_conda.app.results import checked
from pulp_conda.app.solving.selection import choose_packages, choose_solved, describe
from pulp_conda.app.versions.state import VersionState
from pulp_conda.app.vocabulary import VersionOutcome
from pulp_conda.channel.selection.closure import Bounds


@disk_errors()
def copy_packages(
    repository_pk: str,
    source_pk: str,
    specs: list[str],
    source_number: int | None = None,
    environments: list[str] | None = None,
    with_dependencies: bool = True,
    newest: int = 2,
    virtual_packages: dict[str, str | None] | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Make a version with packages of another repository on top, and return the report.

    Args:
        specs: MatchSpecs of the packages.
        source_number: The number of the version to copy from. The default is the latest.
        environments: Names of environments of the source. If there are any, the task copies what
            they are solved to, and nothing else.
        with_dependencies: Copy what can be installed, with what it needs, see `choose_packages`.
            Otherwise all packages that match a spec.
        newest: How many releases for each spec and each dependency. 0 means all.
        virtual_packages: Changes to what machines are assumed to have, as versions by name.
        overwrite: Packages may replace other files of the same name.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: The errors of `choose_packages` or `choose_solved`, or `PackageConflict`.
    """
    repository = CondaRepository.objects.get(pk=repository_pk)
    source = _version(CondaRepository.objects.get(pk=source_pk), source_number)
    base = repository.latest_version()
    if environments:
        found = choose_solved(environments, source, VersionState(base))
    else:
        bounds = Bounds(newest, virtual_packages or {}) if with_dependencies else None
        found = choose_packages(specs, state_of(source), VersionState(base), bounds)
    keys = [package.key for package in found.packages]
    if not overwrite:
        repository.check_content_overwrite(base, keys)
    report = {
        "outcome": VersionOutcome.MADE if keys else VersionOutcome.UNCHANGED,
        "dry_run": dry_run,
        "version": None,
        "source_version": source.number,
        "count": len(keys),
        **describe(found),
    }
    if not keys or dry_run:
        return checked(report)
    with repository.new_version() as version:
        version.add_content(Content.objects.filter(pk__in=keys))
        report["version"] = version.number
        checked(report)
    return report


def _version(repository: CondaRepository, number: int | None) -> RepositoryVersion:
    versions = repository.versions.complete()
    return repository.latest_version() if number is None else versions.get(number=number)
