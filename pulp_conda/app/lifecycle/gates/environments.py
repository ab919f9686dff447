"""The environments of the candidate have to solve on its records."""

import os
from gettext import gettext as _

from django.conf import settings

from pulp_conda.app.lifecycle.gates.case import SHOWN, Verdict, find_channel, served_by
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.solving.processes import SOLVED, UNKNOWN
from pulp_conda.app.solving.solutions import Basis, environments_of, solve_environments
from pulp_conda.channel.layout import check_channel_name, check_subdir

# What stands for the channel itself among others.
OWN = "."

_MOST = 100
_LONGEST_EXPLANATION = 4000
_SHOWN_NAMES = 5


def check(gate):
    """Return the gate with its defaults.

    Options:
        environments (list): Names or patterns of environments; the default is all of the candidate.
        platforms (list): Only these; the default is all that the environments name.
        channels (list): Other channels of this server whose packages may be used, by their base path, the one with the
            highest priority first. A "." is the channel itself; without one it comes first.
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
            check_channel_name(channel)
            find_channel(channel)
    if len(set(gate["channels"])) < len(gate["channels"]):
        raise ValueError("'channels' names one twice")
    return gate


def channels_of(gate):
    """Return the base paths of the other channels that it looks at."""
    return [channel for channel in gate["channels"] if channel != OWN]


def judge(gate, case):
    """Solve the environments, and return whether all are solved."""
    version = version_of(case.publication)
    environments = environments_of(version, gate["environments"])
    missing = [
        {
            "environment": name,
            "verdict": "missing",
            "explanation": _("The candidate has none of this name."),
        }
        for name in gate["environments"]
        if not set(name) & set("*?[") and name not in [e.name for e in environments]
    ]
    try:
        basis = basis_of(gate, case.publication)
    except ValueError as error:
        return Verdict("unknown", _("Nobody can tell: {}.").format(error))
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
        if solution.verdict != SOLVED
    ]
    if not findings and not solutions:
        # Nothing was proven, so nothing passes.
        return Verdict(
            "unknown",
            _(
                "The candidate has no environment to try. Register one in the repository, and publish."
            ),
        )
    verdict = _worst([finding["verdict"] for finding in findings])
    summary = " ".join([_summary(solutions, missing), *_notes(environments, gate)])
    return Verdict(verdict, summary, findings[:SHOWN], len(findings))


def basis_of(gate, publication):
    """Return the `Basis` on which a gate solves.

    Raises:
        ValueError: another channel is gone, or serves nothing.
    """
    order = gate["channels"] if OWN in gate["channels"] else [OWN, *gate["channels"]]
    others = []
    for channel in order:
        if channel != OWN:
            distribution = find_channel(channel)
            others.append((distribution.url, served_by(distribution)))
    return Basis(publication, others, order.index(OWN))


def limits():
    """Return what solving may take, as keywords of `pulp_conda.app.solving.processes.solve`."""
    return {
        "seconds_per_job": settings.CONDA_SOLVER_SECONDS,
        "memory_mb": settings.CONDA_SOLVER_MEMORY,
        "processes": settings.CONDA_SOLVER_PROCESSES or os.cpu_count(),
    }


def _notes(environments, gate):
    """Yield what people have to know of environments that may be solved and yet are not the whole truth."""
    if names := [environment.name for environment in environments if environment.pip]:
        yield _("What these want from PyPI is not solved: {}.").format(_listed(names))
    own = {channel for environment in environments for channel in environment.channels}
    if others := own - set(gate["channels"]):
        text = _(
            "Channels that environments name and the gate does not, which stand for this one: {}."
        )
        yield text.format(_listed(sorted(others)))


def _listed(names):
    text = ", ".join(names[:_SHOWN_NAMES])
    return f"{text}, …" if len(names) > _SHOWN_NAMES else text


def _worst(verdicts):
    if not verdicts:
        return "passed"
    return "unknown" if set(verdicts) == {UNKNOWN} else "failed"


def _summary(solutions, missing):
    solved = [solution for solution in solutions.values() if solution.verdict == SOLVED]
    text = _("{} of {} solved").format(len(solved), len(solutions) + len(missing))
    if solutions:
        seconds = sum(solution.seconds for solution in solutions.values())
        peak = max(solution.peak_mb for solution in solutions.values())
        text += _(", {:.1f} s in all, at most {} MiB").format(seconds, peak)
    return f"{text}."


def _check_texts(value, option):
    if not isinstance(value, list) or len(value) > _MOST:
        raise ValueError(f"'{option}' has to be a list of at most {_MOST}")
    for text in value:
        if not isinstance(text, str) or not 0 < len(text) <= 255:
            raise ValueError(f"'{option}' has to be a list of texts of 1 to 255 characters")
