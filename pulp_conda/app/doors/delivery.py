"""Hand a package over to the core of uploads, and wait until it is served."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection

from pulp_conda.app.attestations import uploaded_bundles
from pulp_conda.app.doors.entrance import Visitor
from pulp_conda.app.doors.receiving import ReceivedFile
from pulp_conda.app.doors.refusal import refusal_of_outcome
from pulp_conda.app.errors import NotServedYet
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.uploading import Arrival, Outcome, accept, check_place, wait
from pulp_conda.app.vocabulary import UploadState

# Storing a large file takes long, and pulpcore has one thread for all queries of the content app.
_storing = ThreadPoolExecutor(max_workers=4, thread_name_prefix="conda-doors")

_T = TypeVar("_T")


async def deliver(
    visitor: Visitor,
    distribution: CondaDistribution,
    filename: str,
    file: ReceivedFile,
    *,
    expected: Mapping[str, str] | None = None,
    attestation: str | None = None,
    subdir: str | None = None,
    force: bool = False,
) -> Outcome:
    """Give a received file to the channel, and return what became of it when it is served.

    Args:
        expected: The digests that the client said, in hex, by algorithm.
        attestation: A Sigstore bundle as JSON, or a list of them.
        subdir: The subdir to which the client sent the file.

    Raises:
        Refusal: the package is not served, because something is wrong with it.
        ChannelError: the file is not even stored.
    """
    pk = await hand_over(
        Arrival(
            distribution=distribution,
            user=visitor.user,
            token=visitor.token,
            filename=filename,
            path=file.path,
            size=file.size,
            sha256=file.sha256,
            md5=file.md5,
            expected=expected or {},
            attestation=uploaded_bundles(attestation, filename) if attestation else [],
            subdir=subdir,
            force=force,
        )
    )
    return await served(pk, filename)


async def hand_over(arrival: Arrival) -> UUID:
    """Store a file that arrived. From then on it is not lost, even if its client goes away."""
    check_place(arrival.filename, arrival.subdir)
    return await _in_thread(accept, arrival)


async def served(pk: UUID, filename: str) -> Outcome:
    """Return what became of an upload.

    Raises:
        Refusal: the channel has other bytes under that name, or the package is not good.
        NotServedYet
    """
    seconds = settings.CONDA_UPLOAD_WAIT_SECONDS
    try:
        outcome = await wait(pk, seconds)
    except TimeoutError:
        raise NotServedYet(filename=filename, seconds=seconds) from None
    if (refusal := refusal_of_outcome(outcome)) is not None:
        raise refusal
    return outcome


def status_of(outcome: Outcome) -> int:
    """Return the status of a success: 201 for a new package, 200 for one that was there."""
    return 201 if outcome.state == UploadState.PUBLISHED else 200


async def _in_thread(function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a function that uses the database, in a thread that nobody else waits for."""
    context = copy_context()

    def call() -> _T:
        try:
            return context.run(function, *arguments)
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(_storing, call)
