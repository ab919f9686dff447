"""What a channel's URL gives, and what finding it costs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulp_conda.app.models import CondaDistribution, CondaPublication, CondaRepository
from pulp_conda.app.models.served import served_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository():
    """A repository with two versions, where both were published twice, and a third time not to the end."""
    repository = CondaRepository.objects.create(name="team")
    with repository.new_version():
        pass
    # As of two tasks that ran side by side: the newest publication is not of the newest version.
    for version in repository.versions.order_by("-number"):
        for complete in (True, True, False):
            CondaPublication.objects.create(repository_version=version, complete=complete)
    return repository


@pytest.mark.parametrize("serves", ["publication", "repository_version", "repository", "nothing"])
def test_a_channel_gives_what_pulpcore_would_choose_by_one_query(repository, serves):
    choices = {
        "publication": CondaPublication.objects.order_by("pulp_created").first(),
        "repository_version": repository.versions.order_by("number").first(),
        "repository": repository,
    }
    facts = {serves: choices[serves]} if serves in choices else {}
    CondaDistribution.objects.create(name="team", base_path="team", **facts)
    distribution = CondaDistribution.objects.select_related("stage").get()
    with CaptureQueriesContext(connection) as queries:
        served = served_now(distribution)
    assert len(queries) == (serves in choices)
    chosen = distribution.get_repository_publication_and_version()[2]
    assert (served and served.publication) == chosen
    assert bool(chosen) == (serves in choices)
