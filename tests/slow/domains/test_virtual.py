"""Virtual channels where there are several domains, and what a replication makes of one."""

import time
from uuid import uuid4

from tests.support.builders import make_package
from tests.support.replication import Replication


def _channel(pulp, base_path, **repository):
    """Make a channel, and return it."""
    body = {"name": base_path, "autopublish": True, **repository}
    repository = pulp.post("repositories/conda/conda/", **body)["pulp_href"]
    task = pulp.post(
        "distributions/conda/conda/", name=base_path, base_path=base_path, repository=repository
    )
    return pulp.get(pulp.created(task, "/distributions/"))


def _merged(*channels):
    owns = ["acme-*"], []
    return [
        {"distribution": channel["pulp_href"], "owns": patterns}
        for channel, patterns in zip(channels, owns, strict=True)
    ]


def _fill(pulp, channel, *names):
    for name in names:
        package = make_package(name, files={"share/x": channel["name"].encode()})
        pulp.upload(package, repository=channel["repository"])


def _wait_for(pulp, channel, names):
    """Wait until a channel has these names: a task follows each change of what it merges."""
    deadline = time.monotonic() + 60
    while (found := pulp.names(channel["base_url"])) != names:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_virtual_channel_is_of_one_domain_and_is_replicated_as_an_ordinary_one(
    make_domain, unique
):
    there, here = make_domain(f"there-{unique}"), make_domain(f"here-{unique}")
    internal, forge = (_channel(there, name) for name in ("internal", "forge"))
    virtual = _channel(there, "all", merged_channels=_merged(internal, forge))
    _fill(there, internal, "acme-core", "shared")
    _fill(there, forge, "acme-evil", "shared", "zeta")
    names = ["acme-core", "shared", "zeta"]
    _wait_for(there, virtual, names)

    # Channels of the same names elsewhere are others.
    own = _channel(here, "internal"), _channel(here, "other")
    of_here = _channel(here, "all-of-here", merged_channels=_merged(*own))
    _fill(here, own[0], "beta")
    _wait_for(here, of_here, ["beta"])

    # Those of another domain are refused as if they were not there.
    href, missing = internal["pulp_href"], str(uuid4())
    unknown = href.replace(href.rstrip("/").rpartition("/")[2], missing)
    given = [href, href.replace(f"there-{unique}", f"here-{unique}"), unknown]
    said = set()
    for each in given:
        answer = here.try_post(
            "repositories/conda/conda/", name=uuid4().hex, merged_channels=[{"distribution": each}]
        )
        assert answer.status_code == 400, answer.text
        said.add(answer.text)
    changed = here.try_patch(of_here["repository"], merged_channels=_merged(own[0], internal))
    assert changed.status_code == 400 and changed.json().keys() == {"merged_channels"}
    assert len(said) == 1, said

    # A replication makes an ordinary channel of it, with what clients see there.
    for channel in (of_here, *own):
        here.delete(channel["repository"] if channel is of_here else channel["pulp_href"])
    here.delete(of_here["pulp_href"])
    for channel in own:
        here.delete(channel["repository"])
    replication = Replication(there, here, unique)
    replication.run()
    (copy,) = here.get("distributions/conda/conda/", name="all")["results"]
    assert here.names(copy["base_url"]) == names
    (repository,) = here.get("repositories/conda/conda/", name="all")["results"]
    assert repository["merged_channels"] == []
    for path in ("acme-core", "shared", "acme-evil"):
        answers = [
            pulp.fetch(channel["base_url"], f"noarch/{path}-1.0-0.conda")
            for pulp, channel in ((there, virtual), (here, copy))
        ]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].status_code == 404 or answers[0].content == answers[1].content

    # And follows it.
    _fill(there, internal, "zeta", "new")
    names = ["acme-core", "new", "shared", "zeta"]
    _wait_for(there, virtual, names)
    replication.run()
    assert here.names(copy["base_url"]) == names
    packages = [
        pulp.fetch(channel["base_url"], "noarch/zeta-1.0-0.conda").content
        for pulp, channel in ((there, internal), (here, copy))
    ]
    assert packages[0] == packages[1]
