"""The front page of a channel, that of one without packages, and those of subdirs."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils import timezone

from pulpcore.plugin.models import PublishedMetadata, RepositoryContent

from pulp_conda import pages
from pulp_conda.app.models import CondaPackage, CondaRepository, CondaStage, HistoryEntry
from pulp_conda.app.serving.browsing import known
from pulp_conda.app.serving.browsing.frame import Framer
from pulp_conda.app.serving.browsing.past import as_past, kept_states
from pulp_conda.app.serving.browsing.visitor import Made
from pulp_conda.app.serving.channel import Served
from pulp_conda.channel import layout
from pulp_conda.channel.diff import Summary
from pulp_conda.channel.metadata.empty import EmptyChannel
from pulp_conda.channel.metadata.notices import current_notices
from pulp_conda.channel.secrets import without_secrets
from pulp_conda.pages.facts import Channel, Lately, Month, Moved, Notice

_MOST_CHANGES = 8
_MOST_EARLIER = 3
# Enough to find some names; a version may have added a million packages.
_ADDED_LOOKED_AT = 200

# What people look at first, as far as it happened.
_ALARMING = (Summary.DOWNGRADED, Summary.GONE)


def front_page(framer: Framer) -> Made:
    """Return the front page of a channel with packages."""
    state = framer.state
    assert isinstance(state, Served)
    repository = _repository(state)
    changed, _ = state.find_date()
    channel = Channel(
        files=state.publication.package_counts,
        packages=known.count_of(state.publication.pk),
        changed=changed,
        about=repository.description or "",
        mirror_of=_upstream(repository),
        notices=_notices(framer),
        lately=_lately(framer, state),
        **_past(framer),
    )
    return Made.html(pages.render_channel(framer.frame(), channel), framer.is_personal)


def empty_front_page(framer: Framer) -> Made:
    """Return the front page of a channel without packages."""
    stage = framer.stage
    waiting = stage and pages.Waiting(
        stage=stage.name, lifecycle=stage.lifecycle.name, is_first=stage.position == 0
    )
    channel = Channel(files={layout.NOARCH: 0}, notices=_notices(framer))
    html = pages.render_empty_channel(framer.frame(), channel, waiting)
    return Made.html(html, framer.is_personal)


def subdir_page(framer: Framer, subdir: str) -> Made:
    """Return the page of a subdir that the publication has."""
    state = framer.state
    assert isinstance(state, Served)
    files = PublishedMetadata.objects.filter(
        publication=state.publication, relative_path__startswith=f"{subdir}/"
    )
    names = (path.rpartition("/")[2] for path in files.values_list("relative_path", flat=True))
    count = state.publication.package_counts[subdir]
    return Made.html(pages.render_subdir(framer.frame({}), subdir, count, names))


def empty_subdir_page(framer: Framer, subdir: str, empty: EmptyChannel) -> Made:
    """Return the page of `noarch` of a channel that has no packages for it."""
    return Made.html(pages.render_subdir(framer.frame({}), subdir, 0, empty.files(subdir)))


def states_page(framer: Framer) -> Made:
    """Return the page of all states of a stage; of `?day=2026-11-12` the way to that day."""
    stage, visitor = framer.stage, framer.visitor
    if stage is None:
        return Made(reason="The channel is no stage of a lifecycle, so it has no kept past.")
    if wanted := visitor.asked("day"):
        day = _as_date(wanted)
        if day is None:
            return Made(reason=f"'{wanted}' is no day. Write it like 2026-11-12.")
        return Made(location=f"{framer.href(framer.channel)}{layout.PAST}/{day.isoformat()}/")
    states = kept_states(stage)
    if before := _as_number(visitor.asked("before")):
        states = states.filter(number__lt=before)
    shown = list(states[: _STATES_SHOWN + 1])
    more = None
    if len(shown) > _STATES_SHOWN:
        shown.pop()
        more = f"before={shown[-1].number}"
    month = _month(stage, _as_date(f"{visitor.asked('month')}-01") or timezone.now().date())
    html = pages.render_states(framer.frame(), month, list(map(as_past, shown)), more)
    return Made.html(html, framer.is_personal)


_STATES_SHOWN = 100


def _repository(state: Served) -> CondaRepository:
    """Return the repository that the channel comes from."""
    repositories = CondaRepository.objects.defer("last_sync").select_related("remote")
    if state.entry:
        # Not that of the publication, which may be one of the stage's own.
        return repositories.get(conda_condalifecycle=state.entry.lifecycle_id)
    return repositories.get(pk=state.publication.repository_version.repository_id)


def _upstream(repository: CondaRepository) -> str | None:
    return without_secrets(repository.remote.url) if repository.remote else None


def _notices(framer: Framer) -> list[Notice]:
    notices = current_notices(framer.channel.notices, timezone.now())
    return [
        Notice(
            text=notice["message"],
            level=notice["level"],
            until=_as_time(notice.get("expired_at")),
        )
        for notice in notices
    ]


def _lately(framer: Framer, state: Served) -> Lately | None:
    """Return what the last change did: as the report of the move has it, else what the version
    added.
    """
    if entry := state.entry:
        report = HistoryEntry.objects.values_list("report", flat=True).get(pk=entry.pk)
        if (changes := report.get("changes")) and changes["names"]:
            now = framer.href(framer.channel)
            return Lately(
                title=f"What came with {entry.label}",
                names=_first(changes["names"]),
                count=sum(changes["summaries"].values()),
                href=f"{now}-/changes?from={entry.before}&to={entry.label}"
                if entry.before
                else None,
            )
    names = _added(state)
    return Lately(title="What came last", names=names) if names else None


def _first(names: Iterable[dict[str, Any]]) -> list[Moved]:
    in_order = sorted(names, key=lambda name: name["summary"] not in _ALARMING)
    return [
        Moved(name["name"], name["summary"], name["from"], name["to"])
        for name in in_order[:_MOST_CHANGES]
    ]


def _added(state: Served) -> list[Moved]:
    memberships = RepositoryContent.objects.filter(
        version_added=state.publication.repository_version_id
    )
    some = memberships.values_list("content", flat=True)[:_ADDED_LOOKED_AT]
    packages = CondaPackage.objects.filter(pk__in=list(some))
    newest: dict[str, str] = {}
    for name, version in packages.order_by("name").values_list("name", "version"):
        newest[name] = version
    return [Moved(name, "added", None, newest[name]) for name in list(newest)[:_MOST_CHANGES]]


def _past(framer: Framer) -> dict[str, Any]:
    stage = framer.stage
    if stage is None:
        return {}
    states = kept_states(stage)
    entry = framer.state.entry if isinstance(framer.state, Served) else None
    earlier = states.filter(moved_at__lt=entry.moved_at) if entry else states
    return {
        "month": _month(stage, timezone.now().date()),
        "earlier": list(map(as_past, earlier[:_MOST_EARLIER])),
        "first": as_past(first) if (first := states.last()) else None,
    }


def _month(stage: CondaStage, day: date) -> Month:
    """Return the month of a day."""
    first = day.replace(day=1)
    begin = datetime.combine(first, time.min, UTC)
    end_day = (first + timedelta(days=32)).replace(day=1)
    end = datetime.combine(end_day, time.min, UTC)
    states = kept_states(stage)
    entries = states.filter(moved_at__gte=begin, moved_at__lt=end).order_by("moved_at")
    today = timezone.now().date()
    is_before = states.filter(moved_at__lt=begin).exists()
    return Month(
        first=first,
        states={entry.moved_at.day: entry.label for entry in entries},
        days=monthrange(first.year, first.month)[1],
        today=today.day if today.replace(day=1) == first else None,
        before=(first - timedelta(days=1)).strftime("%Y-%m") if is_before else None,
        after=end_day.strftime("%Y-%m") if end_day <= today else None,
    )


def _as_date(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # Months before and after it have to be dates as well.
    return day if 1970 <= day.year < 9999 else None


def _as_time(text: str | None) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
