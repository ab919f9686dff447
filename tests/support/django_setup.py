"""Django with a private PostgreSQL in the process of the tests, for whoever imports this module.

It sets Django up by itself, as pytest-django looks for settings long before it knows which tests
will run, and tests that do not import it see no Django.
"""

import atexit
import os
from contextlib import ExitStack

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
    return state


STATE = _set_up_django()
