"""`environment.yml` (CEP 24), with the selectors of conda-build and other tools."""

import ast
import re
from collections.abc import Sequence
from typing import NamedTuple

from pulp_conda.channel.environments.draft import EnvironmentDraft, RequestedSpec, check_platforms
from pulp_conda.channel.environments.plain_yaml import PlainYaml, read_plain
from pulp_conda.channel.errors import shown

# As many as a file of the largest size can have.
_MOST_VALUES = 2**16

_DICTIONARY_SELECTOR = re.compile(r"sel\((.*)\)")
_LONGEST_SELECTOR = 200
_VARIABLES = frozenset(
    "unix linux osx win freebsd emscripten wasi zos x86 x86_64 x64 linux32 linux64 osx64 win32 "
    "win64 aarch64 arm64 armv6l armv7l ppc64le riscv64 s390x wasm32 z".split()
)


class _Dependencies(NamedTuple):
    specs: list[RequestedSpec]
    pip: list[str]


def read_environment_yml(text: str, platforms: Sequence[str]) -> EnvironmentDraft:
    """Return what a file wants.

    Args:
        platforms: The subdirs to read it for. If there are none, those that the file names.

    Raises:
        ValueError: Says in words what is wrong and where.
    """
    documents = {text: _parse(text)}
    named = _texts(documents[text], "platforms")
    check_platforms(named, "platforms")
    platforms = platforms or tuple(named)
    requirements = {}
    # Dictionaries with values of None, because they are sets that keep the order of the file.
    pip: dict[str, None] = {}
    channels: dict[str, None] = {}
    for platform in platforms or [""]:
        variables = _selector_variables(platform)
        # A line that a selector drops does not exist: the other lines are a document of their own.
        selected = _selected(text, variables)
        if selected not in documents:
            documents[selected] = _parse(selected)
        document = documents[selected]
        channels |= dict.fromkeys(_texts(document, "channels"))
        requirements[platform], found = _dependencies(document, variables)
        pip |= dict.fromkeys(found)
    channels.pop("nodefaults", None)
    return EnvironmentDraft(
        platforms=platforms,
        requirements=requirements,
        channels=list(channels),
        pip=list(pip),
    )


def _parse(text: str) -> dict[str, PlainYaml]:
    document = read_plain(text, _MOST_VALUES)
    if not isinstance(document, dict):
        raise ValueError("it is not a mapping with 'dependencies'")
    return document


def _dependencies(document: dict[str, PlainYaml], variables: set[str]) -> _Dependencies:
    if "dependencies" not in document:
        raise ValueError("it has no 'dependencies'")
    # It is empty if selectors drop all lines of the list.
    entries = document["dependencies"] or []
    if not isinstance(entries, list):
        raise ValueError("'dependencies' is not a list")
    specs = []
    pip = []
    for number, entry in enumerate(entries):
        where = f"dependencies[{number}]"
        if isinstance(entry, str):
            specs.append(RequestedSpec(where, entry))
            continue
        if not isinstance(entry, dict):
            raise ValueError(f"'{where}' is neither a spec nor a section")
        for key, value in entry.items():
            if selector := _DICTIONARY_SELECTOR.fullmatch(key):
                if not isinstance(value, str):
                    raise ValueError(f"'{where}' has no spec behind '{shown(key)}'")
                if _is_true(selector.group(1), variables, where):
                    specs.append(RequestedSpec(where, value))
            elif key == "pip":
                pip += _texts(entry, "pip", f"{where}.")
            else:
                # CEP 24 makes this an error, because the section is part of what people want.
                raise ValueError(
                    f"'{where}' has the section '{shown(key)}', and only 'pip' is known"
                )
    return _Dependencies(specs, pip)


def _texts(table: dict[str, PlainYaml], key: str, where: str = "") -> list[str]:
    # An empty value is no list, but it means an empty list.
    values = table.get(key) or []
    problem = f"'{where}{key}' is not a list of texts"
    if not isinstance(values, list):
        raise ValueError(problem)
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        raise ValueError(problem)
    return texts


def _selector_variables(platform: str) -> set[str]:
    """Return the variables that are true on a platform, by the names of conda-build."""
    family, _, architecture = platform.partition("-")
    variables = {family, architecture, f"{family}{architecture}"} - {""}
    if family in ("linux", "osx"):
        variables.add("unix")
    if architecture in ("32", "64"):
        variables.add("x86")
    if architecture == "64":
        variables |= {"x86_64", "x64"}
    return variables


def _selected(text: str, variables: set[str]) -> str:
    """Return the text with an empty line for each line whose selector is false.

    A selector is a comment such as `# [win]` behind something.
    """
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        content, mark, comment = line.rpartition("#")
        comment = comment.strip()
        if (
            mark
            and content.strip()
            and content[-1].isspace()
            and comment[:1] + comment[-1:] == "[]"
        ):
            line = content if _is_true(comment[1:-1], variables, f"line {number}") else ""
        lines.append(line)
    return "\n".join(lines)


def _is_true(expression: str, variables: set[str], where: str) -> bool:
    problem = ValueError(
        f"'{where}' has the selector '{shown(expression)}', which is not made of platforms "
        "such as 'linux', 'osx' and 'win' with 'and' and 'or'"
    )
    if len(expression) > _LONGEST_SELECTOR:
        raise problem
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise problem from None

    def value_of(node: ast.expr) -> bool:
        match node:
            # A list and no generator, so that each part is checked.
            case ast.BoolOp(op=ast.And()):
                return all([value_of(value) for value in node.values])
            case ast.BoolOp(op=ast.Or()):
                return any([value_of(value) for value in node.values])
            case ast.UnaryOp(op=ast.Not()):
                return not value_of(node.operand)
            case ast.Name() if node.id in _VARIABLES:
                if not variables:
                    raise ValueError(
                        f"'{where}' depends on the platform, and the file names none: "
                        "give 'platforms'"
                    )
                return node.id in variables
        raise problem

    return value_of(tree)
