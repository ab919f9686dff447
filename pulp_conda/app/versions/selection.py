"""Which packages of one state go into another: those that specs name, and what these need."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from pulp_conda.app.errors import BlockedPackage
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.versions.blocked import blocked_packages
from pulp_conda.app.versions.candidates import candidates_named, names_of
from pulp_conda.app.versions.state import State
from pulp_conda.channel.errors import ChannelError
from pulp_conda.channel.policies.closure import Closure, closure, select

# Packages in a report; the new version has all of them.
_SHOWN = 1000

_FACTS = ("path", "name", "version", "build", "sha256")


@dataclass(frozen=True)
class Chosen(Closure):
    """What to add to the target.

    Attributes:
        blocked: The public reasons why packages that the specs name are left out, by path.
    """

    blocked: dict[str, str]


def choose_packages(
    specs: list[str],
    source: State,
    target: State,
    with_dependencies: bool,
) -> Chosen:
    """Return the packages of the source that specs name, without those that the target has.

    Packages that are blocked are left out.

    Args:
        with_dependencies: Also what they depend on, as far as the target does not have it.

    Raises:
        CondaError: `NothingToPromote` or `BadMatchSpec`. `BlockedPackage`, if all packages that the
            specs name are blocked.
    """
    of_source, of_target = partial(candidates_named, source), partial(candidates_named, target)
    of_all = partial(of_source, with_blocked=True)
    try:
        named = select(specs, source=of_all, target=of_target, names=partial(names_of, source))
    except ChannelError as error:
        raise CondaError(error) from None
    reasons = {package.key: package.reason for package in blocked_packages(source)}
    packages = [package for package in named if package.key not in reasons]
    blocked = {package.path: reasons[package.key] for package in named if package.key in reasons}
    if blocked and not packages:
        path, reason = next(iter(blocked.items()))
        raise CondaError(BlockedPackage(path=path, reason=reason.rstrip(".")))
    if not with_dependencies:
        return Chosen(packages, [], blocked)
    found = closure(packages, source=of_source, target=of_target)
    return Chosen(found.packages, found.unmet, blocked)


def describe(found: Chosen) -> dict[str, Any]:
    """Return what a report says of packages that were chosen."""
    return {
        "packages": [
            {fact: getattr(package, fact) for fact in _FACTS} for package in found.packages[:_SHOWN]
        ],
        "unmet": [f"{each.path}: {each.depends}" for each in found.unmet[:_SHOWN]],
        "blocked": [f"{path}: {found.blocked[path]}" for path in list(found.blocked)[:_SHOWN]],
    }
