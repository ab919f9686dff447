"""Helpers for a promotion of single packages: what they replace, and the new state they make."""

from uuid import UUID

from django.db.models import Max

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.errors import StageServesNothing
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPublication, CondaStage, HistoryEntry
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.versions.candidates import candidates_named
from pulp_conda.app.versions.state import State
from pulp_conda.channel.policies.satisfaction import Candidate


def served_version(stage: CondaStage) -> RepositoryVersion:
    """Return the version that a stage serves.

    Raises:
        CondaError: `StageServesNothing`.
    """
    if stage.publication is None:
        raise CondaError(StageServesNothing(stage=stage.name, lifecycle=stage.lifecycle.name))
    return version_of(stage.publication)


def replaced_by(packages: list[Candidate], base: State) -> list[UUID]:
    """Return the keys of those packages of a state that have the same path as one of these."""
    paths = {package.path for package in packages}
    names = sorted({package.name for package in packages})
    present = candidates_named(base, names, with_blocked=True)
    return [package.key for package in present if package.path in paths]


def publication_of(version: RepositoryVersion) -> CondaPublication:
    """Return the newest publication of a version. Publish the version if it has none."""
    publications = CondaPublication.objects.filter(repository_version=version, complete=True)
    if not publications.exists():
        publish_version(version)
    return publications.latest("pulp_created")


def state_of(stage: CondaStage, publication: CondaPublication) -> tuple[int, int]:
    """Return the state of a stage with single packages on top, as (version, fix).

    The version is that of the stage now. The fix is one more than the last that the lifecycle has
    for this version, unless the publication has a state already.
    """
    entries = HistoryEntry.objects.filter(lifecycle=stage.lifecycle)
    if known := entries.filter(publication=publication).first():
        return known.state
    current = stage.current
    assert current is not None  # what is promoted goes on top of something
    version = current.version
    last = entries.filter(version=version).aggregate(last=Max("fix"))["last"]
    return version, last + 1
