"""Copy packages from one channel into another."""

from functools import partial

from pulpcore.plugin.models import Content

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.versions.candidates import candidates_named, names_of
from pulp_conda.channel.errors import ChannelError
from pulp_conda.channel.policies.closure import closure, select

# Packages in a report; the version has all of them.
_SHOWN = 1000

_FACTS = ("path", "name", "version", "build", "sha256")


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
    of_source, of_base = partial(candidates_named, source), partial(candidates_named, base)
    try:
        packages = select(specs, source=of_source, target=of_base, names=partial(names_of, source))
    except ChannelError as error:
        raise CondaError(error) from None
    unmet = []
    if with_dependencies:
        found = closure(packages, source=of_source, target=of_base)
        packages, unmet = found.packages, found.unmet
    keys = [package.key for package in packages]
    if not overwrite:
        repository.check_content_overwrite(base, keys)
    report = {
        "outcome": "made" if packages else "unchanged",
        "dry_run": dry_run,
        "version": None,
        "source_version": source.number,
        "count": len(packages),
        "packages": [
            {fact: getattr(package, fact) for fact in _FACTS} for package in packages[:_SHOWN]
        ],
        "unmet": [f"{each.path}: {each.depends}" for each in unmet[:_SHOWN]],
    }
    if packages and not dry_run:
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
