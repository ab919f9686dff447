"""The output format 'table', which pulp-cli does not have.

A list is a table with a column for each field. A single object has a line for each key and value.
"""

import json
from typing import Any

import click
from pulp_cli.config import FORMAT_CHOICES
from pulp_cli.generic import REGISTERED_OUTPUT_FORMATTERS

# The default columns. Other fields are for programs, or are too wide.
_COLUMNS = (
    "name",
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
    "requested_by",
    "moved_at",
    "started_at",
    "finished_at",
)


def add_table_format(main: click.Group) -> None:
    """Add 'table' to the choices of `pulp --format`. pulp-cli set them before it loaded plugins."""
    if "table" in REGISTERED_OUTPUT_FORMATTERS:
        return
    REGISTERED_OUTPUT_FORMATTERS["table"] = render
    FORMAT_CHOICES.append("table")
    for option in main.params:
        if option.name == "format":
            option.type = click.Choice(FORMAT_CHOICES, case_sensitive=False)


def render(result: Any) -> str:
    """Return a table of a list, or of the keys of one object."""
    if isinstance(result, dict):
        return _aligned([[key, _cell(value)] for key, value in result.items()])
    if not isinstance(result, list) or not all(isinstance(row, dict) for row in result):
        return _cell(result)
    columns = _columns(result)
    head = [column.upper() for column in columns]
    rows = [[_cell(row.get(column)) for column in columns] for row in result]
    return _aligned([head, *rows])


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


def _cell(value: Any) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        value = ", ".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    # Some texts come from upstreams. Control characters in them could control the terminal.
    return "".join(character if character.isprintable() else " " for character in text)


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
