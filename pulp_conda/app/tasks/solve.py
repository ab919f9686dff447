"""Solve environments before a promotion needs the solutions, or for lock files."""

from typing import Any

from django.db import transaction

from pulpcore.plugin.models import TaskGroup
from pulpcore.plugin.tasking import dispatch

from pulp_conda.app.lifecycle.gates.environments import basis_of
from pulp_conda.app.models import CondaEnvironment, CondaPublication
from pulp_conda.app.results import checked
from pulp_conda.app.solving.processes import limits
from pulp_conda.app.solving.solutions import solve_environments

# How many environments a task solves. More would leave some workers without work. Less would open
# the repodata too often.
_CHUNK = 10

_LONGEST_EXPLANATION = 4000


def dispatch_solving(
    publication: CondaPublication,
    environments: list[CondaEnvironment],
    channels: list[str],
    platforms: list[str],
) -> TaskGroup:
    """Dispatch tasks that each solve some of the environments, and return the group of the tasks.

    Args:
        channels: The base paths of other channels, as in a gate of environments.
        platforms: Solve only for these. Empty means all that the environments name.
    """
    with transaction.atomic():
        group = TaskGroup.objects.create(
            description=f"Solve {len(environments)} environments of a channel"
        )
        for start in range(0, len(environments), _CHUNK):
            chunk = environments[start : start + _CHUNK]
            dispatch(
                solve_chunk,
                task_group=group,
                kwargs={
                    "publication_pk": str(publication.pk),
                    "environment_pks": [str(environment.pk) for environment in chunk],
                    "channels": channels,
                    "platforms": platforms,
                },
            )
        group.all_tasks_dispatched = True
        group.save()
    return group


def solve_chunk(
    publication_pk: str, environment_pks: list[str], channels: list[str], platforms: list[str]
) -> list[dict[str, Any]]:
    """Solve environments, store the solutions, and return what the solver said about each.

    A gate for the same publication and channels uses the stored solutions.
    """
    environments = CondaEnvironment.objects.filter(pk__in=environment_pks)
    names = {environment.pk: environment.name for environment in environments}
    basis = basis_of({"channels": channels}, CondaPublication.objects.get(pk=publication_pk))
    solutions = solve_environments(basis, environments, limits(), platforms or None)
    return checked(
        [
            {
                "environment": names[environment],
                "platform": platform,
                "verdict": solution.verdict,
                "explanation": solution.explanation[:_LONGEST_EXPLANATION],
                "seconds": round(solution.seconds, 3),
                "peak_mb": solution.peak_mb,
            }
            for (environment, platform), solution in sorted(
                solutions.items(), key=lambda item: (names[item[0][0]], item[0][1])
            )
        ]
    )
