"""Pulp's REST API for tests: four verbs, and what tasks need."""

import time

import requests

API = "/pulp/api/v3/"
TASK_DEADLINE = 300
UNFINISHED = {"waiting", "running", "canceling"}


class TaskFailed(AssertionError):
    """A task ended in another state than 'completed'; ``task`` has its facts, ``error`` why."""

    def __init__(self, task):
        self.task = task
        self.error = task.get("error") or {}
        super().__init__(f"{task['name']} {task['state']}: {self.error}")


class Pulp:
    """The API as one user. Paths are relative to ``/pulp/api/v3/``, or are hrefs that Pulp gave.

    An answer of 400 or more raises ``requests.HTTPError``; its ``response`` is there to look at.
    """

    def __init__(self, url, user=None, password=None, api=API):
        self.url = url
        self.api = api
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy or a .netrc is for other servers
        self.session.auth = (user, password) if user else None

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.session.close()

    def get(self, path, **params):
        return self._request("GET", path, params=params)

    def post(self, path, **json):
        return self._request("POST", path, json=json)

    def patch(self, path, **json):
        return self._request("PATCH", path, json=json)

    def delete(self, path):
        return self._request("DELETE", path)

    def upload(self, path, file, **fields):
        """POST a form with a file: a path, or an open file."""
        if hasattr(file, "read"):
            return self._request("POST", path, data=fields, files={"file": file})
        with open(file, "rb") as opened:
            return self._request("POST", path, data=fields, files={"file": opened})

    def list(self, path, **params):
        """All results of a list, over all of its pages."""
        page = self.get(path, **params)
        results = page["results"]
        while page["next"]:
            page = self.get(page["next"])
            results += page["results"]
        return results

    def wait(self, answer):
        """Wait for the task that an answer (or an href) names, and return it when it is completed.

        Raises:
            TaskFailed: it ended in another way.
            TimeoutError: it did not end.
        """
        href = answer if isinstance(answer, str) else answer["task"]
        deadline = time.monotonic() + TASK_DEADLINE
        pause = 0.02
        while (task := self.read_task(href))["state"] in UNFINISHED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task['name']} is {task['state']} after {TASK_DEADLINE} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        if task["state"] != "completed":
            raise TaskFailed(task)
        return task

    def read_task(self, href):
        return self.get(href)

    def created(self, task, fragment):
        """The href of the one resource that a task created and whose href contains the fragment."""
        found = [href for href in task["created_resources"] if href and fragment in href]
        if len(found) != 1:
            raise AssertionError(f"'{fragment}' is in {len(found)} of {task['created_resources']}")
        return found[0]

    def _request(self, method, path, **options):
        url = (
            path
            if path.startswith("http")
            else self.url + (path if path.startswith("/") else self.api + path)
        )
        response = self.session.request(method, url, timeout=60, **options)
        if not response.ok:
            reason = f"{response.status_code} for {method} {url}: {response.text[:2000]}"
            raise requests.HTTPError(reason, response=response)
        return response.json() if response.content else None
