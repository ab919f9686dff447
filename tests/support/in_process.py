"""A whole Pulp in the process of the tests: its API, its tasks and its content app, without servers
and workers.

Requests go to Django as a WSGI server would give them. What they dispatch is run before the answer
is given, each task in a folder of its own, as a worker does it. The database is a real one, and all
that is done is committed.
"""

import asyncio
import functools
import gc
import io
import json
import os
import threading
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory

import requests
from aiohttp import web
from django.conf import settings
from django.test import override_settings
from rest_framework.renderers import JSONRenderer
from rest_framework.test import APIClient

from pulpcore.app.models import AppStatus  # noqa: TID251  who runs tasks needs one
from pulpcore.app.serializers import TaskSerializer  # noqa: TID251  in place of a request for each task
from pulpcore.app.util import set_current_user  # noqa: TID251  see where it is called
from pulpcore.content import Handler, app
from pulpcore.plugin.models import Task
from pulpcore.tasking.tasks import execute_task

from pulp_conda.app import content
from pulp_conda.quickstart.ports import free_port
from tests.support import databases
from tests.support.conda import CondaPulp
from tests.support.django_setup import STATE

_NAME = "tests"


class InProcess:
    """The Pulp of this process, with what tests ask of a `Stack`. It is there as long as the
    context lasts.

    Only inside of `active` are its database and its content app what the process uses: other tests
    have a database where nothing stays.
    """

    state = STATE
    api_url = "http://pulp.in.process"
    password = STATE.password

    def __enter__(self):
        self._until_exit = ExitStack()
        self._database = self._until_exit.enter_context(databases.copied(databases.MIGRATED))
        self._content = _ContentApp()
        self._content.start()
        # What was imported stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        return self

    def __exit__(self, *reason):
        self._content.stop()
        self._until_exit.close()

    @contextmanager
    def active(self, **settings):
        """Let the process work with this Pulp, with these settings."""
        settings = {"CONTENT_ORIGIN": self._content.url, **settings}
        with databases.used(self._database), override_settings(**settings):
            AppStatus.objects.filter(name=_NAME).delete()
            AppStatus.objects._current_app_status = None
            AppStatus.objects.create(name=_NAME, app_type="worker")
            yield

    def connect(self):
        """Open a connection to the database, for looking behind the API."""
        return databases.connect(databases.current())

    def api(self, user, password):
        """Return the API as a user."""
        return InProcessPulp(self.api_url, user, password)


class InProcessPulp(CondaPulp):
    """The API as one user, without a server."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.session.mount(InProcess.api_url, _Adapter())

    def read_task(self, href):
        """Return what the API says of a task. Half of all requests would be for that."""
        task = Task.objects.get(pk=href.rstrip("/").rpartition("/")[2])
        shown = TaskSerializer(task, context={"request": None}).data
        return json.loads(JSONRenderer().render(shown))


class _Adapter(requests.adapters.BaseAdapter):
    """Answers what `requests` sends by Django in this process, and then runs what waits."""

    def send(self, request, **options):
        headers = dict(request.headers)
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        client = _client()
        client.cookies.clear()
        given = client.generic(
            request.method,
            request.path_url,
            body,
            headers.pop("Content-Type", ""),
            headers=headers,
        )
        # A server has a context for each request. Here, tests of models with another database would
        # note that this user did what they do.
        set_current_user(None)
        if request.method not in ("GET", "HEAD"):
            run_tasks()
        answer = requests.Response()
        answer.status_code = given.status_code
        answer.reason = given.reason_phrase
        answer.headers.update(given.headers)
        answer.raw = io.BytesIO(b"".join(given))
        answer.request = request
        answer.url = request.url
        return answer

    def close(self):
        pass


@functools.cache
def _client():
    """Django's client, which takes long to make: it looks for all static files."""
    return APIClient(raise_request_exception=False)


_LOOP = asyncio.new_event_loop()


def run_tasks():
    """Run all tasks that wait, in the order in which they were dispatched."""
    waiting = Task.objects.defer(None).select_related("pulp_domain").filter(state="waiting")
    here = os.getcwd()
    while task := waiting.order_by("pulp_created").first():
        Task.objects.filter(pk=task.pk).update(app_lock=AppStatus.objects.current())
        task.refresh_from_db(fields=["app_lock"])
        task.unblock()
        # As a worker does: `asyncio.run` in a test before leaves none. It is the same loop for all
        # tasks, because aiohttp closes what a task left open on the loop of that task.
        asyncio.set_event_loop(_LOOP)
        with TemporaryDirectory(dir=settings.WORKING_DIRECTORY) as folder:
            os.chdir(folder)
            try:
                execute_task(task)
            finally:
                os.chdir(here)
        Task.objects.filter(pk=task.pk).update(app_lock=None)


async def _stream(request):
    # It is looked up for each request, so that a test can serve it with a cache.
    return await Handler().stream_content(request)


class _ContentApp:
    """Pulp's content app in a thread."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        port = free_port()
        self._port = port
        self.url = f"http://127.0.0.1:{port}"

    def start(self):
        app.add_routes([web.get(settings.CONTENT_PATH_PREFIX + "{path:.+}", _stream)])
        self._runner = web.AppRunner(app)
        self._thread.start()
        self._call(self._runner.setup())
        self._call(web.TCPSite(self._runner, "127.0.0.1", self._port).start())
        databases.disconnecting.append(self._disconnect)

    def stop(self):
        databases.disconnecting.remove(self._disconnect)
        self._call(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _disconnect(self):
        self._call(content.finder.connections.close())

    def _call(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
