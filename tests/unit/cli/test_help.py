"""The help pages of all commands, without a server and without Django."""

import re
import shlex
import subprocess
import sys

import click
import pytest
from pulp_cli import load_plugins, main

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"

load_plugins()


def _commands(command, *path):
    yield " ".join(path), command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(child, *path, name)


COMMANDS = dict(_commands(main.commands["conda"], "conda"))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "cli.toml"
    file.write_text(f'[cli]\nbase_url = "{NOWHERE}"\n')
    return file


@pytest.fixture
def show_help(config, capsys, recwarn):
    """Return the help page that a command line ends in. In this process: a new one for each takes
    minutes.
    """

    def show(*words):
        with pytest.raises(SystemExit) as end:
            main.main(["--config", str(config), *words, "--help"], prog_name="pulp")
        page, complaint = capsys.readouterr()
        # Files that other tests left open are closed whenever the collector comes.
        warnings = [each.message for each in recwarn if each.category is not ResourceWarning]
        assert (end.value.code, complaint, warnings) == (0, "", []), complaint
        return page

    return show


@pytest.mark.parametrize("path", COMMANDS)
def test_every_help_page_ends_with_an_example_that_works(path, show_help):
    _page, _heading, examples = show_help(*path.split()).rpartition("\n  Example:\n")
    lines = re.sub(r"\\\n +", "", examples).strip().splitlines()
    assert lines
    for line in lines:
        program, *words = shlex.split(re.split(r" [|>] ", line)[0])
        command, called = main, []
        for word in words:
            if word in getattr(command, "commands", {}):
                command = command.commands[word]
                called.append(word)
        assert program == "pulp"
        assert " ".join(called).startswith(path), line
        assert not isinstance(command, click.Group), line
        # It would not come to a page if there was no such option.
        assert show_help(*words).startswith("Usage: ")
        for option in command.params:
            # Not one of only some types of content.
            if option.required and not getattr(option, "allowed_with_contexts", None):
                assert isinstance(option, click.Argument) or set(option.opts) & set(words), line


def test_the_commands_load_neither_django_nor_the_server():
    loaded = _loaded("conda")
    assert not {"django", "pulpcore.app", "pulpcore.plugin", "pulp_conda"} & loaded


def test_help_loads_no_more_libraries_than_that_of_files():
    of_conda, of_file = (
        {name.partition(".")[0] for name in _loaded(plugin)} for plugin in ("conda", "file")
    )
    assert of_conda <= of_file, of_conda - of_file


def _loaded(plugin):
    """Name the modules that are loaded for a help page, in a process that knows this plugin
    alone.
    """
    program = (
        "import sys, pulp_cli\n"
        f"pulp_cli.load_plugins([{plugin!r}])\n"
        f"pulp_cli.main([{plugin!r}, '--help'], standalone_mode=False, prog_name='pulp')\n"
        "print('loaded:', *sys.modules)"
    )
    written = subprocess.check_output([sys.executable, "-c", program], text=True)
    return set(written.rpartition("loaded:")[2].split())
