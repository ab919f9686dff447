"""The words of a command for the fields of the REST API.

The server names the fields of the request that it refuses. Who uses a command did not write a
request, so its errors name the options and arguments in their place.
"""

import re
import typing as t
from functools import wraps

import click

_RUNNING = f"{__name__}.running"

# The names of fields that differ from those of the parameters of our commands.
_OTHER_NAMES = {
    "name_option": "name",
    "stages_file": "stages",
    "gate_name": "gates",
}
_OTHER_NAMES_OF_ARGUMENTS = {"file": "lock_file", "spec": "match"}

# Fields with one word that stand in quotes in sentences of the server. Other words in quotes may be
# the names of packages.
_WORDS = {"distribution", "environments", "excludes", "includes", "overrides", "overwrite"}
_WORDS |= {"private", "specs", "stages", "subdirs"}

_CODE = re.compile(r"(?:^|(?<=: ))\[(?P<code>CND[0-9]{4})\] (?P<text>.*)$")


def remember_running(command: click.Command) -> None:
    """Let a command, and all commands of a group, be known while they run: see `running`."""
    callback = command.callback
    if callback is not None:

        @wraps(callback)
        def remembered(*args: t.Any, **options: t.Any) -> t.Any:
            context = click.get_current_context()
            context.meta[_RUNNING] = context
            return callback(*args, **options)

        command.callback = remembered
    for child in getattr(command, "commands", {}).values():
        remember_running(child)


def running(context: click.Context) -> click.Context:
    """Return the context of the innermost command that began to run, or the context itself."""
    return t.cast(click.Context, context.meta.get(_RUNNING, context))


class Spelling:
    """The words of one command for fields.

    >>> command = click.Command("add", params=[click.Option(["--include", "includes"])])
    >>> spell = Spelling(click.Context(command))
    >>> spell.reason(("includes", "0"), "[CND0007] 'numpy >>1' is no match spec.")
    "--include (value 1): 'numpy >>1' is no match spec. [CND0007]"
    """

    def __init__(self, context: click.Context) -> None:
        self._words: dict[str, str] = {}
        for param in context.command.params:
            is_argument = isinstance(param, click.Argument)
            others = _OTHER_NAMES_OF_ARGUMENTS if is_argument else _OTHER_NAMES
            field = others.get(param.name or "", param.name or "")
            # If there are several for one field, the user sees the one that was given.
            if field not in self._words or context.params.get(param.name or ""):
                self._words[field] = _word(param)
        self._given = {str(value) for value in context.params.values()}

    def reason(self, path: t.Sequence[str], text: str) -> str:
        """Return a reason for people: the option, what is wrong with it, and the code at the end.

        Args:
            path: The field, and where in its value the mistake is: names and numbers from 0.
            text: A sentence of the server, which may begin with a code.
        """
        text = self.sentence(text)
        if not path:
            return text
        # A sentence with a code says what it is about. A part of a request that no option stands
        # for would not help.
        if path[0] not in self._words and _CODE_AT_END.search(text):
            return text
        return f"{self.path(path)}: {text}"

    def path(self, path: t.Sequence[str]) -> str:
        """Return the option for a field, and the place in its value."""
        field, *inside = path
        word = self._words.get(field, field)
        inside = [part for part in inside if part != field]
        return f"{word} ({', '.join(map(_place, inside))})" if inside else word

    def sentence(self, text: str) -> str:
        """Return a sentence of the server in the words of the command, with its code at the end."""
        if match := _CODE.search(text):
            text = f"{text[: match.start()]}{match['text']} [{match['code']}]"
        text = re.sub(r"'([a-z_]+)'", self._quoted, text)
        return re.sub(r"\b([a-z_]+)\[([0-9]+)\]", self._numbered, text)

    def _quoted(self, match: re.Match[str]) -> str:
        field = match[1]
        is_field = "_" in field or field in _WORDS
        if is_field and field in self._words and field not in self._given:
            return self._words[field]
        return match[0]

    def _numbered(self, match: re.Match[str]) -> str:
        word = self._words.get(match[1])
        return f"{word} ({_place(match[2])})" if word else match[0]


_CODE_AT_END = re.compile(r"\[CND[0-9]{4}\]$")


def _word(param: click.Parameter) -> str:
    if isinstance(param, click.Argument):
        return param.human_readable_name.upper()
    # The short forms, and those that switch something off, come last or are in another list.
    return max(param.opts, key=lambda option: option.startswith("--"))


def _place(part: str) -> str:
    return f"value {int(part) + 1}" if part.isdigit() else part
