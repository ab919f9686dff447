from datetime import timedelta

import pytest
from django.utils import timezone

from pulp_conda.app.lifecycle.announcements import announce
from pulp_conda.app.models import (
    CondaDistribution,
    CondaLifecycle,
    CondaPublication,
    CondaRepository,
    HistoryEntry,
)

pytestmark = pytest.mark.django_db

SUMMARIES = {"upgraded": 12, "new": 3}


@pytest.fixture
def stage():
    """A stage that announces its moves, and serves v41."""
    repository = CondaRepository.objects.create(name="team")
    lifecycle = CondaLifecycle.objects.create(name="team", repository=repository, announce=True)
    distribution = CondaDistribution.objects.create(name="stable", base_path="stable")
    stage = lifecycle.stages.create(position=0, name="stable", distribution=distribution)
    stage.move(_entry(stage, "adopted", (41, 0)))
    return stage


def _entry(stage, kind, state):
    report = {"changes": {"counts": {}, "summaries": SUMMARIES, "names": []}}
    publication = CondaPublication.objects.create(
        repository_version=stage.lifecycle.repository.latest_version(), complete=True
    )
    return HistoryEntry.make(stage, kind, publication, state, report=report)


def _move(stage, kind="promoted", state=(42, 0)):
    entry = _entry(stage, kind, state)
    stage.move(entry)
    announce(entry)


def _notices():
    return CondaDistribution.objects.get().notices


@pytest.mark.parametrize(
    "kind, state, message",
    [
        ("promoted", (42, 0), "stable moved from v41 to v42: 12 upgraded, 3 new."),
        ("packages", (41, 1), "stable moved from v41 to v41.1: 12 upgraded, 3 new."),
        ("rolled_back", (40, 0), "stable was rolled back from v41 to v40: 12 upgraded, 3 new."),
    ],
)
def test_a_move_is_announced_for_a_week(stage, kind, state, message):
    _move(stage, kind, state)
    (notice,) = _notices()
    assert (notice["message"], notice["level"]) == (message, "info")
    ends = timezone.datetime.fromisoformat(notice["expires_at"])
    assert abs(timezone.now() + timedelta(days=7) - ends) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "kind, count, message",
    [
        ("blocked", 1, "1 file blocked in stable: noarch/f0-1-0.conda. It has a backdoor."),
        (
            "blocked",
            7,
            "7 files blocked in stable: noarch/f0-1-0.conda, noarch/f1-1-0.conda, "
            "noarch/f2-1-0.conda, noarch/f3-1-0.conda, noarch/f4-1-0.conda and 2 more. "
            "It has a backdoor.",
        ),
        ("unblocked", 1, "1 file no longer blocked in stable: noarch/f0-1-0.conda."),
    ],
)
def test_a_block_is_announced_with_its_files_and_its_reason(stage, kind, count, message):
    entry = _entry(stage, kind, (41, 1))
    files = [f"noarch/f{number}-1-0.conda: It has a backdoor." for number in range(count)]
    entry.reason, entry.report = "It has a backdoor.", {"count": count, "blocked": files}
    stage.move(entry)
    announce(entry)
    assert [notice["message"] for notice in _notices()] == [message]


def test_a_long_reason_of_a_block_is_cut(stage):
    entry = _entry(stage, "blocked", (41, 1))
    entry.reason, entry.report = "é" * 10_000, {"count": 1, "blocked": ["noarch/f-1-0.conda: é"]}
    stage.move(entry)
    announce(entry)
    (notice,) = _notices()
    assert notice["message"].endswith("noarch/f-1-0.conda. " + "é" * 300)


def test_the_first_state_of_a_stage_moved_from_nothing(stage):
    HistoryEntry.objects.all().delete()
    _move(stage)
    assert _notices()[0]["message"] == "stable moved to v42: 12 upgraded, 3 new."


def test_only_the_newest_is_kept_beside_those_of_people(stage):
    own = _notice("maintenance")
    CondaDistribution.objects.update(notices=[own])
    _move(stage)
    (first,) = (notice for notice in _notices() if notice != own)
    _move(stage, state=(43, 0))
    assert _notices()[0] == own
    (second,) = _notices()[1:]
    assert second["message"].startswith("stable moved from v42 to v43")
    # Clients show a notice once: this is another one.
    assert second["id"] != first["id"]


def test_people_may_fill_the_notices(stage):
    full = [_notice(str(number)) for number in range(100)]
    CondaDistribution.objects.update(notices=full)
    _move(stage)
    assert _notices() == full


def test_a_stage_that_follows_its_repository_says_nothing(stage):
    _move(stage, "published")
    assert _notices() == []


def test_a_lifecycle_that_does_not_announce_says_nothing(stage):
    CondaLifecycle.objects.update(announce=False)
    _move(CondaLifecycle.objects.get().stages.get())
    assert _notices() == []


def _notice(name):
    return {
        "id": name,
        "message": "The channel moves on Monday.",
        "level": "warning",
        "created_at": "2026-01-01T00:00:00+00:00",
        "expires_at": "2999-01-01T00:00:00+00:00",
    }


def test_what_somebody_changed_meanwhile_stays(stage):
    entry = _entry(stage, "promoted", (42, 0))
    stage.move(entry)
    CondaDistribution.objects.update(hidden=True)
    announce(entry)
    assert (CondaDistribution.objects.get().hidden, len(_notices())) == (True, 1)
