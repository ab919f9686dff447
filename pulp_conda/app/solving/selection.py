"""Which packages of one state go into another: those that specs name, and what these need."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from django.db.models import Sum

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.errors import BlockedPackage, NoSuchEnvironment, NotPublished
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import CondaPackage, CondaPublication, CondaSolution
from pulp_conda.app.models.virtual import state_of
from pulp_conda.app.solving.processes import Channel, Job, limits, solve
from pulp_conda.app.solving.solutions import Basis, environments_of, solve_environments
from pulp_conda.app.versions.blocked import blocked_packages
from pulp_conda.app.versions.candidates import candidates_named, names_of, packages_named
from pulp_conda.app.versions.state import State
from pulp_conda.app.vocabulary import SolverVerdict
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError, NotInstallable, SolverGaveUp, shown
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.metadata.repodata import RepodataWriter
from pulp_conda.channel.metadata.v3 import as_v3
from pulp_conda.channel.selection.closure import (
    Answer,
    Bounds,
    Case,
    Closure,
    Question,
    select_closure,
)
from pulp_conda.channel.selection.matching import select
from pulp_conda.channel.selection.pool import Package, Pool
from pulp_conda.channel.selection.survey import Root, expand

# Packages in a report; the new version has all of them.
_SHOWN = 1000

_FACTS = ("path", "name", "version", "build", "sha256")

# The solver needs a URL for the packages.
_URL = "https://source.invalid"

# A child process needs half a second to start, and less for many solves.
_QUESTIONS_PER_PROCESS = 20


@dataclass(frozen=True)
class Chosen(Closure):
    """What to add to the target.

    Attributes:
        blocked: The public reasons why packages that the specs name are left out, by path.
    """

    blocked: dict[str, str] = field(default_factory=dict)


def choose_packages(
    specs: list[str],
    source: State,
    target: State,
    bounds: Bounds | None,
) -> Chosen:
    """Return the packages of the source that specs name, without those that the target has.

    Packages that are blocked are left out.

    Args:
        bounds: Return what can be installed within these bounds, and what it needs and the target
            does not have. None means all packages that the specs match, and nothing else.

    Raises:
        CondaError: `NothingToPromote` or `BadMatchSpec`. `BlockedPackage`, if all packages that the
            specs name are blocked. With bounds also the errors of `select_closure`.
    """
    of_source, of_target = partial(candidates_named, source), partial(candidates_named, target)
    of_all = partial(of_source, with_blocked=True)
    reasons = {package.key: package.reason for package in blocked_packages(source)}
    try:
        named = select(specs, source=of_all, target=of_target, names=partial(names_of, source))
        packages = [package for package in named if package.key not in reasons]
        blocked = {
            package.path: reasons[package.key] for package in named if package.key in reasons
        }
        if blocked and not packages:
            path, reason = next(iter(blocked.items()))
            raise BlockedPackage(path=path, reason=reason.rstrip("."))
        if bounds is None:
            return Chosen(packages, [], blocked=blocked)
        found = _close(specs, source, target, bounds)
    except ChannelError as error:
        raise CondaError(error) from None
    return Chosen(**vars(found), blocked=blocked)


def choose_solved(names: list[str], version: RepositoryVersion, target: State) -> Chosen:
    """Return the packages of the solutions of environments, without those that the target has.

    They are the packages of the lock files of these environments, on all platforms. Environments
    that are not solved are solved now, and the solutions are stored.

    Args:
        names: The names of environments of the version.

    Raises:
        CondaError: `NoSuchEnvironment`, `NotPublished`, `NotInstallable`, `SolverGaveUp` or
            `BlockedPackage`.
    """
    source = state_of(version)
    try:
        files: dict[str, str] = {}
        for solution in _solutions(names, version):
            for package in solution.packages:
                path = layout.package_path(package["subdir"], package["fn"])
                files[path] = package["name"]
        chosen = [
            package
            for package in candidates_named(source, sorted(set(files.values())), with_blocked=True)
            if package.path in files
        ]
        reasons = {package.key: package.reason for package in blocked_packages(source)}
        for package in chosen:
            if reason := reasons.get(package.key):
                raise BlockedPackage(path=package.path, reason=reason.rstrip("."))
    except ChannelError as error:
        raise CondaError(error) from None
    present = {
        package.identity for package in candidates_named(target, sorted(set(files.values())))
    }
    return Chosen([package for package in chosen if package.identity not in present], [])


def _solutions(names: list[str], version: RepositoryVersion) -> Iterator[CondaSolution]:
    """Yield the solutions of environments on what a version serves."""
    facts = {"version": version.number, "repository": version.repository.name}
    registered = {
        environment.name: environment for environment in environments_of(state_of(version))
    }
    for name in names:
        if name not in registered:
            known = ", ".join(f"'{shown(one)}'" for one in sorted(registered)) or "no other"
            raise NoSuchEnvironment(environment=shown(name), names=known, **facts)
    publications = CondaPublication.objects.filter(repository_version=version, complete=True)
    publication = publications.order_by("pulp_created").last()
    if publication is None:
        raise NotPublished(**facts)
    environments = [registered[name] for name in dict.fromkeys(names)]
    solutions = solve_environments(Basis(publication), environments, limits())
    by_key = {environment.pk: environment for environment in environments}
    for (key, platform), solution in sorted(solutions.items(), key=lambda item: item[0]):
        name = by_key[key].name
        reason = " ".join(solution.explanation.split()).rstrip(".")
        if solution.verdict == SolverVerdict.UNSOLVABLE:
            raise NotInstallable(specs=name, reason=f"on {platform}, {reason}")
        if solution.verdict != SolverVerdict.SOLVED:
            raise SolverGaveUp(specs=name, platform=platform, reason=reason)
        yield solution


def describe(found: Chosen) -> dict[str, Any]:
    """Return what a report says of packages that were chosen."""
    keys = [package.key for package in found.packages]
    size = CondaPackage.objects.filter(pk__in=keys).aggregate(size=Sum("size"))["size"]
    return {
        "size": size or 0,
        "packages": [
            {fact: getattr(package, fact) for fact in _FACTS} for package in found.packages[:_SHOWN]
        ],
        "unmet": [f"{each.path}: {each.depends}" for each in found.unmet[:_SHOWN]],
        "not_installable": found.not_installable[:_SHOWN],
        "blocked": [f"{path}: {found.blocked[path]}" for path in list(found.blocked)[:_SHOWN]],
    }


def _close(specs: list[str], source: State, target: State, bounds: Bounds) -> Closure:
    queries = [Query(spec) for spec in dict.fromkeys(specs)]
    pool = Pool(
        partial(packages_named, source),
        partial(packages_named, target),
        wanted=lambda package: any(query.matches(package) for query in queries),
    )
    roots: list[Root] = []
    for root in expand(queries, partial(names_of, source)):
        pool.learn([root.name])
        # All packages of a root may be blocked.
        if any(root.query.matches(package.candidate) for package in pool.all(root.name)):
            roots.append(root)
    return select_closure(roots, pool, bounds, ask)


def ask(case: Case) -> dict[Question, Answer]:
    """Ask the solver, in child processes with limits of time and memory."""
    with TemporaryDirectory(dir=".") as folder:
        channel = Channel(_URL, dict(_write(case, Path(folder).absolute())))
        jobs = [
            Job(question, case.platform, question.specs, dict(case.machine.packages))
            for question in case.questions
        ]
        most = 1 + len(jobs) // _QUESTIONS_PER_PROCESS
        options = {**limits(), "processes": min(limits()["processes"], most)}
        return {
            outcome.key: Answer(
                _paths(outcome.packages) if outcome.verdict == SolverVerdict.SOLVED else None,
                outcome.explanation or "",
                is_final=outcome.verdict != SolverVerdict.UNKNOWN,
            )
            for outcome in solve(jobs, [channel], **options)
        }


def _paths(packages: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(package["url"].removeprefix(f"{_URL}/") for package in packages)


def _write(case: Case, folder: Path) -> Iterable[tuple[str, Path]]:
    """Write the repodata of the packages, and yield the paths by subdir."""
    for subdir in (case.platform, layout.NOARCH):
        path = folder / f"{subdir}.json"
        writer = RepodataWriter(subdir)
        for package in case.packages:
            if package.candidate.subdir == subdir:
                record = _record(package, case.without)
                writer.add(package.candidate.filename, record, package.in_v3)
        path.write_bytes(writer.finish().read())
        yield subdir, path


def _record(package: Package, without: frozenset[str]) -> bytes:
    """Return the record of a package as it is published, without some of its dependencies."""
    if without.isdisjoint(package.depends) and not package.in_v3:
        return package.record
    fields = orjson.loads(package.record)
    fields["depends"] = [text for text in package.depends if text not in without]
    fields = as_v3(fields) if package.in_v3 else fields
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
