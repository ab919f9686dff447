"""Lock files for the environments of a stage, written from stored solutions."""

import json
from dataclasses import dataclass, replace
from typing import Any

from pulpcore.plugin.util import get_url

from pulp_conda.app.errors import NotSolved
from pulp_conda.app.models import (
    CondaEnvironment,
    CondaPackageInfo,
    CondaSolution,
    CondaStage,
)
from pulp_conda.app.solving.solutions import Basis
from pulp_conda.app.vocabulary import SolverVerdict
from pulp_conda.channel.layout import join_url
from pulp_conda.channel.lockfiles.read import LockFormat
from pulp_conda.channel.lockfiles.write import (
    SolvedEnvironment,
    write_conda_lock,
    write_explicit,
    write_pixi_lock,
)

CONTENT_TYPES = {
    LockFormat.PIXI: "application/yaml",
    LockFormat.CONDA_LOCK: "application/yaml",
    LockFormat.EXPLICIT: "text/plain",
}


@dataclass(frozen=True)
class Asked:
    """The requested state of a stage, whose packages are used to solve environments.

    Attributes:
        stage: The stage.
        state: The state in the request, `v42` or a date. None is the current state.
        label: The label of that state.
        channels: The base paths of other channels, as in a gate of environments.
        basis: The records of the stage and of these channels.
    """

    stage: CondaStage
    state: str | None
    label: str
    channels: list[str]
    basis: Basis


def solved_environment(
    asked: Asked, environment: CondaEnvironment, platforms: list[str], url: str
) -> SolvedEnvironment:
    """Return an environment with the packages of its stored solutions.

    Args:
        url: The URL of the stage. It serves the packages of all states that its history keeps.

    Raises:
        NotSolved: a platform has no solution. The error says which, and why.
    """
    stored = asked.basis.solutions([environment])
    solutions = {
        platform: solution
        for platform in platforms
        if (solution := stored.get((environment.pk, platform)))
    }
    if any(
        platform not in solutions or solutions[platform].verdict != SolverVerdict.SOLVED
        for platform in platforms
    ):
        raise _not_solved(asked, environment, platforms, solutions)
    return SolvedEnvironment(
        # The name in the manifest, if the source is one.
        name=environment.section,
        channels=[
            url if publication == asked.basis.publication else other
            for other, publication in asked.basis.channels
        ],
        platforms={
            platform: [_with_url(package, url) for package in solution.packages]
            for platform, solution in solutions.items()
        },
    )


def write_lock(lock_format: LockFormat, environment: SolvedEnvironment, digest: str) -> str:
    """Return the text of a lock file.

    Args:
        environment: With one platform, if the format is an explicit list.
        digest: Which hashes an explicit list has, `sha256` or `md5`.

    Raises:
        MissingHash: the file needs the md5 of packages whose records have none, and whose files are
            not on this server.
    """
    if lock_format == LockFormat.PIXI:
        return write_pixi_lock([environment])
    if lock_format == LockFormat.CONDA_LOCK:
        return write_conda_lock(_with_md5(environment))
    if digest == "md5":
        environment = _with_md5(environment)
    (platform,) = environment.platforms
    return write_explicit(environment, platform, digest)


def filename_of(
    lock_format: LockFormat, environment: CondaEnvironment, platforms: list[str]
) -> str:
    """Return the name that the tool of a format expects for a lock file."""
    return {
        LockFormat.PIXI: "pixi.lock",
        LockFormat.CONDA_LOCK: "conda-lock.yml",
        LockFormat.EXPLICIT: f"{environment.name}-{platforms[0]}.txt",
    }[lock_format]


def _with_md5(environment: SolvedEnvironment) -> SolvedEnvironment:
    """Return an environment in which packages have the md5 of their files that are here."""
    lacking = {
        package["sha256"]
        for packages in environment.platforms.values()
        for package in packages
        if not package.get("md5")
    }
    if not lacking:
        return environment
    known = CondaPackageInfo.md5_of(lacking)
    return replace(
        environment,
        platforms={
            platform: [
                {**package, "md5": package.get("md5") or known.get(package["sha256"])}
                for package in packages
            ]
            for platform, packages in environment.platforms.items()
        },
    )


def _with_url(package: dict[str, Any], url: str) -> dict[str, Any]:
    if "url" in package:
        return package
    return {**package, "url": join_url(url, package["subdir"], package["fn"])}


def _not_solved(
    asked: Asked,
    environment: CondaEnvironment,
    platforms: list[str],
    solutions: dict[str, CondaSolution],
) -> NotSolved:
    reasons = []
    for platform in sorted(platforms):
        solution = solutions.get(platform)
        if solution is None:
            reasons.append(f"{platform} is not solved")
        elif solution.verdict != SolverVerdict.SOLVED:
            # On one line: the solver explains itself with a tree of several lines.
            words = " ".join(solution.explanation.split())
            reasons.append(f"{platform} is {solution.verdict} ({words})")
    is_final = len(solutions) == len(platforms) and all(
        solution.verdict in (SolverVerdict.SOLVED, SolverVerdict.UNSOLVABLE)
        for solution in solutions.values()
    )
    remedy = "Change the environment or the channel, or ask for other platforms."
    if not is_final:
        request = {
            "stage": asked.stage.name,
            "environments": [environment.name],
            **({"state": asked.state} if asked.state else {}),
            **({"channels": asked.channels} if asked.channels else {}),
        }
        url = f"{get_url(asked.stage.lifecycle)}solve/"
        remedy = f"Solve it with 'POST {url} {json.dumps(request)}', and ask again."
    return NotSolved(
        environment=environment.name,
        state=asked.label,
        stage=asked.stage.name,
        reason="; ".join(reasons),
        remedy=remedy,
    )
