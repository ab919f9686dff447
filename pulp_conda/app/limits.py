"""The limits that the settings give."""

import time
from typing import NoReturn

from django.conf import settings

from pulp_conda.app.errors import NotConverted
from pulp_conda.channel.errors import TooLargeToWait
from pulp_conda.channel.package.archive import MEMBER_COST, Limits


def package_limits() -> Limits:
    """Return the limits for the contents of a package."""
    return Limits(**settings.CONDA_PACKAGE_LIMITS)


class Deadline:
    """How long the conversion of a package may take.

    Args:
        path: The path of the package, for errors.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._seconds: float = settings.CONDA_CONVERSION_SECONDS
        self._start = time.monotonic()

    def spend(self, size: int) -> None:
        """Note that bytes were unpacked.

        Raises:
            NotConverted: it takes too long.
        """
        if time.monotonic() - self._start > self._seconds:
            reason = f"it takes more than {self._seconds} seconds (CONDA_CONVERSION_SECONDS)"
            raise NotConverted(path=self._path, reason=reason)


class UploadBudget:
    """What a request may spend on a package while the client waits, and all other clients with it.

    An API process does one request after the other, and is killed if one takes too long.

    Args:
        filename: The name of the package, for errors.
    """

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._size: int = settings.CONDA_SYNCHRONOUS_UPLOAD_SIZE
        self._seconds: float = settings.CONDA_SYNCHRONOUS_UPLOAD_SECONDS
        self._spent = 0
        # Not CPU time: gunicorn kills a process by the clock, also on a busy machine.
        self._start = time.monotonic()

    def spend(self, size: int) -> None:
        """Note that bytes were unpacked.

        Raises:
            TooLargeToWait: these bytes, or the time since the beginning, are beyond the budget.
        """
        self._spent += size
        self.check_size(self._spent)
        if time.monotonic() - self._start > self._seconds:
            self._refuse(
                f"to read it takes more than {self._seconds} seconds "
                "(CONDA_SYNCHRONOUS_UPLOAD_SECONDS)"
            )

    def check_size(self, size: int) -> None:
        """Refuse a file of more bytes than may be unpacked.

        Raises:
            TooLargeToWait
        """
        if size > self._size:
            self._refuse(
                f"it unpacks to more than {self._size} bytes, where each file counts as "
                f"{MEMBER_COST} more (CONDA_SYNCHRONOUS_UPLOAD_SIZE)"
            )

    def _refuse(self, reason: str) -> NoReturn:
        raise TooLargeToWait(filename=self._filename, reason=reason)
