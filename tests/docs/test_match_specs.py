"""The page on match specs says what the code does, and what rattler reads."""

import re
from pathlib import Path

import pytest
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError

from pulp_conda.channel.errors import BadMatchSpec
from pulp_conda.channel.matchspec import Query

PAGE = Path(__file__).parents[2] / "docs/user/reference/match-specs.md"


def _forms():
    """Return the cells of each row of the table of refused forms."""
    table = PAGE.read_text().partition("| refused | conda | rattler | clear |\n|---|---|---|---|\n")
    lines = table[2].partition("\n\n")[0].splitlines()
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    return [[cell.strip(" `").replace(r"\|", "|") for cell in row] for row in cells]


def _as_rattler_reads(spec):
    try:
        return MatchSpec(spec, exact_names_only=False).to_canonical_string()
    except InvalidMatchSpecError:
        return "an error"


def test_the_page_has_forms_that_both_read_and_that_one_refuses():
    forms = _forms()
    assert len(forms) >= 40
    assert any("an error" not in (conda, rattler) for _, conda, rattler, _ in forms)


@pytest.mark.parametrize("refused, conda, rattler, clear", _forms())
def test_a_form_is_refused_and_another_taken(refused, conda, rattler, clear):
    assert _as_rattler_reads(refused) == rattler
    with pytest.raises(BadMatchSpec, match="at character [0-9]+") as error:
        Query(refused)
    assert error.value.code == "CND0007"
    assert Query(clear).spec == clear
