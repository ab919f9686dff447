"""Who may import whom: `app → pages → channel`, and never back."""

import ast
import re
from pathlib import Path

import pytest

from pulp_conda import channel

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pulp_conda"

FORBIDDEN = {
    "channel": {
        "django",
        "rest_framework",
        "pulpcore",
        "aiohttp",
        "requests",
        "pulp_conda.app",
        "pulp_conda.pages",
        "pulp_conda.quickstart",
    },
    "pages": {
        "django",
        "rest_framework",
        "pulpcore",
        "aiohttp",
        "requests",
        "pulp_conda.app",
        "pulp_conda.quickstart",
    },
    "app": {"pulpcore.app", "pulp_conda.quickstart"},
    "app/models": {"pulp_conda.app.serializers", "pulp_conda.app.viewsets"},
    "app/serializers": {"pulp_conda.app.viewsets", "pulp_conda.app.tasks"},
    "app/tasks": {"pulp_conda.app.viewsets"},
    # A program of its own, without what takes long to load.
    "solver.py": {"django", "pulpcore", "pulp_conda.app", "pulp_conda.pages"},
    "verifier.py": {"django", "pulpcore", "pulp_conda.app", "pulp_conda.pages"},
    "quickstart": {
        "django",
        "pulpcore",
        "pulp_conda.app",
        "pulp_conda.channel",
        "pulp_conda.pages",
    },
    # They know the REST API only, so a laptop needs nothing of the server.
    "../cli/src": {"django", "pulpcore.app", "pulpcore.plugin", "pulp_conda"},
    "../cli/pulp-glue-conda": {"click", "django", "pulp_cli", "pulpcore", "pulp_conda"},
    "../ansible": {"click", "django", "pulp_cli", "pulpcore", "pulp_conda"},
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_only_what_stands_below_it(layer):
    paths = PACKAGE / layer
    paths = [paths] if paths.is_file() else paths.rglob("*.py")
    files = [path for path in paths if "migrations" not in path.parts]
    assert files
    for path in files:
        for module in _imports(path):
            for forbidden in FORBIDDEN[layer]:
                assert module != forbidden and not module.startswith(f"{forbidden}."), (
                    f"{path} imports {module}"
                )


def test_the_map_of_the_channel_package_has_each_module_once():
    folder = PACKAGE / "channel"
    paths = (path.relative_to(folder) for path in folder.rglob("*.py") if path.stem != "__init__")
    modules = sorted(".".join(path.with_suffix("").parts) for path in paths)
    assert sorted(re.findall(r"^([a-z_0-9.]+)  ", channel.__doc__, re.MULTILINE)) == modules


def test_the_package_itself_imports_nothing():
    # Users of the command line must not load Django.
    assert list(_imports(PACKAGE / "__init__.py")) == []


def test_the_server_knows_the_glue_for_replication_only():
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(module.startswith("pulp_glue") for module in _imports(path))
    }
    assert users <= {"app/replica.py"}


def test_models_know_tasks_in_the_one_declared_place():
    users = {
        path.name
        for path in (PACKAGE / "app/models").glob("*.py")
        if any(module.startswith("pulp_conda.app.tasks") for module in _imports(path))
    }
    assert users == {"repository.py"}
