"""Django with a private PostgreSQL, for the tests below this folder only.

Imported before the test modules of this folder, and only if there are some to run: other tests see no Django. It
sets Django up by itself, as pytest-django looks for settings long before it knows which tests will run.
"""

import atexit
import os
from contextlib import ExitStack

import pytest

from pulp_conda.quickstart.settings import environment
from tests.support.stack import running_database


def _set_up_django():
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    state = until_exit.enter_context(running_database())
    wanted = environment(state)
    os.environ.clear()
    os.environ.update(wanted)

    import django

    django.setup()


_set_up_django()


@pytest.fixture(scope="session", autouse=True)
def _block_database(django_db_blocker):
    """Tests say that they use the database, with ``pytest.mark.django_db``."""
    with django_db_blocker.block():
        yield
