"""The program `pulp`, and a running Pulp for it."""

import pytest

from tests.functional.conftest import *  # noqa: F403  fixtures are found by name
from tests.support.inside import Inside
from tests.support.program import Cli


@pytest.fixture(scope="session")
def cli(stack, tmp_path_factory):
    """The program `pulp` as the administrator of the running Pulp; `pulp` is the same server through its API.

    `cli("conda", "remote", "list")` returns exit code, stdout and stderr; `cli.json(…)` demands success and parses
    what was written. See `Cli` for the rest.
    """
    return Cli(
        tmp_path_factory.mktemp("cli"),
        base_url=stack.api_url,
        username="admin",
        password=stack.password,
    )


@pytest.fixture(scope="session")
def inside(cli):
    """The same without a process for each command, where it is not the process that matters."""
    return Inside(cli)
