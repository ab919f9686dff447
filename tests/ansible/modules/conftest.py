"""Modules and the Pulp that they talk to, both in the process of the tests.

What `ansible-playbook` makes of them is shown by `tests/slow/test_playbooks.py` and
`tests/slow/test_role.py`.
"""

import pytest

from tests.support.ansible import ModulesInside
from tests.support.in_process_fixtures import _active, copied, pulp, stack  # noqa: F401


@pytest.fixture(scope="session")
def ansible(in_process, glue_cache, tmp_path_factory):
    """The modules of this checkout, without the programs of Ansible."""
    return ModulesInside(
        tmp_path_factory.mktemp("ansible"),
        XDG_CACHE_HOME=str(glue_cache),
        PULP_URL=in_process.api_url,
        PULP_USERNAME="admin",
        PULP_PASSWORD=in_process.password,
    )
