"""Commands and the Pulp that they talk to, both in the process of the tests: nothing has to be
started or waited for.

What it takes a process to show stands in `tests/cli/test_program.py`.
"""

import pytest

import tests.support.django_setup  # noqa: F401
from tests.support.glue import in_process_glue
from tests.support.inside import Inside
from tests.support.program import Cli


@pytest.fixture(scope="module", autouse=True)
def _active(in_process, django_db_blocker):
    with django_db_blocker.unblock(), in_process.active(), in_process_glue(in_process):
        yield


@pytest.fixture(scope="session")
def stack(in_process):
    return in_process


@pytest.fixture(scope="session")
def pulp(in_process):
    with in_process.api("admin", in_process.password) as pulp:
        yield pulp


@pytest.fixture(scope="session")
def cli(in_process, tmp_path_factory):
    """The commands of `pulp`, as the administrator of the Pulp in this process."""
    return Inside(
        Cli(
            tmp_path_factory.mktemp("cli"),
            base_url=in_process.api_url,
            username="admin",
            password=in_process.password,
        )
    )
