"""What a move of a stage writes, and that it writes all of it or nothing."""

from datetime import timedelta
from itertools import pairwise

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from pulp_conda.app.errors import NothingWaits, StateGone
from pulp_conda.app.lifecycle.moves import follow
from pulp_conda.app.models import (
    CondaAct,
    CondaDistribution,
    CondaLifecycle,
    CondaPackage,
    CondaPublication,
    CondaRepository,
    HistoryEntry,
)
from pulp_conda.app.tasks.moves import answer, roll_back
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository():
    return CondaRepository.objects.create(name="team")


@pytest.fixture
def publish(repository):
    """Make the next version of the repository, and a publication of it without files."""

    def make():
        with repository.new_version() as version:
            version.add_content(_package())
        return CondaPublication.objects.create(repository_version=version, complete=True)

    return make


def _package():
    package = CondaPackage.from_record(make_record(f"p{CondaPackage.objects.count()}"))
    package.save()
    return CondaPackage.objects.filter(pk=package.pk)


@pytest.fixture
def lifecycle(repository):
    lifecycle = CondaLifecycle.objects.create(name="team", repository=repository)
    stages = [
        {"name": name, "gates": [], "base_path": f"team/{name}"} for name in ("unstable", "testing")
    ]
    lifecycle.add_stages(stages)
    return lifecycle


@pytest.fixture
def stage(lifecycle):
    return lifecycle.stages.get(name="testing")


def _entry(stage, publication, kind="promoted", **facts):
    state = (publication.repository_version.number, 0)
    return HistoryEntry.make(stage, kind, publication, state, **facts)


def _move(stage, publication):
    entry = _entry(stage, publication)
    stage.move(entry)
    return entry


def _served(stage):
    return CondaDistribution.objects.get(pk=stage.distribution_id).publication_id


def test_a_move_says_when_it_came_and_from_where(stage, publish):
    publications = [publish() for _ in range(4)]
    for publication in publications:
        _move(stage, publication)
    entries = list(stage.states)[::-1]
    assert [entry.label for entry in entries] == ["v1", "v2", "v3", "v4"]
    assert [entry.before for entry in entries] == [None, "v1", "v2", "v3"]
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    for earlier, later in pairwise(entries):
        assert earlier.until == later.moved_at
    assert entries[-1].until is None
    assert _served(stage) == publications[-1].pk


def test_a_move_comes_after_the_one_before_whatever_the_clock_says(stage, publish):
    first = _move(stage, publish())
    soon = timezone.now() + timedelta(hours=1)
    HistoryEntry.objects.filter(pk=first.pk).update(moved_at=soon)
    moved = [_move(stage, publish()).moved_at for _ in range(2)]
    assert moved == [soon + timedelta(microseconds=1), soon + timedelta(microseconds=2)]
    assert [entry.label for entry in stage.states] == ["v3", "v2", "v1"]


def test_an_error_after_the_history_is_written_leaves_neither(stage, publish):
    first = _move(stage, publish())
    waiting = _entry(stage, publish(), outcome="waiting")
    waiting.save()
    _refuse_updates("core_distribution")
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        stage.move(_entry(stage, publish()))
    _check_untouched(stage, first, waiting)


def test_an_error_in_the_history_leaves_the_url(stage, publish):
    first = _move(stage, publish())
    waiting = _entry(stage, publish(), outcome="waiting")
    waiting.save()
    entry = _entry(stage, publish())
    entry.kind = None
    with pytest.raises(DatabaseError, match="null value"), transaction.atomic():
        stage.move(entry)
    _check_untouched(stage, first, waiting)


def test_a_publication_that_is_gone_cannot_be_moved_to(stage, publish):
    first = _move(stage, publish())
    waiting = _entry(stage, publish(), outcome="waiting")
    waiting.save()
    gone = publish()
    entry = _entry(stage, gone)
    CondaPublication.objects.get(pk=gone.pk).delete()
    with pytest.raises(StateGone), transaction.atomic():
        stage.move(entry)
    _check_untouched(stage, first, waiting)


def _refuse_updates(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
        )
        cursor.execute(
            "SET CONSTRAINTS ALL IMMEDIATE"
        )  # PostgreSQL alters no table with checks to do.
        cursor.execute(
            f"CREATE TRIGGER refuse BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _check_untouched(stage, current, waiting):
    assert [(e.pk, e.until) for e in stage.states] == [(current.pk, None)]
    assert HistoryEntry.objects.get(pk=waiting.pk).outcome == "waiting"
    assert stage.lifecycle.history.count() == 2
    assert _served(stage) == current.publication_id


def test_a_request_that_waits_is_superseded_by_another_move(stage, publish):
    candidate = publish()
    waiting, other = _entry(stage, candidate, outcome="waiting"), _entry(stage, publish())
    waiting.save()
    stage.move(other)
    assert HistoryEntry.objects.get(pk=waiting.pk).outcome == "superseded"
    assert HistoryEntry.objects.get(pk=other.pk).outcome == "moved"


def test_a_request_that_waits_is_moved_by_its_own_move(stage, publish):
    waiting = _entry(stage, publish(), outcome="waiting")
    waiting.save()
    stage.move(waiting)
    (entry,) = stage.lifecycle.history.all()
    assert (entry.pk, entry.outcome, entry.number) == (waiting.pk, "moved", 1)


def test_a_request_and_what_comes_of_it_are_acts(stage, publish):
    waiting = _entry(stage, publish(), outcome="waiting")
    waiting.save()
    waiting.save()
    stage.move(waiting)
    moves = CondaAct.objects.filter(verb="moved", details__entry=1).order_by("pulp_created")
    assert [act.details["outcome"] for act in moves] == ["waiting", "moved"]


def test_requests_of_other_stages_go_on_waiting(lifecycle, stage, publish):
    other = lifecycle.stages.get(name="unstable")
    waiting = _entry(other, publish(), outcome="waiting")
    waiting.save()
    _move(stage, publish())
    assert HistoryEntry.objects.get(pk=waiting.pk).outcome == "waiting"


def test_what_was_answered_meanwhile_is_taken_over(stage, publish):
    waiting = _entry(stage, publish(), outcome="waiting")
    waiting.save()
    user = get_user_model().objects.create(username="mina")
    HistoryEntry.objects.get(pk=waiting.pk).answer(user, is_approved=True, reason="fine")
    waiting.take_answers()
    assert [answer["user"] for answer in waiting.answers] == ["mina"]
    HistoryEntry.objects.get(pk=waiting.pk).answer(user, is_approved=False, reason="no")
    with pytest.raises(NothingWaits):
        waiting.take_answers()


def test_a_first_stage_does_not_go_back_when_an_old_version_is_published_last(lifecycle, publish):
    first, second = publish(), publish()
    follow(second)
    follow(first)
    stage = lifecycle.stages.get(name="unstable")
    assert [entry.label for entry in stage.states] == ["v2"]
    assert _served(stage) == second.pk


def test_a_first_stage_takes_a_version_that_is_published_again(lifecycle, publish):
    first = publish()
    again = CondaPublication.objects.create(
        repository_version=first.repository_version, complete=True
    )
    follow(first)
    follow(again)
    assert _served(lifecycle.stages.get(name="unstable")) == again.pk


def test_a_stage_follows_no_repository_whatever_its_distribution_did(repository, publish):
    distribution = CondaDistribution.objects.create(
        name="old", base_path="old", repository=repository
    )
    lifecycle = CondaLifecycle.objects.create(name="team", repository=repository)
    first = {"name": "first", "gates": [], "base_path": "team/first"}
    lifecycle.add_stages([first, {"name": "last", "gates": [], "distribution": distribution}])
    publish()
    distribution.refresh_from_db()
    assert distribution.get_repository_publication_and_version() == (None, None, None)


def test_the_second_of_two_approvals_at_a_time_finds_the_stage_moved(stage, publish):
    moved = _move(stage, publish())
    report = answer(str(moved.pk))
    assert (report["outcome"], report["dry_run"], report["after"]) == ("moved", False, "v1")
    assert stage.states.count() == 1


def test_a_rollback_is_no_dry_run_unless_that_is_said(stage, publish):
    user = get_user_model().objects.create(username="mina")
    first, second = publish(), publish()
    _move(stage, first)
    _move(stage, second)
    assert roll_back(str(stage.pk), user.pk, dry_run=True)["dry_run"]
    assert _served(stage) == second.pk
    assert not roll_back(str(stage.pk), user.pk)["dry_run"]
    assert _served(stage) == first.pk
