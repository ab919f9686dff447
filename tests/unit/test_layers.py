"""Who may import whom: `app → pages → channel`, the rooms of `app` in their order, and never
back.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulp_conda import channel

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pulp_conda"
APP = "pulp_conda.app"

SERVER = {"django", "rest_framework", "pulpcore", "aiohttp", "requests"}

# By folder or file: what nothing in it imports.
FORBIDDEN = {
    "channel": {*SERVER, APP, "pulp_conda.pages", "pulp_conda.quickstart"},
    "pages": {*SERVER, APP, "pulp_conda.quickstart"},
    "app": {"pulpcore.app", "pulp_conda.quickstart"},
    # Programs of their own, without what takes long to load.
    "solver.py": {"django", "pulpcore", APP, "pulp_conda.pages"},
    "verifier.py": {"django", "pulpcore", APP, "pulp_conda.pages"},
    "quickstart": {"django", "pulpcore", APP, "pulp_conda.channel", "pulp_conda.pages"},
    # They know the REST API only, so a laptop needs nothing of the server.
    "../cli/src": {"django", "pulpcore.app", "pulpcore.plugin", "pulp_conda"},
    "../cli/pulp-glue-conda": {"click", "django", "pulp_cli", "pulpcore", "pulp_conda"},
    "../ansible": {"click", "django", "pulp_cli", "pulpcore", "pulp_conda"},
}

DRAWING = ROOT / "docs/dev/learn/architecture.md"

# A module of a room that others may know although they may not know the room.
RETENTION = "lifecycle/retention"


def _drawn() -> dict[str, set[str]]:
    """Return the rooms of `app`, each with those that it imports from, as the drawing in the docs
    has them.
    """
    drawing = re.search(r"```mermaid\nflowchart TD\n(.*?)```", DRAWING.read_text(), re.DOTALL)[1]
    arrows: dict[str, set[str]] = {}
    for line in drawing.splitlines():
        room, arrow, others = line.strip().partition(" --> ")
        assert arrow, line
        arrows[room] = set(others.split(" & "))
        for other in arrows[room]:
            arrows.setdefault(other, set())
    return {_full(room): set(map(_full, others)) for room, others in arrows.items()}


def _full(room: str) -> str:
    return RETENTION if room == "retention" else room


ROOMS = _drawn()

# What pulpcore keeps of versions. Its other tables are for the room that fills them.
VERSION_TABLES = re.compile(r"\bcore_(repositoryversion|repositorycontent)\b")


def _files(folder: str) -> list[Path]:
    path = PACKAGE / folder
    paths = [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in paths if "migrations" not in path.parts]


def _name_of(path: Path) -> str:
    """Return the name by which a file of this package is imported."""
    parts = path.resolve().relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> Iterator[str]:
    """Yield what a file imports, wherever in it: modules, and names that may be modules."""
    package = _name_of(path).split(".") if path.is_relative_to(PACKAGE) else []
    if path.stem != "__init__":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = package[: len(package) - node.level + 1]
                module = ".".join([*base, module] if module else base)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_only_what_stands_below_it(layer):
    files = _files(layer)
    assert files
    for path in files:
        for module in _imports(path):
            for forbidden in FORBIDDEN[layer]:
                assert not _is_in(module, forbidden), f"{path} imports {module}"


def _room_of(module: str) -> str | None:
    """Return the room of a module of `app`, or None for those that stand in no room."""
    path = module.removeprefix(f"{APP}.").replace(".", "/")
    inside = [room for room in ROOMS if path == room or path.startswith(f"{room}/")]
    return max(inside, key=len, default=None)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_the_drawing_of_the_rooms_shows_their_imports(room):
    files = [path for path in _files("app") if _room_of(_name_of(path)) == room]
    assert files
    used = set()
    for path in files:
        for module in _imports(path):
            other = _room_of(module) if _is_in(module, APP) else None
            assert other in {None, room, *ROOMS[room]}, f"{path} imports {module}"
            used.add(other)
    assert ROOMS[room] <= used, "an arrow that no import follows"


def test_every_folder_of_the_app_is_a_room():
    folders = {path.name for path in (PACKAGE / "app").iterdir() if list(path.glob("*.py"))}
    assert folders - {"migrations"} == ROOMS.keys() - {RETENTION}


@pytest.mark.parametrize("package", ["channel", "pages", "app", "quickstart"])
def test_no_function_imports(package):
    """An import inside of a function hides a circle, or a cost. A line of the quickstart may say
    why it has to be.
    """
    for path in _files(package):
        text = path.read_text()
        lines = text.splitlines()
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        is_explained = "#" in lines[node.end_lineno - 1]
                        assert package == "quickstart" and is_explained, f"{path}:{node.lineno}"


def test_no_modules_import_each_other_in_a_circle():
    files = {_name_of(path): path for path in _files("")}
    graph = {
        name: {module for module in _imports(path) if module in files and module != name}
        for name, path in files.items()
    }
    # A package is imported with each of its modules, but names only what it exports.
    done = set()

    def visit(name, above):
        if name in above:
            circle = " → ".join([*above[above.index(name) :], name])
            raise AssertionError(f"These modules import each other: {circle}")
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, [*above, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])


def test_only_versions_writes_sql_about_versions():
    for path in _files("app"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                is_free = _room_of(_name_of(path)) == "versions"
                assert is_free or not VERSION_TABLES.search(node.value), f"{path}:{node.lineno}"


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
        for path in _files("")
        if any(module.startswith("pulp_glue") for module in _imports(path))
    }
    assert users <= {"app/replica.py"}
