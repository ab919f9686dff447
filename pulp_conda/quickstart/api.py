"""Pulp's REST API, as far as a demo needs it."""

import time

import requests

from pulp_conda.quickstart.errors import QuickstartError


class Api:
    """A session with one Pulp. Paths are below the API root, or hrefs that Pulp gave out."""

    def __init__(self, url, user, password):
        self._url = url
        self._session = requests.Session()
        self._session.auth = (user, password)

    def get(self, path, **query):
        return self._call("GET", path, params=query)

    def find(self, path, **query):
        """Return the first result of a list, or None."""
        return next(iter(self.get(path, **query)["results"]), None)

    def post(self, path, files=None, **body):
        """Create something, and return it when it is there."""
        send = {"files": files, "data": body} if files else {"json": body}
        return self._finished(self._call("POST", path, **send))

    def patch(self, path, **body):
        return self._finished(self._call("PATCH", path, json=body))

    def _finished(self, answer):
        """Wait for the task that an answer names, and return what it made."""
        if "task" not in answer:
            return answer
        pause = 0.05
        while (task := self.get(answer["task"]))["state"] not in (
            "completed",
            "failed",
            "canceled",
        ):
            time.sleep(pause)
            pause = min(pause * 1.5, 2)
        if task["state"] != "completed":
            raise QuickstartError(f"{task['error'] and task['error']['description']}")
        return task

    def _call(self, method, path, **options):
        path = path if path.startswith("/") else f"/pulp/api/v3/{path}"
        response = self._session.request(method, self._url + path, timeout=60, **options)
        if not response.ok:
            raise QuickstartError(
                f"{method} {path} answered {response.status_code}: {response.text}"
            )
        return response.json() if response.content else {}


def created(task, kind):
    """Return the href of a resource that a task made, `publications` for example, or None."""
    return next((href for href in task["created_resources"] if f"/{kind}/" in href), None)
