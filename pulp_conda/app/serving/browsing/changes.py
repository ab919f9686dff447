"""What differs between two states of a channel, or of two of its stages."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson
from django.db import OperationalError, connection, transaction

from pulp_conda import pages
from pulp_conda.app.models import CondaPublication, CondaStage
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.serving.browsing.frame import Framer
from pulp_conda.app.serving.browsing.visitor import Made
from pulp_conda.app.serving.channel import Served, served_at, served_now
from pulp_conda.app.versions.comparison import compare
from pulp_conda.channel.diff import SUMMARIES, Change, ChangeKind, Summary
from pulp_conda.channel.diff import NameChange as Changed
from pulp_conda.channel.errors import ChannelError
from pulp_conda.pages.facts import Changes, FileChange, NameChange

_NAMES_SHOWN = 100
_FILES_SHOWN = 20
_FILES_LOADED = 2000
_STATES_OFFERED = 20

# Seconds for one statement: anybody may ask, and two states of a large channel have a million
# packages each.
_PATIENCE = 20

_ALARMING = (Summary.DOWNGRADED, Summary.GONE)


def changes_page(framer: Framer) -> Made:
    """Return what differs between `?from=` and `?to=`: states, days or stages, as REST has them.

    Only states of stages that the visitor may read can be compared.
    """
    stage, visitor = framer.stage, framer.visitor
    if stage is None:
        return Made(reason="The channel is no stage of a lifecycle, so it has no kept past.")
    base, target = visitor.asked("from"), visitor.asked("to")
    default_base, default_target = _defaults(stage)
    base, target = base or default_base, target or default_target
    name, summary = visitor.asked("name"), visitor.asked("summary")
    if summary not in SUMMARIES:
        summary = ""
    offset = int(text) if (text := visitor.asked("offset", 7)).isdecimal() else 0
    facts: dict[str, Any] = {"counts": {}, "names": []}
    problem = ""
    if not base:
        problem = "There is nothing to compare yet: the stage had less than two states."
    else:
        try:
            facts = _compare(framer, base, target, name, summary, offset)
        except ChannelError as error:
            problem = str(error)
        except LookupError as error:
            problem = str(error.args[0])
    changes = Changes(
        base=base,
        target=target,
        choices=_choices(framer, stage),
        name=name,
        summary=summary,
        problem=problem,
        **facts,
    )
    return Made.html(pages.render_changes(framer.frame(), changes), framer.is_personal)


def _defaults(stage: CondaStage) -> tuple[str, str]:
    """Return the state before the one that is served, and this one, as far as there are any."""
    current = stage.states.filter(until=None).first()
    if current is None:
        return "", stage.name
    earlier = stage.states.filter(moved_at__lt=current.moved_at, publication__isnull=False)
    before = earlier.exclude(publication=current.publication_id).first()
    return (before.label if before else ""), current.label


def _choices(framer: Framer, stage: CondaStage) -> list[str]:
    labels = [entry.label for entry in stage.states.only("version", "fix")[:_STATES_OFFERED]]
    return [*(each.name for each in framer.stages), *dict.fromkeys(labels)]


def _find(framer: Framer, text: str) -> Served:
    """Return the state that a text means: a state or a day of this stage, a stage, or both.

    Raises:
        LookupError: the stage is none, or serves nothing.
        ChannelError: there is no such state.
    """
    name, _, moment = text.replace("/at/", "@", 1).partition("@")
    named = {each.name: each for each in framer.stages}
    if name not in named and not moment:
        return served_at(framer.channel, text)
    if name not in named:
        raise LookupError(f"There is no stage '{name}'.")
    channel = named[name].distribution
    if moment:
        return served_at(channel, moment)
    state = served_now(channel)
    if state is None:
        raise LookupError(f"The stage '{name}' serves nothing yet.")
    return state


def _compare(
    framer: Framer, base: str, target: str, name: str, summary: str, offset: int
) -> dict[str, Any]:
    older, newer = _find(framer, base), _find(framer, target)
    try:
        page, counts, kinds = _compared(older.publication, newer.publication, name, summary, offset)
    except OperationalError:
        raise LookupError(
            "The two states differ in too much to count it in time. Choose packages by their names."
        ) from None
    total = sum(counts.values())
    more = None
    if offset + len(page) < total:
        more = pages.query_string(
            **{"from": base}, to=target, name=name, summary=summary, offset=offset + len(page)
        )
    return {
        "counts": counts,
        "names": list(map(_name, page)),
        "replaced": kinds.get(ChangeKind.REPLACED, 0),
        "alarming": sum(counts.get(word, 0) for word in _ALARMING),
        "more": more,
    }


@lru_cache(maxsize=32)
def _compared(
    older: CondaPublication, newer: CondaPublication, name: str, summary: str, offset: int
) -> tuple[list[Changed], dict[str, int], dict[str, int]]:
    """Return names that changed, of how many which summary is true, and how many files changed, by
    kind. It is kept in memory, because publications do not change.

    Raises:
        BadMatchSpec: `name` is no name, pattern or MatchSpec.
        OperationalError: it takes too long.
    """
    states = served_state(older), served_state(newer)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{_PATIENCE}s'")
        with compare(*states, name=name or None, summary=summary or None) as changes:
            page = changes.page(offset, _NAMES_SHOWN, files=_FILES_LOADED)
            return page, changes.summaries(), changes.counts()


def _name(change: Changed) -> NameChange:
    return NameChange(
        name=change.name,
        summary=change.summary,
        before=change.from_version,
        after=change.to_version,
        subdirs=change.subdirs,
        counts=change.counts,
        files=list(_files(change.changes[:_FILES_SHOWN])),
        file_count=sum(change.counts.values()),
    )


def _files(changes: Iterable[Change]) -> Iterable[FileChange]:
    for change in changes:
        values = [
            (key, _json(sides, "from"), _json(sides, "to")) for key, sides in change.values.items()
        ]
        yield FileChange(change.kind, *change.path, values)


def _json(sides: dict[str, Any], side: str) -> str:
    return orjson.dumps(sides[side]).decode() if side in sides else "nothing"
