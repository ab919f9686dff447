"""The server, the libraries of its clients and the Ansible modules have the same words."""

import ast
import inspect
from enum import StrEnum
from pathlib import Path

import pytest
import yaml
from pulp_glue.conda import vocabulary as glue

from pulp_conda.app import vocabulary as app
from pulp_conda.channel.diff import ChangeKind, Summary
from pulp_conda.channel.environments.specs import EnvironmentFormat
from pulp_conda.channel.lockfiles.read import LockFormat

MODULES = Path(__file__).parents[2] / "ansible/plugins/modules"


def _words_of(module) -> dict[str, type[StrEnum]]:
    return {
        name: member
        for name, member in vars(module).items()
        if inspect.isclass(member) and issubclass(member, StrEnum) and member is not StrEnum
    }


SERVER = {
    **_words_of(app),
    "ChangeKind": ChangeKind,
    "EnvironmentFormat": EnvironmentFormat,
    "LockFormat": LockFormat,
    "Summary": Summary,
}


def test_clients_know_the_sets_of_words_that_the_server_has():
    assert _words_of(glue).keys() == SERVER.keys()


@pytest.mark.parametrize("name", SERVER)
def test_clients_know_the_words_of_the_server_by_the_same_names(name):
    words = {word.name: word.value for word in SERVER[name]}
    assert {word.name: word.value for word in getattr(glue, name)} == words


def _assigned(module: str, name: str) -> ast.expr:
    """Return what an Ansible module assigns to a name. Only Ansible can import the module."""
    tree = ast.parse((MODULES / f"{module}.py").read_text())
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == name
    )
    return value


def _argument(module: str, name: str) -> dict:
    """Return what the code of an Ansible module says about an argument."""
    tree = ast.parse((MODULES / f"{module}.py").read_text())
    (value,) = (
        value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == name and isinstance(value, ast.Dict)
    )
    return ast.literal_eval(value)


def test_the_ansible_module_for_environments_takes_all_formats_and_documents_them():
    documentation = yaml.safe_load(
        ast.literal_eval(_assigned("conda_environment", "DOCUMENTATION"))
    )
    formats = glue.values_of(glue.EnvironmentFormat)
    assert documentation["options"]["format"]["choices"] == formats
    assert _argument("conda_environment", "format")["choices"] == formats


def test_the_ansible_module_for_lifecycles_knows_all_kinds_of_gates():
    defaults = ast.literal_eval(_assigned("conda_lifecycle", "_DEFAULTS"))
    assert list(defaults) == glue.values_of(glue.GateKind)
