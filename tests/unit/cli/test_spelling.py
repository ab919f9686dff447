"""Errors name the options of the command, and not the fields of the REST API."""

import click
import pytest
from pulp_cli import load_plugins, main

from pulpcore.cli.conda.spelling import Spelling

load_plugins()


def _leaves(command, *path):
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
    for name, child in sorted((children or {}).items()):
        yield from _leaves(child, *path, name)


COMMANDS = dict(_leaves(main.commands["conda"], "conda"))

# The fields of the parameters whose names are not those of fields.
FIELDS = {
    ("conda environment create", "name_option"): "name",
    ("conda lifecycle create", "name_option"): "name",
    ("conda lifecycle create", "stages_file"): "stages",
    ("conda lifecycle gate remove", "gate_name"): "gates",
    ("conda search", "spec"): "match",
}


def _spelling(path, **given):
    context = click.Context(COMMANDS[path], info_name=path)
    context.params = given
    return Spelling(context)


@pytest.mark.parametrize("path", COMMANDS)
def test_each_option_of_each_command_is_what_its_errors_name(path):
    spelling = _spelling(path)
    params = COMMANDS[path].params
    by_field = {}
    for param in params:
        by_field.setdefault(FIELDS.get((path, param.name), param.name), []).append(param)
    for field, of_field in by_field.items():
        words = [
            word
            for param in of_field
            for word in ([param.name.upper()] if isinstance(param, click.Argument) else param.opts)
        ]
        if field == "file" and isinstance(of_field[0], click.Argument):
            field = "lock_file"
        for told in ("This field is required.", "[CND0007] 'x >' is no match spec."):
            assert spelling.reason((field,), told).partition(":")[0] in words


def test_each_command_is_known_while_it_runs():
    # Also those that pulp-cli makes.
    assert all(hasattr(command.callback, "__wrapped__") for command in COMMANDS.values())


@pytest.mark.parametrize(
    "path, fields, told, said",
    [
        pytest.param(
            "conda channel create",
            ("includes", "1"),
            "[CND0007] 'a >>1' is no match spec.",
            "--include (value 2): 'a >>1' is no match spec. [CND0007]",
            id="the place in a list, and the code at the end",
        ),
        pytest.param(
            "conda channel create",
            (),
            "[CND0007] Remote 'forge', includes[1]: 'a >>1' is no match spec.",
            "Remote 'forge', --include (value 2): 'a >>1' is no match spec. [CND0007]",
            id="a place within a sentence",
        ),
        pytest.param(
            "conda channel create",
            (),
            "[CND0040] Stage 'a': its path overlaps; choose another 'base_path'.",
            "Stage 'a': its path overlaps; choose another --base-path. [CND0040]",
            id="a field within a sentence",
        ),
        pytest.param(
            "conda lifecycle promote",
            ("stage",),
            "[CND0037] 'testing' cannot take from 'stable'.",
            "--to: 'testing' cannot take from 'stable'. [CND0037]",
            id="an option of another name",
        ),
        pytest.param(
            "conda lifecycle gate set",
            ("stages",),
            "[CND0041] Gate 'x' is wrong.",
            "Gate 'x' is wrong. [CND0041]",
            id="no word for what no option stands for",
        ),
        pytest.param(
            "conda channel upload",
            (),
            "[CND0006] 'paths' says that it is 'url'.",
            "'paths' says that it is 'url'. [CND0006]",
            id="names of packages are no fields",
        ),
        pytest.param("conda channel show", (), "No code.", "No code.", id="a sentence alone"),
    ],
)
def test_sentences_of_the_server_are_said_in_the_words_of_the_command(path, fields, told, said):
    assert _spelling(path).reason(fields, told) == said


def test_what_the_user_wrote_is_no_field():
    spelling = _spelling("conda channel create", name="base_path")
    assert spelling.sentence("There is a channel 'base_path'.") == "There is a channel 'base_path'."
