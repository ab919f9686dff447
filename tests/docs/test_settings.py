import ast
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
REFERENCE = CHECKOUT / "docs/admin/reference/settings.md"


def _settings():
    """Name the settings of the plugin, without importing Django."""
    module = ast.parse((CHECKOUT / "pulp_conda/app/settings.py").read_text())
    return [
        target.id
        for statement in module.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in getattr(statement, "targets", None) or [statement.target]
        if target.id.isupper()
    ]


@pytest.mark.parametrize("name", _settings())
def test_every_setting_has_its_section_in_the_reference(name):
    section = REFERENCE.read_text().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert len(section.split()) > 20
    assert "Default: " in section


def test_the_reference_has_no_setting_of_yesterday():
    headings = [
        line.removeprefix("## ")
        for line in REFERENCE.read_text().splitlines()
        if line.startswith("## CONDA_")
    ]
    assert headings == [name for name in _settings() if name.startswith("CONDA_")]
