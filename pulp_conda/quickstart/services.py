"""``Stack``: PostgreSQL, and Pulp's API, content app and workers, started and stopped in order."""

import os
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import psycopg

from pulp_conda.quickstart.errors import QuickstartError, ended_early
from pulp_conda.quickstart.health import missing
from pulp_conda.quickstart.migrations import migrate
from pulp_conda.quickstart.ports import choose_ports
from pulp_conda.quickstart.postgres import Postgres, choose_home
from pulp_conda.quickstart.processes import Child, Process, spawn, until
from pulp_conda.quickstart.settings import (
    api_url,
    content_url,
    environment,
    program,
    write_settings,
)
from pulp_conda.quickstart.state import State

# With SIGTERM, a worker ends only after its current task, and that may take long.
STOP_SIGNALS = {"worker": signal.SIGINT, "content": signal.SIGTERM, "api": signal.SIGTERM}
# How many seconds we wait for all programs to start, or for another command to end.
PATIENCE = 90


class Stack:
    """The programs of one state folder.

    Args:
        state: The state folder.
        settings: Settings of Pulp that the quickstart does not have, or that replace its own.
        postgres_options: Settings of the PostgreSQL server.
        workers: How many tasks may run at the same time.
        background: Whether the programs go on when this process ends. If not, the kernel stops them
            when the thread that called ``up`` ends, even if it is killed.
    """

    def __init__(
        self,
        state: State,
        *,
        settings: Mapping[str, Any] | None = None,
        postgres_options: Mapping[str, str] | None = None,
        workers: int = 1,
        background: bool = False,
    ) -> None:
        self.state = state
        self.settings = settings or {}
        self.postgres_options = postgres_options
        self.workers = workers
        self.background = background
        self._children: dict[str, Child] = {}
        self._lock: ExitStack | None = None

    @property
    def api_url(self) -> str | None:
        return api_url(self.state)

    @property
    def content_url(self) -> str | None:
        return content_url(self.state)

    @property
    def password(self) -> str:
        return self.state.password

    def up(self, ports: Mapping[str, int] | None = None) -> bool:
        """Start all programs and wait until they answer. Return False if they ran before.

        Args:
            ports: The ports of ``"api"`` and ``"content"``. A missing one is as the last time.
        """
        if self._is_up_already():
            return False
        try:
            known = self.state.facts.get("ports", {})
            self.state.save(ports=choose_ports(known, ports or {}))
            self._start_postgres()
            migrate(self.state)
            self._forget_dead_processes()
            self._start("api")
            self._start("content")
            for number in range(1, self.workers + 1):
                self._start(f"worker-{number}")
            self._wait_until_healthy()
        except BaseException:
            self.down()
            raise
        if self.background:
            self._release()
        return True

    def prepare(self) -> None:
        """Do what takes long in the first ``up``. In the end no program runs."""
        if self._is_up_already():
            return
        try:
            self._start_postgres()
            migrate(self.state)
        finally:
            self.down()

    def down(self) -> None:
        """Stop all programs that run from the state folder, even if other commands started them."""
        self._acquire_from_launcher()
        self._stop_all()
        self._release()

    def destroy(self) -> None:
        """Stop all programs and remove the folder."""
        self._acquire_from_launcher()
        self._stop_all()
        if home := self.state.facts.get("postgres"):
            # It may not exist yet.
            shutil.rmtree(self.state.folder / home, ignore_errors=True)
        shutil.rmtree(self.state.folder)
        # Not with `_release`, which would write into the folder.
        if self._lock:
            self._lock.close()

    def watch(self) -> None:
        """Wait until one of the programs ends by itself. Raise `QuickstartError` then."""
        while True:
            self._require_alive()
            time.sleep(0.5)

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection to the database."""
        return self._postgres().connect()

    def start_worker(self, name: str = "worker-1") -> None:
        """Start a worker and wait until the API knows it."""
        self._forget_dead_processes()
        self._start(name)
        self._wait_until_healthy()

    def kill_worker(self, name: str = "worker-1") -> None:
        """Kill a worker and the task that it runs, so that they cannot write anything more."""
        self.state.processes[name].kill()
        self._reap(name)

    def _is_up_already(self) -> bool:
        """Say whether another command has started a stack here that works.

        If not, this command has the lock and may start one.
        """
        until(lambda: self._acquire() or self._is_healthy_elsewhere(), PATIENCE, pause=0.2)
        if not self._lock:
            if self._is_healthy_elsewhere():
                return True
            raise QuickstartError(
                f"Another command has been at work on '{self.state.folder}' for {PATIENCE} "
                "seconds. Stop it with 'down', then run 'up' again."
            )
        try:
            if self._runs_in_background():
                self._release()
                return True
        except BaseException:
            self._release()
            raise
        launcher = Process.find(os.getpid())
        assert launcher
        self.state.save(launcher=vars(launcher), background=self.background)
        return False

    def _is_healthy_elsewhere(self) -> bool:
        if not self.state.exists:
            return False
        self.state.load()
        return missing(self.state) is None

    def _runs_in_background(self) -> bool:
        """Say whether a stack that works runs without a launcher.

        If only some programs of a stack are left, stop them.

        Raises:
            QuickstartError: The stack does not work, or somebody else started the server.
        """
        processes = self.state.processes.values()
        if not any(process.session() for process in processes):
            if stray := self._postgres().find():
                raise QuickstartError(
                    f"PostgreSQL (process {stray.pid}) runs on the data of '{self.state.folder}', "
                    "and no 'up' has recorded it. Stop it with 'down', then run 'up' again."
                )
            return False
        if self.state.facts["background"] and all(process.is_alive for process in processes):
            problem = missing(self.state)
            if not problem:
                return True
            raise QuickstartError(
                f"All processes of '{self.state.folder}' run, but they do not work: {problem}. "
                f"Look into '{self.state.logs}', or stop them with 'down' and run 'up' again."
            )
        self._stop_all()
        return False

    def _acquire(self) -> bool:
        """Take the lock and load the facts. Return False if another command has the lock."""
        if self._lock:
            return True
        with ExitStack() as lock:
            try:
                lock.enter_context(self.state.lock())
            except BlockingIOError:
                return False
            self.state.open()
            self._lock = lock.pop_all()
        return True

    def _acquire_from_launcher(self) -> None:
        """Take the lock. If a command has a stack in its foreground, ask it to stop first."""
        if self._acquire():
            return
        self.state.load()
        launcher = self.state.launcher
        if launcher and launcher.is_alive:
            os.kill(launcher.pid, signal.SIGTERM)
        if not until(self._acquire, PATIENCE, pause=0.1):
            who = f" Process {launcher.pid} was asked to." if launcher else ""
            raise QuickstartError(
                f"'{self.state.folder}' was not released within {PATIENCE} seconds.{who} "
                f"Look into '{self.state.logs}', or kill that process and try again."
            )

    def _release(self) -> None:
        if self._lock:
            self.state.save(launcher=None)
            self._lock.close()
            self._lock = None

    def _postgres(self) -> Postgres:
        home = self.state.facts.get("postgres")
        if not home:
            home = str(choose_home(self.state.folder))
            self.state.save(postgres=home)
        return Postgres(self.state.folder / home, self.state.log("postgres"), self.postgres_options)

    def _start_postgres(self) -> None:
        postgres = self._postgres()
        postgres.create()
        # All programs get their signal at once. With SIGTERM, the server waits until the others
        # have closed their connections.
        number = None if self.background else signal.SIGTERM
        self.state.record("postgres", postgres.start(when_launcher_dies=number))
        write_settings(self.state, postgres.socket_folder, self.settings)

    def _start(self, name: str) -> None:
        kind = name.partition("-")[0]
        command = [program(f"pulpcore-{kind}")]
        if kind != "worker":
            port = self.state.facts["ports"][kind]
            command += ["--bind", f"127.0.0.1:{port}", "--workers", "1"]
            command += ["--graceful-timeout", "5", "--no-control-socket"]
        child = spawn(
            command,
            log=self.state.log(name),
            env=environment(self.state),
            cwd=self.state.tmp,
            when_launcher_dies=None if self.background else STOP_SIGNALS[kind],
        )
        self._children[name] = child
        self.state.record(name, Process.find(child.pid) or Process(child.pid, "ended"))

    def _stop_all(self) -> None:
        for kind in STOP_SIGNALS:
            for name in sorted(self.state.processes):
                if name.startswith(kind):
                    self._stop(name)
        postgres = self._postgres()
        if process := postgres.find():
            postgres.stop(process)
        self.state.forget("postgres")

    def _stop(self, name: str) -> None:
        kind = name.partition("-")[0]
        self.state.processes[name].stop(STOP_SIGNALS[kind], patience=20)
        self._reap(name)
        self.state.forget(name)

    def _reap(self, name: str) -> None:
        """Take the exit code of a child, so that no zombie of it is left."""
        if child := self._children.pop(name, None):
            child.wait()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while problem := missing(self.state):
            self._require_alive()
            if time.monotonic() > deadline:
                raise QuickstartError(
                    f"Pulp does not work {PATIENCE} seconds after its start: {problem}. "
                    f"Look into '{self.state.logs}'."
                )
            time.sleep(0.05)

    def _require_alive(self) -> None:
        for name, process in self.state.processes.items():
            if not process.is_alive:
                raise ended_early(name, self.state.log(name))

    def _forget_dead_processes(self) -> None:
        """Remove the processes that have ended from the tables of Pulp, which would take minutes.

        Then the next worker lets their tasks fail, and so unlocks what these tasks had locked.
        """
        alive = {pid for process in self.state.processes.values() for pid in process.session()}
        with self._postgres().connect() as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM core_appstatus")]
            dead = [name for name in names if int(name.partition("@")[0]) not in alive]
            connection.execute(
                "UPDATE core_task SET app_lock_id = NULL WHERE app_lock_id IN "
                "(SELECT pulp_id FROM core_appstatus WHERE name = ANY(%s))",
                [dead],
            )
            connection.execute("DELETE FROM core_appstatus WHERE name = ANY(%s)", [dead])
