"""What a task or a request says when a disk is full: in which folder, and which setting chose that
folder.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import OperationalError
from psycopg.errors import DiskFull as DatabaseFull

from pulpcore.plugin.util import get_domain

from pulp_conda.app.errors import DiskFull
from pulp_conda.app.exceptions import CondaError
from pulp_conda.channel.errors import shown

# No space, a quota, and a limit on the size of files.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say in words that a disk is full. It is a decorator, too.

    Raises:
        CondaError: `DiskFull`.
    """
    try:
        yield
    except (OSError, OperationalError) as error:
        full = full_disk(error)
        if full is None:
            raise
        raise CondaError(full) from error


def full_disk(error: Exception) -> DiskFull | None:
    """Return what an error says of a full disk, or None if it is about something else."""
    if isinstance(error, CondaError):
        return error.error if isinstance(error.error, DiskFull) else None
    if isinstance(error, OSError) and error.errno in _FULL:
        setting, path = _place_of(error)
        return DiskFull(path=path, setting=setting, reason=os.strerror(error.errno))
    if isinstance(error, OperationalError) and isinstance(error.__cause__, DatabaseFull):
        reason = shown(str(error.__cause__.diag.message_primary or error.__cause__))
        place = "data_directory of PostgreSQL"
        return DiskFull(path="PostgreSQL", setting=place, reason=reason)
    return None


def _place_of(error: OSError) -> tuple[str, str]:
    """Return the setting and the folder of the file that an error is about.

    An error of `write` does not name the file. Then it is the folder with the least free space.
    """
    places = {name: path for name, path in _places() if os.path.isdir(path)}
    if error.filename is not None:
        file = Path(os.path.abspath(os.fsdecode(error.filename)))
        for name, path in places.items():
            if file.is_relative_to(path):
                return name, path
    return min(places.items(), key=lambda place: shutil.disk_usage(place[1]).free)


def _places() -> Iterator[tuple[str, str]]:
    """Yield the settings that say where files are written, with their folders."""
    yield "WORKING_DIRECTORY", str(settings.WORKING_DIRECTORY)
    yield "FILE_UPLOAD_TEMP_DIR", str(settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir())
    # A storage that is not on a disk has no location in the file system.
    if location := getattr(get_domain().get_storage(), "location", None):
        is_default = str(location) == str(settings.MEDIA_ROOT)
        yield "MEDIA_ROOT" if is_default else "storage_settings of the domain", str(location)
