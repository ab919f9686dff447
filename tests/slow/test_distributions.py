"""What is released: sdists that have everything, wheels that are built from them and work in a
fresh environment, and the collection.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from build import ProjectBuilder
from build.env import DefaultIsolatedEnv

import tests.support.django_setup  # noqa: F401  a database, and the settings for it

ROOT = Path(__file__).parents[2]

# The name of each distribution, its folder, and the folder with its code.
DISTRIBUTIONS = {
    "pulp_conda": (".", "."),
    "pulp_cli_conda": ("cli", "cli/src"),
    "pulp_glue_conda": ("cli/pulp-glue-conda", "cli/pulp-glue-conda/src"),
}
# The folders in the wheels, as `DISTRIBUTIONS` orders them.
PACKAGES = {
    "pulp_conda": "pulp_conda",
    "pulp_cli_conda": "pulpcore/cli/conda",
    "pulp_glue_conda": "pulp_glue/conda",
}
# What tools leave in a checkout, and what is only for git.
_NOT_RELEASED = shutil.ignore_patterns(
    ".git*",
    ".venv*",
    ".state",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
    "build",
    "dist",
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout: what builds leave behind does not stay in it."""
    return shutil.copytree(ROOT, tmp_path_factory.mktemp("source") / "s", ignore=_NOT_RELEASED)


@pytest.fixture(scope="module")
def built(source, tmp_path_factory):
    """The folder with the sdists, the wheels that are built from them, and what setuptools said."""
    folder, said = tmp_path_factory.mktemp("dist"), []

    def run(command, cwd=None, extra_environ=None):
        environ = {**os.environ, **(extra_environ or {})}
        done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True)
        said.extend(f"{done.stdout}{done.stderr}".splitlines())
        assert done.returncode == 0, said[-20:]

    with DefaultIsolatedEnv() as environment:
        environment.install({"setuptools>=77"})
        python = environment.python_executable
        for place, _ in DISTRIBUTIONS.values():
            sdist = ProjectBuilder(source / place, python, run).build("sdist", folder)
            with tarfile.open(sdist) as archive:
                archive.extractall(folder / "unpacked", filter="data")
            unpacked = folder / "unpacked" / Path(sdist).name.removesuffix(".tar.gz")
            ProjectBuilder(unpacked, python, run).build("wheel", folder)
    return folder, said


def _files(folder):
    """The files below a folder, without what builds make."""
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {path for path in paths if ".egg-info/" not in path and not path.startswith("build/")}


def test_setuptools_warns_of_nothing_that_it_will_refuse(built):
    _, said = built
    assert [line for line in said if "Deprecat" in line or "will be removed" in line] == []


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_an_sdist_has_all_files_of_its_folder(source, built, name):
    (unpacked,) = (built[0] / "unpacked").glob(f"{name}-*")
    wanted = _files(source / DISTRIBUTIONS[name][0])
    if name == "pulp_cli_conda":
        wanted = {path for path in wanted if not path.startswith("pulp-glue-conda/")}
    present = _files(unpacked)
    assert sorted(wanted - present) == []
    assert {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"} <= present


def test_tests_run_from_the_sdist(built):
    (unpacked,) = (built[0] / "unpacked").glob("pulp_conda-*")
    tests = ["tests/unit/test_released.py", "tests/unit/channel/test_versions.py"]
    _run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=unpacked)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wheel_has_all_files_of_its_packages_and_the_license(source, built, name):
    (path,) = built[0].glob(f"{name}-*.whl")
    with zipfile.ZipFile(path) as wheel:
        present = set(wheel.namelist())
        (license_,) = (each for each in present if each.endswith("licenses/LICENSE"))
        assert wheel.read(license_) == (ROOT / "LICENSE").read_bytes()
    code, package = source / DISTRIBUTIONS[name][1], PACKAGES[name]
    wanted = {f"{package}/{each}" for each in _files(code / package)}
    assert {each for each in present if ".dist-info/" not in each} == wanted


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A fresh environment with the wheels, and the libraries of this one as links."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    here, there = (
        Path(sysconfig.get_path("purelib", vars={"base": base, "platbase": base}))
        for base in (sys.prefix, str(venv))
    )
    _link(here, there)
    wheels = [str(wheel) for wheel in built[0].glob("*.whl")]
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", *wheels], check=True)
    return venv / "bin"


def _link(here, there):
    """Link what is installed, but not what this checkout installed as editable.

    Folders into which the wheels go are no links.
    """
    shared = {here / part for part in ("pulpcore", "pulpcore/cli", "pulp_glue")}
    for path in here.iterdir():
        if path.name.startswith("__editable__") or path.stem.split("-")[0] in DISTRIBUTIONS:
            continue
        if path in shared:
            (there / path.name).mkdir()
            _link(path, there / path.name)
        else:
            (there / path.name).symlink_to(path)


@pytest.mark.parametrize("module", ["pulp_conda.app", "pulpcore.cli.conda", "pulp_glue.conda"])
def test_code_is_imported_from_the_wheel(installed, module, tmp_path):
    where = "import importlib, sys; print(importlib.import_module(sys.argv[1]).__file__)"
    done = _run(installed / "python", "-c", where, module, cwd=tmp_path)
    assert done.startswith(str(installed.parent))


def test_the_installed_plugin_works(installed, tmp_path):
    manager = installed / "pulpcore-manager"
    shutil.copy(Path(sys.prefix) / "bin" / "pulpcore-manager", manager)
    lines = manager.read_text().splitlines(keepends=True)
    manager.write_text("".join([f"#!{installed / 'python'}\n", *lines[1:]]))
    # All migrations are there. This also runs the checks of Django and of the plugins.
    _run(manager, "makemigrations", "--check", "--dry-run", "conda", cwd=tmp_path)
    assert "up" in _run(installed / "pulp-conda-quickstart", "--help", cwd=tmp_path)


def test_the_installed_commands_work(installed, tmp_path):
    program = "import sys; from pulp_cli import main; sys.argv[0] = 'pulp'; main()"
    said = _run(installed / "python", "-c", program, "conda", "--help", cwd=tmp_path)
    assert "lifecycle" in said


def test_the_collection_has_all_files_of_its_folder(source, tmp_path):
    galaxy = [sys.executable, "-m", "ansible", "galaxy"]
    _run(
        *galaxy, "collection", "build", source / "ansible", "--output-path", tmp_path, cwd=tmp_path
    )
    (path,) = tmp_path.glob("pulp-conda-*.tar.gz")
    with tarfile.open(path) as archive:
        present = {member.name for member in archive if member.isfile()}
    wanted = _files(source / "ansible") - {"galaxy.yml"}
    assert wanted | {"MANIFEST.json", "FILES.json"} == present


def _run(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
