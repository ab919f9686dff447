"""Remove a package from a channel, and wait until the channel does not list it any more.

Clients with the metadata from before may still download it for some time, as after each change.
"""

import asyncio
import time
from gettext import gettext as _
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings

from pulpcore.plugin.constants import TASK_FINAL_STATES, TASK_STATES
from pulpcore.plugin.models import Task
from pulpcore.plugin.tasking import dispatch

from pulp_conda.app.access import has_permission
from pulp_conda.app.authentication import token_allows
from pulp_conda.app.doors.entrance import Visitor
from pulp_conda.app.doors.refusal import Refusal
from pulp_conda.app.errors import (
    MayNotRemove,
    NothingToRemove,
    NotServedYet,
)
from pulp_conda.app.models import CondaDistribution, CondaPackage
from pulp_conda.app.tasks.removal import remove_package
from pulp_conda.app.uploading import repository_of
from pulp_conda.app.vocabulary import TokenScope
from pulp_conda.channel import layout

# As to remove content over REST: more than to upload, because what was installed yesterday is gone.
_PERMISSIONS = ("conda.modify_condarepository", "conda.view_condarepository")

_PAUSE = 0.2


async def remove(
    visitor: Visitor, distribution: CondaDistribution, subdir: str, filename: str
) -> None:
    """Remove a package from the repository of a channel, and wait until that is published.

    Raises:
        MayNotRemove, TakesNoUploads, NothingToRemove, NotServedYet
        Refusal: the task failed.
    """
    await sync_to_async(_check_rights)(visitor, distribution)
    if await sync_to_async(find)(distribution, subdir, filename) is None:
        path = layout.package_path(subdir, filename)
        raise NothingToRemove(channel=distribution.base_path, path=path)
    task = await sync_to_async(_dispatch)(distribution, subdir, filename)
    await _finished(task, filename)


def _check_rights(visitor: Visitor, distribution: CondaDistribution) -> None:
    """Check that a visitor may remove packages of a channel.

    Raises:
        MayNotRemove, TakesNoUploads
    """
    repository, user, token = repository_of(distribution), visitor.user, visitor.token
    missing = [each for each in _PERMISSIONS if not has_permission(user, each, repository)]
    if missing:
        reason = _("the permission '{}' is missing").format(missing[0])
    elif not token_allows(token, TokenScope.UPLOAD, distribution):
        reason = _("the token is not for that")
    else:
        return
    raise MayNotRemove(
        user=user.get_username(),
        channel=distribution.base_path,
        repository=repository.name,
        reason=reason,
    )


def find(distribution: CondaDistribution, subdir: str, filename: str) -> CondaPackage | None:
    """Return the package that the newest version of a channel's repository has at a path."""
    if not layout.is_subdir(subdir) or not layout.is_filename(filename):
        return None
    version = repository_of(distribution).latest_version()
    return CondaPackage.at_path([version], subdir, filename)


def _dispatch(distribution: CondaDistribution, subdir: str, filename: str) -> UUID:
    repository = repository_of(distribution)
    task = dispatch(
        remove_package,
        exclusive_resources=[repository],
        kwargs={"repository_pk": str(repository.pk), "subdir": subdir, "filename": filename},
    )
    return task.pk


async def _finished(task: UUID, filename: str) -> None:
    seconds = settings.CONDA_UPLOAD_WAIT_SECONDS
    end = time.monotonic() + seconds
    found = Task.objects.filter(pk=task)
    while (state := await found.values_list("state", flat=True).aget()) not in TASK_FINAL_STATES:
        if time.monotonic() > end:
            raise NotServedYet(filename=filename, seconds=seconds)
        await asyncio.sleep(_PAUSE)
    if state != TASK_STATES.COMPLETED:
        error = await found.values_list("error", flat=True).aget() or {}
        raise Refusal(500, error.get("description", f"500: the task is {state}"))
