"""Bring the database up to date, and only when something changed: loading Pulp takes seconds."""

import hashlib
import importlib.util
import signal
import subprocess
from contextlib import contextmanager
from importlib.metadata import entry_points, version
from pathlib import Path

from pulp_conda.quickstart.errors import ended_early
from pulp_conda.quickstart.processes import spawn
from pulp_conda.quickstart.settings import environment, program

# Besides running migrations, `migrate` writes roles and access policies, which such modules declare.
DECLARATIONS = (b"LOCKED_ROLES", b"DEFAULT_ACCESS_POLICY")


def fingerprint():
    """A digest of all that decides what `migrate` makes: versions, migrations, roles, access policies."""
    digest = hashlib.sha256(f"Django {version('Django')}".encode())
    plugins = {
        point.dist.name: point.dist.version for point in entry_points(group="pulpcore.plugin")
    }
    packages = {point.module.partition(".")[0] for point in entry_points(group="pulpcore.plugin")}
    digest.update(repr(sorted(plugins.items())).encode())
    for package in sorted(packages | {"pulpcore"}):
        folder = Path(importlib.util.find_spec(package).origin).parent / "app"
        for path in sorted(folder.rglob("*.py")):
            source = path.read_bytes()
            if path.parent.name == "migrations" or any(word in source for word in DECLARATIONS):
                digest.update(f"{package}/{path.relative_to(folder)}".encode())
                digest.update(hashlib.sha256(source).digest())
    return digest.hexdigest()


def migrate(state):
    """Make or update tables, roles, the administrator and the static files, unless all is as it was last time."""
    wanted = fingerprint()
    if state.facts.get("migrated") == wanted:
        return
    with _manager(state, "collectstatic", "--no-input") as static:  # while the tables are made
        with _manager(state, "migrate", "--no-input") as tables:
            _finish(tables, state)
        if "migrated" not in state.facts:
            with _manager(state, "reset-admin-password") as admin:
                # Through a pipe, as other users can see the arguments of a program.
                _finish(admin, state, f"{state.password}\n" * 2)
        _finish(static, state)
    state.save(migrated=wanted)


@contextmanager
def _manager(state, *arguments):
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


def _finish(child, state, text=""):
    child.communicate(text.encode())
    if child.returncode:
        raise ended_early(f"pulpcore-manager {child.args[1]}", state.log("manager"))
