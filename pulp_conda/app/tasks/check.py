"""Compare the forms in which an upstream has its repodata."""

from typing import Any

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.downloads import check_online
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaRemote
from pulp_conda.app.results import checked
from pulp_conda.app.sync.check import check_forms
from pulp_conda.channel.errors import ChannelError


@disk_errors()
def check_remote(remote_pk: str) -> dict[str, Any]:
    """Compare the forms of an upstream. Nothing is stored.

    Returns:
        A report: whether all forms agree, and what was found in each subdir.

    Raises:
        CondaError: there is no channel at the URL.
    """
    remote = CondaRemote.objects.get(pk=remote_pk)
    try:
        check_online()
        subdirs = list(check_forms(remote))
    except ChannelError as error:
        raise CondaError(error.at(f"Remote '{remote.name}'")) from None
    agrees = all(subdir["agrees"] for subdir in subdirs)
    return checked({"agrees": agrees, "subdirs": subdirs})
