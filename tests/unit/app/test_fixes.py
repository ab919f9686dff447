"""What a version of a stage's own takes over from its channel."""

import pytest

from pulp_conda.app.lifecycle.fixes import make_version
from pulp_conda.app.models import (
    CondaDistribution,
    CondaLifecycle,
    CondaPackage,
    CondaRepository,
    UpstreamSummary,
)
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage():
    repository = CondaRepository.objects.create(name="team")
    lifecycle = CondaLifecycle.objects.create(name="team", repository=repository)
    distribution = CondaDistribution.objects.create(name="stable", base_path="stable")
    return lifecycle.stages.create(position=0, name="stable", distribution=distribution)


def _fix(stage, name):
    """Return a version of the stage's own that has this package more than what it has now."""
    package = CondaPackage.from_record(make_record(name))
    package.save()
    own = stage.repository or stage.lifecycle.repository
    return make_version(stage, own.latest_version(), [package.pk], [])


def _summarize(stage, since, summary):
    """Let the channel know a summary of `app` from one of its versions on."""
    UpstreamSummary.objects.create(
        repository=stage.lifecycle.repository,
        name="app",
        since=since,
        summary={"summary": summary},
    )


def test_a_summary_of_the_channel_holds_from_the_version_that_takes_it_over(stage):
    _summarize(stage, 0, "old")
    _summarize(stage, 1, "known")
    first = _fix(stage, "one")
    _summarize(stage, 2, "later")
    second = _fix(stage, "two")
    own = UpstreamSummary.objects.filter(repository=stage.repository).order_by("since")
    assert list(own.values_list("since", "summary")) == [
        (first.number, {"summary": "known"}),
        (second.number, {"summary": "later"}),
    ]
