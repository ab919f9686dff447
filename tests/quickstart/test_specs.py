"""The match specs that the demo takes from the command line."""

import pytest

from pulp_conda.quickstart.__main__ import _specs


@pytest.mark.parametrize(
    "text, specs",
    [
        ("hello", ["hello"]),
        ("hello greeting", ["hello", "greeting"]),
        ("numpy >=1.26,<3, scipy", ["numpy >=1.26,<3", "scipy"]),
        (" python=3.12,numpy, ", ["python=3.12", "numpy"]),
    ],
)
def test_specs_are_parted_at_names(text, specs):
    assert _specs(text) == specs
