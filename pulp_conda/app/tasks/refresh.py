"""Sync repositories that are due, in the name of those who want it."""

from typing import Any

from pulp_conda.app.models import CondaRefreshRun
from pulp_conda.app.refreshing.turns import finish_run, take_turn
from pulp_conda.app.tasks.sync import synchronize
from pulp_conda.app.vocabulary import RunOutcome


def look(repository_pk: str) -> None:
    """Look whether the refresh of a repository is due. Pulp's schedules start this."""
    take_turn(repository_pk)


def run(run_pk: str, remote_pk: str, mirror: bool = False) -> dict[str, Any] | None:
    """Sync a repository because it was due, and note how that went.

    Returns:
        Where the new version is, or None if nothing changed.

    Raises:
        CondaError: as `synchronize`.
    """
    found = CondaRefreshRun.objects.get(pk=run_pk)
    if found.outcome != RunOutcome.RUNNING:
        # It was given up: what comes now would have no place in the list of runs.
        return None
    try:
        result = synchronize(remote_pk, str(found.repository_id), mirror=mirror)
    except Exception as error:
        finish_run(found, error=error)
        raise
    finish_run(found, version=result["number"] if result else None)
    return result
