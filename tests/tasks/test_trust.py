"""What a server believes of what upstreams say: whose bytes it serves, and how old packages are."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.support.builders import make_channel, make_package

CREATORS = [
    f"conda.{model}_creator" for model in ("condaremote", "condarepository", "condadistribution")
]


def _with(package, **fields):
    """The package with further fields in its record."""
    record = replace(package.record, fields=package.record.fields | fields)
    return replace(package, record=record)


def _mirror(pulp, url, **options):
    """Return the repository and the URL of a mirror that a user makes."""
    remote = pulp.post("remotes/conda/conda/", name=uuid4().hex, url=url, **options)
    repository = pulp.post(
        "repositories/conda/conda/",
        name=uuid4().hex,
        remote=remote["pulp_href"],
        autopublish=True,
    )["pulp_href"]
    pulp.sync(repository)
    return repository, pulp.distribution(repository=repository)["base_url"]


@pytest.fixture
def secret(pulp, make_repository, unique):
    """A package that the administrator alone may view."""
    package = make_package(f"secret-{unique}")
    pulp.upload(package, repository=make_repository())
    return package


@pytest.mark.parametrize("policy", ["on_demand", "streamed"])
def test_who_names_a_private_file_in_repodata_does_not_get_its_bytes(
    pulp, upstream, secret, policy
):
    make_channel(upstream.folder, [_with(secret, depends=["anything"])])
    path = f"noarch/{secret.filename}"
    (upstream.folder / path).unlink()
    bob = pulp.user(CREATORS)
    _repository, url = _mirror(bob, upstream.url, policy=policy)
    assert pulp.fetch(url, path).status_code == 404
    # His own upstream has it.
    (upstream.folder / path).write_bytes(secret.data)
    for _ in range(2):
        assert pulp.fetch(url, path).content == secret.data
    assert upstream.asked(path) == [404, 200] + [200] * (policy == "streamed")


def test_an_immediate_mirror_fetches_a_private_file_itself(pulp, upstream, secret):
    make_channel(upstream.folder, [_with(secret, depends=["anything"])])
    path = f"noarch/{secret.filename}"
    _repository, url = _mirror(pulp.user(CREATORS), upstream.url, policy="immediate")
    assert upstream.asked(path) == [200]
    assert pulp.fetch(url, path).content == secret.data
    # The administrator has it already.
    _mirror(pulp, upstream.url, policy="immediate")
    assert upstream.asked(path) == [200]
