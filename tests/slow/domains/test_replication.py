"""A channel that cannot be replicated does not stop the others."""

import pytest

from tests.support.builders import make_package
from tests.support.conda import TaskFailed
from tests.support.replication import Replication


def _channel(pulp, base_path, **fields):
    body = {"name": base_path, "base_path": base_path, **fields}
    task = pulp.post("distributions/conda/conda/", **body)
    return pulp.get(pulp.created(task, "/distributions/"))


def _find(pulp, name):
    (channel,) = pulp.get("distributions/conda/conda/", name=name)["results"]
    return channel


def test_channels_that_cannot_be_replicated_are_named_and_the_others_replicated(
    make_domain, unique
):
    there, here = make_domain("there"), make_domain("here")
    good, sick, taken, below = (f"{unique}-{name}" for name in ("good", "sick", "taken", "below"))
    repositories = []
    for name in (good, sick):
        repository = there.post("repositories/conda/conda/", name=name, autopublish=True)
        repositories.append(repository["pulp_href"])
        _channel(there, name, repository=repository["pulp_href"])
        there.upload(make_package("one"), repository=repository["pulp_href"])
    replication = Replication(there, here, unique)
    replication.run()
    served = _find(here, sick)
    assert here.names(served["base_url"]) == ["one"]

    for repository in repositories:
        there.upload(make_package("two"), repository=repository)
    # Nobody may read the sick channel, not even who replicates it.
    guard = there.post("contentguards/core/rbac/", name=unique)["pulp_href"]
    there.patch(_find(there, sick)["pulp_href"], content_guard=guard)
    # Channels that were made here: one has the name of another there, one has a path below it.
    own = [_channel(here, taken), _channel(here, f"{below}/deeper")]
    for name in (taken, below):
        _channel(there, name)

    with pytest.raises(TaskFailed) as failed:
        replication.run()
    assert failed.value.code == "CND0173"
    description = failed.value.description
    for name, code in ((taken, "CND0174"), (below, "CND0174"), (sick, "CND0004")):
        assert f"Channel '{name}' was not replicated: [{code}]" in description
    assert f"'{good}'" not in description
    assert here.names(_find(here, good)["base_url"]) == ["one", "two"]
    assert _find(here, sick) == served
    assert here.names(served["base_url"]) == ["one"]
    assert [here.get(channel["pulp_href"]) for channel in own] == own

    # What is wrong with one of them is corrected, and so is the channel here.
    there.patch(_find(there, sick)["pulp_href"], content_guard=None)
    with pytest.raises(TaskFailed) as failed:
        replication.run()
    assert f"'{sick}'" not in failed.value.description
    assert here.names(served["base_url"]) == ["one", "two"]
