import ast
import re
from pathlib import Path

import pytest

from pulp_conda.channel import layout

CHECKOUT = Path(__file__).parents[2]
TABLE = CHECKOUT / "docs/user/reference/protocol.md"

# All that say something of what a channel has, or of what a server has to know.
CEPS = (6, 12, 15, 16, 17, 20, 21, 22, 26, 27, 29, 31, 33, 34, 35, 36, 38, 42, 43, 44, 45, 47)
CEPS += (48, 49, 50)

FILES = [
    *sorted(layout.ROOT_METADATA),
    *(layout.metadata_path("<subdir>", name) for name in sorted(layout.SUBDIR_METADATA)),
    "<subdir>/shards/<sha256>.msgpack.zst",
    layout.package_path("<subdir>", "<file>"),
    "<subdir>/<file>.sigs",
    "<subdir>/<file>.sigs.<sha256>",
]


def _rows():
    """Return the cells of all rows, by the first of them."""
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith(("| `", "| ["))]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def _tests(cell):
    return re.findall(r"`(tests/[^`]+)::([^`]+)`", cell)


@pytest.mark.parametrize("file", FILES)
def test_every_file_of_a_channel_has_its_row(file):
    assert f"`{file}`" in _rows()


@pytest.mark.parametrize("number", CEPS)
def test_every_standard_has_its_row(number):
    url = f"https://github.com/conda/ceps/blob/main/cep-{number:04}.md"
    assert f"[CEP {number}]({url})" in _rows()


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_can_be_served_is_not_said_to_be_missing(file):
    assert _rows()[f"`{file}`"][1].startswith("served")


@pytest.mark.parametrize("name", _rows())
def test_a_row_says_what_why_and_names_a_test(name):
    what, here, shown_by = _rows()[name]
    assert what and here
    # Nothing can be shown of what is not there, but a reason can be given.
    assert _tests(shown_by) or here.startswith(("not: ", "in the package"))


@pytest.mark.parametrize("path, name", sorted(set(_tests(TABLE.read_text()))))
def test_every_test_that_is_named_exists(path, name):
    module = ast.parse((CHECKOUT / path).read_text())
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
