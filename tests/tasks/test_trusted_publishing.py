"""Trusted publishing: a workflow gets a token to upload if a publisher expects what its provider
says, and in no other case.
"""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import override_settings
from django.utils import timezone

from pulpcore.plugin.models import Domain

from pulp_conda.app.authentication import find_token
from pulp_conda.app.errors import MayNotUpload
from pulp_conda.app.models import (
    CondaDistribution,
    CondaPublisher,
    CondaRepository,
    CondaToken,
    UsedIdentity,
)
from pulp_conda.app.oidc import keys
from pulp_conda.app.oidc.publishers import allow
from pulp_conda.app.uploading import check_rights
from pulp_conda.app.uploading.domains import in_domain
from tests.support.builders import make_package
from tests.support.doors import DOORS, Doors
from tests.support.issuer import AUDIENCE, EXPECTED, GITHUB, Issuer
from tests.support.web import WebHandler, WebServer

GITHUB_LIKE = Issuer("github")
OTHER_KEY = Issuer("stranger").key
CURVES = Issuer("curves", "ES256")
# Nobody has a publisher for it.
IDLE = Issuer("idle", "ES256")


@pytest.fixture(autouse=True)
def trust():
    """Change the providers that the site trusts: by name, options of their entries."""
    with ExitStack() as until_end:

        def change(**options):
            until_end.enter_context(_trusting(**options))

        change()
        yield change


def _trusting(**options):
    # A new setting each time: the one before may have been read already.
    providers = {
        name: issuer.provider(**options.get(name, {}))
        for name, issuer in (("github", GITHUB_LIKE), ("curves", CURVES), ("idle", IDLE))
    }
    return override_settings(WORKLOAD_IDENTITY={"providers": providers})


def _url(server="/"):
    return f"{settings.CONTENT_ORIGIN}{server}api/oidc/mint_token"


def mint(token, server="/"):
    return requests.post(_url(server), json={"token": token}, timeout=30)


class Channel:
    def __init__(self, pulp, name):
        self.pulp, self.name = pulp, name
        made = pulp.post("repositories/conda/conda/", name=name, autopublish=True)
        self.repository = made["pulp_href"]
        self.href = pulp.distribution(repository=self.repository, name=name, base_path=name)[
            "pulp_href"
        ]

    @property
    def distribution(self):
        return CondaDistribution.objects.get(name=self.name)

    def members(self):
        return [each["user"] for each in self.pulp.get(f"{self.repository}members/")]

    def publisher(self, claims=None, provider="github", **options):
        # The workflows of two tests are not from the same repository.
        claims = claims or {**EXPECTED, "repository_id": self.name}
        body = {"name": f"{self.name}-publisher", "provider": provider, "claims": claims}
        return self.pulp.post("conda/publishers/", distribution=self.href, **body, **options)


@pytest.fixture(scope="module")
def channel(pulp):
    """A channel with a publisher for a workflow of GitHub, in an environment."""
    with _trusting():
        channel = Channel(pulp, "trusted")
        channel.publisher({**EXPECTED, "environment": "release"})
        return channel


def _may_upload(token, distribution, force=False):
    try:
        check_rights(token.owner, token, distribution, force=force)
    except MayNotUpload:
        return False
    return True


def test_a_workflow_gets_a_token_to_upload_to_its_channel_for_a_short_time(pulp, channel):
    other = Channel(pulp, "trusted-other")
    answer = mint(GITHUB_LIKE.token())
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    # The whole body is the token: clients take it as it is.
    token = find_token(answer.text)
    assert token.owner.get_username() == "publisher+default"
    assert not token.owner.has_usable_password()
    assert token.scopes == ["upload"]
    assert timedelta(minutes=14) < token.expires - timezone.now() <= timedelta(minutes=15)
    assert _may_upload(token, channel.distribution)
    assert not _may_upload(token, channel.distribution, force=True)
    assert not _may_upload(token, other.distribution)


def test_the_doors_have_the_same_url_below_their_prefix(channel):
    assert find_token(mint(GITHUB_LIKE.token(), DOORS).text)


def test_who_published_by_which_workflow_is_an_act(pulp, channel):
    secret = mint(GITHUB_LIKE.token(run_id="815")).text
    (act,) = pulp.get("conda/acts/", verb="minted", limit=1)["results"]
    assert (act["resource_name"], act["actor"]) == ("trusted-publisher", "publisher+default")
    assert act["details"]["channel"] == "trusted"
    told = {**GITHUB, "workflow_file": ".github/workflows/release.yml", "run_id": "815"}
    assert act["details"]["claims"].items() <= told.items()
    assert {"repository", "workflow_file", "ref", "sha", "run_id", "actor"} <= act["details"][
        "claims"
    ].keys()
    token = find_token(secret)
    assert act["details"]["token"] == token.name
    assert token.name.startswith("trusted-publisher: octo/hello run 815 #")
    assert secret not in json.dumps(pulp.get("conda/acts/", limit=1000))


def test_what_a_workflow_uploads_is_served_and_its_act_leads_to_the_workflow(pulp, unique):
    channel = Channel(pulp, unique)
    channel.publisher()
    secret = mint(GITHUB_LIKE.token(repository_id=unique)).text
    package = make_package(f"trusted-{unique}")
    done = Doors(settings.CONTENT_ORIGIN, secret).prefix(unique, package, server="/")
    assert done.status == 201, done.text
    assert pulp.session.get(done.text).content == package.data
    added = {"resource_name": unique, "verb": "changed_content"}
    (act,) = pulp.get("conda/acts/", **added)["results"]
    assert act["actor"] == "publisher+default"
    minted = {"resource_name": f"{unique}-publisher", "verb": "minted"}
    (origin,) = pulp.get("conda/acts/", **minted)["results"]
    assert act["details"]["token"] == origin["details"]["token"] == find_token(secret).name
    assert origin["details"]["claims"]["sha"] == GITHUB["sha"]


@pytest.fixture
def abroad(unique):
    """The publisher of a channel in another domain."""
    domain = Domain.objects.create(name=f"d-{unique}", storage_class="none", storage_settings={})
    with in_domain(domain):
        repository = CondaRepository.objects.create(name=unique)
        of_channel = {"name": unique, "base_path": unique, "repository": repository}
        publisher = CondaPublisher.objects.create(
            name=unique,
            distribution=CondaDistribution.objects.create(**of_channel),
            repository=repository,
            provider="github",
            claims={**EXPECTED, "repository_id": f"{unique}-abroad"},
        )
        allow(publisher)
    return publisher


def test_the_token_is_for_the_domain_of_the_publisher(unique, abroad, channel):
    token = find_token(mint(GITHUB_LIKE.token(repository_id=f"{unique}-abroad")).text)
    assert token.pulp_domain == abroad.pulp_domain
    assert token.owner.get_username() == f"publisher+d-{unique}"
    assert _may_upload(token, abroad.distribution)
    assert not _may_upload(token, channel.distribution)


def test_a_workflow_of_two_domains_gets_no_token_for_one_of_them(pulp, unique, abroad):
    Channel(pulp, f"{unique}-abroad").publisher()
    answer = mint(GITHUB_LIKE.token(repository_id=f"{unique}-abroad"))
    _assert_refused(answer, "more than one domain", code="CND0117", status=403)


# What a token says instead, and what the client reads.
REFUSED_TOKENS = [
    pytest.param({"aud": "other.example.org"}, "audience", id="wrong-audience"),
    pytest.param({"aud": ["other.example.org"]}, "audience", id="wrong-audiences"),
    pytest.param({"aud": [[AUDIENCE]]}, "audience", id="odd-audience"),
    pytest.param({"aud": None}, "audience", id="no-audience"),
    pytest.param({"exp": 1}, "expired", id="expired"),
    pytest.param({"exp": int(time.time()) - 60}, "expired", id="just-expired"),
    pytest.param({"exp": None}, "'exp'", id="no-end"),
    pytest.param({"exp": "soon"}, "no ID token", id="odd-end"),
    pytest.param({"exp": 10**30}, "no ID token", id="no-such-year"),
    pytest.param({"exp": float("inf")}, "no ID token", id="endless"),
    pytest.param({"iat": None}, "'iat'", id="no-date"),
    pytest.param({"nbf": int(time.time()) + 3600}, "not valid yet", id="not-yet"),
    pytest.param({"iat": int(time.time()) + 3600}, "not valid yet", id="from-the-future"),
    pytest.param({"iss": "https://stranger.example.org"}, "issuer", id="unknown-issuer"),
    pytest.param({"iss": None}, "issuer", id="no-issuer"),
    pytest.param({"iss": ""}, "issuer", id="empty-issuer"),
    pytest.param({"iss": [GITHUB_LIKE.url]}, "issuer", id="odd-issuer"),
    pytest.param({"jti": 7}, "no ID token", id="odd-id"),
    pytest.param({"jti": "a\0b"}, "stored", id="id-with-a-nul"),
    pytest.param({"ref": "\ud800"}, "stored", id="half-a-character"),
]


@pytest.mark.parametrize("claims, text", REFUSED_TOKENS)
def test_a_token_that_proves_nothing_is_refused(channel, claims, text):
    _assert_refused(mint(GITHUB_LIKE.token(**claims)), text)


def _assert_refused(answer, text, code="CND0116", status=401):
    assert (answer.status_code, code in answer.text) == (status, True), answer.text
    assert text in answer.text
    assert "trusted" not in answer.text


def _unsigned(claims, header):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}."


def test_only_the_keys_of_the_issuer_sign(channel, trust):
    signed = GITHUB_LIKE.token()
    head, body, signature = signed.split(".")
    changed = _unsigned(GITHUB_LIKE.claims(repository_id="1"), {"alg": "RS256"}).split(".")[1]
    for token, text in [
        (_unsigned(GITHUB_LIKE.claims(), {"alg": "none", "kid": "github-key"}), "algorithm"),
        (_unsigned(GITHUB_LIKE.claims(), {"alg": "None", "kid": "github-key"}), "algorithm"),
        (_signed_with_public_key(), "algorithm"),
        (GITHUB_LIKE.token(key=OTHER_KEY), "signature"),
        (f"{head}.{changed}.{signature}", "signature"),
        (f"{head}.{body}.", "signature"),
        (GITHUB_LIKE.token(headers={"kid": "another"}), "no key"),
        (GITHUB_LIKE.token(key=CURVES.key, algorithm="ES256"), "algorithm"),
        (CURVES.token(iss=GITHUB_LIKE.url), "algorithm"),
        (GITHUB_LIKE.token(headers={"jwk": Issuer("stranger").jwks["keys"][0]}, key=OTHER_KEY),
         "signature"),
    ]:  # fmt: skip
        _assert_refused(mint(token), text)


def _signed_with_public_key():
    """A token by HS256 whose secret is the public key. Libraries do not make one any more."""
    public = GITHUB_LIKE.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsigned = _unsigned(GITHUB_LIKE.claims(), {"alg": "HS256", "kid": "github-key"})[:-1]
    digest = hmac.new(public, unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "algorithms", [["HS256"], ["none"], ["HS256", "none"]], ids=lambda names: "-".join(names)
)
def test_no_setting_allows_what_everybody_can_sign(channel, trust, algorithms):
    trust(github={"algorithms": algorithms})
    _assert_refused(mint(_signed_with_public_key()), "algorithm")
    none = _unsigned(GITHUB_LIKE.claims(), {"alg": "none", "kid": "github-key"})
    _assert_refused(mint(none), "algorithm")


def test_a_provider_without_an_audience_is_never_believed(channel, trust):
    trust(github={"audience": None})
    _assert_refused(mint(GITHUB_LIKE.token()), "audience")
    trust(github={"audience": ["a.example.org", AUDIENCE]})
    assert mint(GITHUB_LIKE.token()).ok


@pytest.mark.parametrize("skew", [{"iat": 20, "nbf": 20}, {"exp": -20}], ids=["early", "late"])
def test_clocks_may_differ_a_little(channel, skew):
    now = int(time.time())
    assert mint(GITHUB_LIKE.token(**{name: now + value for name, value in skew.items()})).ok


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="no-json"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="no-token"),
        pytest.param(b'{"token": 7}', id="number"),
        pytest.param(b'{"token": null}', id="no-text"),
        pytest.param(b'{"token": ""}', id="empty-token"),
        pytest.param(b'{"token": "a.b.c"}', id="no-jwt"),
        pytest.param(b'{"token": "a.b"}', id="two-parts"),
        pytest.param('{"token": "ä.ö.ü"}'.encode(), id="no-ascii"),
        pytest.param(b'{"token": "\\u0000"}', id="nul"),
        pytest.param(b'{"token": "\\ud800"}', id="surrogate"),
        pytest.param(b"[" * 30_000, id="deep"),
        pytest.param(b'{"token": "' + b"a" * 20_000 + b'"}', id="long"),
        pytest.param(b'{"token": "' + b"a" * 100_000 + b'"}', id="too-long"),
        pytest.param(b"\xff\xfe", id="no-utf-8"),
    ],
)
def test_what_is_no_token_is_refused(body):
    _assert_refused(requests.post(_url(), data=body, timeout=30), "")


def test_claims_that_are_nested_deeply_are_no_token():
    header = base64.urlsafe_b64encode(b'{"alg":"RS256"}').rstrip(b"=").decode()
    claims = base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode()
    _assert_refused(mint(f"{header}.{claims}.AA"), "no JSON Web Token")


@pytest.mark.parametrize("issuer, provider", [(GITHUB_LIKE, "github"), (CURVES, "curves")])
@pytest.mark.parametrize("jti", ["once", None, "x" * 5000], ids=["jti", "no-jti", "long-jti"])
def test_a_token_is_used_once(pulp, unique, issuer, provider, jti):
    Channel(pulp, unique).publisher(provider=provider)
    issue = partial(issuer.token, repository_id=unique, jti=jti and f"{unique}-{jti}")
    token = issue()
    assert mint(token).ok
    _assert_refused(mint(token), "used before")
    if jti:
        _assert_refused(mint(issue()), "used before")


def test_of_two_requests_at_once_one_gets_a_token(channel):
    token = GITHUB_LIKE.token()
    with ThreadPoolExecutor(4) as pool:
        statuses = [answer.status_code for answer in pool.map(mint, [token] * 4)]
    assert sorted(statuses) == [200, 401, 401, 401]


def test_what_was_used_is_forgotten_when_it_expires_and_so_are_the_tokens(channel):
    secret = mint(GITHUB_LIKE.token()).text
    past = timezone.now() - timedelta(seconds=1)
    UsedIdentity.objects.update(expires=past)
    CondaToken.objects.filter(pk=find_token(secret).pk).update(expires=past)
    assert mint(GITHUB_LIKE.token()).ok
    assert UsedIdentity.objects.count() == 1
    assert not CondaToken.objects.filter(owner__username="publisher+default", expires=past).exists()


def test_the_claim_that_is_not_as_expected_is_named_to_its_own_workflow(channel):
    for wrong, told in [
        ({"environment": "staging"}, "claim 'environment' is 'staging'."),
        ({"environment": None}, "claim 'environment' is missing."),
        ({"environment": "*"}, "claim 'environment' is '*'."),
        ({"workflow_ref": "octo/hello/.github/workflows/test.yml@refs/heads/main"},
         "claim 'workflow_file' is '.github/workflows/test.yml'."),
        ({"workflow_ref": None}, "claim 'workflow_file' is missing."),
        # A provider that says itself what we derive is not believed.
        ({"workflow_ref": None, "workflow_file": EXPECTED["workflow_file"]}, "is missing."),
        ({"workflow_ref": "other/hello/.github/workflows/release.yml@refs/tags/v1"}, "is missing."),
    ]:  # fmt: skip
        answer = mint(GITHUB_LIKE.token(**wrong))
        _assert_refused(answer, told, code="CND0117", status=403)


@pytest.mark.parametrize("claim", ["repository_id", "repository_owner_id"])
@pytest.mark.parametrize("value", ["1", None, "583231 ", " 9919", True, ["583231"], 1.0, {}])
def test_who_is_from_elsewhere_learns_nothing_but_that(channel, claim, value):
    # Another environment and workflow as well: only the origin is told.
    answer = mint(GITHUB_LIKE.token(**{claim: value}, environment="x", workflow_ref="y"))
    _assert_refused(answer, f"'{claim}' is", code="CND0117", status=403)
    assert "environment" not in answer.text and "workflow_file" not in answer.text
    assert "release" not in answer.text


def test_numbers_are_compared_by_their_digits(channel):
    assert mint(GITHUB_LIKE.token(repository_id=583231, repository_owner_id=9919)).ok


def test_another_provider_says_nothing_about_this_one(channel):
    answer = mint(IDLE.token())
    _assert_refused(answer, "no publisher for this provider", code="CND0117", status=403)


def test_one_workflow_may_publish_to_two_channels(pulp, unique):
    claims = {**EXPECTED, "repository_id": unique}
    channels = [Channel(pulp, f"{unique}-{number}") for number in (1, 2)]
    for channel in channels:
        channel.publisher(claims)
    token = find_token(mint(GITHUB_LIKE.token(repository_id=unique)).text)
    assert all(_may_upload(token, channel.distribution) for channel in channels)


def test_a_changed_or_deleted_publisher_takes_its_tokens_along(pulp, unique):
    channel = Channel(pulp, unique)
    claims = {**EXPECTED, "repository_id": unique}
    publisher = channel.publisher(claims)["pulp_href"]
    second = pulp.post(
        "conda/publishers/",
        name=f"{unique}-2",
        distribution=channel.href,
        provider="github",
        claims={**claims, "environment": "other"},
    )["pulp_href"]

    def try_mint():
        return mint(GITHUB_LIKE.token(repository_id=unique))

    secret = try_mint().text
    assert find_token(secret)
    pulp.patch(publisher, claims={**claims, "environment": "staging"})
    assert find_token(secret) is None and try_mint().status_code == 403
    pulp.patch(publisher, claims=claims)
    secret = try_mint().text
    pulp.delete(publisher)
    assert find_token(secret) is None and try_mint().status_code == 403
    assert "publisher+default" in channel.members()  # the other publisher needs it
    pulp.delete(second)
    assert "publisher+default" not in channel.members()


@pytest.mark.parametrize("what", ["href", "repository"])
def test_a_publisher_goes_with_its_channel(pulp, unique, what):
    channel = Channel(pulp, unique)
    publisher = channel.publisher()["pulp_href"]
    pulp.delete(getattr(channel, what))
    assert pulp.try_get(publisher).status_code == 404
    if what == "href":
        assert "publisher+default" not in channel.members()


def test_a_channel_that_serves_another_repository_has_no_publisher_there(pulp, unique):
    channel, other = Channel(pulp, unique), Channel(pulp, f"{unique}-other")
    channel.publisher()
    pulp.patch(channel.href, repository=other.repository)
    assert mint(GITHUB_LIKE.token(repository_id=unique)).status_code == 403


def test_the_first_stage_has_publishers_and_later_ones_do_not(pulp, unique):
    team = pulp.lifecycle(pulp.post("repositories/conda/conda/", name=unique)["pulp_href"])
    body = {"provider": "github", "claims": {**EXPECTED, "repository_id": unique}}
    first, later = (team.stage(name)["distribution"] for name in ("unstable", "stable"))
    refused = pulp.try_post("conda/publishers/", name=unique, distribution=later, **body)
    assert (refused.status_code, "CND0100" in refused.text) == (400, True), refused.text
    pulp.post("conda/publishers/", name=unique, distribution=first, **body)
    assert mint(GITHUB_LIKE.token(repository_id=unique)).ok


BAD_PUBLISHERS = [
    pytest.param({"claims": {}}, "claims", id="no-claims"),
    pytest.param({"claims": []}, "claims", id="list"),
    pytest.param({"claims": "x"}, "claims", id="text"),
    pytest.param({"claims": None}, "claims", id="null"),
    pytest.param({"claims": {"repository": "octo/hello"}}, "claims", id="names-alone"),
    pytest.param({"claims": {"repository_id": "1"}}, "claims", id="no-owner"),
    pytest.param(
        {"claims": {"repository_id": "1", "repository_owner_id": "2"}}, "claims", id="no-workflow"
    ),
    pytest.param({"claims": {"project_id": "1"}}, "claims", id="gitlab-without-namespace"),
    pytest.param({"claims": {**EXPECTED, "ref": "refs/tags/*"}}, "claims", id="pattern"),
    pytest.param({"claims": {**EXPECTED, "ref": ""}}, "claims", id="empty-claim"),
    pytest.param({"claims": {**EXPECTED, "ref": None}}, "claims", id="null-claim"),
    pytest.param({"claims": {**EXPECTED, "ref": ["a"]}}, "claims", id="list-claim"),
    pytest.param({"claims": {**EXPECTED, "ref": 1.5}}, "claims", id="float-claim"),
    pytest.param({"claims": {**EXPECTED, "aud": "x"}}, "claims", id="audience"),
    pytest.param({"claims": {**EXPECTED, "ref": "x" * 2000}}, "claims", id="long-claim"),
    pytest.param({"claims": {**EXPECTED, "ref": "a\0b"}}, "claims", id="nul"),
    pytest.param({"provider": "gitlab"}, "provider", id="unknown-provider"),
    pytest.param({"name": ""}, "name", id="no-name"),
    pytest.param({"name": "x" * 200}, "name", id="long-name"),
    pytest.param({"distribution": "/pulp/api/v3/nothing/"}, "distribution", id="no-channel"),
]


@pytest.mark.parametrize("change, field", BAD_PUBLISHERS)
def test_a_publisher_that_expects_too_little_or_nothing_is_refused(
    pulp, channel, unique, change, field
):
    body = {"name": unique, "distribution": channel.href, "provider": "github", "claims": EXPECTED}
    refused = pulp.try_post("conda/publishers/", **(body | change))
    assert (refused.status_code, list(refused.json())) == (400, [field]), refused.text
    assert pulp.get("conda/publishers/", name=unique)["count"] == 0


def test_claims_of_gitlab_and_of_others_are_taken(pulp, unique, trust):
    channel = Channel(pulp, unique)
    gitlab = {"project_id": 42, "namespace_id": "7", "ci_config_file": ".gitlab-ci.yml"}
    made = channel.publisher({**gitlab, "ref_protected": True}, provider="curves")
    assert made["claims"] == {**gitlab, "project_id": "42", "ref_protected": "true"}
    uri = "gitlab.example.org/my/group//.gitlab-ci.yml@refs/heads/main"
    said = {"project_id": "42", "namespace_id": "7", "ci_config_ref_uri": uri}
    assert mint(CURVES.token(**said, ref_protected="true")).ok
    answer = mint(CURVES.token(**said, ref_protected="false"))
    assert "claim 'ref_protected' is 'false'" in answer.text
    pulp.patch(made["pulp_href"], claims={"sub": f"job:{unique}"})
    assert mint(CURVES.token(sub=f"job:{unique}")).ok


def test_a_name_is_used_once_and_a_publisher_stays_with_its_channel(pulp, channel, unique):
    other = Channel(pulp, unique)
    made = other.publisher()
    body = {"distribution": channel.href, "provider": "github", "claims": EXPECTED}
    refused = pulp.try_post("conda/publishers/", name=made["name"], **body)
    assert (refused.status_code, list(refused.json())) == (400, ["name"])
    refused = pulp.try_patch(made["pulp_href"], distribution=channel.href)
    assert (refused.status_code, list(refused.json())) == (400, ["distribution"])
    assert pulp.patch(made["pulp_href"], name=f"{unique}-new")["name"] == f"{unique}-new"
    (found,) = pulp.get("conda/publishers/", distribution=other.href)["results"]
    assert found["pulp_href"] == made["pulp_href"]


def test_who_manages_the_roles_of_a_channel_manages_its_publishers(pulp, channel, unique):
    team = Channel(pulp, unique)
    made = team.publisher()["pulp_href"]
    body = {"name": f"{unique}-2", "distribution": team.href, "provider": "github"}
    body["claims"] = EXPECTED
    for role in (None, "reader", "uploader"):
        user = pulp.user([])
        if role:
            pulp.post(f"{team.repository}grant/", role=role, users=[user.session.auth[0]])
        assert user.get("conda/publishers/")["count"] == 0
        # Who may not see the channel does not learn that it exists.
        status = user.try_post("conda/publishers/", **body).status_code
        assert status == (403 if role else 400)
        for answer in (
            user.try_get(made),
            user.try_patch(made, name="x"),
            user.try_delete(made),
        ):
            assert answer.status_code == 404
    owner = pulp.user([])
    pulp.post(f"{team.repository}grant/", role="owner", users=[owner.session.auth[0]])
    assert owner.get("conda/publishers/")["count"] == 1
    assert owner.try_post("conda/publishers/", **body).status_code == 201
    assert owner.try_patch(made, name=f"{unique}-new").ok
    # The owner of one part alone cannot let somebody upload to all.
    partly = {"role": "conda.channel_owner", "users": [owner.session.auth[0]]}
    pulp.post(f"{team.href}remove_role/", **partly)
    for answer in (owner.try_patch(made, name="x"), owner.try_delete(made)):
        assert (answer.status_code, "CND0114" in answer.text) == (403, True)


class _Keys:
    """Gives the keys of a provider over HTTP, or what a test says."""

    def __init__(self):
        self.asked, self.answer = 0, (200, json.dumps(GITHUB_LIKE.jwks).encode(), {})
        server = self

        class Handler(WebHandler):
            def do_GET(self):
                server.asked += 1
                status, body, headers = server.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = WebServer(Handler)


@pytest.fixture
def key_server(trust, monkeypatch):
    """Keys over HTTP, which this process has not fetched yet."""
    monkeypatch.setattr(keys, "_fetched", {})
    made = _Keys()
    with made.server:
        trust(github={"jwks": None, "jwks_url": f"{made.server.url}/jwks"})
        yield made


def test_keys_are_fetched_once_and_again_for_a_new_one(channel, key_server, monkeypatch):
    assert mint(GITHUB_LIKE.token()).ok and mint(GITHUB_LIKE.token()).ok
    assert key_server.asked == 1
    # Everybody can ask for a key that does not exist.
    for _ in range(3):
        _assert_refused(mint(GITHUB_LIKE.token(headers={"kid": "new"})), "no key")
    assert key_server.asked == 1
    new = GITHUB_LIKE.jwks["keys"][0] | {"kid": "new"}
    key_server.answer = (200, json.dumps({"keys": [new]}).encode(), {})
    monkeypatch.setattr(keys, "_PAUSE_SECONDS", 0)
    assert mint(GITHUB_LIKE.token(headers={"kid": "new"})).ok
    assert key_server.asked == 2
    _assert_refused(mint(GITHUB_LIKE.token()), "no key")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, b"", {}), id="500"),
        pytest.param((404, b"{}", {}), id="404"),
        pytest.param((302, b"", {"Location": "/jwks?again"}), id="redirect"),
        pytest.param((200, b"no json", {}), id="no-json"),
        pytest.param((200, b"[]", {}), id="list"),
        pytest.param((200, b'{"keys": []}', {}), id="no-keys"),
        pytest.param((200, b'{"keys": [{"kty": "RSA"}]}', {}), id="half-a-key"),
        pytest.param((200, b" " * 2**21, {}), id="too-large"),
    ],
)
def test_keys_that_cannot_be_fetched_are_said_to_be_missing(channel, key_server, answer):
    key_server.answer = answer
    for _ in range(2):
        refused = mint(GITHUB_LIKE.token())
        _assert_refused(refused, "'github' does not give its keys", code="CND0118", status=503)
        assert key_server.server.url not in refused.text
    assert key_server.asked == 1  # not for each request
    key_server.answer = (200, json.dumps(GITHUB_LIKE.jwks).encode(), {})
    keys._fetched.clear()
    assert mint(GITHUB_LIKE.token()).ok


def test_a_provider_that_is_down_or_has_no_keys_is_said_to_be(channel, trust, monkeypatch):
    monkeypatch.setattr(keys, "_fetched", {})
    for options, text in [
        ({"jwks": None, "jwks_url": "http://127.0.0.1:9/"}, "does not give its keys"),
        ({"jwks": None, "jwks_url": "no-url"}, "does not give its keys"),
        ({"jwks": None}, "neither 'jwks' nor 'jwks_url'"),
        ({"jwks": {"keys": []}}, "cannot be read"),
        ({"jwks": "/nowhere/jwks.json"}, "cannot be read"),
    ]:
        trust(github=options)
        answer = mint(GITHUB_LIKE.token())
        _assert_refused(answer, text, code="CND0118", status=503)
        assert "nowhere" not in answer.text


def test_keys_may_be_in_a_file(channel, trust, tmp_path):
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(GITHUB_LIKE.jwks))
    trust(github={"jwks": str(file)})
    assert mint(GITHUB_LIKE.token()).ok


def test_a_symmetric_key_among_the_keys_signs_nothing(channel, trust):
    secret = base64.urlsafe_b64encode(b"s" * 32).rstrip(b"=").decode()
    symmetric = {"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"}
    trust(github={"jwks": {"keys": [*GITHUB_LIKE.jwks["keys"], symmetric]}})
    token = jwt.encode(GITHUB_LIKE.claims(), b"s" * 32, "HS256", headers={"kid": "shared"})
    _assert_refused(mint(token), "algorithm")
    assert mint(GITHUB_LIKE.token()).ok


def test_the_user_of_publishers_cannot_log_in(pulp, channel):
    user = get_user_model().objects.get(username="publisher+default")
    assert not user.has_usable_password() and not user.is_staff and not user.is_superuser
