"""What tasks do: requests and tasks are carried out in the process of the tests."""

from tests.support.in_process_fixtures import (  # noqa: F401
    _active,
    copied,
    make_packages,
    make_repository,
    pulp,
    stack,
    tiny_solver,
    upload_once,
    word,
)
