"""What stands around each page of a channel: its name, its stages, the way back."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.db.models import Prefetch

from pulp_conda import pages
from pulp_conda.app.models import CondaDistribution, CondaStage, HistoryEntry
from pulp_conda.app.models.content_guard import decides_by_user
from pulp_conda.app.models.distribution import stage_of
from pulp_conda.app.serving.browsing.visitor import Visitor, up
from pulp_conda.app.serving.channel import Served, Unserved
from pulp_conda.channel import layout
from pulp_conda.pages.facts import Stop

# What a rail says of a stage: a state or a version, since when, and whether the page is there.
Told = tuple[str | None, Any, bool]


class Framer:
    """Makes the frame of one page.

    Attributes:
        state: What the channel serves.
        path: The path of the page below the channel.
    """

    def __init__(self, state: Served | Unserved, path: str, visitor: Visitor) -> None:
        self.state, self.path, self.visitor = state, path, visitor
        self.channel = state.distribution
        self.stage: CondaStage | None = stage_of(self.channel)

    @cached_property
    def stages(self) -> list[CondaStage]:
        """The stages of the lifecycle that the visitor may read, each with `loaded_current`."""
        return [stage for stage in self.all_stages if self.may_read(stage.distribution)]

    @cached_property
    def all_stages(self) -> list[CondaStage]:
        """All stages of the lifecycle, each with `loaded_current`."""
        if self.stage is None:
            return []
        current = HistoryEntry.objects.filter(moved_at__isnull=False, until=None).defer(
            "report", "specs", "answers", "reason"
        )
        stages = CondaStage.objects.filter(lifecycle=self.stage.lifecycle_id)
        return list(
            stages.select_related("distribution__content_guard", "lifecycle").prefetch_related(
                Prefetch("conda_historyentry", current, to_attr="loaded_current")
            )
        )

    def may_read(self, channel: CondaDistribution) -> bool:
        """Say whether the visitor may read a channel. The one of the page is read already."""
        return channel.pk == self.channel.pk or self.visitor.may_read(channel)

    @property
    def is_personal(self) -> bool:
        """Whether other visitors may see other stages."""
        return any(stage.distribution.content_guard_id for stage in self.all_stages)

    def href(self, channel: CondaDistribution, path: str = "") -> str:
        """Return the way from the page to a path of a channel, which is encoded already."""
        return f"{self.visitor.site}{quote(channel.base_path)}/{path}"

    @property
    def moment(self) -> str | None:
        """The moment of the URL, or None."""
        return self.state.moment if isinstance(self.state, Served) else None

    @property
    def link(self) -> str:
        """The path of the page below the channel as links have it."""
        return quote(self.path, safe="!+~@:,/")

    def frame(self, rail: Mapping[UUID, Told] | None = None) -> pages.Frame:
        """Return the frame.

        Args:
            rail: By the key of the stage. By default their states.
        """
        channel = self.channel
        url = channel.url
        if self.moment:
            url = layout.past_url(url, self.moment)
        return pages.Frame(
            name=channel.base_path,
            url=url,
            root=up(self.path),
            now=self.href(channel),
            site=self.visitor.site,
            private=decides_by_user(channel.content_guard),
            state=self._state(),
            lifecycle=self.stage.lifecycle.name if self.stage else None,
            rail=self._rail(rail),
        )

    def _state(self) -> pages.State | None:
        entry = self.state.entry if isinstance(self.state, Served) else None
        return entry and pages.State(
            stage=entry.stage.name,
            lifecycle=entry.stage.lifecycle.name,
            label=entry.label,
            since=entry.moved_at,
            until=entry.until,
            now=self.href(self.channel, self.link) if self.moment else None,
        )

    def _rail(self, told: Mapping[UUID, Told] | None) -> list[Stop]:
        tell: Callable[[CondaStage], Told]
        if told is None:
            tell = self._state_of
        else:
            tell = lambda stage: told.get(stage.pk, (None, None, False))  # noqa: E731
        return [self._stop(stage, *tell(stage)) for stage in self.stages]

    def _stop(self, stage: CondaStage, what: str | None, since: Any, is_there: bool) -> Stop:
        return Stop(
            stage=stage.name,
            what=what,
            since=since,
            href=self.href(stage.distribution, self.link) if is_there else None,
            is_here=stage.distribution_id == self.channel.pk,
        )

    def _state_of(self, stage: CondaStage) -> Told:
        entry = stage.current
        if stage.distribution_id == self.channel.pk and isinstance(self.state, Served):
            # Perhaps of the past.
            entry = self.state.entry
        return (entry.label, entry.moved_at, True) if entry else (None, None, True)
