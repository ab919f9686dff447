"""Promote single packages into a stage that otherwise stays as it is."""

from functools import partial

from django.contrib.auth import get_user_model
from django.db.models import Max

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.fixes import make_version
from pulp_conda.app.models import CondaPublication, CondaStage, HistoryEntry
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.tasks.moves import attempt, signed, unchanged
from pulp_conda.app.tasks.publish import publish
from pulp_conda.app.versions.candidates import candidates_named, names_of
from pulp_conda.channel.errors import ChannelError, StageServesNothing
from pulp_conda.channel.policies.closure import closure, select

# Packages in a report; the channel has all of them.
_SHOWN = 1000


def promote_packages(
    stage_pk,
    source_pk,
    specs,
    requester_pk,
    with_dependencies=True,
    reason="",
    overrides=None,
    dry_run=False,
):
    """Let a stage serve what it serves with packages of another stage on top, and return the report.

    What comes of it is a version of the stage's own, which is published, goes through the gates, and is removed again if
    they hold it.

    Args:
        specs: MatchSpecs; all packages that match one of them are promoted.
        with_dependencies: Also what they depend on, as far as the stage does not have it.
        overrides: Reasons to pass a gate whatever it says, by its name.
        dry_run: Return the same report, and change nothing.

    Raises:
        CondaError: `StageServesNothing` or `NothingToPromote`.
    """
    stage = CondaStage.objects.get(pk=stage_pk)
    source = _version(CondaStage.objects.get(pk=source_pk))
    base = _version(stage)
    of_source, of_base = partial(candidates_named, source), partial(candidates_named, base)
    try:
        packages = select(specs, source=of_source, target=of_base, names=partial(names_of, source))
    except ChannelError as error:
        raise CondaError(error) from None
    unmet = []
    if with_dependencies:
        found = closure(packages, source=of_source, target=of_base)
        packages, unmet = found.packages, found.unmet
    requester = get_user_model().objects.filter(pk=requester_pk).first()
    if not packages:
        entry = HistoryEntry.make(
            stage, "packages", stage.publication, stage.current.state, requester, reason=reason
        )
        return unchanged(entry, dry_run)

    number = stage.repository and stage.repository.latest_version().number
    version = make_version(
        stage, base, [package.key for package in packages], _replaced(packages, of_base)
    )
    publication = _publication_of(version)
    state = _state(stage, publication)
    entry = HistoryEntry.make(
        stage, "packages", publication, state, requester, reason=reason, specs=specs
    )
    added = {
        "packages": [_as_json(package) for package in packages[:_SHOWN]],
        "unmet": [f"{each.path}: {each.depends}" for each in unmet[:_SHOWN]],
    }
    report = attempt(entry, signed(overrides, entry), dry_run, extra=added)
    is_kept = not dry_run and report["outcome"] in ("moved", "waiting")
    if not is_kept and version.number != number:
        version.delete()
    return report


def _version(stage):
    if stage.publication is None:
        raise CondaError(StageServesNothing(stage=stage.name, lifecycle=stage.lifecycle.name))
    return version_of(stage.publication)


def _replaced(packages, of_base):
    """Return the keys of the packages of the base that have the path of one of these."""
    paths = {package.path for package in packages}
    present = of_base(sorted({package.name for package in packages}))
    return [package.key for package in present if package.path in paths]


def _publication_of(version):
    publications = CondaPublication.objects.filter(repository_version=version, complete=True)
    if not publications.exists():
        publish(str(version.pk))
    return publications.latest("pulp_created")


def _state(stage, publication):
    """Return the label of a version with packages on top: one more than the last of the lifecycle for its version."""
    entries = HistoryEntry.objects.filter(lifecycle=stage.lifecycle)
    if known := entries.filter(publication=publication).first():
        return known.state
    current = stage.current
    last = entries.filter(version=current.version).aggregate(last=Max("fix"))["last"]
    return current.version, last + 1


def _as_json(package):
    return {
        "path": package.path,
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "sha256": package.sha256,
    }
