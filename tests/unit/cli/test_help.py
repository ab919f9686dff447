"""The help pages of all commands, without a server and without Django."""

import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from pulp_cli import load_plugins, main

from tests.support.program import Cli

# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"
ROUNDS = 7

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
    """Return the help page that a command line ends in. In this process: a new one for each takes minutes."""

    def show(*words):
        with pytest.raises(SystemExit) as end:
            main.main(["--config", str(config), *words, "--help"], prog_name="pulp")
        page, complaint = capsys.readouterr()
        assert (end.value.code, complaint, recwarn.list) == (0, "", []), complaint
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
    program = (
        "import sys, pulp_cli; pulp_cli.load_plugins(['conda'])\n"
        "print(*{'django', 'pulpcore.app', 'pulpcore.plugin', 'pulp_conda'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "\n"


def test_help_comes_as_fast_as_for_files(tmp_path_factory):
    # Each with its own plugin only, since pulp-cli loads all that are installed.
    programs = {
        name: Cli(tmp_path_factory.mktemp(name), base_url=NOWHERE, plugins=[name])
        for name in ("conda", "file")
    }
    seconds = {name: [] for name in programs}
    for _round in range(ROUNDS):
        for name, program in programs.items():
            seconds[name].append(_cpu_seconds(program, name))
    assert min(seconds["conda"]) <= 1.2 * min(seconds["file"]), seconds


def _cpu_seconds(program, name):
    """Return how long the processor took for a help page: the clock also shows what else the machine does."""
    process = program.start(name, "--help", stdout=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.stderr.read()
    process.stderr.close()
    return usage.ru_utime + usage.ru_stime
