"""Whether a stack does its work: healthy means that its programs answer, not that they were started."""

import requests

from pulp_conda.quickstart.settings import api_url, content_url


def missing(state):
    """What keeps the stack of a state folder from being healthy, as words, or None."""
    processes = state.processes
    if not processes:
        return "nothing was started"
    for name, process in processes.items():
        if not process.is_alive:
            return f"'{name}' (process {process.pid}) has ended"
    try:
        status = get(f"{api_url(state)}/pulp/api/v3/status/")
        get(f"{content_url(state)}/pulp/content/", tolerate=404)  # with domains, nothing is there
    except requests.RequestException as error:
        return str(error)
    # Names are PID@HOST. An earlier worker stays listed for a while after its end.
    online = {worker["name"].partition("@")[0] for worker in status["online_workers"]}
    for name, process in processes.items():
        if name.startswith("worker") and str(process.pid) not in online:
            return f"'{name}' (process {process.pid}) has not reported to the API"
    return None


def get(url, auth=None, tolerate=None):
    """The decoded JSON, or the text, with which a server of this machine answers."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy or a .netrc is for other servers
        response = session.get(url, auth=auth, timeout=10)
    if response.status_code != tolerate:
        response.raise_for_status()
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return response.json() if is_json else response.text
