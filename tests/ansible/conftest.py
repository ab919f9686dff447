"""What playbooks of the tests change, seen from outside."""

import pytest


@pytest.fixture
def everything(pulp):
    """Return a function that returns all that a playbook can change, by href, without the times of requests."""

    def read():
        lists = (
            "remotes/conda/conda/",
            "repositories/conda/conda/",
            "publications/conda/conda/",
            "distributions/conda/conda/",
            "conda/lifecycles/",
            "content/conda/packages/",
            "content/conda/environments/",
        )
        found = [each for path in lists for each in pulp.get(path, limit=1000)["results"]]
        entries = [
            # To ask again for what waits already changes this, and nothing else.
            {**entry, "pulp_last_updated": None}
            for lifecycle in found
            if "/lifecycles/" in lifecycle["pulp_href"]
            for entry in pulp.get(f"{lifecycle['pulp_href']}history/")["results"]
        ]
        return {each["pulp_href"]: each for each in found + entries}

    return read
