"""Solve environments on the records of a publication, and store the solutions."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import UUID

from pulpcore.plugin.models import ProgressReport, Publication, PublishedMetadata

from pulp_conda.app.models import CondaEnvironment, CondaPublication, CondaSolution
from pulp_conda.app.solving.processes import Channel, Job, Outcome, solve
from pulp_conda.app.versions.state import State
from pulp_conda.app.vocabulary import SolverVerdict
from pulp_conda.channel import layout
from pulp_conda.channel.environments.virtual_packages import merge_virtual_packages

# Several URLs may serve a publication. So its own packages are stored without a URL, and the solver
# gets this one.
_OWN_URL = "https://publication.invalid"

# The key of an environment, and a platform.
JobKey = tuple[UUID, str]

# Solutions by the key of the environment and the platform.
Solutions = dict[JobKey, CondaSolution]


class PublishedChannel(NamedTuple):
    """A channel of this server, and what it serves.

    Fields:
        url: The URL of the channel.
        publication: The publication that it serves.
    """

    url: str
    publication: Publication


class Basis:
    """The records on which environments are solved: of a publication, and of other channels.

    Attributes:
        publication: The publication of the channel itself.
        channels: This publication and the other channels, the one with the highest priority first.
    """

    def __init__(
        self, publication: CondaPublication, others: Sequence[PublishedChannel] = (), place: int = 0
    ) -> None:
        """Take a publication, and put it between other channels.

        Args:
            others: Other channels of this server, the one with the highest priority first.
            place: How many of them have a higher priority than the publication.
        """
        self.publication = publication
        own = PublishedChannel(_OWN_URL, publication)
        self.channels = [*others[:place], own, *others[place:]]

    @property
    def digest(self) -> str:
        """A digest of the order and the publications of all channels. Empty without others."""
        if len(self.channels) == 1:
            return ""
        keys = ",".join(f"{url} {publication.pk}" for url, publication in self.channels)
        return sha256(keys.encode()).hexdigest()

    def solutions(self, environments: Iterable[CondaEnvironment]) -> Solutions:
        """Return the stored solutions of environments."""
        solutions = CondaSolution.objects.filter(
            publication=self.publication, base=self.digest, environment__in=environments
        )
        return {(solution.environment_id, solution.platform): solution for solution in solutions}


def environments_of(state: State, names: Sequence[str] = ("*",)) -> list[CondaEnvironment]:
    """Return the environments of a state that match names or patterns, by name."""
    environments = state.having(CondaEnvironment.objects.all()).order_by("name")
    return [
        environment
        for environment in environments
        if any(fnmatchcase(environment.name, name) for name in names)
    ]


def solve_environments(
    basis: Basis,
    environments: Iterable[CondaEnvironment],
    limits: dict[str, int],
    platforms: Sequence[str] | None = None,
) -> Solutions:
    """Solve environments on all their platforms, store the solutions, and return them.

    Stored solutions are not solved again, except those that the solver could not finish.

    Args:
        limits: The keyword arguments of `pulp_conda.app.solving.processes.solve`.
        platforms: Solve only for these. None means all that the environments name.
    """
    wanted = {
        (environment.pk, platform): _job(environment, platform)
        for environment in environments
        for platform in environment.platforms
        if platforms is None or platform in platforms
    }
    solutions = {
        key: solution
        for key, solution in basis.solutions(environments).items()
        if key in wanted and solution.verdict != SolverVerdict.UNKNOWN
    }
    jobs = [job for key, job in wanted.items() if key not in solutions]
    with ProgressReport(
        message="Solving environments", code="solve.environments", total=len(wanted)
    ) as progress:
        progress.increase_by(len(solutions))
        with _local_channels(basis, {job.platform for job in jobs}) as channels:
            for outcome in solve(jobs, channels, **limits):
                solutions[outcome.key] = _keep(basis, outcome)
                progress.increment()
    return solutions


def _job(environment: CondaEnvironment, platform: str) -> Job[JobKey]:
    return Job(
        key=(environment.pk, platform),
        platform=platform,
        specs=environment.specs_for(platform),
        virtual_packages=merge_virtual_packages(
            platform, environment.virtual_packages.get(platform, {})
        ),
    )


def _keep(basis: Basis, outcome: Outcome[JobKey]) -> CondaSolution:
    environment, platform = outcome.key
    for package in outcome.packages:
        # Every stage has its own URL for the packages of the publication itself.
        if package["channel"].rstrip("/") == _OWN_URL:
            del package["channel"], package["url"]
    return CondaSolution.objects.update_or_create(
        publication=basis.publication,
        base=basis.digest,
        environment_id=environment,
        platform=platform,
        defaults={
            "verdict": outcome.verdict,
            "explanation": outcome.explanation or "",
            "packages": outcome.packages,
            "seconds": outcome.seconds,
            "peak_mb": outcome.peak_mb,
        },
    )[0]


@contextmanager
def _local_channels(basis: Basis, platforms: set[str]) -> Iterator[list[Channel]]:
    """Give the channels with local files of repodata, for the time of a `with` block.

    Files of a remote storage are downloaded into a temporary folder.
    """
    with TemporaryDirectory(dir=".") as folder:
        yield [
            Channel(url, dict(_local_repodata(publication, platforms, Path(folder, str(number)))))
            for number, (url, publication) in enumerate(basis.channels)
        ]


def _local_repodata(
    publication: CondaPublication, platforms: set[str], folder: Path
) -> Iterator[tuple[str, Path]]:
    folder.mkdir()
    subdirs = {*platforms, layout.NOARCH} if platforms else ()
    for subdir in subdirs:
        metadata = PublishedMetadata.objects.filter(
            publication=publication, relative_path=layout.metadata_path(subdir, layout.REPODATA)
        ).first()
        if metadata is None:
            continue
        stored = metadata._artifacts.get().file
        try:
            yield subdir, Path(stored.path)
        except NotImplementedError:
            path = folder / f"{subdir}.json"
            with stored.open("rb") as source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
            yield subdir, path.absolute()
