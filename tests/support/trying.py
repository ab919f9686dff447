"""A solver for tiny channels that tries everything. It shares no code with the real one, so a
selection can be compared with what is possible at all.
"""

from pulp_conda.channel.policies.satisfaction import Dependency
from pulp_conda.channel.selection.closure import Answer
from pulp_conda.channel.versions import VersionKey


def solve_by_trying(case):
    """Answer the questions of a case, with the newest packages that go together."""
    return {question: _answer(case, question.specs) for question in case.questions}


def _answer(case, specs):
    found = _search(case, [Dependency(spec) for spec in specs], {})
    if found is None:
        return Answer(None, f"{', '.join(specs)} cannot be installed")
    return Answer(tuple(package.candidate.path for package in found.values()))


def _search(case, wanted, chosen):
    """Return `chosen` with what satisfies the dependencies that are `wanted`, or None."""
    while wanted and _is_met(case, wanted[0], chosen):
        wanted = wanted[1:]
    if not wanted:
        return chosen
    dependency = wanted[0]
    if dependency.name in chosen or dependency.name.startswith("__"):
        return None
    fitting = [
        package
        for package in case.packages
        if package.candidate.name == dependency.name and dependency.takes(package.candidate)
    ]
    for package in sorted(fitting, key=_age, reverse=True):
        together = {**chosen, dependency.name: package}
        if all(_allows(one, together) for one in together.values()):
            needed = [Dependency(text) for text in package.depends if text not in case.without]
            if (found := _search(case, [*wanted[1:], *needed], together)) is not None:
                return found
    return None


def _is_met(case, dependency, chosen):
    if dependency.name.startswith("__"):
        return case.machine.satisfies(dependency)
    package = chosen.get(dependency.name)
    return package is not None and dependency.takes(package.candidate)


def _allows(package, chosen):
    return all(
        dependency.name not in chosen or dependency.takes(chosen[dependency.name].candidate)
        for dependency in map(Dependency, (*package.constrains, *package.depends))
    )


def _age(package):
    return (
        not package.has_features,
        VersionKey(package.candidate.version),
        package.candidate.build_number,
        package.candidate.path,
    )
