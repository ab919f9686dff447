"""Bring the database up to date, but only if something changed, because that takes seconds."""

import hashlib
import importlib.util
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from pathlib import Path

from pulp_conda.quickstart.errors import ended_early
from pulp_conda.quickstart.processes import Child, spawn
from pulp_conda.quickstart.settings import environment, program
from pulp_conda.quickstart.state import State

# `migrate` also writes roles and access policies. Modules with these words declare them, or make
# what others declare.
DECLARATIONS = (
    b"LOCKED_ROLES",
    b"DEFAULT_ACCESS_POLICY",
    b"def model_policy",
    b"OWNER_PERMISSIONS",
)


def fingerprint() -> str:
    """Return a digest of all that `migrate` depends on, in hex.

    These are versions of packages, migrations, roles and access policies.
    """
    digest = hashlib.sha256(f"Django {version('Django')}".encode())
    points = entry_points(group="pulpcore.plugin")
    plugins = {point.dist.name: point.dist.version for point in points if point.dist}
    packages = {point.module.partition(".")[0] for point in points}
    digest.update(repr(sorted(plugins.items())).encode())
    for package in sorted(packages | {"pulpcore"}):
        found = importlib.util.find_spec(package)
        assert found and found.origin, f"'{package}' is a plugin without a file"
        folder = Path(found.origin).parent / "app"
        for path in sorted(folder.rglob("*.py")):
            source = path.read_bytes()
            if path.parent.name == "migrations" or any(word in source for word in DECLARATIONS):
                digest.update(f"{package}/{path.relative_to(folder)}".encode())
                digest.update(hashlib.sha256(source).digest())
    return digest.hexdigest()


def migrate(state: State) -> None:
    """Make or update tables, roles, the administrator and the static files.

    If nothing has changed since the last time, do nothing.
    """
    wanted = fingerprint()
    if state.facts.get("migrated") == wanted:
        return
    # Both programs run at the same time.
    with _manager(state, "collectstatic", "--no-input") as static:
        with _manager(state, "migrate", "--no-input") as tables:
            _finish(tables, "migrate", state)
        if "migrated" not in state.facts:
            with _manager(state, "reset-admin-password") as admin:
                # Through a pipe, because other users can see the arguments of a program.
                _finish(admin, "reset-admin-password", state, f"{state.password}\n" * 2)
        _finish(static, "collectstatic", state)
    state.save(migrated=wanted)


@contextmanager
def _manager(state: State, *arguments: str) -> Iterator[Child]:
    """Start a command of Pulp's manager, and kill it if it still runs in the end."""
    child = spawn(
        [program("pulpcore-manager"), *arguments],
        stdin=subprocess.PIPE,
        log=state.log("manager"),
        env=environment(state),
        cwd=state.tmp,
        when_launcher_dies=signal.SIGKILL,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def _finish(child: Child, command: str, state: State, text: str = "") -> None:
    """Send a text to a command and wait until it ends. Raise `QuickstartError` if it fails."""
    child.communicate(text.encode())
    if child.returncode:
        raise ended_early(f"pulpcore-manager {command}", state.log("manager"))
