"""Fixtures for tests that have a Pulp in their own process, see `tests/support/in_process.py`."""

from uuid import uuid4

import pytest

import tests.support.django_setup  # noqa: F401
from pulp_conda.app.sync import curated
from tests.support import databases
from tests.support.builders import make_package
from tests.support.glue import in_process_glue
from tests.support.trying import solve_by_trying

SETTINGS = {
    # A program of the solver takes a while to start, and does several platforms one after the
    # other.
    "CONDA_SOLVER_PROCESSES": 1,
}


@pytest.fixture(scope="module", autouse=True)
def _active(in_process, trusted_root, django_db_blocker):
    settings = SETTINGS | {"CONDA_SIGSTORE_TRUSTED_ROOT": trusted_root}
    with (
        django_db_blocker.unblock(),
        in_process.active(**settings),
        in_process_glue(in_process),
    ):
        yield


@pytest.fixture(scope="session")
def stack(in_process):
    return in_process


@pytest.fixture(scope="session")
def pulp(in_process):
    with in_process.api("admin", in_process.password) as pulp:
        yield pulp


@pytest.fixture
def copied():
    """Let the test work with a copy of the database: what it changes there is gone behind it.

    So it can change what the fixtures of its module made for all.
    """
    with databases.copied(databases.current()) as copy, databases.used(copy):
        yield


# What fixtures of whole modules can use as well, and what a module needs to upload only once


@pytest.fixture(scope="session")
def make_repository(pulp):
    def make(**options):
        return pulp.post("repositories/conda/conda/", name=uuid4().hex, **options)["pulp_href"]

    return make


@pytest.fixture(scope="module")
def upload_once(pulp, make_repository):
    """Upload what `make_package` makes of these arguments, unless the module did, and return its
    href.
    """
    # So that no orphan cleanup takes them.
    keeper = make_repository()
    original, uploaded = databases.current(), {}

    def upload(*arguments, **options):
        package = make_package(*arguments, **options)
        path = (package.subdir, package.filename, package.data)
        # What is uploaded into a copy is not in the next one.
        where = original if (original, path) in uploaded else databases.current()
        if (where, path) not in uploaded:
            uploaded[where, path] = pulp.upload(package, repository=keeper)["pulp_href"]
        return uploaded[where, path]

    return upload


@pytest.fixture(scope="module")
def word():
    """A short word that no other module has, fit for package names."""
    return uuid4().hex[:8]


@pytest.fixture(scope="module")
def make_packages(upload_once, word):
    """Give packages of these names, as hrefs. Names end in a word of the module."""

    def make(*names):
        return [upload_once(f"{name}-{word}") for name in names]

    return make


@pytest.fixture
def tiny_solver(monkeypatch):
    """Let syncs of selections solve in this process, since a program needs half a second to start.
    It knows no constraints of a machine.
    """
    monkeypatch.setattr(curated, "ask", solve_by_trying)
