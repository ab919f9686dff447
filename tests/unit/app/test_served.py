"""What a channel's URL gives, and what finding it costs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulp_conda.app.models import CondaDistribution, CondaPublication, CondaRepository
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.serving.channel import served_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository():
    """A repository with two versions, where both were published twice, and a third time not to the
    end.
    """
    repository = CondaRepository.objects.create(name="team")
    with repository.new_version():
        pass
    # As of two tasks that ran side by side: the newest publication is not of the newest version.
    for version in repository.versions.order_by("-number"):
        for complete in (True, True, False):
            CondaPublication.objects.create(repository_version=version, complete=complete)
    return repository


@pytest.mark.parametrize("serves", ["publication", "repository_version", "repository", "nothing"])
def test_a_channel_gives_what_pulpcore_would_choose_by_one_query_at_most(repository, serves):
    choices = {
        "publication": CondaPublication.objects.order_by("pulp_created").first(),
        "repository_version": repository.versions.order_by("number").first(),
        "repository": repository,
    }
    facts = {serves: choices[serves]} if serves in choices else {}
    CondaDistribution.objects.create(name="team", base_path="team", **facts)
    distribution = CondaDistribution.objects.select_related("stage").get()
    served_now(distribution)
    with CaptureQueriesContext(connection) as queries:
        served = served_now(distribution)
    # A publication is known from the first time; which one it is, is asked each time.
    assert len(queries) == (serves in ("repository_version", "repository"))
    chosen = distribution.get_repository_publication_and_version()[2]
    assert (served and served.publication) == chosen
    assert bool(chosen) == (serves in choices)


def test_a_publication_that_is_not_complete_is_not_served(repository):
    unfinished = CondaPublication.objects.filter(complete=False).first()
    distribution = CondaDistribution(name="team", base_path="team", publication=unfinished)
    assert served_now(distribution) is None
    unfinished.complete = True
    unfinished.save()
    assert served_now(distribution).publication == unfinished


def test_a_newer_publication_is_served_at_once(repository):
    distribution = CondaDistribution(name="team", base_path="team", repository=repository)
    before = served_now(distribution).publication
    version = repository.latest_version()
    newer = CondaPublication.objects.create(repository_version=version, complete=True)
    assert served_now(distribution).publication == newer != before
    newer.delete()
    assert served_now(distribution).publication == before


def test_the_version_of_a_publication_comes_without_the_keys_of_its_content(repository):
    publication = CondaPublication.objects.first()
    with CaptureQueriesContext(connection) as queries:
        version = version_of(publication)
    assert len(queries) == 1 and "content_ids" not in queries[0]["sql"]
    assert publication.repository_version is version is version_of(publication)
