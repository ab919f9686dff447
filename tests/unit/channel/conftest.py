from pathlib import Path

import pytest


@pytest.fixture
def golden():
    """Read a file of expected bytes."""
    return lambda name: (Path(__file__).parent / "golden" / name).read_bytes()
