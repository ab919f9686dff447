"""What the API takes and refuses, and from whom: requests and tasks are carried out in the process
of the tests.
"""

from tests.support.in_process_fixtures import _active, copied, pulp, stack  # noqa: F401
