"""What tasks do with thousands of packages, in the process of the tests."""

from tests.support.in_process_fixtures import (  # noqa: F401
    _active,
    copied,
    make_packages,
    make_repository,
    pulp,
    stack,
    upload_once,
    word,
)
