"""Client tests talk to a Pulp of their own."""

from tests.functional.conftest import *  # noqa: F403  fixtures are found by name
