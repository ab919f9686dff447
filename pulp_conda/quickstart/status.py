"""What runs from a state folder, and where.

``describe`` gives it for programs, ``as_text`` for people.
"""

from typing import Any

import requests

from pulp_conda.quickstart.health import get, missing
from pulp_conda.quickstart.settings import api_url, content_url
from pulp_conda.quickstart.state import State

USER = "admin"


def describe(state: State) -> dict[str, Any]:
    """Return the facts that ``status --json`` prints.

    Programs read them, so the names and meanings of the keys must not change.
    """
    if state.exists:
        state.load()
    running = missing(state) is None
    pids = {name: found.pid for name, found in state.processes.items() if found.is_alive}
    return {
        "running": running,
        "state": str(state.folder),
        "api_url": api_url(state),
        "content_url": content_url(state),
        "user": USER,
        "password_file": str(state.password_file),
        "pids": {
            "postgres": pids.get("postgres"),
            "api": pids.get("api"),
            "content": pids.get("content"),
            "workers": [pid for name, pid in pids.items() if name.startswith("worker")],
        },
        "channels": _channels(state) if running else {},
    }


def as_text(found: dict[str, Any]) -> str:
    """Return what `describe` found as lines for people."""
    if not found["running"]:
        return f"Pulp does not run. Start it with 'up'.\n  state     {found['state']}"
    lines = [
        "Pulp runs.",
        f"  API       {found['api_url']}/pulp/api/v3/",
        f"  content   {found['content_url']}/pulp/content/",
        f"  user      {found['user']}, with the password in {found['password_file']}",
        f"  state     {found['state']}",
    ]
    lines += [f"  channel   {name}: {url}" for name, url in found["channels"].items()]
    return "\n".join(lines)


def _channels(state: State) -> dict[str, str]:
    """Return the base URL of each conda distribution by name. Empty if Pulp does not tell."""
    channels: dict[str, str] = {}
    url: str | None = f"{api_url(state)}/pulp/api/v3/distributions/conda/conda/"
    while url:
        try:
            page = get(url, auth=(USER, state.password))
        except requests.HTTPError as error:
            # Somebody changed the password, or the plugin is not installed any more.
            if error.response is not None and error.response.status_code in (401, 404):
                return {}
            raise
        channels |= {found["name"]: found["base_url"] for found in page["results"]}
        url = page["next"]
    return channels
