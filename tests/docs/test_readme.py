"""The README as PyPI shows it: short, and with links that work from anywhere."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "README.md").read_text()
# Of all forms: inline, by reference, and in HTML.
FORMS = (r"\]\(([^)]+)\)", r"^\[[^]]+\]:\s*(\S+)", r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)""")
LINKS = sorted({link for form in FORMS for link in re.findall(form, TEXT, re.MULTILINE)})
OURS = re.compile(r"https://github\.com/pulp/pulp_conda/(?:blob|tree|raw)/main/([^#]+)")


def test_it_is_short():
    assert len(TEXT.splitlines()) < 100


def test_it_shows_a_terminal_and_the_board():
    shown = re.findall(r"^!\[[^]]{20,}\]\([^)]+/([^/)]+)\)$", TEXT, re.MULTILINE)
    assert shown == ["terminal.svg", "board.png"]


@pytest.mark.parametrize("link", LINKS)
def test_a_link_works_from_anywhere(link):
    assert link.startswith("https://")
    if "github.com/pulp/pulp_conda" in link:
        assert (CHECKOUT / OURS.match(link)[1]).exists()
