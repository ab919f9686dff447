"""The reasons for which the server refuses a request, as sentences for people."""

import json
import typing as t

from pulp_glue.common.exceptions import PulpHTTPError
from pulp_glue.common.i18n import get_translation

translation = get_translation(__package__)
_ = translation.gettext

# The maximum length of an answer that is not JSON. Such an answer comes from a proxy or a crash,
# and can be a whole page.
_LONGEST = 500


def _as_it_is(path: t.Sequence[str], text: str) -> str:
    return f"{'.'.join(path)}: {text}" if path else text


def sentences(
    error: PulpHTTPError, spell: t.Callable[[t.Sequence[str], str], str] = _as_it_is
) -> str:
    """Return the reasons in an answer with one on each line.

    Args:
        error: The answer.
        spell: Makes a line of the path of a field, for example `("stages", "0", "name")`, and a
            reason. The path is empty if the reason is for the whole request. The default is the
            path with dots, and the reason.

    >>> sentences(PulpHTTPError('{"name": ["This field must be unique."]}', 400))
    'name: This field must be unique.'
    """
    if error.status_code == 413:
        return _(
            "The server, or a proxy before it, does not accept a request of that size. Send "
            "smaller pieces, for example with --chunk-size 5MB."
        )
    text = str(error)
    try:
        answer = json.loads(text)
    except ValueError:
        if error.status_code >= 500:
            return _(
                "The server answered {status}: the server, or a proxy before it, has an error. "
                "See its logs."
            ).format(status=error.status_code)
        return _("The server answered {status}: {text}").format(
            status=error.status_code, text=_printable(text)[:_LONGEST]
        )
    return "\n".join(_printable(spell(path, reason)) for path, reason in _reasons(answer))


def _reasons(answer: t.Any, path: tuple[str, ...] = ()) -> t.Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(answer, dict):
        for key, value in answer.items():
            known = key in ("detail", "non_field_errors")
            yield from _reasons(value, path if known else (*path, key))
    elif isinstance(answer, list):
        # A list of reasons, or a list of the mistakes of each item of a list.
        for number, value in enumerate(answer):
            yield from _reasons(value, (*path, str(number)) if isinstance(value, dict) else path)
    else:
        yield path, str(answer)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def warnings_of(task: dict[str, t.Any]) -> list[str]:
    """Return the warnings of a finished task, which stand in its progress reports."""
    reports = task.get("progress_reports") or []
    return [_printable(each["message"]) for each in reports if each["code"] == "sync.warning"]
