"""Commands and the Pulp that they talk to, both in the process of the tests: nothing has to be
started or waited for.

What it takes a process to show stands in `tests/cli/test_program.py`.
"""

import pytest

from tests.support.in_process_fixtures import _active, copied, pulp, stack, tiny_solver  # noqa: F401
from tests.support.inside import Inside
from tests.support.program import Cli


@pytest.fixture(scope="session")
def cli(in_process, glue_cache, tmp_path_factory):
    """The commands of `pulp`, as the administrator of the Pulp in this process."""
    return Inside(
        Cli(
            tmp_path_factory.mktemp("cli"),
            glue_cache,
            base_url=in_process.api_url,
            username="admin",
            password=in_process.password,
        )
    )


@pytest.fixture(scope="session")
def inside(cli):
    """The same: all commands run in this process here.

    The fixture of this name for other folders is made once. It must not be made of this `cli`.
    """
    return cli
