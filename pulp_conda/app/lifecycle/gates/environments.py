"""The gate `environments`: the solver finds packages for each environment in the new state."""

from collections.abc import Iterator, Sequence
from gettext import gettext as _
from typing import Any

from pulp_conda.app.lifecycle.gates.case import SHOWN, Case, Gate, Verdict, find_channel, served_by
from pulp_conda.app.models import CondaEnvironment, CondaPublication
from pulp_conda.app.solving.processes import limits
from pulp_conda.app.solving.solutions import (
    Basis,
    PublishedChannel,
    Solutions,
    environments_of,
    solve_environments,
)
from pulp_conda.app.vocabulary import GateVerdict, SolverVerdict
from pulp_conda.channel.errors import first_of
from pulp_conda.channel.layout import check_channel_name, check_subdir

# The channel itself, in a list of channels.
OWN = "."

# The most entries of a list of options, and the most characters of each.
MOST_TEXTS = 100
LONGEST_TEXT = 255

_LONGEST_EXPLANATION = 4000
_SHOWN_NAMES = 5

# Instead of a verdict of the solver: there is no such environment.
MISSING = "missing"


def check(gate: Gate) -> Gate:
    """Return the gate with its defaults.

    Options:
        environments (list): Names or patterns of environments. The default is all that the new
            state has.
        platforms (list): Solve only for these. The default is all that the environments name.
        channels (list): The base paths of other channels of this server whose packages may be used.
            The one with the highest priority is first. A "." is the channel itself; without it,
            the channel itself is first.

    Raises:
        ValueError, ChannelError: an option is wrong or unknown.
    """
    unknown = gate.keys() - {"name", "kind", "action", "environments", "platforms", "channels"}
    if unknown:
        raise ValueError(f"'{min(unknown)}' is no option of it")
    gate.setdefault("environments", ["*"])
    for option in ("environments", "platforms", "channels"):
        _check_texts(gate.setdefault(option, []), option)
    for platform in gate["platforms"]:
        check_subdir(platform)
    for channel in gate["channels"]:
        if channel != OWN:
            check_channel_name(channel, exists=True)
    if len(set(gate["channels"])) < len(gate["channels"]):
        raise ValueError("'channels' names one twice")
    return gate


def channels_of(gate: Gate) -> Sequence[str]:
    """Return the base paths of the other channels that the gate reads."""
    return [channel for channel in gate["channels"] if channel != OWN]


def judge(gate: Gate, case: Case) -> Verdict:
    """Solve the environments, and return `passed` if the solver found a solution for each."""
    environments = environments_of(case.state, gate["environments"])
    missing = [
        {
            "environment": name,
            "verdict": MISSING,
            "explanation": _("The candidate has none of this name."),
        }
        for name in gate["environments"]
        if not set(name) & set("*?[") and name not in [e.name for e in environments]
    ]
    try:
        basis = basis_of(gate, case.publication)
    except ValueError as error:
        return Verdict(GateVerdict.UNKNOWN, _("The gate has no result: {}.").format(error))
    solutions = solve_environments(
        basis, environments, limits(), platforms=gate["platforms"] or None
    )
    names = {environment.pk: environment.name for environment in environments}
    findings = missing + [
        {
            "environment": names[environment],
            "platform": platform,
            "verdict": solution.verdict,
            "explanation": solution.explanation[:_LONGEST_EXPLANATION],
        }
        for (environment, platform), solution in sorted(
            solutions.items(), key=lambda item: (names[item[0][0]], item[0][1])
        )
        if solution.verdict != SolverVerdict.SOLVED
    ]
    if not findings and not solutions:
        # Without an environment there is no proof, so the gate does not pass.
        return Verdict(
            GateVerdict.UNKNOWN,
            _(
                "The candidate has no environment to try. Register one in the repository, and "
                "publish."
            ),
        )
    verdict = _worst([finding["verdict"] for finding in findings])
    summary = " ".join([_summary(solutions, missing), *_notes(environments, gate)])
    return Verdict(verdict, summary, findings[:SHOWN], len(findings))


def basis_of(gate: Gate, publication: CondaPublication) -> Basis:
    """Return the records on which a gate solves: those of a publication and of other channels.

    Args:
        gate: Its `channels` say which other channels, and in which order.

    Raises:
        ValueError: another channel is deleted, or serves nothing.
    """
    order = gate["channels"] if OWN in gate["channels"] else [OWN, *gate["channels"]]
    others = []
    for channel in order:
        if channel != OWN:
            distribution = find_channel(channel)
            others.append(PublishedChannel(distribution.url, served_by(distribution)))
    return Basis(publication, others, order.index(OWN))


def _notes(environments: list[CondaEnvironment], gate: Gate) -> Iterator[str]:
    """Yield warnings about parts of environments that a solution does not cover."""
    if names := [environment.name for environment in environments if environment.pip]:
        yield _("What these want from PyPI is not solved: {}.").format(_listed(names))
    own = {channel for environment in environments for channel in environment.channels}
    if others := own - set(gate["channels"]):
        text = _(
            "Channels that environments name and the gate does not, which stand for this one: {}."
        )
        yield text.format(_listed(sorted(others)))


def _listed(names: list[str]) -> str:
    return ", ".join(first_of(names, _SHOWN_NAMES))


def _worst(verdicts: list[str]) -> GateVerdict:
    if not verdicts:
        return GateVerdict.PASSED
    is_unknown = set(verdicts) == {SolverVerdict.UNKNOWN}
    return GateVerdict.UNKNOWN if is_unknown else GateVerdict.FAILED


def _summary(solutions: Solutions, missing: list[dict[str, str]]) -> str:
    solved = [
        solution for solution in solutions.values() if solution.verdict == SolverVerdict.SOLVED
    ]
    text = _("{} of {} solved").format(len(solved), len(solutions) + len(missing))
    if solutions:
        seconds = sum(solution.seconds for solution in solutions.values())
        peak = max(solution.peak_mb for solution in solutions.values())
        text += _(", {:.1f} s in all, at most {} MiB").format(seconds, peak)
    return f"{text}."


def _check_texts(value: Any, option: str) -> None:
    if not isinstance(value, list) or len(value) > MOST_TEXTS:
        raise ValueError(f"'{option}' has to be a list of at most {MOST_TEXTS}")
    for text in value:
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_TEXT:
            raise ValueError(
                f"'{option}' has to be a list of texts of 1 to {LONGEST_TEXT} characters"
            )
