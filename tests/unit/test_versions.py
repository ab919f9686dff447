"""The plugin, its commands, its glue and its collection are released under one version."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def _project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


VERSION = _project(ROOT)["version"]


@pytest.mark.parametrize("folder", ["cli", "cli/pulp-glue-conda"])
def test_the_distributions_have_the_version_of_the_plugin(folder):
    assert _project(ROOT / folder)["version"] == VERSION


@pytest.mark.parametrize(
    "path",
    [
        "pulp_conda/app/__init__.py",
        "cli/src/pulpcore/cli/conda/__init__.py",
        "cli/pulp-glue-conda/src/pulp_glue/conda/__init__.py",
    ],
)
def test_the_code_says_the_version_of_the_plugin(path):
    text = (ROOT / path).read_text()
    assert re.findall(r'^ *(?:__version__|version) = "(.*)"$', text, re.MULTILINE) == [VERSION]


def test_the_collection_has_the_version_of_the_plugin():
    version = yaml.safe_load((ROOT / "ansible" / "galaxy.yml").read_text())["version"]
    # Collections have semantic versions.
    assert version == re.sub(r"\.(dev\d+)$", r"-\1", VERSION)


def test_the_commands_and_replication_bring_the_glue_of_their_own_version():
    glue = f"pulp-glue-conda=={VERSION}"
    assert glue in _project(ROOT / "cli")["dependencies"]
    assert _project(ROOT)["optional-dependencies"]["replica"] == [glue]
