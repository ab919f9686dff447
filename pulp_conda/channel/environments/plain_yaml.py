"""YAML from untrusted files, read as nothing but mappings, lists and texts.

This module builds the document from the events of PyYAML's parser. PyYAML's own loaders build it by
recursion, and the fast one, in C, ends the whole process on a file of a hundred thousand brackets.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

import yaml

from pulp_conda.channel.storable import text_problem

PlainYaml: TypeAlias = "str | None | list[PlainYaml] | dict[str, PlainYaml]"

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# Files that people write have about ten levels. The time of the parser grows with their square.
_DEEPEST = 30

_NULL = frozenset({"", "~", "null", "Null", "NULL"})


class PlainYamlError(ValueError):
    """The text is no YAML of this kind. The message says why, and in which line if it is known."""


class _TooDeep(PlainYamlError):
    pass


def read_plain(text: str, most_nodes: int) -> PlainYaml:
    """Return a YAML document. Each scalar is a text, but an empty one or `null` is None.

    So the version 3.10 stays the text '3.10', and a checksum of digits alone keeps its zeros.
    Aliases and tags are refused. No tool whose files we read writes them, and a few lines with
    aliases can stand for gigabytes.

    Args:
        most_nodes: How many scalars, lists and mappings the document may have.

    Raises:
        PlainYamlError: The text is not YAML. Or it has an alias, a tag, a key that stands there
            twice, more than one document, more than `most_nodes` nodes, or too many levels.
    """
    try:
        return _build(yaml.parse(text, Loader=_LOADER), most_nodes)
    except yaml.MarkedYAMLError as error:
        if error.problem_mark:
            _check_depth(text[: error.problem_mark.index], most_nodes)
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise PlainYamlError(f"{line}it is not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise PlainYamlError("it holds characters that are not allowed in YAML") from error


def _check_depth(text: str, most_nodes: int) -> None:
    """Raise `_TooDeep` if the part of a text before an error of the parser has too many levels.

    The parser reads up to a thousand characters ahead of its events. So its error may come before
    the event of the level that is too deep, and may be about a limit on levels of its own.
    """
    try:
        _build(yaml.parse(text, Loader=_LOADER), most_nodes)
    except _TooDeep:
        raise
    except (yaml.YAMLError, PlainYamlError):
        pass  # The text ends in the middle, so any other error says nothing about the whole text.


def _build(events: Iterable[Any], most_nodes: int) -> PlainYaml:
    documents: list[PlainYaml] = []
    root = _Node(documents, None)
    open_nodes = [root]
    count = 0
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            count += 1
            _check_event(event, count, most_nodes)
        if isinstance(event, yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULL
            open_nodes[-1].add(None if is_null else event.value, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            node = _Node({} if isinstance(event, yaml.MappingStartEvent) else [], event)
            if len(open_nodes) > _DEEPEST:
                line = event.start_mark.line + 1
                raise _TooDeep(f"line {line}: it is nested more than {_DEEPEST} levels deep")
            open_nodes.append(node)
        elif isinstance(event, yaml.CollectionEndEvent):
            node = open_nodes.pop()
            open_nodes[-1].add(node.value, node.event)
    if len(documents) > 1:
        raise PlainYamlError("it holds more than one document")
    return documents[0] if documents else None


def _check_event(event: Any, count: int, most_nodes: int) -> None:
    if count > most_nodes:
        raise _error(event, f"it holds more than {most_nodes} values")
    if isinstance(event, yaml.AliasEvent):
        raise _error(
            event, "it uses a YAML alias ('*name'), and aliases are not read: write it out"
        )
    if isinstance(event, yaml.ScalarEvent) and (problem := text_problem(event.value)):
        raise _error(event, f"a text {problem}")  # YAML has escapes for both.
    if event.tag not in (None, "!"):
        raise _error(event, "it uses a YAML tag ('!name'), and tags are not read")


class _Node:
    """A mapping or a list that is not yet complete.

    Attributes:
        event: The event with which it began, or None for the list of all documents.
    """

    def __init__(self, value: list[PlainYaml] | dict[str, PlainYaml], event: Any) -> None:
        self.value = value
        self.event = event
        # The key of a mapping whose value comes next. No key is None.
        self._key: str | None = None

    def add(self, value: PlainYaml, event: Any) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self._key is not None:
            self.value[self._key] = value
            self._key = None
        elif not isinstance(value, str):
            raise _error(event, "a key is not a text")
        elif value in self.value:
            raise _error(event, f"the key '{value}' is there twice")
        else:
            self._key = value


def _error(event: Any, problem: str) -> PlainYamlError:
    return PlainYamlError(f"line {event.start_mark.line + 1}: {problem}")
