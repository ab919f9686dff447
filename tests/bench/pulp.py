"""A Pulp to measure: its processes, its API, and channels that it mirrors."""

import time
from contextlib import contextmanager
from datetime import datetime
from uuid import uuid4

from tests.bench.processes import Meter
from tests.support import client
from tests.support.stack import running_stack

_DEADLINE = 3 * 60 * 60


class MeasuredPulp(client.Pulp):
    """Pulp's API, where each task tells what it took.

    PostgreSQL's autovacuum is off: it would run in the middle of one figure or of another. See
    `settle`.
    """

    def __init__(self, stack):
        super().__init__(stack.api_url, "admin", stack.password)
        self.stack = stack
        processes = stack.state.processes
        self.meter = Meter(processes["worker-1"].pid, processes["postgres"].pid)
        self._administer("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")

    def settle(self):
        """Do what autovacuum does a minute after a change: tables have statistics then.

        Like autovacuum, leave a database alone where nothing happened yet.
        """
        with self.stack.connect() as connection:
            if connection.execute("SELECT FROM core_content LIMIT 1").fetchone() is None:
                return
        self._administer("VACUUM (ANALYZE)", "CHECKPOINT")

    def measure(self, path, **json):
        """Run a task, and return it and what it took."""
        with self.meter.measure() as used:
            task = self.wait_seldom(self.post(path, **json)["task"])
        began, ended = (datetime.fromisoformat(task[key]) for key in ("started_at", "finished_at"))
        used.seconds = (ended - began).total_seconds()
        return task, used

    def mirror(self, url):
        """Make a repository with a remote, and return its href."""
        name = uuid4().hex
        remote = self.post("remotes/conda/conda/", name=name, url=url, policy="on_demand")
        return self.post("repositories/conda/conda/", name=name, remote=remote["pulp_href"])[
            "pulp_href"
        ]

    def sync(self, repository):
        """Sync, and return what it took."""
        return self.measure(f"{repository}sync/", mirror=True)[1]

    def publish(self, repository):
        """Publish the latest version, and return the publication's href and what it took."""
        task, used = self.measure("publications/conda/conda/", repository=repository)
        return self.created(task, "/publications/"), used

    def distribute(self, repository):
        """Serve the newest publication, and return the URL."""
        return self.distribution(repository)["base_url"]

    def distribute_privately(self, repository):
        """Serve the newest publication to one robot alone, and return the URL and its token."""
        made = self.distribution(repository, private=True)
        name = uuid4().hex
        owner = self.post("conda/robots/", name=name)["username"]
        (robot,) = self.get("users/", username=owner)["results"]
        self.post(
            f"{robot['pulp_href']}roles/",
            role="conda.condadistribution_reader",
            content_object=made["pulp_href"],
        )
        token = self.post("conda/tokens/", name=name, owner=owner, scopes=["read"])["token"]
        return made["base_url"], token

    def distribution(self, repository, **options):
        """Serve the newest publication, and return the distribution."""
        name = uuid4().hex
        task, _ = self.measure(
            "distributions/conda/conda/",
            name=name,
            base_path=name,
            repository=repository,
            **options,
        )
        return self.get(self.created(task, "/distributions/"))

    def newest_publication(self, repository):
        """Return the href of the newest publication of a repository."""
        page = self.get(
            "publications/conda/conda/", repository=repository, ordering="-pulp_created", limit=1
        )
        return page["results"][0]["pulp_href"]

    def count(self, repository):
        """Return how many packages the latest version has."""
        version = self.get(self.get(repository)["latest_version_href"])
        return version["content_summary"]["present"].get("conda.package", {}).get("count", 0)

    def wait_seldom(self, href):
        """Ask seldom, so that the questions do not count."""
        deadline = time.monotonic() + _DEADLINE
        pause = 0.1
        while (task := self.get(href))["state"] in client.UNFINISHED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task['name']} is {task['state']} after {_DEADLINE} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 1)
        if task["state"] != "completed":
            raise client.TaskFailed(task)
        return task

    def _administer(self, *statements):
        with self.stack.connect() as connection:
            connection.autocommit = True
            for statement in statements:
                connection.execute(statement)


@contextmanager
def measured_pulp():
    """A running Pulp with an empty database."""
    with running_stack() as stack, MeasuredPulp(stack) as pulp:
        yield pulp
