"""Make a repository version from a lock file, or find the versions that serve one."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from pulpcore.plugin.models import PulpTemporaryFile

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models import CondaRepository, HistoryEntry
from pulp_conda.app.models.lifecycle import label
from pulp_conda.app.results import checked
from pulp_conda.app.versions.locked import apply_change, count_locked, exact_change, find_locked
from pulp_conda.app.vocabulary import VersionOutcome
from pulp_conda.channel.errors import BadLockFile
from pulp_conda.channel.layout import package_path
from pulp_conda.channel.lockfiles.model import LockedPackage, LockFile
from pulp_conda.channel.lockfiles.read import compare, read_lock_file

# People read the reports. A list in a report has this many entries, and the number of all.
_SHOWN = 100

# The key, the SHA-256 and the MD5 of the stored package at a path (subdir, filename).
Found = dict[tuple[str, str], Sequence[Any]]


@disk_errors()
def import_lock_file(
    file_pk: str,
    repository_pk: str,
    sources: list[tuple[str, int | None]],
    lock_format: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Make a version with exactly the packages of a lock file, and return the report.

    It makes no version if a package is not there, or if the lock file has no hash to compare.
    Patches and environments stay.

    Args:
        file_pk: The key of the `PulpTemporaryFile`. The task deletes the file.
        sources: Where to look for packages, as (key of a repository, number of a version). The
            first source that has a package is taken. None as the number means all versions.
        lock_format: The format of the file. None means that the text says it.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `BadLockFile`.
    """
    lock = _read(file_pk, lock_format)
    repository = CondaRepository.objects.get(pk=repository_pk)
    found = find_locked(lock.packages, sources)
    lacking = _lacking(lock, found)
    report = {
        "outcome": VersionOutcome.INCOMPLETE,
        "dry_run": dry_run,
        "version": None,
        "added": 0,
        "removed": 0,
        **_about(lock),
        **lacking,
    }
    if any(packages["count"] for packages in lacking.values()):
        return checked(report)
    contents = [content for content, *_ in found.values()]
    change = exact_change(repository.latest_version(), contents)
    with change as (report["added"], report["removed"]):
        is_changed = bool(report["added"] or report["removed"])
        report["outcome"] = VersionOutcome.MADE if is_changed else VersionOutcome.UNCHANGED
        if is_changed and not dry_run:
            with repository.new_version() as version:
                apply_change(version)
                report["version"] = version.number
                checked(report)
            return report
    return checked(report)


def find_lock_file(
    file_pk: str,
    repository_pk: str,
    lifecycle_pks: list[str],
    number: int | None = None,
    lock_format: str | None = None,
) -> dict[str, Any]:
    """Return a report that says which versions, and which states of stages, serve a lock file.

    If no version serves it, the report says what the version lacks that has most of the packages.

    Args:
        file_pk: The key of the `PulpTemporaryFile`. The task deletes the file.
        lifecycle_pks: The lifecycles whose stages the report may name.
        number: The number of a version. The report says what it lacks.
        lock_format: The format of the file. None means that the text says it.

    Raises:
        CondaError: `BadLockFile`.
    """
    lock = _read(file_pk, lock_format)
    counts = count_locked(lock.packages, repository_pk)
    serving = [version for version, count in counts.items() if count == len(lock.packages)]

    def describe_version(version: int) -> dict[str, Any]:
        lacking = _lacking(lock, find_locked(lock.packages, [(repository_pk, version)]))
        return {"number": version, "serves": version in serving, **lacking}

    report = {
        **_about(lock),
        "version": None if number is None else describe_version(number),
        "versions": _capped(serving),
        "closest": None
        if serving or not counts
        else describe_version(max(counts, key=counts.__getitem__)),
        "stages": _stages(lock, lifecycle_pks),
    }
    return checked(report)


def _read(file_pk: str, lock_format: str | None) -> LockFile:
    """Read a lock file, and delete it: it may contain secrets."""
    file = PulpTemporaryFile.objects.get(pk=file_pk)
    try:
        lock = read_lock_file(file.file.read().decode(), format=lock_format)
        if not lock.packages:
            # An import would make an empty version, and every version would serve the file.
            raise BadLockFile(format=lock.format, reason="it names no package of a channel")
        return lock
    except BadLockFile as error:
        raise CondaError(error) from None
    finally:
        file.delete()


def _stages(lock: LockFile, lifecycle_pks: list[str]) -> list[dict[str, Any]]:
    """Return the stages that serve a lock file, or have a state in their kept history that did."""
    entries = (
        HistoryEntry.objects.filter(
            is_kept(),
            lifecycle__in=lifecycle_pks,
            moved_at__isnull=False,
            publication__isnull=False,
        )
        .order_by("lifecycle__name", "stage__position", "-moved_at")
        .values_list(
            "lifecycle__name",
            "stage__name",
            "version",
            "fix",
            "until",
            "publication__repository_version__repository",
            "publication__repository_version__number",
        )
    )
    counts: dict[UUID, dict[int, int]] = {}
    stages: dict[tuple[str, str], dict[str, Any]] = {}
    for lifecycle, stage, version, fix, until, repository, number in entries:
        # States with single packages on top are versions of the stage's own repository.
        if repository not in counts:
            counts[repository] = count_locked(lock.packages, repository)
        if counts[repository].get(number) == len(lock.packages):
            # The states are the keys of a dictionary, which keeps their order.
            facts = stages.setdefault((lifecycle, stage), {"now": False, "states": {}})
            facts["now"] |= until is None
            facts["states"][label(version, fix)] = None
    return [
        {
            "lifecycle": lifecycle,
            "stage": stage,
            "serves_now": facts["now"],
            "states": _capped(list(facts["states"])),
        }
        for (lifecycle, stage), facts in stages.items()
    ]


def _about(lock: LockFile) -> dict[str, Any]:
    """Return the facts of a report about the lock file itself."""
    return {
        "lock_format": lock.format,
        "packages": len(lock.packages),
        "pip": _capped(lock.pip),
        "local": _capped(lock.local),
    }


def _lacking(lock: LockFile, found: Found) -> dict[str, dict[str, Any]]:
    """Return which packages are not there, are other files, or have no hash to compare."""
    compared = compare(lock, {path: hashes for path, (_key, *hashes) in found.items()})
    return {
        kind: _capped(getattr(compared, kind), lambda package: _package(package, found))
        for kind in ("missing", "differing", "unproven")
    }


def _package(package: LockedPackage, found: Found) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "path": package_path(*package.path),
        "url": package.url,
        "sha256": package.sha256,
        "md5": package.md5,
    }
    if package.path in found:
        _key, sha256, md5 = found[package.path]
        facts["found"] = {"sha256": sha256, "md5": md5 or None}
    return facts


def _capped(
    values: Sequence[Any], show: Callable[[Any], Any] = lambda value: value
) -> dict[str, Any]:
    return {"count": len(values), "shown": [show(value) for value in values[:_SHOWN]]}
