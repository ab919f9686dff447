"""``Stack``: PostgreSQL, Pulp's API, its content app and its workers, started and stopped in order."""

import os
import shutil
import signal
import time
from contextlib import ExitStack

from pulp_conda.quickstart.errors import QuickstartError, ended_early
from pulp_conda.quickstart.health import missing
from pulp_conda.quickstart.migrations import migrate
from pulp_conda.quickstart.ports import choose_ports
from pulp_conda.quickstart.postgres import Postgres, choose_home
from pulp_conda.quickstart.processes import Process, spawn, until
from pulp_conda.quickstart.settings import (
    api_url,
    content_url,
    environment,
    program,
    write_settings,
)

# A worker takes SIGTERM as "after the current task", however long that is.
STOP_SIGNALS = {"worker": signal.SIGINT, "content": signal.SIGTERM, "api": signal.SIGTERM}
PATIENCE = 90


class Stack:
    """The programs of one state folder.

    Args:
        state: the ``State`` they work in.
        settings: Pulp settings beyond those of the quickstart.
        postgres_options: settings of the PostgreSQL server.
        workers: how many tasks may run at the same time.
        background: whether the programs outlive this process. Otherwise the kernel stops them when the thread
            that called ``up`` is gone, even if it was killed.
    """

    def __init__(self, state, *, settings=None, postgres_options=None, workers=1, background=False):
        self.state = state
        self.settings = settings or {}
        self.postgres_options = postgres_options
        self.workers = workers
        self.background = background
        self._children = {}
        self._lock = None

    @property
    def api_url(self):
        return api_url(self.state)

    @property
    def content_url(self):
        return content_url(self.state)

    @property
    def password(self):
        return self.state.password

    def up(self, ports=None):
        """Start everything and wait until it answers; False when it already ran.

        ``ports`` has those of ``"api"`` and ``"content"``; one that is missing stays as it was last time.
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

    def prepare(self):
        """Do what takes long in the first ``up``, and leave nothing running."""
        if self._is_up_already():
            return
        try:
            self._start_postgres()
            migrate(self.state)
        finally:
            self.down()

    def down(self):
        """Stop whatever runs from the state folder, whoever started it."""
        self._acquire_from_launcher()
        self._stop_all()
        self._release()

    def destroy(self):
        """Stop everything and remove the folder."""
        self._acquire_from_launcher()
        self._stop_all()
        if home := self.state.facts.get("postgres"):
            shutil.rmtree(self.state.folder / home, ignore_errors=True)  # it may not exist yet
        shutil.rmtree(self.state.folder)
        self._lock.close()

    def watch(self):
        """Wait until one of the programs ends on its own, which is an error."""
        while True:
            self._require_alive()
            time.sleep(0.5)

    def connect(self):
        """Open a connection to the database, for looking behind the API."""
        return self._postgres().connect()

    def start_worker(self, name="worker-1"):
        self._forget_dead_processes()
        self._start(name)
        self._wait_until_healthy()

    def restart_worker(self, name="worker-1"):
        self._stop(name)
        self.start_worker(name)

    def kill_worker(self, name="worker-1"):
        """Kill a worker and the task it runs, so that they cannot say a last word."""
        self.state.processes[name].kill()
        self._reap(name)

    def _is_up_already(self):
        """Whether others have started a healthy stack here. If not, we now are the ones who may."""
        until(lambda: self._acquire() or self._is_healthy_elsewhere(), PATIENCE, pause=0.2)
        if not self._lock:
            if self._is_healthy_elsewhere():
                return True
            raise QuickstartError(
                f"Another command has been at work on '{self.state.folder}' for {PATIENCE} seconds. "
                "Stop it with 'down', then run 'up' again."
            )
        try:
            if self._runs_in_background():
                self._release()
                return True
        except BaseException:
            self._release()
            raise
        launcher = Process.find(os.getpid())
        self.state.save(launcher=vars(launcher), background=self.background)
        return False

    def _is_healthy_elsewhere(self):
        if not self.state.exists:
            return False
        self.state.load()
        return missing(self.state) is None

    def _runs_in_background(self):
        """Whether a healthy stack runs without a launcher. What is left of a broken one is stopped."""
        processes = self.state.processes.values()
        if not any(process.session() for process in processes):
            if stray := self._postgres().find():
                raise QuickstartError(
                    f"PostgreSQL (process {stray.pid}) runs on the data of '{self.state.folder}', and no 'up' "
                    "has recorded it. Stop it with 'down', then run 'up' again."
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

    def _acquire(self):
        """Become the only one who starts and stops things here; False while somebody else is."""
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

    def _acquire_from_launcher(self):
        """Become the only one, after asking the process that keeps a stack in the foreground to stop it."""
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

    def _release(self):
        if self._lock:
            self.state.save(launcher=None)
            self._lock.close()
            self._lock = None

    def _postgres(self):
        home = self.state.facts.get("postgres")
        if not home:
            home = str(choose_home(self.state.folder))
            self.state.save(postgres=home)
        return Postgres(self.state.folder / home, self.state.log("postgres"), self.postgres_options)

    def _start_postgres(self):
        postgres = self._postgres()
        postgres.create()
        # SIGTERM: the server waits until the others, which get their signal as well, have said good-bye.
        number = None if self.background else signal.SIGTERM
        self.state.record("postgres", postgres.start(when_launcher_dies=number))
        write_settings(self.state, postgres.socket_folder, self.settings)

    def _start(self, name):
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

    def _stop_all(self):
        for kind in STOP_SIGNALS:
            for name in sorted(self.state.processes):
                if name.startswith(kind):
                    self._stop(name)
        postgres = self._postgres()
        if process := postgres.find():
            postgres.stop(process)
        self.state.forget("postgres")

    def _stop(self, name):
        kind = name.partition("-")[0]
        self.state.processes[name].stop(STOP_SIGNALS[kind], patience=20)
        self._reap(name)
        self.state.forget(name)

    def _reap(self, name):
        if child := self._children.pop(name, None):
            child.wait()

    def _wait_until_healthy(self):
        deadline = time.monotonic() + PATIENCE
        while problem := missing(self.state):
            self._require_alive()
            if time.monotonic() > deadline:
                raise QuickstartError(
                    f"Pulp does not work {PATIENCE} seconds after its start: {problem}. "
                    f"Look into '{self.state.logs}'."
                )
            time.sleep(0.05)

    def _require_alive(self):
        for name, process in self.state.processes.items():
            if not process.is_alive:
                raise ended_early(name, self.state.log(name))

    def _forget_dead_processes(self):
        """Tell the database which of its processes are gone, instead of letting it find out in minutes.

        The next worker then fails the tasks that they left behind, and so frees what these had locked.
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
