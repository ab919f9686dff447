"""Packages of a source that can be installed from a target when they are added to it.

A closure is made for each platform and for each combination of roots, and the result is their
union:

1. A `Survey`: what could be installed at all.
2. Seeds: what the solver takes from all of that, for the roots together, for each root and each
   pair, and for the newest releases of each root. So what could be installed before can be
   installed afterwards, in the same versions.
3. For each dependency, some of the newest releases, so that users have a choice. That is a
   preference, never a wall: if there is only an old one, it is taken.
4. A proof: the same questions to the solver, asked of the result.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import NamedTuple, Protocol, TypeAlias

from pulp_conda.channel.environments.virtual_packages import can_have, merge_virtual_packages
from pulp_conda.channel.errors import (
    NotInstallable,
    NotProven,
    SolverGaveUp,
    TooManyRoots,
    listed,
    shown,
)
from pulp_conda.channel.layout import NOARCH
from pulp_conda.channel.policies.satisfaction import Candidate, Demands, Offers, Unmet
from pulp_conda.channel.selection.pool import Machine, Package, Pool, numbers
from pulp_conda.channel.selection.survey import Root, Sets, Survey
from pulp_conda.channel.versions import VersionKey

# The most names of roots, and the most combinations of specs for the same names. Each costs solves.
MOST_NAMES = 200
MOST_COMBINATIONS = 16

# For more roots, not each pair is solved.
_MOST_FOR_PAIRS = 10

# Of a root, so many releases are solved by themselves, and the newest two if all are selected.
_MOST_RELEASES = 10

# If all packages are for all platforms, these stand for them.
_COMMON_PLATFORMS = ("linux-64", "osx-arm64", "win-64")

_PRERELEASE = re.compile(r"(?:\d|[._])(?:a|alpha|b|beta|c|rc|dev|pre)(?:\d|\b|_)", re.IGNORECASE)
# In the text of a build: the hash of its configuration, and its number, which may stand anywhere.
_HASH_OR_NUMBER = re.compile(r"h[0-9a-f]{7}(?=_|$)|(?:^|(?<=_))\d+(?=_|$)")


@dataclass(frozen=True)
class Bounds:
    """How much is selected, and for which machine.

    Attributes:
        newest: How many releases for each dependency: the newest ones that it takes. 0 means all.
        virtual_packages: Changes to what a machine of a platform is assumed to have, as versions by
            name. None removes a virtual package.
        all_builds: Take all builds of a release, and not only the newest of each variant.
        all_prereleases: Treat prereleases as other releases. Otherwise they are taken if there is
            nothing else.
        all_features: The same for packages that have `track_features`.
        not_before: Take what is older only if there is nothing else, in milliseconds since 1970.
    """

    newest: int = 2
    virtual_packages: Mapping[str, str | None] = field(default_factory=dict)
    all_builds: bool = False
    all_prereleases: bool = False
    all_features: bool = False
    not_before: int | None = None

    def prefer(self, pool: Pool, name: str, takes: int) -> int:
        """Return of some packages of a name those that are taken: the newest releases, and of each
        the newest build of each variant.
        """
        packages = dict(zip(numbers(takes), pool.of(name, takes), strict=True))
        common = set(map(id, self.without_odd(packages.values(), with_features=False)))
        packages = {n: one for n, one in packages.items() if id(one) in common}
        versions = sorted(
            {one.candidate.version for one in packages.values()}, key=VersionKey, reverse=True
        )
        newest = set(versions[: self.newest or None])
        best: dict[tuple[str, str, str], int] = {}
        for one in packages.values():
            variant = _variant(one)
            best[variant] = max(best.get(variant, 0), one.candidate.build_number)
        return sum(
            1 << number
            for number, one in packages.items()
            if one.candidate.version in newest
            and (self.all_builds or one.candidate.build_number == best[_variant(one)])
        )

    def without_odd(self, packages: Iterable[Package], with_features: bool = True) -> list[Package]:
        """Return packages without those that are taken only if there is nothing else."""
        packages = list(packages)
        for is_odd in self._odd(with_features):
            packages = [one for one in packages if not is_odd(one)] or packages
        return packages

    def _odd(self, with_features: bool) -> Iterator[Callable[[Package], bool]]:
        """Yield what tells the packages that are taken only if there is nothing else."""
        if not self.all_prereleases:
            yield is_prerelease
        if not self.all_features and not with_features:
            yield has_features
        if self.not_before is not None:
            yield self._is_old

    def _is_old(self, package: Package) -> bool:
        indexed = package.candidate.indexed_timestamp
        return indexed is not None and self.not_before is not None and indexed < self.not_before

    def machine(self, platform: str) -> Machine:
        changes = {
            name: version
            for name, version in self.virtual_packages.items()
            if can_have(platform, name)
        }
        return Machine(merge_virtual_packages(platform, changes))


@dataclass(frozen=True)
class Question:
    """What to ask the solver: whether these specs can be installed together, and how."""

    specs: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What the solver says.

    Attributes:
        paths: The paths of the packages to install. None if it is not possible.
        explanation: If it is not possible: why.
        is_final: Whether the solver came to an end.
    """

    paths: tuple[str, ...] | None
    explanation: str = ""
    is_final: bool = True


class Case(NamedTuple):
    """Questions about the same packages.

    Attributes:
        without: Dependencies that do not count, because other channels have to satisfy them.
    """

    platform: str
    machine: Machine
    packages: Sequence[Package]
    without: frozenset[str]
    questions: Sequence[Question]


class Solve(Protocol):
    """Asks a solver, and returns its answer to each question."""

    def __call__(self, case: Case, /) -> dict[Question, Answer]: ...


@dataclass(frozen=True)
class Closure:
    """What to add to the target.

    Attributes:
        packages: In the order of their paths. If the target has another package under the same
            path, the one here replaces it.
        unmet: The dependencies of these packages that neither the source nor the target satisfies.
        not_installable: Sentences about roots that cannot be installed on all platforms that have
            packages of them.
        size: The bytes of the packages.
        sets: All that was chosen, with what the target has already: sets of packages by name.
    """

    packages: list[Candidate]
    unmet: list[Unmet]
    not_installable: list[str] = field(default_factory=list)
    size: int = 0
    sets: Sets = field(default_factory=dict)


# Sentences about roots that cannot be installed, by the text of their specs.
_Problems: TypeAlias = dict[str, list[str]]


def select_closure(
    roots: Sequence[Root],
    pool: Pool,
    bounds: Bounds,
    solve: Solve,
    platforms: Sequence[str] = (),
) -> Closure:
    """Return packages of the source that roots want, with what they need and the target lacks.

    Roots of different names are wanted together, and roots of one name are alternatives. A root
    whose name is a pattern is wanted by itself.

    Args:
        platforms: Where the roots have to be installed, on each of these. Empty means those that
            have packages of them, and one of these is enough.

    Raises:
        TooManyRoots: There would be too many questions to the solver.
        NotInstallable: A root cannot be installed on any platform, or not together with the others.
        NotProven: The solver finds less in the result than in the source.
        SolverGaveUp: The solver came to no end.
    """
    groups = list(_groups(roots))
    names = "', '".join(dict.fromkeys(shown(root.query.spec) for root in roots))
    pool.learn(root.name for root in roots)
    chosen: dict[str, int] = {}
    problems: _Problems = {}
    done: set[str] = set()
    for group in groups:
        made_before: list[_Group] = []
        for platform in platforms or platforms_of(pool, group):
            made = _Group(pool, platform, bounds, group, solve, names, bool(platforms))
            if not any(made.is_like(other) for other in made_before):
                for name, which in made.select().items():
                    chosen[name] = chosen.get(name, 0) | which
                made_before.append(made)
            if platforms and (failed := made.problems):
                raise _not_installable(failed)
            done |= made.done
            for spec, reasons in made.problems.items():
                problems.setdefault(spec, []).extend(reasons)
    if failed := {spec: reasons for spec, reasons in problems.items() if spec not in done}:
        raise _not_installable(failed)
    added = {
        name: which & pool.from_source(name) & ~pool.there(name) for name, which in chosen.items()
    }
    packages = [package for name in sorted(added) for package in pool.of(name, added[name])]
    return Closure(
        sorted((package.candidate for package in packages), key=lambda one: one.identity[:2]),
        list(_unmet(pool, packages, chosen)),
        [reason for reasons in problems.values() for reason in reasons],
        sum(package.size for package in packages),
        chosen,
    )


def _not_installable(problems: _Problems) -> NotInstallable:
    spec, reasons = next(iter(problems.items()))
    return NotInstallable(specs=spec, reason=listed(list(dict.fromkeys(reasons)), most=3))


class _Group:
    """Roots that are wanted together, on one platform.

    Attributes:
        done: The texts of what can be installed here: of single specs, and of all together.
        problems: Why something cannot be installed here, by the same texts.
    """

    def __init__(
        self,
        pool: Pool,
        platform: str,
        bounds: Bounds,
        roots: Sequence[Root],
        solve: Solve,
        names: str,
        is_needed: bool,
    ) -> None:
        self._pool = pool
        self._bounds = bounds
        self._platform = platform
        self._solve = solve
        self._machine = bounds.machine(platform)
        self._is_needed = is_needed
        self.done: set[str] = set()
        self.problems: _Problems = {}
        # What a pattern matches is not wanted together.
        self._is_together = not any(root.is_pattern for root in roots)
        self._survey = self._settle(list(roots))
        self._asked: Sets = {}
        self._without = frozenset(
            text
            for package in self._survey.packages(self._survey.live)
            for text in self._survey.external(package)
        )
        self._names = names
        single = [Question((self._spec(root),)) for root in self._survey.roots]
        self._together = Question(tuple(self._spec(root) for root in self._survey.roots))
        self._required = {*single, self._together}
        # By path, the name of a package and the set that has it alone.
        self._by_path = {
            package.candidate.path: (name, 1 << number)
            for name, which in self._survey.live.items()
            for number, package in zip(numbers(which), pool.of(name, which), strict=True)
        }

    def is_like(self, other: "_Group") -> bool:
        """Say whether the packages of two platforms are the same, so that the selection is, too."""
        survey, others = self._survey, other._survey
        return (survey.roots, survey.live) == (others.roots, others.live)

    def select(self) -> dict[str, int]:
        """Return what is selected, with those packages that the target has already."""
        survey = self._survey
        if not survey.roots:
            return {}
        answers = self._ask_source(list(self._questions()))
        self._judge(answers)
        seeds = self._sets(path for answer in answers.values() for path in answer.paths or ())
        start = {
            root.name: self._bounds.prefer(self._pool, root.name, survey.wanted(root))
            for root in survey.roots
        }
        chosen = survey.close(start, self._choose, prefer_base=True)
        # A solution has all that it needs, so its dependencies get nothing more.
        for name, which in seeds.items():
            chosen[name] = chosen.get(name, 0) | which
        self._prove(answers, chosen)
        return chosen

    def _settle(self, roots: list[Root]) -> Survey:
        """Return the survey of the roots of which packages could be installed."""
        while True:
            survey = Survey(self._pool, self._platform, self._machine, roots, self._is_together)
            dead = [root for root in roots if not survey.wanted(root)]
            if not dead:
                return survey
            for root in dead:
                if self._is_needed or survey.is_here(root):
                    self._note(root.query.spec, survey.reason_against(root))
            # Without them, the others may be possible.
            roots = [root for root in roots if root not in dead]

    def _questions(self) -> Iterator[Question]:
        survey = self._survey
        if not self._is_together:
            for root in survey.roots:
                yield from self._releases(root)
            return
        specs = self._together.specs
        if len(specs) > 1:
            yield self._together
        if 2 < len(specs) <= _MOST_FOR_PAIRS:
            yield from map(Question, combinations(specs, 2))
        for root in survey.roots:
            spec = self._spec(root)
            yield Question((spec,))
            for release in self._releases(root):
                yield Question((spec, *release.specs))
                if len(specs) > 1:
                    yield Question((*specs, *release.specs))

    def _spec(self, root: Root) -> str:
        # The survey has only what the root wants of this name. Solvers do not read all keys that
        # choose packages as we do.
        return root.name if "[" in root.query.spec else root.query.spec

    def _releases(self, root: Root) -> list[Question]:
        """Return a question for each of the newest releases of a root."""
        packages = list(self._pool.of(root.name, self._survey.wanted(root)))
        packages = self._bounds.without_odd(packages)
        versions = {package.candidate.version for package in packages}
        newest = sorted(filter(_is_version, versions), key=VersionKey, reverse=True)
        count = min(self._bounds.newest or 2, _MOST_RELEASES)
        return [Question((f"{root.name} =={version}",)) for version in newest[:count]]

    def _ask_source(self, questions: list[Question]) -> dict[Question, Answer]:
        """Return the answers to questions with as much of the target as possible, and else with all
        of the source. Pip is asked for as well where Python is installed.
        """
        survey = self._survey
        start = {root.name: survey.wanted(root) for root in survey.roots}
        near = survey.close(start, self._fitting, prefer_base=True)
        everything = survey.close(start, lambda name, takes: takes, prefer_base=False)
        answers = self._ask(questions, near)
        self._asked = near
        impossible = [question for question in questions if answers[question].paths is None]
        if impossible and near != everything:
            answers |= self._ask(impossible, everything)
            self._asked = everything
        return answers

    def _ask(self, questions: Sequence[Question], sets: Sets) -> dict[Question, Answer]:
        packages = list(self._survey.packages(sets))
        answers = self._answers(questions, packages)
        with_pip = {
            Question((*question.specs, "pip"))
            for question, answer in answers.items()
            if answer.paths is not None and self._has_python(answer.paths)
        }
        known = {package.candidate.name for package in packages}
        if "pip" in known:
            answers |= self._answers(sorted(with_pip, key=lambda one: one.specs), packages)
        return answers

    def _answers(
        self, questions: Sequence[Question], packages: Sequence[Package], is_proof: bool = False
    ) -> dict[Question, Answer]:
        if not questions:
            return {}
        case = Case(self._platform, self._machine, packages, self._without, questions)
        answers = self._solve(case)
        for question, answer in answers.items():
            # Of the others, the answer is good to have. A proof has only those that had one.
            if not answer.is_final and (is_proof or question in self._required):
                raise SolverGaveUp(
                    specs=_text(question), platform=self._platform, reason=_line(answer.explanation)
                )
        return answers

    def _has_python(self, paths: Iterable[str]) -> bool:
        names = {self._by_path[path][0] for path in paths}
        return "python" in names and "pip" not in names

    def _judge(self, answers: Mapping[Question, Answer]) -> None:
        """Note which specs can be installed, alone and together."""
        survey = self._survey
        for root in survey.roots:
            asked = [Question((self._spec(root),))] if self._is_together else self._releases(root)
            if any(answers[question].paths is not None for question in asked):
                self.done.add(root.query.spec)
            elif asked:
                self._note(root.query.spec, answers[asked[0]].explanation)
        if self._is_together and len(survey.roots) > 1:
            # Other platforms and combinations have other specs, and one of them is enough.
            text = self._names
            if answers[self._together].paths is None:
                self._note(text, answers[self._together].explanation)
            else:
                self.done.add(text)

    def _note(self, text: str, reason: str) -> None:
        self.problems.setdefault(text, []).append(f"on {self._platform}, {_line(reason)}")

    def _choose(self, name: str, takes: int) -> int:
        """Return the packages that a dependency shall have, of those that it takes."""
        return self._bounds.prefer(self._pool, name, self._fitting(name, takes))

    def _fitting(self, name: str, takes: int) -> int:
        """Return packages, and of each release only the builds that the target has all for, if
        there are any: a build for a Python that the target lacks would bring this Python with it.
        """
        packages = list(zip(numbers(takes), self._pool.of(name, takes), strict=True))
        if not any(self._survey.base.values()):
            return takes
        complete = {number for number, one in packages if self._survey.is_complete(one)}
        releases = {one.candidate.version for number, one in packages if number in complete}
        return sum(
            1 << number
            for number, one in packages
            if number in complete or one.candidate.version not in releases
        )

    def _sets(self, paths: Iterable[str]) -> dict[str, int]:
        sets: dict[str, int] = {}
        for path in paths:
            name, alone = self._by_path[path]
            sets[name] = sets.get(name, 0) | alone
        return sets

    def _prove(self, answers: Mapping[Question, Answer], chosen: Sets) -> None:
        """Ask the same questions of the target with what is chosen.

        Raises:
            NotProven: An answer is worse.
        """
        sets = {
            name: (chosen.get(name, 0) | self._pool.there(name)) & self._survey.live[name]
            for name in self._survey.live
        }
        if all(which & ~sets.get(name, 0) == 0 for name, which in self._asked.items()):
            # Nothing was left out, so the answers are the same.
            return
        questions = [question for question, answer in answers.items() if answer.paths is not None]
        after = self._answers(questions, list(self._survey.packages(sets)), is_proof=True)
        for question in questions:
            if after[question].paths is None:
                raise NotProven(
                    specs=_text(question),
                    platform=self._platform,
                    reason=_line(after[question].explanation),
                )


def _groups(roots: Sequence[Root]) -> Iterator[list[Root]]:
    """Yield the roots that are wanted together. Those of one name are never together."""
    names = {root.name for root in roots}
    if len(names) > MOST_NAMES:
        raise TooManyRoots(reason=f"they match {len(names)} names, and {MOST_NAMES} are the most")
    by_name: dict[str, list[Root]] = {}
    for root in roots:
        if not root.is_pattern:
            by_name.setdefault(root.name, []).append(root)
    count = 1
    for alternatives in by_name.values():
        count *= len(alternatives)
        if count > MOST_COMBINATIONS:
            raise TooManyRoots(
                reason=f"several are about the same names, which makes more than "
                f"{MOST_COMBINATIONS} combinations"
            )
    if by_name:
        yield from map(list, product(*by_name.values()))
    patterns: dict[str, list[Root]] = {}
    for root in roots:
        if root.is_pattern:
            patterns.setdefault(root.query.spec, []).append(root)
    yield from patterns.values()


def platforms_of(pool: Pool, group: Sequence[Root]) -> list[str]:
    """Return the platforms that roots are for."""
    platforms = {platform for root in group for platform in _platforms_of(pool, root)}
    return sorted(platforms) or list(_COMMON_PLATFORMS)


def _platforms_of(pool: Pool, root: Root) -> set[str]:
    """Return the platforms that packages of a root are for. If all are for every platform, what
    they need decides.
    """
    seen: set[str] = set()
    waiting = {root.name}
    while waiting:
        pool.learn(waiting)
        seen |= waiting
        packages = [package for name in waiting for package in pool.all(name)]
        if found := {package.candidate.subdir for package in packages} - {NOARCH}:
            return found
        texts = {text for package in packages for text in package.depends}
        dependencies = filter(None, map(pool.read, texts))
        names = {dependency.name for dependency in dependencies}
        waiting = {name for name in names if not name.startswith("__")} - seen
    return set()


def _unmet(pool: Pool, packages: Sequence[Package], chosen: Sets) -> Iterator[Unmet]:
    offers = Offers(
        package.candidate
        for name in sorted(chosen)
        for package in pool.of(name, chosen[name] | pool.there(name))
    )
    demands = Demands(
        package.candidate._replace(depends=list(package.depends)) for package in packages
    )
    yield from demands.unmet(offers)


def _text(question: Question) -> str:
    return "', '".join(shown(spec) for spec in question.specs)


def _line(reason: str) -> str:
    """Return the words of the solver, which may be a tree of many lines, as part of a sentence."""
    return shown(" ".join(reason.split()).rstrip("."), longest=1000)


def _is_version(text: str) -> bool:
    return VersionKey(text).is_version


def is_prerelease(package: Package) -> bool:
    """Say whether the version of a package is that of a prerelease."""
    return bool(_PRERELEASE.search(package.candidate.version))


def has_features(package: Package) -> bool:
    """Say whether clients take a package only if they must."""
    return package.has_features


def _variant(package: Package) -> tuple[str, str, str]:
    """Return what is the same for builds of which the newest replaces the others."""
    candidate = package.candidate
    build = _HASH_OR_NUMBER.sub("", candidate.build)
    return candidate.subdir, candidate.version, build
