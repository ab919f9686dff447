"""What follows when a channel changed, and what an error there means."""

import pytest

from pulpcore.app.contexts import with_task_context  # noqa: TID251  workers have no other way
from pulpcore.plugin.models import Task

from pulp_conda.app.models import CondaPackage, CondaPublication, CondaRepository
from pulp_conda.app.signals import version_made
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_a_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = Task.objects.create(name="modify", state="running", logging_cid="")
    with with_task_context(task):
        yield


def _add_package(repository):
    package = CondaPackage.from_record(make_record("a"))
    package.save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.filter(pk=package.pk))


@pytest.mark.parametrize("autopublish", [True, False])
def test_a_new_version_is_published_if_the_repository_wants_that(autopublish):
    _add_package(CondaRepository.objects.create(name="team", autopublish=autopublish))
    assert CondaPublication.objects.filter(complete=True).count() == autopublish


def test_a_version_that_cannot_be_published_is_not_there():
    repository = CondaRepository.objects.create(name="team", autopublish=True)

    def refuse(**kwargs):
        raise OSError("the disk is full")

    version_made.connect(refuse, sender=CondaRepository)
    try:
        with pytest.raises(OSError, match="full"):
            _add_package(repository)
    finally:
        version_made.disconnect(refuse, sender=CondaRepository)
    assert list(repository.versions.values_list("number", flat=True)) == [0]
