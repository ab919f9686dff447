"""Doors on a server with domains: their URLs have the domain, or the alias of a channel."""

import json

import pytest
import requests

from tests.support.builders import make_package
from tests.support.content_apps import content_app
from tests.support.issuer import EXPECTED, Issuer
from tests.support.stack import PROVIDER

DOORS = "/pulp/conda/"


@pytest.fixture(scope="module")
def red(make_domain):
    return make_domain("red-doors")


@pytest.fixture
def token(red, unique):
    return red.post("conda/tokens/", name=unique, scopes=["upload"])["token"]


def _channel(pulp, base_path, alias=None):
    name = base_path.replace("/", "-")
    repository = pulp.post("repositories/conda/conda/", name=name)["pulp_href"]
    return pulp.distribution(
        repository=repository, name=name, base_path=base_path, upload_alias=alias
    )


def test_urls_have_the_domain_or_an_alias(stack, red, token, unique):
    channel = _channel(red, f"team/{unique}", f"a-{unique}")
    origin, bearer = stack.content_url, {"Authorization": f"Bearer {token}"}
    domain = f"{DOORS}red-doors/"
    paths = [
        f"{domain}api/v1/upload/team/{unique}",
        f"{domain}api/v1/upload/a-{unique}",
        f"{DOORS}api/v1/upload/a-{unique}",
        f"/api/v1/upload/a-{unique}",
    ]
    for number, path in enumerate(paths):
        package = make_package(f"domain-{unique}", str(number))
        named = {**bearer, "X-File-Name": package.filename}
        answer = requests.post(origin + path, data=package.data, headers=named, timeout=60)
        assert answer.status_code == 201, answer.text
        assert "/red-doors/" in answer.text
    for number, path in enumerate(
        [
            f"{domain}team/{unique}",
            f"{DOORS}a-{unique}",
            f"/a-{unique}",
            f"/pulp/content/red-doors/team/{unique}",
        ]
    ):
        package = make_package(f"put-{unique}", str(number))
        url = f"{origin}{path}/noarch/{package.filename}"
        answer = requests.put(url, data=package.data, headers=bearer, timeout=60)
        assert answer.status_code == 201, answer.text
    assert len(red.names(channel["base_url"])) == 8
    # Neither another domain nor the root knows the path of a channel.
    for path in (f"{DOORS}default/api/v1/upload/team/{unique}", f"/api/v1/upload/{unique}"):
        answer = requests.post(origin + path, data=b"", headers=bearer, timeout=60)
        assert (answer.status_code, answer.text[:9]) == (404, "[CND0107]")
    user = requests.get(f"{origin}{domain}anaconda/user/a-{unique}", headers=bearer, timeout=60)
    assert user.json()["login"] == f"a-{unique}"


def test_an_alias_is_unique_over_all_domains(pulp, red, unique):
    _channel(red, f"team/{unique}", f"a-{unique}")
    flat = _channel(pulp, f"flat-{unique}")
    for api, href, alias in (
        (pulp, flat["pulp_href"], f"a-{unique}"),
        (red, _channel(red, f"other-{unique}")["pulp_href"], f"flat-{unique}"),
    ):
        answer = api.try_patch(href, upload_alias=alias)
        assert (answer.status_code, "[CND0109]" in answer.text) == (400, True)
    # The path of a channel in another domain than the default one says nothing without the domain.
    red.patch(_channel(red, f"a-{unique}")["pulp_href"], upload_alias=f"b-{unique}")


def test_a_workflow_publishes_to_the_channels_of_a_domain(stack, pulp, red, unique):
    issuer = Issuer("domains")
    claims = {**EXPECTED, "repository_id": unique}
    channel = _channel(red, f"published-{unique}")
    red.post(
        "conda/publishers/",
        name=unique,
        provider=PROVIDER,
        claims=claims,
        distribution=channel["pulp_href"],
    )
    trusted = json.dumps({"providers": {PROVIDER: issuer.provider()}})
    with content_app(stack.state, WORKLOAD_IDENTITY=f"@json {trusted}") as origin:

        def mint(server):
            body = {"token": issuer.token(repository_id=unique)}
            return requests.post(f"{origin}{server}api/oidc/mint_token", json=body, timeout=60)

        # The root is for the publishers of all domains.
        for number, server in enumerate([f"{DOORS}red-doors/", "/"]):
            minted = mint(server)
            assert minted.status_code == 200, minted.text
            package = make_package(f"minted-{unique}", str(number))
            headers = {
                "Authorization": f"Bearer {minted.text}",
                "X-File-Name": package.filename,
            }
            url = f"{origin}{DOORS}red-doors/api/v1/upload/published-{unique}"
            answer = requests.post(url, data=package.data, headers=headers, timeout=60)
            assert answer.status_code == 201, answer.text
        other = mint(f"{DOORS}default/")
        assert (other.status_code, other.text[:9]) == (403, "[CND0117]")
    assert red.names(channel["base_url"]) == [f"minted-{unique}"] * 2
    assert red.get("conda/acts/", verb="minted", resource_name=unique)["count"] == 2
    assert pulp.get("conda/acts/", verb="minted", resource_name=unique)["count"] == 0
