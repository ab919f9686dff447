"""`environment.yml` (CEP 24), with the selectors of conda-build and of others who read such files."""

import ast
import re

from pulp_conda.channel.environments.plain_yaml import read_plain
from pulp_conda.channel.errors import shown
from pulp_conda.channel.layout import is_platform

_MOST_PLATFORMS = 20
# As many as a file of the largest size can have.
_MOST_VALUES = 2**16

_DICTIONARY_SELECTOR = re.compile(r"sel\((.*)\)")
_LONGEST_SELECTOR = 200
_VARIABLES = frozenset(
    "unix linux osx win freebsd emscripten wasi zos x86 x86_64 x64 linux32 linux64 osx64 win32 win64 "
    "aarch64 arm64 armv6l armv7l ppc64le riscv64 s390x wasm32 z".split()
)


def read_environment_yml(text, platforms):
    """Return the arguments of an `Environment` whose specs are not yet checked: pairs of where they stand and the text.

    Args:
        platforms: The subdirs to read it for, or none for those of the file.

    Raises:
        ValueError: in words, what is wrong and where.
    """
    documents = {text: _parse(text)}
    named = _texts(documents[text], "platforms")
    check_platforms(named, "platforms")
    platforms = platforms or tuple(named)
    requirements = {}
    # In the order of the file, each once.
    pip = {}
    channels = {}
    for platform in platforms or [""]:
        variables = _selector_variables(platform)
        # What a selector drops is not there at all, so the rest is a document of its own.
        selected = _selected(text, variables)
        if selected not in documents:
            documents[selected] = _parse(selected)
        document = documents[selected]
        channels |= dict.fromkeys(_texts(document, "channels"))
        requirements[platform], found = _dependencies(document, variables)
        pip |= dict.fromkeys(found)
    channels.pop("nodefaults", None)
    return {
        "platforms": platforms,
        "requirements": requirements,
        "channels": list(channels),
        "pip": list(pip),
    }


def check_platforms(platforms, where):
    """Raise `ValueError` if platforms from a stranger are no platforms, too many, or not different."""
    if len(platforms) > _MOST_PLATFORMS:
        raise ValueError(f"'{where}' names more than {_MOST_PLATFORMS}")
    for number, platform in enumerate(platforms):
        if not is_platform(platform):
            raise ValueError(
                f"'{where}[{number}]' is '{shown(str(platform))}', which is no platform such as 'linux-64'"
            )
        if platform in platforms[:number]:
            raise ValueError(f"'{where}' names '{platform}' twice")


def _parse(text):
    document = read_plain(text, _MOST_VALUES)
    if not isinstance(document, dict):
        raise ValueError("it is not a mapping with 'dependencies'")
    return document


def _dependencies(document, variables):
    """Return (where, spec) of the packages, and the requirements for pip."""
    if "dependencies" not in document:
        raise ValueError("it has no 'dependencies'")
    # Empty where selectors leave nothing of a list.
    entries = document["dependencies"] or []
    if not isinstance(entries, list):
        raise ValueError("'dependencies' is not a list")
    specs = []
    pip = []
    for number, entry in enumerate(entries):
        where = f"dependencies[{number}]"
        if isinstance(entry, str):
            specs.append((where, entry))
            continue
        if not isinstance(entry, dict):
            raise ValueError(f"'{where}' is neither a spec nor a section")
        for key, value in entry.items():
            if selector := _DICTIONARY_SELECTOR.fullmatch(key):
                if not isinstance(value, str):
                    raise ValueError(f"'{where}' has no spec behind '{shown(key)}'")
                if _is_true(selector.group(1), variables, where):
                    specs.append((where, value))
            elif key == "pip":
                pip += _texts(entry, "pip", f"{where}.")
            else:
                # CEP 24: an error, as it is part of what is wanted.
                raise ValueError(
                    f"'{where}' has the section '{shown(key)}', and only 'pip' is known"
                )
    return specs, pip


def _texts(table, key, where=""):
    # An empty value, which is no list, says as much as an empty list.
    values = table.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"'{where}{key}' is not a list of texts")
    return values


def _selector_variables(platform):
    """Return the variables that are true on a platform, named as conda-build names them."""
    family, _, architecture = platform.partition("-")
    variables = {family, architecture, f"{family}{architecture}"} - {""}
    if family in ("linux", "osx"):
        variables.add("unix")
    if architecture in ("32", "64"):
        variables.add("x86")
    if architecture == "64":
        variables |= {"x86_64", "x64"}
    return variables


def _selected(text, variables):
    """Return the lines whose selector, a comment such as `# [win]`, is true."""
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


def _is_true(expression, variables, where):
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

    def value_of(node):
        match node:
            case ast.BoolOp(op=ast.And()):
                return all([value_of(value) for value in node.values])
            case ast.BoolOp(op=ast.Or()):
                return any([value_of(value) for value in node.values])
            case ast.UnaryOp(op=ast.Not()):
                return not value_of(node.operand)
            case ast.Name() if node.id in _VARIABLES:
                if not variables:
                    raise ValueError(
                        f"'{where}' depends on the platform, and the file names none: give 'platforms'"
                    )
                return node.id in variables
        raise problem

    return value_of(tree)
