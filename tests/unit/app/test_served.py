"""What a channel's URL gives, and what finding it costs."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pulp_conda.app.models import (
    CondaDistribution,
    CondaLifecycle,
    CondaPublication,
    CondaRepository,
    HistoryEntry,
)
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.serving.channel import served_at, served_checkpoint, served_now
from pulp_conda.app.serving.history_feed import render_history

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
    chosen = super(CondaDistribution, distribution).get_repository_publication_and_version()[2]
    assert (served and served.publication) == chosen
    assert bool(chosen) == (serves in choices)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("serves", ["publication", "repository_version", "repository", "nothing"])
def test_what_a_channel_serves_is_found_without_the_keys_of_all_content(
    repository, serves, complete
):
    CondaPublication.objects.update(complete=complete)
    choices = {
        "publication": CondaPublication.objects.order_by("pulp_created").first(),
        "repository_version": repository.versions.order_by("number").first(),
        "repository": repository,
    }
    facts = {serves: choices[serves]} if serves in choices else {}
    CondaDistribution.objects.create(name="team", base_path="team", **facts)
    distribution = CondaDistribution.objects.get()
    with CaptureQueriesContext(connection) as queries:
        found = distribution.get_repository_publication_and_version()
    assert not [query["sql"] for query in queries if '"content_ids"' in query["sql"]]
    again = CondaDistribution.objects.get()
    assert found == super(CondaDistribution, again).get_repository_publication_and_version()


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


@pytest.fixture
def stage(repository):
    """A stage that was promoted an hour ago."""
    lifecycle = CondaLifecycle.objects.create(name="team", repository=repository)
    distribution = CondaDistribution.objects.create(name="stable", base_path="stable")
    stage = lifecycle.stages.create(position=0, name="stable", distribution=distribution)
    publication = CondaPublication.objects.filter(complete=True).first()
    stage.move(HistoryEntry.make(stage, "promoted", publication, (1, 0)))
    HistoryEntry.objects.update(moved_at=timezone.now() - timedelta(hours=1))
    return stage


@pytest.mark.parametrize(
    ("seconds", "is_over"),
    [
        pytest.param(30, False, id="half a minute ago"),
        pytest.param(120, True, id="two minutes ago"),
    ],
)
def test_a_moment_is_over_when_no_move_can_come_into_it_any_more(stage, seconds, is_over):
    moment = f"{timezone.now() - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
    now = settings.CONDA_METADATA_MAX_AGE
    assert now < 3600
    assert served_at(stage.distribution, moment).max_age == (3600 if is_over else now)


def test_a_feed_has_the_last_50_moves(stage):
    now, (first,) = timezone.now(), stage.states
    later = []
    for number in range(2, 52):
        entry = HistoryEntry.make(stage, "promoted", first.publication, (number, 0))
        entry.number, entry.outcome, entry.moved_at = number, "moved", now
        now += timedelta(seconds=1)
        later.append(entry)
    HistoryEntry.objects.bulk_create(later)
    feed = render_history(stage, "https://conda.example.org/stable").decode()
    assert feed.count("<entry>") == 50
    assert "to v51<" in feed and "to v2<" in feed and "to v1<" not in feed


@pytest.fixture
def date_of(repository):
    """Return a function that lets a URL give publications, each from some seconds after a moment
    on, and returns what is then said of the date, in seconds after that moment.
    """
    start = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
    publications = list(CondaPublication.objects.filter(complete=True)[:2])
    CondaPublication.objects.update(pulp_last_updated=start)

    def ask(*turns, renamed):
        distribution = CondaDistribution.objects.create(
            name="team", base_path="team", publication=publications[0]
        )
        made = distribution.core_distributedpublications
        made.all().delete()
        for seconds, of_turn in turns:
            turn = made.create(publication=publications[of_turn])
            made.filter(pk=turn.pk).update(pulp_last_updated=start + timedelta(seconds=seconds))
        moment = start + timedelta(seconds=renamed)
        CondaDistribution.objects.filter(pk=distribution.pk).update(pulp_last_updated=moment)
        date = served_now(CondaDistribution.objects.get()).date
        return (date["last_modified"] - start).total_seconds(), date["is_date_unique"]

    return ask


@pytest.mark.parametrize(
    ("turns", "date"),
    [
        pytest.param([(5, 0)], (5, True), id="its first turn"),
        pytest.param([(-5, 0)], (0, True), id="published while the URL waited for it"),
        pytest.param([(3, 1), (5, 0)], (5, True), id="another one before"),
        pytest.param([(5, 1), (5.5, 0)], (5.5, False), id="another one in the same second"),
        pytest.param([(3, 0), (5, 1)], (5, False), id="another one meanwhile"),
        pytest.param([], (9, True), id="nobody notes the turns"),
    ],
)
def test_a_file_has_the_date_since_when_the_url_gives_it(date_of, turns, date):
    assert date_of(*turns, renamed=9) == date


def test_a_date_serves_the_checkpoint_of_that_second_and_nothing_else(repository):
    since = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
    version = repository.latest_version()
    checkpoint, *others = (
        CondaPublication.objects.create(repository_version=version, **facts)
        for facts in (
            {"checkpoint": True, "complete": True},
            {"checkpoint": True, "complete": False},
            {"checkpoint": False, "complete": True},
            {"checkpoint": True, "complete": True},
        )
    )
    moments = [since + timedelta(seconds=seconds) for seconds in (0.5, 0.6, 0.7, 1)]
    for publication, moment in zip([checkpoint, *others], moments, strict=True):
        CondaPublication.objects.filter(pk=publication.pk).update(pulp_created=moment)
    distribution = CondaDistribution.objects.create(
        name="team", base_path="team", repository=repository, checkpoint=True
    )
    served, path = served_checkpoint(distribution, "20260601T120000Z/noarch/repodata.json")
    assert (served.publication, path) == (checkpoint, "noarch/repodata.json")
    assert served.max_age == settings.CONDA_METADATA_MAX_AGE
    assert served_checkpoint(distribution, "20260601T115959Z/") == (None, "")
    assert served_checkpoint(distribution, "noarch/repodata.json") == (None, "repodata.json")
