"""The environment variables that the tests read.

They are read when tests/conftest.py is imported: tests/support/django_setup.py clears the
environment, because Pulp takes variables for settings.
"""

import os
import shutil
from pathlib import Path

# Real packages. The default is beside the checkout.
CORPUS = Path(
    os.environ.get("PULP_CONDA_CORPUS") or Path(__file__).parents[3] / "shared/data/packages"
)

# The program `conda`, or None.
CONDA = os.environ.get("PULP_CONDA_CONDA") or shutil.which("conda")
