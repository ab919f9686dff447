"""One running Pulp for all processes that share the work of a test run."""

import fcntl
import json
from contextlib import ExitStack, contextmanager

from xdist.scheduler import LoadScopeScheduling

from pulp_conda.quickstart.services import Stack
from pulp_conda.quickstart.state import State
from tests.support.stack import running_stack


@contextmanager
def shared_stack(folder, name, **options):
    """Yield a healthy ``Stack`` of this name: started by the first who asks, stopped when the last
    is done with it.

    Args:
        folder: Where all processes of this run find each other.
        options: As ``running_stack`` takes them.
    """
    facts = folder / f"{name}.json"
    with open(folder / f"{name}.users", "w") as users, ExitStack() as until_all_are_done:
        with open(folder / f"{name}.start", "w") as start:
            # Who has this lock looks for the stack, and starts it if there is none.
            fcntl.flock(start, fcntl.LOCK_EX)
            is_owner = not facts.exists()
            if is_owner:
                stack = until_all_are_done.enter_context(running_stack(**options))
                facts.write_text(json.dumps(str(stack.state.folder)))
            else:
                state = State(json.loads(facts.read_text()))
                state.load()
                stack = Stack(state)
            # The kernel gives up the locks of a process that ends, however it ends.
            fcntl.flock(users, fcntl.LOCK_SH)
        yield stack
        if is_owner:
            fcntl.flock(users, fcntl.LOCK_EX)


# Folders and files whose tests take long come first, so that no process is left alone with them.
_FIRST = (
    "tests/functional/domains/",
    "tests/slow/domains/",
    "tests/slow/test_guides.py",
    "tests/slow/test_command_line.py",
    "tests/ansible/",
    "tests/clients/",
    "tests/cli/",
    "tests/functional/",
    "tests/api/",
    "tests/tasks/",
    "tests/slow/",
)


# Tests that share a Pulp which no other process uses.
_TOGETHER = {
    "tests/functional/domains/": "domains",
    "tests/slow/domains/": "domains",
    "tests/slow/test_guides.py": "docs",
    "tests/slow/test_command_line.py": "docs",
}


def place(path: str) -> int:
    """Return when the tests of a file have their turn."""
    return next((place for place, first in enumerate(_FIRST) if path.startswith(first)), 99)


class ByFile(LoadScopeScheduling):
    """Gives the tests of a file to one process, and those of a folder whose tests share a Pulp."""

    def _split_scope(self, nodeid):
        path = nodeid.partition("::")[0]
        return next((name for start, name in _TOGETHER.items() if path.startswith(start)), path)
