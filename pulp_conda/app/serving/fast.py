"""Find what clients ask for all the time with one question to PostgreSQL, shared by all who wait.

Everything that may change is in the question: which publication a channel serves and since when,
its guard, whether who asks may read it, whether the domain has blocks. So all that was committed
before a request is seen by its answer, in every process. What cannot change is kept in memory: what
a publication has at a path.

Whatever is not found here is left to the slow way, which knows everything: who may not read a
channel, and who may by a guard of pulpcore, checkpoints, channels without packages, virtual ones
that wait for a first sync, packages that are upstream or blocked, those that a virtual channel may
have had before, lost files, and a database that does not answer.
"""

import logging
import math
import time
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError

from pulpcore.plugin.models import Artifact, ContentArtifact, Domain
from pulpcore.plugin.util import set_domain

from pulp_conda.app.models.virtual import owners_of
from pulp_conda.app.serving.channel import turn_of
from pulp_conda.app.serving.connections import BehindPooler, Connections
from pulp_conda.app.serving.credentials import NOBODY, Credentials
from pulp_conda.app.serving.freshness import Freshness
from pulp_conda.app.serving.memory import Memory
from pulp_conda.app.serving.resolve import NOTHING, Facts, InMemory, Kind, Stored, stored
from pulp_conda.app.serving.sharing import Shared
from pulp_conda.app.versions import served
from pulp_conda.channel import layout

log = logging.getLogger(__name__)

# In bytes, for each process.
_MEMORY = 64 * 2**20

# Seconds for which PostgreSQL is not asked after it gave no answer.
_REST = 2


class _State(NamedTuple):
    """What the channel at a path serves: the row of `served.STATE`."""

    domain: UUID
    domain_changed: datetime
    distribution: UUID
    changed: datetime
    is_guarded: bool
    may_read: bool
    password: str | None
    token: UUID | None
    has_to_be_noted: bool
    is_checkpoint: bool
    cors_origins: tuple[str, ...] | None
    stage: UUID | None
    moved_at: datetime | None
    moved_twice: bool
    publication: UUID | None
    published: datetime
    version: UUID
    repository: UUID
    number: int
    subdirs: list[str]
    publications: list[UUID] | None
    since: list[datetime] | None
    has_blocks: bool
    is_pulled: bool
    checked_at: datetime | None
    due: list[UUID] | None
    is_merged: bool
    is_closed: bool
    is_cold: bool

    @property
    def date(self) -> tuple[datetime, bool]:
        """See `Served.find_date`."""
        assert self.publication is not None
        if self.moved_at is not None:
            return self.moved_at, not self.moved_twice
        turns = list(zip(self.publications or (), self.since or (), strict=True))
        return turn_of(self.publication, self.published, self.changed, turns)

    def facts(self, kind: Kind, filename: str = "", **facts: Any) -> Facts:
        """Return facts with those about the channel, which hold for all of its paths."""
        is_guarded, cors_origins = self.audience
        return Facts(kind, filename, is_guarded=is_guarded, cors_origins=cors_origins, **facts)

    @property
    def audience(self) -> tuple[bool, tuple[str, ...] | None]:
        """What the headers of every answer depend on: a part of all keys."""
        return self.is_guarded, self.cors_origins

    @property
    def nothing(self) -> Facts:
        """The facts about a path where nothing is."""
        return NOTHING if self.audience == (False, None) else self.facts(Kind.NOTHING)


class Finder:
    """Finds files of channels for one event loop."""

    def __init__(self) -> None:
        self.connections = Connections()
        self._states = Shared(self._ask_state)
        self._domains: dict[UUID, Domain] = {}
        self._memory: Memory[Facts] = Memory(_MEMORY)
        # By the clock of `time.monotonic`.
        self._rests_until = 0.0

    async def find(self, domain: str, path: str, credentials: Credentials = NOBODY) -> Facts | None:
        """Return the facts about a path of the content app, or None to leave it to the slow way.

        The domain is in the context afterwards.

        Args:
            domain: Its name.
            path: `<base_path>/<subdir>/<file>` or `<base_path>/<subdir>/shards/<file>`.
            credentials: Of who asks.
        """
        if time.monotonic() < self._rests_until:
            return None
        try:
            return await self._find(domain, path, credentials)
        except BehindPooler:
            log.warning(
                "CONDA_FAST_ANSWERS has no effect, because there is a connection pooler between "
                "the content app and PostgreSQL."
            )
            self._rests_until = math.inf
        except (psycopg.Error, DatabaseError, OSError, TimeoutError) as error:
            log.warning("PostgreSQL does not answer: %s", str(error) or type(error).__name__)
            self._rests_until = time.monotonic() + _REST
        return None

    async def _find(self, domain: str, path: str, credentials: Credentials) -> Facts | None:
        folder, _, filename = path.rpartition("/")
        if folder.endswith("/shards"):
            folder, filename = folder.removesuffix("/shards"), f"shards/{filename}"
        base_path, _, subdir = folder.rpartition("/")
        state = await self._states.ask((domain, base_path, credentials))
        if state is None or not state.may_read:
            return None
        if state.is_checkpoint or state.publication is None:
            return None
        if state.is_closed:
            return None
        set_domain(await self._domain(state))
        match layout.parse_path(f"{subdir}/{filename}"):
            case layout.Package():
                return await self._package(state, subdir, filename)
            case layout.Shard(_, sha256):
                return await self._shard(state, subdir, sha256)
            case layout.Metadata() if subdir in state.subdirs:
                return await self._metadata(state, subdir, filename)
            case None:
                return state.nothing
        return None

    async def _ask_state(self, key: tuple[str, str, Credentials]) -> _State | None:
        domain, base_path, credentials = key
        facts = {"domain": domain, "base_path": base_path, **credentials.facts}
        rows = await self.connections.fetch(credentials.statement, facts)
        if not rows:
            return None
        state = _State._make(rows[0])
        if state.is_guarded and not credentials.are_of(state.password):
            state = state._replace(may_read=False)
        if state.has_to_be_noted:
            await self.connections.fetch(served.NOTE_USE, {"token": state.token})
        # As a part of keys.
        origins = state.cors_origins
        return state if origins is None else state._replace(cors_origins=tuple(origins))

    async def _domain(self, state: _State) -> Domain:
        domain = self._domains.get(state.domain)
        if domain is None or domain.pulp_last_updated != state.domain_changed:
            domain = await sync_to_async(Domain.objects.get)(pk=state.domain)
            self._domains[state.domain] = domain
        return domain

    async def _package(self, state: _State, subdir: str, filename: str) -> Facts | None:
        key = (state.publication, subdir, filename, state.audience)
        facts = self._kept(key)
        if facts is None:
            repositories, numbers = [state.repository], [state.number]
            if state.is_merged:
                owners = await sync_to_async(owners_of)(state.version, filename)
                repositories = [part.repository_id for part in owners]
                numbers = [part.number for part in owners]
            of_path = {"domain": state.domain, "subdir": subdir, "filename": filename}
            rows = await self.connections.fetch(
                served.PACKAGE,
                of_path
                | {
                    "repositories": repositories,
                    "numbers": numbers,
                    "stage": state.stage,
                    "distribution": state.distribution,
                },
            )
            ((was_virtual, is_current, is_free, since, *file),) = rows
            if was_virtual or (state.is_merged and not is_current):
                # The statement does not know what virtual channels had before.
                ((is_known,),) = await self.connections.fetch(served.IS_KNOWN, of_path)
                return None if is_known else state.nothing
            if is_current is None:
                return state.nothing
            if not is_free or file[1] is None:
                # Blocked, or upstream.
                return None
            facts = self._stored(
                state.facts(Kind.PACKAGE, filename, last_modified=since), tuple(file)
            )
            if facts is not None and is_current:
                self._memory.put(key, facts)
        elif state.has_blocks:
            of_file = {"domain": state.domain, "sha256": facts.sha256}
            ((is_blocked,),) = await self.connections.fetch(served.IS_BLOCKED, of_file)
            if is_blocked:
                return None
        return facts

    async def _shard(self, state: _State, subdir: str, sha256: str) -> Facts:
        has_subdir = subdir in state.subdirs
        key = (state.publication, sha256, state.audience)
        if has_subdir and (kept := self._memory.get(key)):
            return kept
        rows = await self.connections.fetch(
            served.SHARD,
            {
                "sha256": bytes.fromhex(sha256),
                "subdir": subdir,
                "has_subdir": has_subdir,
                "publication": state.publication,
                "stage": state.stage,
                "distribution": state.distribution,
            },
        )
        if not rows:
            return state.nothing
        is_current, since, data = rows[0]
        facts = state.facts(
            Kind.SHARD,
            ".zst",
            where=InMemory(data),
            sha256=sha256,
            size=len(data),
            last_modified=since,
        )
        if is_current:
            self._memory.put(key, facts, len(data))
        return facts

    async def _metadata(self, state: _State, subdir: str, filename: str) -> Facts | None:
        if state.is_pulled and state.is_cold:
            return None
        path = layout.metadata_path(subdir, filename)
        since, is_unique = state.date
        max_age = settings.CONDA_METADATA_MAX_AGE
        key = (state.publication, path, since, is_unique, max_age, state.audience)
        facts = self._kept(key)
        if facts is None:
            of_file = {"publication": state.publication, "path": path}
            rows = await self.connections.fetch(served.METADATA, of_file)
            if not rows:
                return state.nothing
            facts = state.facts(
                Kind.METADATA,
                path,
                last_modified=since,
                is_date_unique=is_unique,
                max_age=max_age,
            )
            facts = self._stored(facts, rows[0])
            if facts is not None:
                self._memory.put(key, facts)
        if facts is None or not state.is_pulled:
            return facts
        freshness = Freshness(state.checked_at, tuple(state.due or ()))
        return replace(facts, freshness=freshness)

    def _kept(self, key: tuple[object, ...]) -> Facts | None:
        """Return what is in memory of a stored file, if it is still there."""
        facts = self._memory.get(key)
        if facts is None:
            return None
        assert isinstance(facts.where, Stored)
        if not facts.where.is_whole():
            # Its space was reclaimed, or it is lost.
            self._memory.drop(key)
            return None
        return facts

    def _stored(self, facts: Facts, file: tuple[Any, ...]) -> Facts | None:
        """Return facts with those about a stored file; None if the storage is no disk.

        Args:
            file: The path in the content, the path in the storage, the size and the digest, as a
                statement gives them.
        """
        # What was found for an earlier state has to be found again, but need not be made again.
        key = (facts.last_modified, facts.is_guarded, facts.cors_origins, *file)
        if facts.kind is Kind.PACKAGE and (kept := self._kept(key)):
            return kept
        relative_path, name, size, sha256 = file
        artifact = Artifact(file=name, size=size, sha256=sha256)
        facts = stored(facts, ContentArtifact(relative_path=relative_path, artifact=artifact))
        assert isinstance(facts.where, Stored)
        if facts.where.path is None:
            return None
        if facts.kind is Kind.PACKAGE:
            self._memory.put(key, facts)
        return facts
