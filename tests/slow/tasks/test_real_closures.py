"""Closures of real records: what the whole channel can install, the selection can install, too.

The records were collected from lock files, so they are a small part of conda-forge.
"""

import json
import random
import resource
import time
from functools import cache

import orjson
import pytest
import zstandard

from pulp_conda.app.solving.selection import ask
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.policies.satisfaction import Candidate
from pulp_conda.channel.selection.closure import Bounds, Case, Question, select_closure
from pulp_conda.channel.selection.pool import Package, Pool
from pulp_conda.channel.selection.survey import expand
from tests.support.variables import CORPUS

REPODATA = CORPUS.parent / "repodata"
PLATFORM = "linux-64"

needs_records = pytest.mark.skipif(
    not REPODATA.exists(),
    reason=f"'{REPODATA}' is missing: set PULP_CONDA_CORPUS to a folder of real packages beside it",
)

# What people want, and the most files that may come for it.
SETS = {
    "tables": (["python 3.12.*", "numpy", "pandas"], 90),
    "notebooks": (["python 3.12.*", "scikit-learn", "jupyterlab"], 320),
    "torch on a CPU": (["python 3.12.*", "pytorch * cpu*"], 165),
    "torch on a GPU": (["python 3.12.*", "pytorch * cuda*"], 225),
    "R": (["r-base", "r-ggplot2"], 330),
    "maps": (["python 3.12.*", "gdal", "rasterio", "geopandas"], 325),
    "compilers": (["compilers", "cmake", "ninja"], 135),
    "tools": (["python 3.13.*", "rust", "nodejs", "pre-commit", "pytest", "ruff"], 145),
    "no Python named": (["numpy", "pandas"], 115),
}


@cache
def channel():
    """Return all packages by name."""
    by_name = {}
    for subdir in (PLATFORM, "noarch"):
        path = REPODATA / f"mined_conda-forge_{subdir}.json.zst"
        with path.open("rb") as file:
            repodata = json.load(zstandard.ZstdDecompressor().stream_reader(file))
        for section in ("packages", "packages.conda"):
            for filename, record in repodata.get(section, {}).items():
                keys = ("name", "version", "build", "build_number")
                candidate = Candidate(subdir, filename, *(record[key] for key in keys))
                package = Package.read(candidate, orjson.dumps(record))
                by_name.setdefault(candidate.name, []).append(package)
    return by_name


def close(specs, bounds):
    queries = [Query(spec) for spec in specs]
    pool = Pool(
        lambda names: [package for name in names for package in channel().get(name, ())],
        lambda names: (),
        lambda package: any(query.matches(package) for query in queries),
    )
    return select_closure(list(expand(queries, channel)), pool, bounds, ask)


def answers(packages, bounds, questions):
    case = Case(PLATFORM, bounds.machine(PLATFORM), packages, frozenset(), questions)
    return ask(case)


@needs_records
@pytest.mark.parametrize("name", SETS)
def test_what_people_want_is_installed_from_the_selection_as_from_the_whole(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    specs, most = SETS[name]
    bounds = Bounds(virtual_packages={"__cuda": "12.9"} if "GPU" in name else {})
    everything = [package for packages in channel().values() for package in packages]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    closed = close(specs, bounds)
    seconds = time.monotonic() - started
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    paths = {package.path for package in closed.packages}
    selected = [package for package in everything if package.candidate.path in paths]
    print(
        f"{name}: {len(paths)} files, {closed.size / 1e9:.2f} GB, {seconds:.1f} s, "
        f"{grown_mb:.0f} MB more"
    )
    assert len(paths) <= most
    assert closed.unmet == closed.not_installable == []
    assert grown_mb < 200

    # All of them, and more than what the selection was made from: members of it at random.
    chance = random.Random(name)
    pins = [spec for spec in specs if spec.startswith("python ")]
    members = sorted({package.name for package in closed.packages} - {"python"})
    groups = [specs, [*specs, "pip"] if pins else specs]
    groups += [[*pins, *chance.sample(members, size)] for size in (1, 2, 3) for _ in range(2)]
    questions = [Question(tuple(group)) for group in groups]
    whole = answers(everything, bounds, questions)
    part = answers(selected, bounds, questions)
    for question in questions:
        assert whole[question].is_final and part[question].is_final
        if whole[question].paths is not None:
            assert part[question].paths is not None, part[question].explanation
    # The same versions, and not only some. A package may come in another build with the same
    # number, which needs other small packages.
    expected, found = _versions(whole[questions[0]]), _versions(part[questions[0]])
    assert {name: found.get(name, version) for name, version in expected.items()} == expected
    assert len(expected.keys() ^ found.keys()) <= 2


def _versions(answer):
    filenames = [path.rpartition("/")[2] for path in answer.paths]
    return dict(filename.rsplit("-", 2)[:2] for filename in filenames)
