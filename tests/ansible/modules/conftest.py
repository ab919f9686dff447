"""Modules and the Pulp that they talk to, both in the process of the tests.

What `ansible-playbook` makes of them is shown by `tests/slow/test_playbooks.py` and
`tests/slow/test_role.py`.
"""

import pytest

import tests.support.django_setup  # noqa: F401
from tests.support.ansible import ModulesInside
from tests.support.glue import in_process_glue


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
def ansible(in_process, tmp_path_factory):
    """The modules of this checkout, without the programs of Ansible."""
    return ModulesInside(
        tmp_path_factory.mktemp("ansible"),
        PULP_URL=in_process.api_url,
        PULP_USERNAME="admin",
        PULP_PASSWORD=in_process.password,
    )
