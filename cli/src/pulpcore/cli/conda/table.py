"""The output format 'table', which pulp-cli does not have: results for people.

A list is a table with a column for each field. A single object has a line for each key and value.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click
from pulp_cli.config import FORMAT_CHOICES
from pulp_cli.generic import REGISTERED_OUTPUT_FORMATTERS

# The default columns. Other fields are for programs, or are too wide.
_COLUMNS = (
    "name",
    "owner",
    "stages",
    "scopes",
    "verb",
    "resource_name",
    "actor",
    "number",
    "stage",
    "kind",
    "event",
    "outcome",
    "state",
    "version",
    "build",
    "subdir",
    "size",
    "license",
    "sha256",
    "spec",
    "public_reason",
    "file_count",
    "author",
    "reason",
    "expires_at",
    "format",
    "platforms",
    "url",
    "policy",
    "base_url",
    "description",
    "autopublish",
    "repository_version",
    "checkpoint",
    "expires",
    "last_used",
    "revoked",
    "requested_by",
    "moved_at",
    "started_at",
    "finished_at",
)


# Numbers that count nothing: 1043 is not 1,043.
_LABELS = {"#", "number", "version", "build_number", "entry", "base", "target", "status"}
_MOMENTS = {"pulp_created", "pulp_last_updated", "since", "until", "when", "here since", "expires"}
_MOMENTS |= {"last_used", "revoked"}


def add_table_format(main: click.Group) -> None:
    """Add 'table' to the choices of `pulp --format`. pulp-cli set them before it loaded plugins.

    The configuration cannot name it: pulp-cli validates that before it loads plugins.
    """
    if "table" in REGISTERED_OUTPUT_FORMATTERS:
        return
    REGISTERED_OUTPUT_FORMATTERS["table"] = render
    FORMAT_CHOICES.append("table")
    for option in main.params:
        if option.name == "format":
            option.type = click.Choice(FORMAT_CHOICES, case_sensitive=False)


def render(result: Any, width: int | None = None) -> str:
    """Return a table of a list, or of the keys of one object.

    Args:
        result: A list of objects, or one object.
        width: The number of characters of a line. Columns that do not fit are left out from the
            right. By default, there is no limit.
    """
    if isinstance(result, dict):
        return _aligned([[key, _value(key, value)] for key, value in result.items()])
    if not isinstance(result, list) or not all(isinstance(row, dict) for row in result):
        return _text(result)
    columns = _columns(result)
    cells = [[_heading(column), *(_cell(column, row.get(column)) for row in result)]
             for column in columns]  # fmt: skip
    rights = [_is_right(column, result) for column in columns]
    if width is not None:
        room = width
        for count, column in enumerate(cells):
            room -= max(map(len, column)) + (2 if count else 0)
            if room < 0 and count:
                cells = cells[:count]
                break
    return _aligned([list(row) for row in zip(*cells, strict=True)], rights[: len(cells)])


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    there = list(dict.fromkeys(key for row in rows for key in row))
    context = click.get_current_context(silent=True)
    if asked := context and context.params.get("fields"):
        return [column for column in asked if column in there]
    if "pulp_href" not in there:
        return there
    chosen = [column for column in _COLUMNS if column in there]
    # Entities without a name are identified by their date and their href.
    return chosen if "name" in there else [*chosen, "pulp_created", "pulp_href"]


def _is_moment(key: str) -> bool:
    return key in _MOMENTS or key.endswith("_at")


def _heading(key: str) -> str:
    return f"{key.upper()} (UTC)" if _is_moment(key) else key.upper()


def _is_right(key: str, rows: Iterable[dict[str, Any]]) -> bool:
    values = [row.get(key) for row in rows]
    numbers = [type(value) in (int, float) for value in values if value is not None]
    return bool(numbers) and all(numbers)


def _value(key: str, value: Any) -> str:
    """Return the text of a value that stands behind its key."""
    text = _cell(key, value)
    return f"{text} UTC" if _is_moment(key) and text != "-" else text


def _cell(key: str, value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "-"
    if _is_moment(key) and isinstance(value, str | datetime):
        return moment(value)
    if type(value) is int and key == "timestamp":
        return f"{moment(datetime.fromtimestamp(value / 1000, UTC))} UTC"
    if type(value) is int and key == "size":
        return size(value)
    if type(value) is int and key not in _LABELS:
        return f"{value:,}"
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value):
        value = [item["name"] for item in value]
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        value = ", ".join(map(str, value))
    return printable(value if isinstance(value, str) else json.dumps(value, default=str))


def printable(text: str) -> str:
    """Return a text without characters that control a terminal. Some texts come from upstreams."""
    return "".join(character if character.isprintable() else " " for character in text)


def moment(value: str | datetime) -> str:
    """Return a moment as people read it, in UTC: `2026-11-30 06:02`.

    Args:
        value: As the API has it, in ISO 8601. Another text is returned as it is.
    """
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return printable(str(value))
    if read.tzinfo is not None:
        read = read.astimezone(UTC)
    return f"{read:%Y-%m-%d %H:%M}"


def size(count: int) -> str:
    """Return a number of bytes as people read it, with three digits: `9.05 MB`."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        amount /= 1000
        if amount < 999.5:
            break
    digits = 2 if amount < 9.995 else 1 if amount < 99.95 else 0
    return f"{amount:,.{digits}f} {unit}"


def _aligned(rows: list[list[str]], rights: Iterable[bool] = ()) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    to_right = [*rights, *([False] * len(widths))]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, to_right, strict=False)
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
