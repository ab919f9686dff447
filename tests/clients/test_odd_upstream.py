"""An upstream with all oddities at once, beside a thousand good packages, and clients of its
mirror.
"""

import json
import subprocess
import sys

import pytest
import zstandard

from tests.support.builders import make_channel, make_package
from tests.support.conda_program import NO_CONDA, Conda, find_solvers
from tests.support.upstream import Upstream

GOOD = 1000
SOLVERS = find_solvers() or [pytest.param(None, marks=pytest.mark.skip(NO_CONDA))]
RATTLER = [sys.executable, "-m", "pulp_conda.quickstart.client"]
CUT = b'{"packages": {'

# By the file name of a record: its fields that are odd. Those that have one meaning are served.
SERVED = {
    "no-depends-1.0-0.conda": {"depends": None},
    "no-constrains-1.0-0.conda": {"constrains": None, "track_features": None},
    "one-license-1.0-0.conda": {"license": ["MIT"]},
    "float-time-1.0-0.conda": {"timestamp": 1.7e12},
    "other-subdir-1.0-0.conda": {"subdir": "linux-64"},
    "no-subdir-1.0-0.conda": {"subdir": None},
    "only-md5-1.0-0.conda": {"sha256": None},
}
LEFT_OUT = {
    "two-licenses-1.0-0.conda": {"license": ["MIT", "BSD"]},
    "odd-noarch-1.0-0.conda": {"noarch": "perl"},
    "text-time-1.0-0.conda": {"timestamp": "soon"},
    "libodd-0.6+218_omp_0.tar.bz2": {"name": "libodd", "version": "0.6+218_omp", "build": "0"},
    "LibOdd-0.6-0.tar.bz2": {"name": "LibOdd", "version": "0.6", "build": "0"},
    "lib odd-0.6-0.tar.bz2": {"name": "lib odd", "version": "0.6", "build": "0"},
}
LOST = "lost-1.0-0.conda"
OTHER_BYTES = "other-bytes-1.0-0.conda"


def _write(upstream):
    """Write the channel, and return its good packages."""
    good = [make_package(f"good{number}") for number in range(GOOD - 1)]
    # What clients install.
    good.append(make_package("app", depends=["good7", "no-depends", "only-md5"]))
    names = [name.removesuffix("-1.0-0.conda") for name in (*SERVED, LOST, OTHER_BYTES)]
    odd = [make_package(name) for name in names]
    make_channel(upstream.folder, [*good, *odd])
    path = upstream.folder / "noarch/repodata.json"
    repodata = json.loads(path.read_text())
    records = repodata["packages.conda"]
    for filename, fields in {**SERVED, **LEFT_OUT}.items():
        changed = {**records.get(filename, odd[0].record.fields), **fields}
        if fields.get("sha256", ...) is None:
            del changed["sha256"]
        key = "packages" if filename.endswith(".tar.bz2") else "packages.conda"
        repodata[key][filename] = changed
    repodata |= {"info": None, "removed": None}
    path.write_text(json.dumps(repodata))
    # The forms that are tried before this one cannot be used.
    upstream.answers["noarch/repodata_shards.msgpack.zst"] = (403, b"")
    upstream.answers["noarch/repodata.json.zst"] = (200, zstandard.compress(CUT))
    upstream.answers["noarch/run_exports.json"] = (200, CUT)
    upstream.answers[f"noarch/{LOST}"] = (404, b"")
    upstream.answers[f"noarch/{OTHER_BYTES}"] = (200, b"other bytes")
    return good


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def mirrored(pulp, upstream):
    """Sync the channel once. Returns the task, the URL of the mirror, and the good packages."""
    good = _write(upstream)
    remote = pulp.post(
        "remotes/conda/conda/",
        name="odd-upstream",
        url=upstream.url,
        policy="immediate",
        on_error="skip",
        max_retries=1,
        subdirs=["noarch"],
        excludes=["god7 >=1", "good7 <1"],
    )
    repository = pulp.post(
        "repositories/conda/conda/",
        name="odd-upstream",
        autopublish=True,
        remote=remote["pulp_href"],
    )
    task = pulp.sync_task(repository["pulp_href"], mirror=True)
    return task, pulp.distribute(repository=repository["pulp_href"]), good


def test_one_sync_makes_a_version_of_all_that_can_be_served(pulp, mirrored):
    _, url, good = mirrored
    repodata = pulp.fetch(url, "noarch/repodata.json").json()
    served = repodata["packages"] | repodata["packages.conda"]
    assert served.keys() == {package.filename for package in good} | SERVED.keys()
    assert served["no-depends-1.0-0.conda"]["depends"] == []
    assert {record["subdir"] for record in served.values()} == {"noarch"}
    assert all(record["sha256"] for record in served.values())


@pytest.mark.parametrize(
    "oddity",
    [
        *LEFT_OUT,
        *sorted(SERVED.keys() - {"only-md5-1.0-0.conda"}),
        LOST,
        OTHER_BYTES,
        "repodata_shards.msgpack.zst",
        "repodata.json.zst",
        "run_exports.json",
        "'god7 >=1' matched none of",
        "'good7 <1' matched none of",
    ],
)
def test_the_report_of_the_sync_names_each_oddity(mirrored, oddity):
    task, *_ = mirrored
    told = [
        report["message"]
        for report in task["progress_reports"]
        if report["code"] in ("sync.left_out", "sync.corrected", "sync.warning")
    ]
    assert [message for message in told if oddity in message], "\n".join(told)


def test_py_rattler_installs_from_the_mirror(mirrored, tmp_path):
    _, url, _ = mirrored
    command = [*RATTLER, "install", "--cache", tmp_path / "cache", url, tmp_path / "prefix", "app"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    installed = {package["name"] for package in json.loads(done.stdout)}
    assert installed == {"app", "good7", "no-depends", "only-md5"}


@pytest.mark.parametrize("solver", SOLVERS)
def test_conda_installs_from_the_mirror(mirrored, tmp_path, solver):
    _, url, _ = mirrored
    installed = Conda(tmp_path, solver, url).change("create", tmp_path / "prefix", "app")
    assert installed.keys() == {"app", "good7", "no-depends", "only-md5"}
