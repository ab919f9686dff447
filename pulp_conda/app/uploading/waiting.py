"""Wait until it is decided what became of uploads, without holding a thread for each."""

import asyncio
import time
from uuid import UUID

from asgiref.sync import sync_to_async

from pulp_conda.app.models import CondaUpload
from pulp_conda.app.uploading.arrival import Outcome

# Seconds between two looks at the table: at first, and at most.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 0.5


def outcome(pk: UUID) -> Outcome | None:
    """Return what became of an upload, or None if it is not decided yet.

    Raises:
        LookupError: there is no such upload, or it was decided so long ago that it is forgotten.
    """
    upload = CondaUpload.objects.select_related("distribution__pulp_domain").filter(pk=pk).first()
    if upload is None:
        raise LookupError(f"there is no upload {pk}")
    return Outcome.of(upload)


async def wait(pk: UUID, timeout: float) -> Outcome:
    """Return what became of an upload, as soon as that is decided.

    Args:
        timeout: The most seconds to wait.

    Raises:
        TimeoutError: it is not decided yet. The upload is not lost: wait again, or ask for its
            outcome.
        LookupError: as `outcome` raises it.
    """
    end = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while (found := await sync_to_async(outcome)(pk)) is None:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return found
