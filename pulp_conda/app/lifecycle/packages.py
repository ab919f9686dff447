"""Single packages on top of what a stage serves: which they are, and where they are published."""

from django.db.models import Max

from pulp_conda.app.errors import StageServesNothing
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPublication, HistoryEntry
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.versions.candidates import candidates_named


def served_version(stage):
    if stage.publication is None:
        raise CondaError(StageServesNothing(stage=stage.name, lifecycle=stage.lifecycle.name))
    return version_of(stage.publication)


def replaced_by(packages, base):
    """Return the keys of the packages of the base that have the path of one of these."""
    paths = {package.path for package in packages}
    present = candidates_named(base, sorted({package.name for package in packages}))
    return [package.key for package in present if package.path in paths]


def publication_of(version):
    publications = CondaPublication.objects.filter(repository_version=version, complete=True)
    if not publications.exists():
        publish_version(version)
    return publications.latest("pulp_created")


def state_of(stage, publication):
    """Return the label of a version with packages on top: one more than the last of the lifecycle for its version."""
    entries = HistoryEntry.objects.filter(lifecycle=stage.lifecycle)
    if known := entries.filter(publication=publication).first():
        return known.state
    current = stage.current
    last = entries.filter(version=current.version).aggregate(last=Max("fix"))["last"]
    return current.version, last + 1
