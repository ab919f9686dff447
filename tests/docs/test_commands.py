"""The commands in the documentation are those of the program."""

import re
import shlex
from itertools import product
from pathlib import Path

import pytest
from pulp_cli import load_plugins, main

CHECKOUT = Path(__file__).parents[2]
REFERENCE = CHECKOUT / "docs/user/reference/commands.md"

load_plugins()


def _tree(command, *path):
    """Yield the paths of all commands below a group, also those of only some types of content."""
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path)
    for name, child in (children or {}).items():
        yield from _tree(child, *path, name)


TREES = {plugin: set(_tree(main.commands[plugin])) for plugin in ("conda", "rpm", "python")}


def _spelled_out(cell):
    """Return the commands of a cell, where `{a,b} c` is short for `a c` and `b c`."""
    commands = set()
    for text in re.findall(r"`([^`]+)`", cell):
        choices = [word.strip("{}").split(",") for word in text.split()]
        commands |= {" ".join(words) for words in product(*choices)}
    return commands


def _rows(*columns):
    """Yield the rows of the tables that have these columns."""
    here = False
    for line in REFERENCE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            here = False
        elif [cell.strip("`") for cell in cells] == list(columns):
            here = True
        elif here and "---" not in line:
            yield cells


COUNTERPARTS = list(_rows("pulp conda", "rpm", "python", "deb"))
MISSING = list(_rows("command", "of", "because"))


def _named_in_column(plugin):
    index = ("conda", "rpm", "python").index(plugin)
    named = set()
    for row in COUNTERPARTS:
        named |= _spelled_out(row[0] if row[index] == "same" else row[index])
    return named


def test_every_command_has_one_row():
    named = [command for row in COUNTERPARTS for command in _spelled_out(row[0])]
    assert sorted(named) == sorted(TREES["conda"])


@pytest.mark.parametrize("plugin", ["rpm", "python"])
def test_every_command_for_other_content_has_its_counterpart_or_a_reason(plugin):
    reasons = {
        command
        for row in MISSING
        if plugin in row[1].split(", ")
        for command in _spelled_out(row[0])
    }
    assert _named_in_column(plugin) | reasons == TREES[plugin]
    assert not reasons & TREES["conda"]
    assert all(row[2] for row in MISSING)


@pytest.mark.parametrize("plugin", ["rpm", "python"])
def test_what_has_no_counterpart_is_not_there_under_the_same_name(plugin):
    index = ("conda", "rpm", "python").index(plugin)
    alone = [row[0] for row in COUNTERPARTS if row[index] == "–"]
    assert alone and not any(_spelled_out(cell) & TREES[plugin] for cell in alone)


def _calls(text):
    """Yield the calls of `pulp` in the code blocks and the code spans of a page, as lists of
    words.
    """
    for code in re.findall(
        r"^```(?:bash|yaml|groovy)\n(.*?)^```|`(pulp [^`\n]+)`", text, re.MULTILINE | re.DOTALL
    ):
        lines = re.sub(r"\\\n\s*", "", code[0] or code[1])
        # A path or a variable is no command: the first tutorials have a function of this name.
        for line in re.findall(r"\bpulp (?=-|[a-z])[^\n]*", lines):
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.commenters = "#"
            words.whitespace_split = True
            yield list(_up_to_the_end(words))


def _up_to_the_end(words):
    for word in words:
        if word and set(word) <= set("();<>|&"):
            return
        yield word


PAGES = {
    str(path.relative_to(CHECKOUT)): calls
    for path in sorted(
        [*CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("*.md"), *CHECKOUT.glob("cli/**/*.md")]
    )
    if (calls := list(_calls(path.read_text())))
}


@pytest.mark.parametrize("page", PAGES)
def test_the_program_knows_every_command_and_option_of_a_page(page):
    for words in PAGES[page]:
        assert _unknown(words[1:]) == [], words


def _unknown(words):
    """Return the words that the program would not take. Not by running it: some groups ask the
    server for a start.
    """
    command, arguments, unknown = main, None, []
    words = iter(words)
    for word in words:
        if word in ("…", "--help"):
            continue
        if word.startswith("-"):
            name, equals, _value = word.partition("=")
            options = [
                param for param in command.params if name in param.opts + param.secondary_opts
            ]
            if not options:
                unknown.append(word)
            elif not (equals or options[0].is_flag or options[0].count):
                next(words)
        elif arguments is None and word in command.commands:
            command = command.commands[word]
            if not hasattr(command, "commands"):
                arguments = [
                    param.nargs for param in command.params if param.param_type_name == "argument"
                ]
        elif arguments and arguments[0] == -1:
            continue
        elif arguments:
            arguments.pop(0)
        else:
            unknown.append(word)
    return unknown
