"""Environments: what people say they want to install, read from the files in which they say it.

Formats: `environment.yml` (CEP 24, selectors included), the manifests of pixi, and a MatchSpec per line.
"""

import ast
import re
from dataclasses import dataclass, field

import yaml

from pulp_conda.channel.errors import BadEnvironment, BadMatchSpec, shown
from pulp_conda.channel.layout import KNOWN_SUBDIRS, is_subdir, name_problems
from pulp_conda.channel.manifests import read_manifest
from pulp_conda.channel.matchspec import check_matchspec
from pulp_conda.channel.virtual_packages import check_virtual_packages

FORMATS = ("environment.yml", "pixi.toml", "pyproject.toml", "specs")

# Characters of a file: the YAML parser takes half a second for as many in the worst case.
LARGEST = 2**16
MOST_SPECS = 1000
MOST_PLATFORMS = 20

_DICTIONARY_SELECTOR = re.compile(r"sel\((.*)\)")
_LONGEST_SELECTOR = 200
_CHANNEL_BEHIND = re.compile(r"[\[,\s]channel\s*=")
_VARIABLES = frozenset(
    "unix linux osx win freebsd emscripten wasi zos x86 x86_64 x64 linux32 linux64 osx64 win32 win64 "
    "aarch64 arm64 armv6l armv7l ppc64le riscv64 s390x wasm32 z".split()
)


@dataclass(frozen=True)
class Environment:
    """What a file wants.

    Attributes:
        platforms: The subdirs that it is for; empty if neither the file nor the caller says so.
        requirements: The specs by platform; under "" if there are no platforms. They name no channels.
        channels: As the file names them, those of single specs at the end. Others must say which channel that is.
        virtual_packages: What the file says of its machines, by platform and name: `{"linux-64": {"__cuda": "12"}}`.
        pip: What it wants from PyPI: kept and reported, and never solved.
    """

    platforms: tuple[str, ...]
    requirements: dict[str, tuple[str, ...]]
    channels: tuple[str, ...] = ()
    virtual_packages: dict[str, dict[str, str]] = field(default_factory=dict)
    pip: tuple[str, ...] = ()


def read_environment(text, *, format, section="default", platforms=()):
    """Read an environment from the text of a file.

    Args:
        format: One of `FORMATS`.
        section: Which environment of a manifest.
        platforms: For which subdirs, or none for those that the file names. It need not name them.

    Raises:
        BadEnvironment: with the places of what is wrong.
    """
    if format not in FORMATS:
        raise BadEnvironment(reason=f"'{shown(format)}' is none of the formats {_listed(FORMATS)}")
    if len(text) > LARGEST:
        raise BadEnvironment(reason=f"the file is longer than {LARGEST} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadEnvironment(reason="the file holds a character that no text has")
    platforms = tuple(platforms)
    try:
        _check_platforms(platforms, "platforms")
        if format in ("pixi.toml", "pyproject.toml"):
            draft = read_manifest(text, format=format, section=section, platforms=platforms)
            _check_platforms(draft["platforms"], "platforms")
        elif section != "default":
            raise ValueError(f"a file of this format has no section '{shown(section)}'")
        elif format == "specs":
            draft = _read_specs(text, platforms)
        else:
            draft = _read_yaml(text, platforms)
    except ValueError as error:
        raise BadEnvironment(reason=str(error)) from None
    return _checked(**draft)


def _read_specs(text, platforms):
    specs = [
        (f"line {number}", spec)
        for number, line in enumerate(text.splitlines(), 1)
        if (spec := re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip())
    ]
    return {"platforms": platforms, "requirements": {key: specs for key in platforms or [""]}}


def _read_yaml(text, platforms):
    documents = {text: _parse_yaml(text)}
    named = _texts(documents[text], "platforms")
    _check_platforms(named, "platforms")
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
            documents[selected] = _parse_yaml(selected)
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


class _Loader(yaml.BaseLoader):
    """Takes every scalar for a text, so that a version 3.10 stays one, and knows no references."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1
            # A few of them make a small file a huge one.
            raise ValueError(f"line {line} has a reference ('*'), which is not read: write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                line = key.start_mark.line + 1
                name = shown(str(key.value)) if isinstance(key, yaml.ScalarNode) else "?"
                raise ValueError(
                    f"line {line} has the key '{name}' a second time, or it is no text"
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _parse_yaml(text):
    try:
        # Of a `BaseLoader`, which makes texts, lists and mappings only.
        document = yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"it is not YAML: line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(document, dict):
        raise ValueError("it is not a mapping with 'dependencies'")
    return document


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


def _check_platforms(platforms, where):
    if len(platforms) > MOST_PLATFORMS:
        raise ValueError(f"'{where}' names more than {MOST_PLATFORMS}")
    for number, platform in enumerate(platforms):
        if not isinstance(platform, str) or not is_subdir(platform) or platform == "noarch":
            raise ValueError(
                f"'{where}[{number}]' is '{shown(str(platform))}', which is no platform such as 'linux-64'"
            )
        if platform in platforms[:number]:
            raise ValueError(f"'{where}' names '{platform}' twice")


def _checked(platforms, requirements, channels=(), virtual_packages=(), pip=()):
    channels = dict.fromkeys(channels)
    problems = {}
    checked = {}
    read = {}
    for platform, specs in requirements.items():
        kept = {}
        for where, text in specs:
            if (where, text) not in read:
                try:
                    read[where, text] = _read_spec(text)
                except ValueError as error:
                    problems[f"'{where}': {error}"] = None
                    read[where, text] = None
            if read[where, text]:
                channel, spec = read[where, text]
                kept[spec] = None
                if channel:
                    channels[channel] = None
        if len(kept) > MOST_SPECS:
            problems[f"it asks for more than {MOST_SPECS} packages"] = None
        elif not specs:
            on = f" on {platform}" if platform else ""
            problems[f"it asks for no package{on}, so there is nothing to solve"] = None
        checked[platform] = tuple(kept)
    pip = dict.fromkeys(pip)
    if len(pip) > MOST_SPECS:
        problems[f"it asks for more than {MOST_SPECS} packages from PyPI"] = None
    for text in (*channels, *pip):
        if not text.isprintable():
            problems[f"'{shown(text)}' holds a character that cannot be printed"] = None
    if problems:
        reasons = list(problems)
        more = [f"and {len(reasons) - 10} more"] if len(reasons) > 10 else []
        raise BadEnvironment(reason="; ".join(reasons[:10] + more))
    return Environment(
        platforms=tuple(platforms),
        requirements=checked,
        channels=tuple(channels),
        virtual_packages={
            key: check_virtual_packages(v) for key, v in dict(virtual_packages).items()
        },
        pip=tuple(pip),
    )


def _read_spec(text):
    """Return the channel that a spec names, or None, and the spec without it.

    Raises:
        ValueError: what is wrong with it.
    """
    text = text.strip()
    channel, found, spec = text.partition("::")
    if not found or "[" in channel or " " in channel:
        channel, spec = None, text
    elif channel.rpartition("/")[2] in KNOWN_SUBDIRS:
        raise ValueError(f"'{shown(text)}' has a subdir in front, write it behind: [subdir=…]")
    if _CHANNEL_BEHIND.search(spec):
        raise ValueError(
            f"'{shown(spec)}' names a channel behind, write it in front: 'channel::name'"
        )
    try:
        parsed = check_matchspec(spec)
    except BadMatchSpec as error:
        raise ValueError(f"'{shown(spec)}' is not a match spec: {error.facts['reason']}") from None
    if not spec.isprintable():
        raise ValueError(f"'{shown(spec)}' holds a character that cannot be printed")
    if '[url="' in str(parsed) or parsed.namespace:
        raise ValueError(f"'{shown(spec)}' is no package of a channel")
    name = parsed.name.normalized
    # Virtual packages have two underscores in front.
    if name_problems(name.removeprefix("__"), "0", "0"):
        raise ValueError(f"'{shown(spec)}' needs the name of one package, '{shown(name)}' is none")
    return channel, spec


def _listed(texts):
    return ", ".join(f"'{text}'" for text in texts)
