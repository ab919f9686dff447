"""Django with a private PostgreSQL in the process of the tests, for whoever imports this module.

It sets Django up by itself, as pytest-django looks for settings long before it knows which tests
will run, and tests that do not import it see no Django.
"""

import atexit
import os
import re
import sys
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


def _runs_no_test():
    """Tell whether other processes run the tests of this one (xdist).

    They would inherit its settings, and with them its database.
    """
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    processes = re.search(r" (?:-n|--numprocesses)[ =]?(\w+)", " ".join(sys.argv))
    return not is_worker and processes is not None and processes[1] != "0"


STATE = None if _runs_no_test() else _set_up_django()
