"""A database that each test finds as it was, for the tests below this folder."""

import pytest

import tests.support.django_setup  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def _block_database(django_db_blocker):
    """Tests say that they use the database, with ``pytest.mark.django_db``."""
    with django_db_blocker.block():
        yield
