"""What the server says of a request that it does not take, as sentences for people."""

import json
import typing as t

from pulp_glue.common.exceptions import PulpHTTPError
from pulp_glue.common.i18n import get_translation

translation = get_translation(__package__)
_ = translation.gettext

# What is no JSON comes from a proxy or a crash, and can be a whole page.
_LONGEST = 500


def sentences(error: PulpHTTPError) -> str:
    """Return the reasons that an answer gives, each on a line, with the field that it is about.

    >>> sentences(PulpHTTPError('{"name": ["This field must be unique."]}', 400))
    'name: This field must be unique.'
    """
    if error.status_code == 413:
        return _(
            "The server, or a proxy before it, takes no request of that size. Send smaller "
            "pieces, for example "
            "with --chunk-size 5MB."
        )
    text = str(error)
    try:
        answer = json.loads(text)
    except ValueError:
        if error.status_code >= 500:
            return _(
                "The server answered {status}: it, or a proxy before it, has a problem of its "
                "own. Its logs say more."
            ).format(status=error.status_code)
        return _("The server answered {status}: {text}").format(
            status=error.status_code, text=_printable(text)[:_LONGEST]
        )
    return "\n".join(map(_printable, _reasons(answer)))


def _reasons(answer: t.Any, field: str = "") -> t.Iterator[str]:
    if isinstance(answer, dict):
        for key, value in answer.items():
            known = key in ("detail", "non_field_errors")
            yield from _reasons(value, field if known else f"{field}.{key}".lstrip("."))
    elif isinstance(answer, list):
        for value in answer:
            yield from _reasons(value, field)
    else:
        yield f"{field}: {answer}" if field else str(answer)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
