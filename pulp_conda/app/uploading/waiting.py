"""Wait until it is decided what became of uploads, without holding a thread for each.

In each event loop, one task looks for the uploads of all who wait, in one query.
"""

import asyncio
import logging
import time
from collections.abc import Collection
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections

from pulp_conda.app.models import CondaRepository, CondaUpload
from pulp_conda.app.uploading.arrival import Outcome
from pulp_conda.app.uploading.dispatching import ensure_task, has_task
from pulp_conda.app.uploading.domains import in_domain

log = logging.getLogger(__name__)

# Seconds between two looks.
_PAUSE = 0.2

# After so many seconds, and again and again, somebody looks whether there still is a task.
_PATIENCE = 10


def outcome(pk: UUID) -> Outcome | None:
    """Return what became of an upload, or None if it is not decided yet.

    Raises:
        LookupError: there is no such upload, or it was decided so long ago that it is forgotten.
    """
    for upload in _uploads([pk]):
        return Outcome.of(upload)
    raise _no_upload(pk)


async def wait(pk: UUID, timeout: float) -> Outcome:
    """Return what became of an upload, as soon as that is decided.

    Args:
        timeout: The most seconds to wait.

    Raises:
        TimeoutError: it is not decided yet. The upload is not lost: wait again, or ask for its
            outcome.
        LookupError: as `outcome` raises it.
    """
    watch = _WATCHES.setdefault(asyncio.get_running_loop(), _Watch())
    return await watch.wait(pk, timeout)


class _Watch:
    """Those who wait in an event loop."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Future[Outcome]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, pk: UUID, timeout: float) -> Outcome:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.setdefault(pk, set()).add(future)
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look())
        try:
            return await asyncio.wait_for(future, timeout)
        finally:
            if futures := self._waiting.get(pk):
                futures.discard(future)
                if not futures:
                    del self._waiting[pk]

    async def _look(self) -> None:
        """Tell all who wait what was decided, as long as somebody waits."""
        next_care = time.monotonic() + _PATIENCE
        while self._waiting:
            try:
                self._tell(await sync_to_async(_found)(list(self._waiting)))
                if time.monotonic() > next_care:
                    next_care = time.monotonic() + _PATIENCE
                    await sync_to_async(_take_care)(list(self._waiting))
            except DatabaseError as error:
                log.warning("Cannot see what became of uploads: %s", error)
                await sync_to_async(close_old_connections)()
            await asyncio.sleep(_PAUSE)

    def _tell(self, found: dict[UUID, Outcome | LookupError]) -> None:
        for pk, result in found.items():
            for future in self._waiting.pop(pk, ()):
                if future.done():
                    continue
                if isinstance(result, LookupError):
                    future.set_exception(result)
                else:
                    future.set_result(result)


_WATCHES: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch] = WeakKeyDictionary()


def _found(pks: Collection[UUID]) -> dict[UUID, Outcome | LookupError]:
    """Return what became of uploads that are decided, and an error for those that are gone."""
    found: dict[UUID, Outcome | LookupError] = {pk: _no_upload(pk) for pk in pks}
    for upload in _uploads(pks):
        result = Outcome.of(upload)
        if result is None:
            del found[upload.pk]
        else:
            found[upload.pk] = result
    return found


def _take_care(pks: Collection[UUID]) -> None:
    """Dispatch a task for uploads that wait and have none, because it was killed or canceled."""
    repositories = CondaUpload.objects.filter(pk__in=pks, decided_at=None).values("repository")
    for repository in CondaRepository.objects.filter(pk__in=repositories):
        with in_domain(repository.pulp_domain):
            if not has_task(repository):
                ensure_task(repository)


def _uploads(pks: Collection[UUID]) -> list[CondaUpload]:
    uploads = CondaUpload.objects.select_related("distribution__pulp_domain")
    return list(uploads.filter(pk__in=pks))


def _no_upload(pk: UUID) -> LookupError:
    return LookupError(f"there is no upload {pk}")
