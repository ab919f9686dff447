"""The collection can be built, and its documentation says what its modules take. Without a
server.
"""

import ast
import json
import tarfile

import pytest
import yaml
from packaging.version import Version

from tests.support.ansible import CHECKOUT, Ansible

COLLECTION = CHECKOUT / "ansible"
MODULES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("*.py"))


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    return Ansible(tmp_path_factory.mktemp("offline"))


@pytest.fixture(scope="module")
def documented(offline):
    """What ansible-doc knows of the modules, by name."""
    done = offline.run("ansible-doc", "--json", *(f"pulp.conda.{name}" for name in MODULES))
    found = json.loads(done.stdout)
    return {name.rpartition(".")[2]: described for name, described in found.items()}


def test_there_are_the_modules_that_the_readme_lists():
    readme = (COLLECTION / "README.md").read_text()
    assert MODULES == sorted(
        line.split("`")[1] for line in readme.splitlines() if line.startswith("| `")
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_module_begins_as_ansible_asks(name):
    # `make lint-collection` checks much more, with programs from the network.
    text = (COLLECTION / f"plugins/modules/{name}.py").read_text()
    lines = text.splitlines()
    assert lines[:2] == ["#!/usr/bin/python", "# Copyright: the pulp_conda developers"]
    assert lines[2].startswith("# GNU General Public License v3.0+")
    assert "\n  - The pulp_conda developers (!UNKNOWN)\n" in text


def test_the_connection_can_be_given_once_for_all_modules():
    runtime = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())
    assert sorted(runtime["action_groups"]["conda"]) == MODULES


def test_versions_move_in_lockstep():
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
    project = (CHECKOUT / "pyproject.toml").read_text()
    version = project.partition('\nversion = "')[2].partition('"')[0]
    assert Version(galaxy["version"]) == Version(version)


def test_the_changelog_has_this_version_and_everything_that_ever_came(documented):
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
    releases = yaml.safe_load((COLLECTION / "changelogs/changelog.yaml").read_text())["releases"]
    assert Version(galaxy["version"]).base_version in releases
    assert all(release["changes"] for release in releases.values())

    def listed(*keys):
        for release in releases.values():
            for key in keys:
                release = release.get(key) or {}
            yield from release

    said = {module["name"]: module["description"] for module in listed("modules")}
    assert said == {name: documented[name]["doc"]["short_description"] for name in MODULES}
    for kind, pattern in (("role", "roles/*"), ("playbook", "playbooks/*.yml")):
        names = sorted(each["name"] for each in listed("objects", kind))
        assert names == sorted(path.stem for path in COLLECTION.glob(pattern))


def test_the_collection_is_built_whole(offline, tmp_path):
    done = offline.run(
        "ansible-galaxy", "collection", "build", COLLECTION, "--output-path", tmp_path
    )
    assert done.returncode == 0, done.stdout
    (built,) = tmp_path.glob("pulp-conda-*.tar.gz")
    with tarfile.open(built) as archive:
        names = set(archive.getnames())
    assert {f"plugins/modules/{name}.py" for name in MODULES} <= names
    assert "roles/conda_channel/meta/argument_specs.yml" in names
    assert {"playbooks/mirror_and_curate.yml", "changelogs/changelog.yaml"} <= names
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_documents_what_it_takes(documented, name):
    doc = documented[name]["doc"]
    taken = _taken(COLLECTION / f"plugins/modules/{name}.py")
    shared = {*_shared("CONNECTION"), *_shared("WAITING")}
    assert doc["options"].keys() == taken.keys() | shared
    for option, rules in taken.items():
        described = doc["options"][option]
        for rule in ("type", "default", "choices", "elements"):
            assert described.get(rule) == rules.get(rule), (option, rule)
        assert described.get("required", False) == rules.get("required", False), option
    assert documented[name]["return"] or not taken
    assert len(yaml.safe_load(documented[name]["examples"])) >= 1


def test_the_examples_give_options_that_there_are(documented):
    for name in MODULES:
        for task in yaml.safe_load(documented[name]["examples"]):
            for key, options in task.items():
                if key.startswith("pulp.conda."):
                    known = documented[key.rpartition(".")[2]]["doc"]["options"]
                    assert options.keys() <= known.keys(), task["name"]


def test_the_role_describes_its_variables(offline):
    done = offline.run("ansible-doc", "--type", "role", "--json", "pulp.conda.conda_channel")
    described = json.loads(done.stdout)["pulp.conda.conda_channel"]["entry_points"]["main"]
    defaults = yaml.safe_load((COLLECTION / "roles/conda_channel/defaults/main.yml").read_text())
    without = {"conda_channel_name", "conda_channel_webhook_secret"}
    assert described["options"].keys() == defaults.keys() | without
    for variable, value in defaults.items():
        if "{{" not in str(value):
            assert described["options"][variable]["default"] == value, variable


# What is missing, or there twice, by the variable that the role is to name.
WRONG = {
    "conda_channel_name": {},
    "'conda_channel_name' is empty": {"conda_channel_name": ""},
    "name found in conda_channel_stages": {"conda_channel_stages": [{"gates": []}]},
    "conda_channel_environments": {"conda_channel_environments": [{"src": "a.yml"}]},
    "'a' needs either 'src'": {"conda_channel_environments": [{"name": "a"}]},
    "'b' needs either 'src'": {"conda_channel_environments": [{"name": "b", "source": "hello"}]},
    "conda_channel_distributions": {"conda_channel_distributions": [{"base_path": "a"}]},
    "distribution found in conda_channel_merged_channels": {
        "conda_channel_merged_channels": [{"owns": ["a"]}]
    },
    "conda_channel_remote": {"conda_channel_remote": {"uri": "https://example.org"}},
}


def test_the_role_says_which_variable_is_missing_before_it_does_anything(offline):
    role = {"ansible.builtin.include_role": {"name": "pulp.conda.conda_channel"}}
    go_on = [{"ansible.builtin.meta": "clear_host_errors"}]
    tasks = []
    for variables in WRONG.values():
        name = {"conda_channel_name": "team"} if variables else {}
        tasks.append({"block": [role], "rescue": go_on, "vars": name | variables})
    done = offline.tasks(tasks)
    failed = [task for task in done.tasks if task.get("failed")]
    assert len(failed) == len(WRONG), done.output
    for text, task in zip(WRONG, failed):
        assert text in str(task), (text, task)
    names = {task["task"].split(" : ")[-1] for task in done.tasks}
    assert not [name for name in names if name.startswith(("Manage", "Register", "Set", "Sync"))]


def _taken(path):
    """Return the options that a module gives to `run`, by name, read from its source."""
    (call,) = (
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "run"
    )
    taken = {}
    for key, value in zip(call.args[1].keys, call.args[1].values):
        if key is None:
            taken |= _shared(value.id)
        else:
            taken[key.value] = _rules(value)
    return taken


def _shared(name):
    tree = ast.parse((COLLECTION / "plugins/module_utils/pulp.py").read_text())
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == name
    )
    return {key.value: _rules(value) for key, value in zip(found.keys, found.values)}


def _rules(dictionary):
    """Return the rules of an option as far as they are constants."""
    rules = {}
    for key, value in zip(dictionary.keys, dictionary.values):
        try:
            rules[key.value] = ast.literal_eval(value)
        except ValueError:
            pass
    return rules
