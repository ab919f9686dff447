"""Which packages of one state go into another: those that specs name, and what these need."""

from functools import partial
from typing import Any

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.versions.candidates import candidates_named, names_of
from pulp_conda.app.versions.state import State
from pulp_conda.channel.errors import ChannelError
from pulp_conda.channel.policies.closure import Closure, closure, select

# Packages in a report; the new version has all of them.
_SHOWN = 1000

_FACTS = ("path", "name", "version", "build", "sha256")


def choose_packages(
    specs: list[str],
    source: State,
    target: State,
    with_dependencies: bool,
) -> Closure:
    """Return the packages of the source that specs name, without those that the target has.

    Args:
        with_dependencies: Also what they depend on, as far as the target does not have it.

    Raises:
        CondaError: `NothingToPromote` or `BadMatchSpec`.
    """
    of_source, of_target = partial(candidates_named, source), partial(candidates_named, target)
    names = partial(names_of, source)
    try:
        packages = select(specs, source=of_source, target=of_target, names=names)
    except ChannelError as error:
        raise CondaError(error) from None
    if with_dependencies:
        return closure(packages, source=of_source, target=of_target)
    return Closure(packages, unmet=[])


def describe(found: Closure) -> dict[str, Any]:
    """Return what a report says of packages that were chosen."""
    return {
        "packages": [
            {fact: getattr(package, fact) for fact in _FACTS} for package in found.packages[:_SHOWN]
        ],
        "unmet": [f"{each.path}: {each.depends}" for each in found.unmet[:_SHOWN]],
    }
