"""A site as the folder `deploy/` describes it, on one machine: its settings file, its start script
and its configuration of nginx, with the ports and folders of a test.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from pulp_conda.quickstart.ports import free_port
from pulp_conda.quickstart.postgres import Postgres
from tests.support.nginx import nginx_program
from tests.support.stack import POSTGRES_OPTIONS, copied_state

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "deploy"
HOST = "localhost"

# What a supervisor waits before it starts a process again, as `RestartSec` of the units.
_RESTART_SECONDS = 1


class Site:
    """The processes of a site, each of which is started again when it ends.

    Attributes:
        url: Of the site, over TLS.
        certificate: The file of the authority that clients have to trust.
        postgres: The database server.
    """

    def __init__(self, folder, state, postgres):
        self.folder, self.state, self.postgres = folder, state, postgres
        self.certificate = folder / "tls/authority.pem"
        self._ports = {name: free_port() for name in _PROCESSES if not name.startswith("worker")}
        self._https = free_port()
        self.url = f"https://{HOST}:{self._https}"
        self._running = {}
        self._ends = threading.Event()
        self._supervisors = []
        self._database = None

    def environment(self):
        """Return the environment of all processes: `site.env`, with the places of the test."""
        lines = (DEPLOY / "site.env").read_text().splitlines()
        values = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
        values |= {
            "SITE_HOST": HOST,
            "SITE_SECRETS": str(self.folder / "secrets"),
            "SITE_DATABASE_HOST": str(self.postgres.socket_folder),
            "SITE_REDIS_URL": "",
            "SITE_DATA": str(self.folder / "data"),
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PULP_", "PG"))}
        return inherited | {
            **values,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings",
            "PULP_SETTINGS": str(DEPLOY / "settings.py"),
            # The port is part of the origin, which in a real site is 443.
            "PULP_CONTENT_ORIGIN": self.url,
        }

    def run(self, *command):
        """Run the start script until it ends, and return what it did."""
        return subprocess.run(
            [DEPLOY / "start", *command],
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
        )

    def start(self):
        self._write_secrets()
        self.start_database()
        migrated = self.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        for name in _PROCESSES:
            supervisor = threading.Thread(target=self._supervise, args=[name], daemon=True)
            supervisor.start()
            self._supervisors.append(supervisor)
        self._start_nginx()
        self.wait_until_all_answer()

    def start_database(self):
        self._database = self.postgres.start(when_launcher_dies=signal.SIGINT)

    def stop_database(self):
        self.postgres.stop(self._database)

    def stop(self):
        self._ends.set()
        for process in list(self._running.values()):
            process.terminate()
        for supervisor in self._supervisors:
            supervisor.join(60)
        self.stop_database()

    def kill(self, name):
        """Kill a process and its children, as a machine does that has no memory left."""
        process = self._running[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def wait_until_all_answer(self, seconds=90):
        """Wait until each process answers, and return how long that took."""
        began = time.monotonic()
        for name, port in self._ports.items():
            path = "/pulp/api/v3/status/" if name.startswith("api") else "/pulp/content/-/health"
            while not _answers(f"http://127.0.0.1:{port}{path}"):
                assert time.monotonic() - began < seconds, self.log(name)[-3000:]
                time.sleep(0.1)
        return time.monotonic() - began

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def session(self):
        """Return a session of `requests` that trusts the certificate of the site."""
        session = requests.Session()
        # Variables of the machine would name other authorities.
        session.trust_env = False
        session.verify = str(self.certificate)
        return session

    def _supervise(self, name):
        """Start a process again whenever it ends, as systemd and the engine of containers do."""
        environment = self.environment()
        if port := self._ports.get(name):
            environment |= {"BIND": f"127.0.0.1:{port}", "PROCESSES": "1"}
        extra = [] if name.startswith("worker") else ["--no-control-socket"]
        command = [DEPLOY / "start", name.partition("-")[0], *extra]
        with open(self.folder / f"{name}.log", "ab") as log:
            while not self._ends.is_set():
                self._running[name] = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                self._running[name].wait()
                self._ends.wait(_RESTART_SECONDS)

    def _start_nginx(self):
        self._make_certificate()
        ports = self._ports | {"https": self._https, "http": free_port()}
        path = self.folder / "nginx.conf"
        path.write_text(nginx_configuration(self.folder, ports))
        log = open(self.folder / "nginx.log", "ab")
        self._running["nginx"] = subprocess.Popen(
            [nginx_program(), "-c", path, "-p", self.folder], stdout=log, stderr=log
        )

    def _write_secrets(self):
        secrets = self.folder / "secrets"
        secrets.mkdir()
        (secrets / "secret-key").write_text("of a test")
        (secrets / "database-password").write_text("none is needed on a socket")
        shutil.copy(self.state.db_key_file, secrets / "database-fields.key")

    def _make_certificate(self):
        """Make an authority, which clients trust, and the certificate that it gives to the site."""
        folder = self.certificate.parent
        folder.mkdir()
        new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        own = ["-keyout", folder / "authority.key", "-out", self.certificate]
        given = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
        by = ["-CA", self.certificate, "-CAkey", folder / "authority.key"]
        for_site = ["-addext", f"subjectAltName=DNS:{HOST}"]
        for_site += ["-addext", "basicConstraints=critical,CA:FALSE"]
        for command in (
            [*new, "-subj", "/CN=authority", *own],
            [*new, "-subj", f"/CN={HOST}", *for_site, *by, *given],
        ):
            subprocess.run(command, check=True, capture_output=True)


_PROCESSES = ["api-1", "api-2", "content-1", "content-2", "worker-1", "worker-2"]


@contextmanager
def running_site():
    """A `Site` whose processes all answer, removed at the end."""
    with ExitStack() as until_end, copied_state() as state:
        state.load()
        folder = state.folder / "site"
        folder.mkdir()
        postgres = Postgres(state.folder / "postgres", state.log("postgres"), POSTGRES_OPTIONS)
        site = Site(folder, state, postgres)
        until_end.callback(site.stop)
        site.start()
        yield site


def nginx_configuration(folder, ports):
    """Return `deploy/nginx.conf` for a folder, and for ports of this machine."""
    text = (DEPLOY / "nginx.conf").read_text()
    for name, port in ports.items():
        text = re.sub(rf"\b{name}:\d+", f"127.0.0.1:{port}", text)
    replaced = {
        "listen 80;": f"listen 127.0.0.1:{ports['http']};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{ports['https']} ssl http2;",
        "/etc/nginx/pulp_conda/": f"{CHECKOUT}/pulp_conda/app/webserver_snippets/",
        "/etc/nginx/tls/": f"{folder}/tls/",
        "/dev/stdout": f"{folder}/access.log",
        "/dev/stderr": f"{folder}/error.log",
        "worker_processes auto;": f"worker_processes 1;\ndaemon off;\npid {folder}/nginx.pid;",
        "http {\n": "http {\n"
        + "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in _TEMPORARY),
    }
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


_TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]


def _answers(url):
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
    except requests.Timeout:
        return False
