"""Real packages of many build tools and years; see the README in their folder."""

import csv
import json
import os
from pathlib import Path

import pytest
from conda_package_streaming.package_streaming import stream_conda_info

# Beside the checkout, if nothing else is said.
CORPUS = Path(
    os.environ.get("PULP_CONDA_CORPUS") or Path(__file__).parents[3] / "shared/data/packages"
)
MANIFEST = CORPUS / "manifest.csv"


def packages(ok):
    """Return a parameter for each file of the manifest, or a skipped one where there is no corpus."""
    if not MANIFEST.exists():
        reason = f"'{MANIFEST}' is missing: set PULP_CONDA_CORPUS to a folder of real packages"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]
    with MANIFEST.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ok"] == str(ok)]
    return [pytest.param(row, id=row["filename"]) for row in rows]


def read_index(path):
    """Read a package's `info/index.json`, without any code of ours."""
    for tar, member in stream_conda_info(str(path)):
        if member.name == "info/index.json":
            return json.load(tar.extractfile(member))
