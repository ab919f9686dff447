"""The comparisons of tests/clients/test_protocol.py, with a channel of real packages."""

import shutil

import pytest

from tests.clients.test_protocol import (
    test_an_upload_of_the_same_files_is_what_rattler_makes_of_the_folder,  # noqa: F401
    test_every_form_gives_the_same_solutions_and_the_upstream_too,  # noqa: F401
)
from tests.support import gateway
from tests.support.corpus import CORPUS, MANIFEST


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A channel of the packages of the corpus in a folder, with the index that rattler writes."""
    if not MANIFEST.exists():
        pytest.skip(f"'{MANIFEST}' is missing: set PULP_CONDA_CORPUS to a folder of real packages")
    folder = tmp_path_factory.mktemp("channel")
    shutil.copytree(CORPUS / "valid", folder, dirs_exist_ok=True)
    gateway.call("index", folder=folder)
    return folder
