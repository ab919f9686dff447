"""From lock files to repository versions: one with exactly their packages, or those that serve them already."""

from pulpcore.plugin.models import PulpTemporaryFile

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models import CondaRepository, HistoryEntry
from pulp_conda.app.models.lifecycle import label
from pulp_conda.app.versions.locked import apply_change, count_locked, exact_change, find_locked
from pulp_conda.channel.errors import BadLockFile
from pulp_conda.channel.layout import package_path
from pulp_conda.channel.lockfiles.read import compare, read_lock_file

# A report is read by people: the first of everything, and how many there are.
_SHOWN = 100


def import_lock_file(file_pk, repository_pk, sources, lock_format=None, dry_run=False):
    """Make a version with exactly the packages of a lock file, and return the report.

    Nothing is made if one of them is not there, or nobody can tell whether it is. Patches and environments stay.

    Args:
        file_pk: Of the `PulpTemporaryFile`, which is deleted.
        sources: (key of a repository, number of a version or None for all), the most wanted first.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `BadLockFile`.
    """
    lock = _read(file_pk, lock_format)
    repository = CondaRepository.objects.get(pk=repository_pk)
    found = find_locked(lock.packages, sources)
    lacking = _lacking(lock, found)
    report = {
        "outcome": "incomplete",
        "dry_run": dry_run,
        "version": None,
        "added": 0,
        "removed": 0,
        **_about(lock),
        **lacking,
    }
    if any(packages["count"] for packages in lacking.values()):
        return report
    contents = [content for content, *_ in found.values()]
    change = exact_change(repository.latest_version(), contents)
    with change as (report["added"], report["removed"]):
        report["outcome"] = "made" if report["added"] or report["removed"] else "unchanged"
        if report["outcome"] == "made" and not dry_run:
            with repository.new_version() as version:
                apply_change(version)
            report["version"] = version.number
    return report


def find_lock_file(file_pk, repository_pk, lifecycle_pks, number=None, lock_format=None):
    """Say which versions of a repository serve a lock file, and which stages in which states.

    Args:
        file_pk: Of the `PulpTemporaryFile`, which is deleted.
        lifecycle_pks: The lifecycles of whose stages to tell.
        number: Of a version of which to say what it lacks. If no version serves the lock file, that is also said of
            the one that comes closest.

    Raises:
        CondaError: `BadLockFile`.
    """
    lock = _read(file_pk, lock_format)
    counts = count_locked(lock.packages, repository_pk)
    serving = [version for version, count in counts.items() if count == len(lock.packages)]

    def tell(version):
        lacking = _lacking(lock, find_locked(lock.packages, [(repository_pk, version)]))
        return {"number": version, "serves": version in serving, **lacking}

    return {
        **_about(lock),
        "version": None if number is None else tell(number),
        "versions": _capped(serving),
        "closest": None if serving or not counts else tell(max(counts, key=counts.get)),
        "stages": _stages(lock, lifecycle_pks),
    }


def _read(file_pk, lock_format):
    """Read a lock file, and delete it: it may hold what is nobody's business."""
    file = PulpTemporaryFile.objects.get(pk=file_pk)
    try:
        lock = read_lock_file(file.file.read().decode(), format=lock_format)
        if not lock.packages:
            # A version with exactly that would be empty, and every version would serve it.
            raise BadLockFile(format=lock.format, reason="it names no package of a channel")
        return lock
    except BadLockFile as error:
        raise CondaError(error) from None
    finally:
        file.delete()


def _stages(lock, lifecycle_pks):
    """Return the stages that serve a lock file, or have a state in their kept history that does."""
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
    counts, stages = {}, {}
    for lifecycle, stage, version, fix, until, repository, number in entries:
        # Single packages on top of a version are in a repository of the stage's own.
        if repository not in counts:
            counts[repository] = count_locked(lock.packages, repository)
        if counts[repository].get(number) == len(lock.packages):
            told = stages.setdefault((lifecycle, stage), {"now": False, "states": {}})
            told["now"] |= until is None
            told["states"][label(version, fix)] = None
    return [
        {
            "lifecycle": lifecycle,
            "stage": stage,
            "serves_now": told["now"],
            "states": _capped(list(told["states"])),
        }
        for (lifecycle, stage), told in stages.items()
    ]


def _about(lock):
    """Return what a report says of a lock file itself."""
    return {
        "lock_format": lock.format,
        "packages": len(lock.packages),
        "pip": _capped(lock.pip),
        "local": _capped(lock.local),
    }


def _lacking(lock, found):
    """Return which packages are not there, are other files, or have no hash to tell by."""
    compared = compare(lock, {path: hashes for path, (_key, *hashes) in found.items()})
    return {
        kind: _capped(getattr(compared, kind), lambda package: _package(package, found))
        for kind in ("missing", "differing", "unproven")
    }


def _package(package, found):
    told = {
        "path": package_path(*package.path),
        "url": package.url,
        "sha256": package.sha256,
        "md5": package.md5,
    }
    if package.path in found:
        _key, sha256, md5 = found[package.path]
        told["found"] = {"sha256": sha256, "md5": md5 or None}
    return told


def _capped(values, show=lambda value: value):
    return {"count": len(values), "shown": [show(value) for value in values[:_SHOWN]]}
