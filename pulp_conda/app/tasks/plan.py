"""Say what a sync of a selection would take from its upstream."""

from typing import Any

from pulp_conda.app.disk import disk_errors
from pulp_conda.app.models import CondaRemote, CondaRepository
from pulp_conda.app.results import checked
from pulp_conda.app.sync.channel import plan_selection
from pulp_conda.app.tasks.sync import naming


@disk_errors()
def plan(
    remote_pk: str,
    repository_pk: str,
    selection: dict[str, Any],
    why: list[str] | None = None,
) -> dict[str, Any]:
    """Return what a sync of a selection would take, before a byte of a package is downloaded.

    Args:
        selection: The fields of a selection, as they are stored.
        why: Names or paths of packages. The report says what brings each in, or keeps it out.

    Raises:
        CondaError: the upstream or the selection is wrong.
    """
    remote = CondaRemote.objects.get(pk=remote_pk)
    repository = CondaRepository.objects.get(pk=repository_pk)
    with naming(remote):
        report = plan_selection(remote, repository, selection, why or ())
    return checked(report)
