"""Solve environments ahead of the promotion that asks for it, or for their lock files."""

from django.db import transaction

from pulpcore.plugin.models import TaskGroup
from pulpcore.plugin.tasking import dispatch

from pulp_conda.app.lifecycle.gates.environments import basis_of, limits
from pulp_conda.app.models import CondaEnvironment, CondaPublication
from pulp_conda.app.solving.solutions import solve_environments

# Few enough that all workers have something to do, enough that the repodata is not opened over and over.
_CHUNK = 10

_LONGEST_EXPLANATION = 4000


def dispatch_solving(publication, environments, channels, platforms):
    """Share environments among tasks, and return the group of these.

    Args:
        channels: As a gate has them.
        platforms: Only these, or empty for all.
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


def solve_chunk(publication_pk, environment_pks, channels, platforms):
    """Solve environments, keep the solutions, and return what the solver said of each.

    A gate that is asked about the same publication and channels finds them.
    """
    environments = CondaEnvironment.objects.filter(pk__in=environment_pks)
    names = {environment.pk: environment.name for environment in environments}
    basis = basis_of({"channels": channels}, CondaPublication.objects.get(pk=publication_pk))
    solutions = solve_environments(basis, environments, limits(), platforms or None)
    return [
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
