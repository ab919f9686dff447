"""What runs from a state folder and where, for programs (``describe``) and for people (``as_text``)."""

import requests

from pulp_conda.quickstart.health import get, missing
from pulp_conda.quickstart.settings import api_url, content_url

USER = "admin"


def describe(state):
    """The facts that ``status --json`` prints; the names and meaning of its keys stay as they are."""
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


def as_text(found):
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


def _channels(state):
    """The base URL of every conda distribution by name, as far as they can be asked for."""
    channels = {}
    url = f"{api_url(state)}/pulp/api/v3/distributions/conda/conda/"
    while url:
        try:
            page = get(url, auth=(USER, state.password))
        except requests.HTTPError as error:
            if error.response.status_code in (401, 404):  # another password now, or no plugin
                return {}
            raise
        channels |= {found["name"]: found["base_url"] for found in page["results"]}
        url = page["next"]
    return channels
