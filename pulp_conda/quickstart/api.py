"""Pulp's REST API, as far as the demo needs it."""

import time
from typing import Any

import requests

from pulp_conda.quickstart.errors import QuickstartError


class Api:
    """A session with one Pulp. A path is relative to the API root, or is an href from an answer.

    Each method raises `QuickstartError` if Pulp answers with an error or if a task fails.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.auth = (user, password)

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, params=query)

    def find(self, path: str, **query: Any) -> Any:
        """Return the first result of a list, or None."""
        return next(iter(self.get(path, **query)["results"]), None)

    def post(self, path: str, files: dict[str, Any] | None = None, **body: Any) -> Any:
        """Create something and wait until it is there. Return it, or the task that made it."""
        send: dict[str, Any] = {"files": files, "data": body} if files else {"json": body}
        return self._finished(self._call("POST", path, **send))

    def patch(self, path: str, **body: Any) -> Any:
        """Change something and wait for that. Return it, or the task that changed it."""
        return self._finished(self._call("PATCH", path, json=body))

    def _finished(self, answer: Any) -> Any:
        """Return the task that an answer names, when it has ended, or else the answer itself."""
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

    def _call(self, method: str, path: str, **options: Any) -> Any:
        path = path if path.startswith("/") else f"/pulp/api/v3/{path}"
        response = self._session.request(method, self._url + path, timeout=60, **options)
        if not response.ok:
            raise QuickstartError(
                f"{method} {path} answered {response.status_code}: {response.text}"
            )
        return response.json() if response.content else {}


def created(task: dict[str, Any], kind: str) -> str | None:
    """Return the href of the first resource of a kind that a task made, or None.

    Args:
        kind: A part of the href, for example `publications`.
    """
    return next((href for href in task["created_resources"] if f"/{kind}/" in href), None)
