"""A database that each test finds as it was, for the tests below this folder."""

import pytest

import tests.support.django_setup  # noqa: F401
from tests.support import databases


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    """A copy of the migrated database. What pytest-django makes would be migrated once more."""
    from pulpcore.plugin.util import get_default_domain  # needs Django

    with databases.copied(databases.MIGRATED) as copy, databases.used(copy):
        with django_db_blocker.unblock():
            # pulpcore keeps it from then on: no test counts that query, whichever runs first. In a
            # process that made requests before, the domain of a request says nothing about this.
            get_default_domain()
        yield


@pytest.fixture(scope="session", autouse=True)
def _block_database(django_db_blocker):
    """Tests say that they use the database, with ``pytest.mark.django_db``."""
    with django_db_blocker.block():
        yield
