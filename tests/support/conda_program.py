"""The program `conda`, for tests that need a real one.

`PULP_CONDA_CONDA` is the path of the program. Without it, it is the one on the PATH.
"""

import functools
import json
import os
import re
import subprocess
from pathlib import Path

from tests.support.variables import CONDA

NO_CONDA = "'conda' is not on the PATH, and PULP_CONDA_CONDA is not set"


@functools.cache
def find_solvers() -> list[str]:
    """Return the names of the solvers that the program has. Without a program there are none."""
    if CONDA is None:
        return []
    usage = subprocess.run(
        [CONDA, "create", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | {"COLUMNS": "1000"},
    ).stdout
    (names,) = re.findall(r"\[--solver \{(.+?)\}\]", usage)
    return sorted(names.split(","))


@functools.cache
def why_no_index() -> str | None:
    """Return why there is no command `conda index`, which conda-index adds. None if there is."""
    if CONDA is None:
        return NO_CONDA
    asked = subprocess.run([CONDA, "index", "--help"], capture_output=True, timeout=120)
    return "'conda index' is not there" if asked.returncode else None


class CondaFailed(Exception):
    """The program ended with an error. The exception has what it wrote."""


class Conda:
    """Runs the program with settings, a cache of packages and a cache of repodata of its own.

    Args:
        folder: Where these are.
        solver: The solver that it uses.
        url: The channel that it uses, if a call names no other.
    """

    def __init__(self, folder: Path, solver: str, url: str | None = None) -> None:
        self.solver = solver
        self._url = url
        self._folder = folder
        # conda may not know the file yet; without it, it would read that of the user.
        (folder / "condarc").touch()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CONDARC": str(folder / "condarc"),
            "CONDA_PKGS_DIRS": str(folder / "packages"),
            "CONDA_ENVS_DIRS": str(folder / "environments"),
            "CONDA_SUBDIR": "linux-64",
            "CONDA_SOLVER": solver,
        }

    def __call__(self, command: str, *arguments: object, **settings: str):
        """Run a command, and return what it says in JSON.

        Args:
            settings: Settings of conda for this call, as variables of the environment.

        Raises:
            CondaFailed: it ended with an error.
        """
        done = self._run(command, *arguments, "--json", **settings)
        if done.returncode:
            raise CondaFailed(done.stdout)
        return json.loads(done.stdout)

    def text(self, command: str, *arguments: object) -> str:
        """Run a command, and return the text that it writes."""
        done = self._run(command, *arguments)
        if done.returncode:
            raise CondaFailed(done.stdout + done.stderr)
        return done.stdout

    def change(
        self, command: str, prefix: Path, *arguments: object, url: str | None = None, **settings
    ) -> dict[str, str]:
        """Change an environment, and return the versions that it has then, by name.

        Args:
            command: `create`, `install`, `update` or `remove`.
            url: The channel, instead of the usual one.
        """
        self(command, "--yes", "--prefix", prefix, *self._only(url), *arguments, **settings)
        return versions(prefix)

    def create_from(self, listed: Path, prefix: Path) -> dict[str, str]:
        """Make an environment from an explicit list, and return its versions by name."""
        # conda writes no JSON here.
        self.text("create", "--yes", "--prefix", prefix, "--file", listed)
        return versions(prefix)

    def search(self, spec: str, url: str | None = None, **settings: str) -> list[dict]:
        """Return the records that match a spec."""
        found = self("search", *self._only(url), spec, **settings)
        return [record for records in found.values() for record in records]

    def _only(self, url: str | None) -> list[str]:
        return ["--override-channels", "--channel", url or self._url] if url or self._url else []

    def _run(self, *arguments: object, **settings: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [CONDA, *map(str, arguments)],
            env=self._environment | settings,
            capture_output=True,
            text=True,
            timeout=300,
        )


def records(prefix: Path) -> dict[str, dict]:
    """Return what conda notes about the packages in an environment, by name."""
    read = [json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json")]
    return {record["name"]: record for record in read}


def versions(prefix: Path) -> dict[str, str]:
    """Return the versions of the packages in an environment, by name."""
    return {name: record["version"] for name, record in records(prefix).items()}
