"""People who logged in at the API app in a browser, without a browser."""

import functools
import html
import re
import threading
from contextlib import contextmanager

from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.test import Client

from pulpcore.app.util import set_current_user  # noqa: TID251  as in `in_process`
from pulpcore.plugin.models import Task

from pulp_conda.app.models import CondaAct, HistoryEntry
from tests.support.in_process import run_tasks

PROMOTE, ROLL_BACK = "stages/testing/promote/", "stages/unstable/rollback/"

BOARDS = "/pulp/api/v3/conda/board/"


@functools.cache
def _handler():
    """What answers: it takes long to make, since it looks for all static files."""
    return Client(enforce_csrf_checks=True).handler


class Person:
    """A user with a session, or nobody."""

    def __init__(self, username=None):
        self.client = Client()
        self.client.handler = _handler()
        if username:
            self.client.force_login(get_user_model().objects.get(username=username))

    def open(self, path, **options):
        """Return what a page says, without following redirects."""
        return self._answered(self.client.get(path, **options))

    def press(self, path, wait=True, **values):
        """Open a page, press a button of its form, and return the answer.

        Args:
            wait: Run the tasks that this dispatches, and return the page to which it leads.
            values: What is typed, and the name and value of the button, if it has any.
        """
        shown = self.open(path)
        assert shown.status_code == 200, shown.content.decode()
        return self.send(path, wait=wait, **(hidden_fields(shown, "decide") | values))

    def send(self, path, wait=True, **values):
        """Send a form."""
        answer = self._answered(self.client.post(path, values))
        if wait and answer.status_code == 302:
            run_tasks()
            return self.open(answer["Location"])
        return answer

    def _answered(self, answer):
        set_current_user(None)
        # As people read it: names stand in elements of their own.
        answer.text = html.unescape(re.sub("</?bdi>", "", answer.content.decode()))
        return answer


def hidden_fields(page, form):
    """Return the values that go with the form of a class; {} if the page has none."""
    found = re.search(rf'<form class="{form}".*?</form>', page.content.decode(), re.DOTALL)
    fields = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', found[0] if found else "")
    return {name: html.unescape(value) for name, value in fields}


def board_of(team, path=""):
    """Return the path of the board of a lifecycle, or of a page below it."""
    return f"{BOARDS}{team.href.rstrip('/').rpartition('/')[2]}/{path}"


def pages_of(team):
    """Pages of all kinds."""
    paths = ["", "?stage=testing", "?before=2", PROMOTE, "stages/stable/promote/", ROLL_BACK]
    paths += ["stages/unstable/rollback/?entry=1", "history/2/"]
    paths += ["history/2/approve/", "history/2/reject/"]
    return [BOARDS, *(board_of(team, path) for path in paths)]


def make_team(pulp, make_repository, make_packages):
    """Make a lifecycle whose second stage has something to promote, and serves the one before."""
    repository = make_repository(autopublish=True, description="Tools of the team.")
    one, two = make_packages("one", "two")
    pulp.modify(repository, add=[one])
    team = pulp.lifecycle(repository)
    team.promote("testing", reason="the <b>first</b> one")
    pulp.modify(repository, add=[two], remove=[one])
    return team


def make_people(pulp, team, *roles):
    """Make a user for each role in a lifecycle, as a pair of its session and its REST, by role."""
    people = {}
    for role in roles:
        rest = pulp.user([])
        name = rest.session.auth[0]
        if role != "stranger":
            role_name = f"conda.condalifecycle_{role}"
            pulp.post(f"{team.href}add_role/", role=role_name, users=[name])
        people[role] = Person(name), rest
    return people


def rows():
    """What a button would change."""
    return (
        Task.objects.count(),
        CondaAct.objects.count(),
        list(HistoryEntry.objects.order_by("pk").values_list("pk", "outcome", "until")),
    )


def dispatched():
    """The task that was dispatched last: what it is to do, and what it locks."""
    task = Task.objects.defer(None).order_by("pulp_created").last()
    return task.name, task.enc_args, task.enc_kwargs, task.reserved_resources_record


@contextmanager
def api_server():
    """Serve the API app to browsers, and give the URL. What a request dispatches is done when it is
    answered.
    """
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet, ipv6=False)
    server.set_app(_AtOnce())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


class _AtOnce:
    """The API app, which answers a POST when its tasks are done."""

    def __init__(self):
        self._app = WSGIHandler()

    def __call__(self, environ, start_response):
        answer = self._app(environ, start_response)
        if environ["REQUEST_METHOD"] == "POST":
            run_tasks()
        return answer
