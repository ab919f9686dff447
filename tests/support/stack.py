"""A Pulp of its own for a run of tests: real processes, made from a template that is migrated once.

Making a database takes ten seconds, copying one takes half a second. The template is kept in a
cache folder, and another one is made when a version, a migration or a role of an installed plugin
changes.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from pulp_conda.quickstart.migrations import fingerprint
from pulp_conda.quickstart.ports import free_port
from pulp_conda.quickstart.postgres import Postgres
from pulp_conda.quickstart.services import Stack
from pulp_conda.quickstart.settings import write_settings
from pulp_conda.quickstart.state import State

PROVIDER = "tests"

# What a crash of the machine does to a test database does not matter.
POSTGRES_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
SETTINGS = {
    # Every request with a password hashes it, which Pulp's default makes slow on purpose. The
    # administrator's password is hashed anew, with the first of these, when it is used first.
    "PASSWORD_HASHERS": [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ],
    # All tests have one address, and many send wrong passwords. Those about that set it.
    "CONDA_FAILED_LOGINS": None,
    # A CI service without keys, which publishers can name.
    "WORKLOAD_IDENTITY": {
        "providers": {
            PROVIDER: {
                "issuer": "https://ci.example.org",
                "audience": "pulp",
                "algorithms": ["RS256"],
                "jwks": {"keys": []},
            }
        }
    },
}
DAY = 24 * 60 * 60


@contextmanager
def running_stack(*, workers=1, **settings):
    """A healthy ``Stack`` with an empty, migrated database, removed at the end.

    ``settings`` are settings of Pulp, for example ``DOMAIN_ENABLED=True``.
    """
    with copied_state() as state:
        stack = Stack(
            state,
            workers=workers,
            settings=SETTINGS | settings,
            postgres_options=POSTGRES_OPTIONS,
        )
        try:
            stack.up({"api": free_port(), "content": free_port()})
            yield stack
        finally:
            stack.destroy()


@contextmanager
def running_database():
    """Pulp's tables in a PostgreSQL that runs, and a ``State`` with the settings file for them.

    `tests/support/databases.py` makes copies of it.
    """
    with copied_state() as state:
        state.load()
        # Statistics that come when they like would let PostgreSQL choose another plan in the middle
        # of a run.
        options = POSTGRES_OPTIONS | {"autovacuum": "off"}
        with _running(Postgres(state.folder / "postgres", state.log("postgres"), options)):
            socket_folder = state.folder / "postgres" / "socket"
            extra = SETTINGS | {"CONTENT_ORIGIN": "http://content.example.com"}
            write_settings(state, socket_folder, extra)
            yield state


@contextmanager
def running_postgres():
    """A ``Postgres`` that runs, with an empty database 'pulp'."""
    with _folder() as folder:
        postgres = Postgres(folder / "postgres", folder / "postgres.log", POSTGRES_OPTIONS)
        postgres.create()
        with _running(postgres):
            yield postgres


@contextmanager
def copied_state():
    """A state folder as after the first ``up`` and ``down``, where nothing runs yet."""
    with _folder() as folder:
        yield State(_copy(migrated_template(), folder / "state"))


def migrated_template():
    """The state folder to copy, made now if it is not in the cache."""
    cache = cache_folder()
    template = cache / fingerprint()[:16]
    with open(cache / "lock", "w") as lock:
        # All processes of a run ask at the same moment, and one makes it for all.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            with _folder(dir=cache) as folder:
                state = State(folder / "state")
                Stack(state, postgres_options=POSTGRES_OPTIONS).prepare()
                state.folder.rename(template)
            _remove_old(cache)
        os.utime(template)
    return template


def _remove_old(cache):
    """Remove what nobody used for a day: other runs may be copying templates right now."""
    for old in cache.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > DAY:
            shutil.rmtree(old, ignore_errors=True)


def cache_folder():
    if os.geteuid() == 0:
        cache = Path("/var/cache/pulp-conda-tests")  # root's home is closed to PostgreSQL's account
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        cache = Path(home) / "pulp-conda-tests"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextmanager
def _running(postgres):
    process = postgres.start(when_launcher_dies=signal.SIGINT)
    try:
        yield
    finally:
        postgres.stop(process)


@contextmanager
def _folder(**options):
    """A temporary folder with a short path, through which PostgreSQL's account may pass."""
    folder = Path(tempfile.mkdtemp(prefix="pulp-conda-", **options))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _copy(source, target):
    # Keeps owners, which shutil.copytree does not.
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)
    return target
