"""YAML from strangers, as nothing but mappings, lists and texts.

It is built from the events of the parser. PyYAML's own loaders build it by recursion, and the fast one ends the whole
process on a file of a hundred thousand brackets.
"""

import yaml

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# Files for people have ten levels or so; the parser's time grows with the square of them.
_DEEPEST = 30

_NULL = frozenset({"", "~", "null", "Null", "NULL"})


class PlainYamlError(ValueError):
    """The text is no YAML of this kind; says why, and in which line."""


class _TooDeep(PlainYamlError):
    pass


def read_plain(text, most_nodes):
    """Return a YAML document, with all scalars as texts but for empty ones and `null`, which are None.

    A version stays the text '3.10' so, and a checksum that happens to be of digits alone keeps its zeros. Aliases and
    tags are refused: no tool that we read from writes them, and a few lines of aliases can stand for gigabytes.

    Raises:
        PlainYamlError: not YAML, or with aliases, tags, a key that is there twice, or more than `most_nodes` values.
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


def _check_depth(text, most_nodes):
    """Raise if a text that the parser stopped at is nested too deeply.

    The parser reads up to a thousand characters ahead of its events. What it stops at may stand there, and may be a limit
    of its own on nesting.
    """
    try:
        _build(yaml.parse(text, Loader=_LOADER), most_nodes)
    except _TooDeep:
        raise
    except (yaml.YAMLError, PlainYamlError):
        pass  # It ends in the middle, so this says nothing of the whole text.


def _build(events, most_nodes):
    root = _Node([], None)
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
    if len(root.value) > 1:
        raise PlainYamlError("it holds more than one document")
    return root.value[0] if root.value else None


def _check_event(event, count, most_nodes):
    if count > most_nodes:
        raise _error(event, f"it holds more than {most_nodes} values")
    if isinstance(event, yaml.AliasEvent):
        raise _error(
            event, "it uses a YAML alias ('*name'), and aliases are not read: write it out"
        )
    if event.tag not in (None, "!"):
        raise _error(event, "it uses a YAML tag ('!name'), and tags are not read")


class _Node:
    """A mapping or a list that is being filled."""

    _NO_KEY = object()

    def __init__(self, value, event):
        self.value = value
        self.event = event
        self._key = self._NO_KEY

    def add(self, value, event):
        if isinstance(self.value, list):
            self.value.append(value)
        elif self._key is not self._NO_KEY:
            self.value[self._key] = value
            self._key = self._NO_KEY
        elif not isinstance(value, str):
            raise _error(event, "a key is not a text")
        elif value in self.value:
            raise _error(event, f"the key '{value}' is there twice")
        else:
            self._key = value


def _error(event, problem):
    return PlainYamlError(f"line {event.start_mark.line + 1}: {problem}")
