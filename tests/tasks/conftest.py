"""What tasks do: requests and tasks are carried out in the process of the tests, see `tests/support/in_process.py`."""

import pytest

import tests.support.django_setup  # noqa: F401


@pytest.fixture(scope="module", autouse=True)
def _active(in_process, trusted_root, django_db_blocker):
    with django_db_blocker.unblock(), in_process.active(CONDA_SIGSTORE_TRUSTED_ROOT=trusted_root):
        yield


@pytest.fixture(scope="session")
def stack(in_process):
    return in_process


@pytest.fixture(scope="session")
def pulp(in_process):
    with in_process.api("admin", in_process.password) as pulp:
        yield pulp
