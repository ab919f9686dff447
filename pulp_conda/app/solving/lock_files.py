"""Lock files of what a stage serves, from solutions that are kept."""

import json
from dataclasses import dataclass

from pulpcore.plugin.util import get_url

from pulp_conda.app.errors import NotSolved
from pulp_conda.app.solving.processes import SOLVED, UNSOLVABLE
from pulp_conda.channel.layout import join_url
from pulp_conda.channel.lockfiles.read import CONDA_LOCK, EXPLICIT, PIXI
from pulp_conda.channel.lockfiles.write import (
    SolvedEnvironment,
    write_conda_lock,
    write_explicit,
    write_pixi_lock,
)

CONTENT_TYPES = {
    PIXI: "application/yaml",
    CONDA_LOCK: "application/yaml",
    EXPLICIT: "text/plain",
}


@dataclass(frozen=True)
class Asked:
    """Of what somebody wants solutions.

    Attributes:
        stage (CondaStage): Whose records.
        state: What was asked for, `v42` or a date, or None for what it serves now.
        label: Of the state that this is.
        channels: Other channels, as a gate has them.
        basis (Basis): The records of all of them.
    """

    stage: object
    state: str | None
    label: str
    channels: list
    basis: object


def solved_environment(asked, environment, platforms, url):
    """Return an environment with the packages of its kept solutions.

    Args:
        asked: Which state of which stage, an `Asked`.
        url: Of the channel itself. A stage serves the packages of its kept history there.

    Raises:
        NotSolved: with what is missing on which platform.
    """
    solutions = asked.basis.solutions([environment])
    solutions = {platform: solutions.get((environment.pk, platform)) for platform in platforms}
    if any(solution is None or solution.verdict != SOLVED for solution in solutions.values()):
        raise _not_solved(asked, environment, solutions)
    return SolvedEnvironment(
        # What a manifest calls it, where there is one.
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


def write_lock(lock_format, environment, digest):
    """Return the text of a lock file, of one platform if it is an explicit list.

    Args:
        digest: Which hashes an explicit list has.
    """
    if lock_format == PIXI:
        return write_pixi_lock([environment])
    if lock_format == CONDA_LOCK:
        return write_conda_lock(environment)
    (platform,) = environment.platforms
    return write_explicit(environment, platform, digest)


def filename_of(lock_format, environment, platforms):
    """Return what a lock file is called, as its tool wants it."""
    return {
        PIXI: "pixi.lock",
        CONDA_LOCK: "conda-lock.yml",
        EXPLICIT: f"{environment.name}-{platforms[0]}.txt",
    }[lock_format]


def _with_url(package, url):
    if "url" in package:
        return package
    return {**package, "url": join_url(url, package["subdir"], package["fn"])}


def _not_solved(asked, environment, solutions):
    reasons = []
    for platform, solution in sorted(solutions.items()):
        if solution is None:
            reasons.append(f"{platform} is not solved")
        elif solution.verdict != SOLVED:
            # On one line: solvers draw trees.
            words = " ".join(solution.explanation.split())
            reasons.append(f"{platform} is {solution.verdict} ({words})")
    is_hopeless = all(
        solution and solution.verdict in (SOLVED, UNSOLVABLE) for solution in solutions.values()
    )
    remedy = "Change the environment or the channel, or ask for other platforms."
    if not is_hopeless:
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
