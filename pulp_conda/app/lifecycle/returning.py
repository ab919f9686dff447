"""What brings clients back after their stage went back to an earlier state."""

from typing import Any

from pulp_conda.app.models import CondaPublication, CondaSolution
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.solving.solutions import environments_of
from pulp_conda.app.versions.comparison import Changes, Withdrawn
from pulp_conda.app.vocabulary import SolverVerdict
from pulp_conda.channel.returning import spec_to_return

# How many package names and environments a report has.
_SHOWN = 100


def way_back(changes: Changes, publication: CondaPublication) -> dict[str, Any]:
    """Return what a client has to do that has packages of the state that was left.

    Args:
        changes: From the state that was left to the earlier one.
        publication: Of the earlier state.
    """
    count, names = changes.withdrawn(_SHOWN, publication.withheld)
    specs = {name.name: _spec(name) for name in names if name.kept}
    return {
        "names": count,
        "install": [spec for spec in specs.values() if spec],
        "reinstall": [name for name, spec in specs.items() if spec is None],
        "remove": [name.name for name in names if not name.kept],
        "environments": _solved_environments(publication),
    }


def _spec(name: Withdrawn) -> str | None:
    if name.is_replaced:
        return None
    return spec_to_return(name.name, name.builds, name.kept)


def _solved_environments(publication: CondaPublication) -> list[dict[str, Any]]:
    """Return the environments of a state of which lock files can be written, by name."""
    environments = environments_of(served_state(publication))[:_SHOWN]
    solved = CondaSolution.objects.filter(
        publication=publication, environment__in=environments, verdict=SolverVerdict.SOLVED
    )
    platforms: dict[Any, set[str]] = {}
    for environment, platform in solved.values_list("environment", "platform"):
        platforms.setdefault(environment, set()).add(platform)
    return [
        {"name": environment.name, "platforms": sorted(platforms.get(environment.pk, ()))}
        for environment in environments
    ]
