"""The refusal of an upload: its status, and what the user reads."""

from collections.abc import Mapping, Sequence

from pulp_conda.app.database import RETRY_AFTER, is_away
from pulp_conda.app.disk import full_disk
from pulp_conda.app.errors import (
    BadUpload,
    DatabaseAway,
    DiskFull,
    FromBrowser,
    MayNotRemove,
    MayNotUpload,
    NothingToRemove,
    NotServedYet,
    TakesNoUploads,
    UnknownChannel,
    UploadFailed,
)
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.uploading import Outcome
from pulp_conda.app.vocabulary import UploadState
from pulp_conda.channel.errors import ChannelError

# By error. All others are about the package: 422.
_STATUSES: Mapping[type[ChannelError], int] = {
    BadUpload: 400,
    FromBrowser: 403,
    MayNotUpload: 403,
    MayNotRemove: 403,
    TakesNoUploads: 403,
    UnknownChannel: 404,
    NothingToRemove: 404,
    UploadFailed: 500,
    NotServedYet: 504,
    DiskFull: 507,
}
_OF_PACKAGES = 422


class Refusal(Exception):
    """The answer of a door to what it does not take.

    Attributes:
        status: The HTTP status.
        text: What is wrong, in sentences for the user.
        headers: More headers of the answer.
    """

    def __init__(self, status: int, text: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def refusal_of_outcome(outcome: Outcome) -> Refusal | None:
    """Return the answer for an upload that was decided, or None if the package is served."""
    if outcome.state in (UploadState.PUBLISHED, UploadState.EXISTS):
        return None
    text = "\n".join(outcome.texts)
    if outcome.state == UploadState.CONFLICT:
        return Refusal(409, text)
    # The fault may be that of this server, and not of the package.
    by_code = {error.code: status for error, status in _STATUSES.items()}
    return Refusal(by_code.get(outcome.code or "", _OF_PACKAGES), text)


def refusal_of(error: Exception) -> Refusal | None:
    """Return the answer for an error, or None if it is a fault of this server."""
    if isinstance(error, Refusal):
        return error
    if (full := full_disk(error)) is not None:
        return Refusal(_STATUSES[DiskFull], str(full))
    if is_away(error):
        away = DatabaseAway(seconds=RETRY_AFTER)
        return Refusal(503, str(away), [("Retry-After", str(RETRY_AFTER))])
    if isinstance(error, CondaError):
        error = error.error
    if isinstance(error, ChannelError):
        return Refusal(_STATUSES.get(type(error), _OF_PACKAGES), str(error))
    return None
