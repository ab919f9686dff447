"""The past of a stage: its states that can be asked for, and what it served only then."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pulpcore.plugin.models import RepositoryContent
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models import CondaPackage, CondaStage, HistoryEntry
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.serving.browsing.frame import Framer
from pulp_conda.app.serving.channel import served_now
from pulp_conda.app.versions.named import files_of_name
from pulp_conda.channel import layout
from pulp_conda.channel.moments import spell_moment
from pulp_conda.pages.facts import File, PastState

_STATES_LOOKED_AT = 500

# What became of a file: it is as the past had it, with the last state that did.
Gone = tuple[File, PastState]


def kept_states(stage: CondaStage) -> Any:
    """Return the entries of the states that can be asked for, newest first."""
    states = stage.states.filter(is_kept(), publication__isnull=False)
    return states.defer("report", "specs", "answers", "reason")


def as_past(entry: HistoryEntry) -> PastState:
    """Return what pages show of a state."""
    moment = spell_moment(entry.label)
    return PastState(entry.label, moment, since=entry.moved_at, until=entry.until)


def files_now(framer: Framer, name: str) -> set[UUID] | None:
    """Return the packages of a name that the channel serves now, for a page of the past. None for
    a page of what it serves now.
    """
    if not framer.moment:
        return None
    served = served_now(framer.channel)
    if served is None:
        return set()
    return {file.package for file in files_of_name(served_state(served.publication), name)}


def gone_files(framer: Framer, name: str, now: Collection[UUID]) -> list[Gone]:
    """Return the files of a name that the stage served in the past, and does not serve now.

    Single packages that came on top of a state are not looked for. The cost is that of the name.

    Args:
        now: The packages of the name that it serves now.
    """
    if framer.stage is None or framer.moment:
        return []
    packages = CondaPackage.objects.filter(name=name, _pulp_domain=get_domain_pk())
    found = {package.pk: package for package in packages.exclude(pk__in=list(now))}
    if not found:
        return []
    memberships = RepositoryContent.objects.filter(
        repository=framer.stage.lifecycle.repository_id, content__in=list(found)
    ).values_list("content", "version_added__number", "version_removed__number")
    states = list(kept_states(framer.stage).filter(fix=0)[:_STATES_LOOKED_AT])
    gone: dict[UUID, PastState] = {}
    for package, added, removed in memberships:
        for entry in states:
            if added <= entry.version and (removed is None or entry.version < removed):
                past = as_past(entry)
                if package not in gone or gone[package].since < past.since:
                    gone[package] = past
                break
    return [(_as_file(found[package]), past) for package, past in gone.items()]


def link_to(framer: Framer, past: PastState, path: str) -> str:
    """Return the way from a page to another one as it was.

    Args:
        path: Of the page below the channel, which is encoded already.
    """
    return framer.href(framer.channel, f"{layout.PAST}/{past.moment}/{path}")


def _as_file(package: CondaPackage) -> File:
    built = None
    if package.timestamp:
        try:
            built = datetime.fromtimestamp(package.timestamp / 1000, UTC)
        except (OverflowError, ValueError, OSError):
            built = None
    return File(
        subdir=package.subdir,
        filename=package.filename,
        version=package.version,
        build=package.build,
        build_number=package.build_number,
        size=package.size,
        sha256=package.sha256,
        built=built,
        is_gone=True,
    )
