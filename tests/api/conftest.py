"""What the API takes and refuses, and from whom: requests and tasks are carried out in the process
of the tests.
"""

from tests.tasks.conftest import _active, pulp, stack  # noqa: F401
