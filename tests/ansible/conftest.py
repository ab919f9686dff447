"""What playbooks of the tests change, seen from outside."""

from fnmatch import fnmatch

import pytest


@pytest.fixture
def everything(pulp):
    """Return a function that returns all that a playbook can change, by href, without the times of
    requests.

    With names, which may be globs: what has them, and what belongs to that. Other tests change the
        rest meanwhile.
    """

    def named(path, names):
        found = pulp.list(path, limit=1000)
        return [each for each in found if any(fnmatch(each["name"], name) for name in names)]

    def read(*names):
        remotes, repositories, distributions, lifecycles = (
            named(path, names or ["*"])
            for path in (
                "remotes/conda/conda/",
                "repositories/conda/conda/",
                "distributions/conda/conda/",
                "conda/lifecycles/",
            )
        )
        found = [*remotes, *repositories, *distributions, *lifecycles]
        within = [{}]
        if names:
            latest = [repository["latest_version_href"] for repository in repositories]
            within = [{"repository_version": version} for version in latest]
        for repository in repositories:
            href = repository["pulp_href"]
            found += pulp.list("publications/conda/conda/", repository=href, limit=1000)
        for query in within:
            for kind in ("packages", "environments"):
                found += pulp.list(f"content/conda/{kind}/", limit=1000, **query)
        found += [
            # To ask again for what waits already changes this, and nothing else.
            {**entry, "pulp_last_updated": None}
            for lifecycle in lifecycles
            for entry in pulp.list(f"{lifecycle['pulp_href']}history/")
        ]
        return {each["pulp_href"]: each for each in found}

    return read
