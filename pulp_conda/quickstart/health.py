"""Whether a stack works. For that its programs have to answer: to be started is not enough."""

from typing import Any

import requests

from pulp_conda.quickstart.settings import api_url, content_url
from pulp_conda.quickstart.state import State


def missing(state: State) -> str | None:
    """Return in words why the stack of a state folder does not work, or None if it does."""
    processes = state.processes
    if not processes:
        return "nothing was started"
    for name, process in processes.items():
        if not process.is_alive:
            return f"'{name}' (process {process.pid}) has ended"
    try:
        status = get(f"{api_url(state)}/pulp/api/v3/status/")
        # If Pulp has domains, there is nothing at this path.
        get(f"{content_url(state)}/pulp/content/", tolerate=404)
    except requests.RequestException as error:
        return str(error)
    # The names are PID@HOST. The list has a worker for some time after its end.
    online = {worker["name"].partition("@")[0] for worker in status["online_workers"]}
    for name, process in processes.items():
        if name.startswith("worker") and str(process.pid) not in online:
            return f"'{name}' (process {process.pid}) has not reported to the API"
    return None


def get(url: str, auth: tuple[str, str] | None = None, tolerate: int | None = None) -> Any:
    """Return the answer of a server on this machine: decoded JSON, or else the text.

    Args:
        auth: User and password.
        tolerate: An HTTP status that is no error.

    Raises:
        requests.RequestException: There is no answer, or its status is an error.
    """
    with requests.Session() as session:
        session.trust_env = False  # A proxy or a .netrc is for other servers.
        response = session.get(url, auth=auth, timeout=10)
    if response.status_code != tolerate:
        response.raise_for_status()
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return response.json() if is_json else response.text
