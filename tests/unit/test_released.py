"""The plugin, its commands, its glue and its collection are released together: under one version,
with one license and one changelog.
"""

import re
import subprocess
import sys
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


@pytest.mark.parametrize("folder", ["cli", "cli/pulp-glue-conda", "ansible"])
def test_each_folder_that_is_released_has_the_license(folder):
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("folder", [".", "cli", "cli/pulp-glue-conda"])
def test_a_distribution_says_where_it_is_from_and_for_whom(folder):
    project = _project(ROOT / folder)
    assert project["urls"] == _project(ROOT)["urls"]
    assert (project["license"], project["license-files"]) == ("GPL-2.0-or-later", ["LICENSE"])
    assert (ROOT / folder / project["readme"]).is_file()
    topics = {classifier.partition(" :: ")[0] for classifier in project["classifiers"]}
    assert topics >= {"Development Status", "Intended Audience", "Operating System", "Topic"}


FRAGMENTS = sorted(path for path in (ROOT / "CHANGES").iterdir() if path.name[0] != ".")
TOWNCRIER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]


def test_each_note_is_one_paragraph_of_a_known_kind():
    kinds = {kind["directory"] for kind in TOWNCRIER["type"]}
    for path in FRAGMENTS:
        assert path.suffix[1:] in kinds, path
        text = path.read_text().strip()
        assert text.endswith((".", "``")) and "\n\n" not in text, path


def test_the_changelog_gets_each_note():
    towncrier = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "1.2.3"]
    done = subprocess.run(towncrier, cwd=ROOT, capture_output=True, text=True, check=True)
    draft = " ".join(done.stdout.split())
    hidden = {kind["directory"] for kind in TOWNCRIER["type"] if not kind["showcontent"]}
    for path in FRAGMENTS:
        if path.suffix[1:] not in hidden:
            assert " ".join(path.read_text().split()) in draft, path
    assert TOWNCRIER["start_string"] in (ROOT / TOWNCRIER["filename"]).read_text()
