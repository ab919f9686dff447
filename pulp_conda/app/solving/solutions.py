"""Solve environments on the records of a publication, and keep what came out."""

import shutil
from contextlib import contextmanager
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from pulpcore.plugin.models import ProgressReport, PublishedMetadata

from pulp_conda.app.models import CondaEnvironment, CondaSolution
from pulp_conda.app.solving.processes import UNKNOWN, Channel, Job, solve
from pulp_conda.channel import layout
from pulp_conda.channel.environments.virtual_packages import merge_virtual_packages

# A publication is served at several URLs, so its own packages are kept without one.
_OWN_URL = "https://publication.invalid"


class Basis:
    """The records on which environments are solved: those of a publication, and of other channels of this server.

    Attributes:
        publication (CondaPublication): The channel's own.
        channels (list): URLs and publications, the one with the highest priority first.
    """

    def __init__(self, publication, others=(), place=0):
        """Put the channel among others.

        Args:
            others: (URL, `CondaPublication`) of other channels, in their order.
            place: Before which of them it comes.
        """
        self.publication = publication
        self.channels = [*others[:place], (_OWN_URL, publication), *others[place:]]

    @property
    def digest(self):
        """What tells this from other orders of other channels; empty if there is none."""
        if len(self.channels) == 1:
            return ""
        keys = ",".join(f"{url} {publication.pk}" for url, publication in self.channels)
        return sha256(keys.encode()).hexdigest()

    def solutions(self, environments):
        """Return what is known of environments, as {(key of the environment, platform): `CondaSolution`}."""
        solutions = CondaSolution.objects.filter(
            publication=self.publication, base=self.digest, environment__in=environments
        )
        return {(solution.environment_id, solution.platform): solution for solution in solutions}


def environments_of(version, names=("*",)):
    """Return the environments of a repository version that names or patterns mean, sorted by name."""
    environments = version.get_content(CondaEnvironment.objects).order_by("name")
    return [
        environment
        for environment in environments
        if any(fnmatchcase(environment.name, name) for name in names)
    ]


def solve_environments(basis, environments, limits, platforms=None):
    """Solve what is not solved yet, and return all as {(key of the environment, platform): `CondaSolution`}.

    What the solver could not finish before is tried again.

    Args:
        limits: The keywords of `pulp_conda.app.solving.processes.solve`.
        platforms: Only these, or None for all that the environments name.
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
        if key in wanted and solution.verdict != UNKNOWN
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


def _job(environment, platform):
    return Job(
        key=(environment.pk, platform),
        platform=platform,
        specs=environment.specs_for(platform),
        virtual_packages=merge_virtual_packages(
            platform, environment.virtual_packages.get(platform, {})
        ),
    )


def _keep(basis, outcome):
    environment, platform = outcome.key
    for package in outcome.packages:
        # Where it is of the channel's own, every stage has its own URL for it.
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
def _local_channels(basis, platforms):
    """Give the channels with the paths of their repodata, which are fetched if the storage is far away."""
    with TemporaryDirectory(dir=".") as folder:
        yield [
            Channel(url, dict(_local_repodata(publication, platforms, Path(folder, str(number)))))
            for number, (url, publication) in enumerate(basis.channels)
        ]


def _local_repodata(publication, platforms, folder):
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
