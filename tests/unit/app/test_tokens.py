"""Tokens: which are accepted, from where they are read, and for what they are."""

import base64
from datetime import timedelta

import pytest
from aiohttp.test_utils import make_mocked_request
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from pulpcore.content.authentication import convert_request
from pulpcore.plugin.models import Domain

from pulp_conda.app.authentication import (
    PATH_TOKEN_HEADER,
    Refused,
    TokenAuthentication,
    check_token,
    find_token,
    issue_token,
    let_in,
    secret_of,
    token_allows,
)
from pulp_conda.app.models import CondaDistribution, CondaLifecycle, CondaRepository, CondaToken
from pulp_conda.app.vocabulary import TokenScope

pytestmark = [
    pytest.mark.django_db,
    # Pulp keeps what it knows of a request under plain names.
    pytest.mark.filterwarnings("ignore::aiohttp.web.NotAppKeyWarning"),
]

SECRET = "cnd-" + "a1B2" * 10


@pytest.fixture
def owner():
    return get_user_model().objects.create(username="owner")


@pytest.fixture
def issue(owner):
    def issue(*scopes, **options):
        name = f"token-{CondaToken.objects.count()}"
        return issue_token(owner=owner, name=name, scopes=scopes or [TokenScope.READ], **options)

    return issue


def make_channel(name="channel"):
    return CondaDistribution.objects.create(name=name, base_path=name)


class _View(APIView):
    token_scopes = {"post": TokenScope.UPLOAD}


def of_api(secret, method="post", view=_View):
    """Return a request of the API with a token."""
    request = getattr(APIRequestFactory(), method)("/", headers={"X-API-Key": secret})
    return view(authentication_classes=[TokenAuthentication]).initialize_request(request)


def of_content(secret):
    """Return a request as Pulp's content app makes it, with what it keeps about the user."""
    request = make_mocked_request("GET", "/pulp/content/x/", {"X-API-Key": secret})
    view = APIView(authentication_classes=[TokenAuthentication])
    drf_request = view.initialize_request(convert_request(request))
    request["user"], request["auth"] = drf_request.user, drf_request.auth
    request["drf_request"] = drf_request
    return request


def test_a_token_has_only_characters_that_conda_finds_in_urls(issue):
    _, secret = issue()
    assert len(secret) == 44 and secret.startswith("cnd-") and secret[4:].isalnum()


def test_a_secret_is_not_stored(issue):
    token, secret = issue()
    row = CondaToken.objects.filter(pk=token.pk).values().get()
    assert secret not in str(row) and secret[4:] not in str(row)


def test_a_token_is_found_by_its_secret(issue):
    token, secret = issue()
    issue()
    assert find_token(secret) == token


@pytest.mark.parametrize("wrong", ["", "cnd-", SECRET, SECRET[:-1], SECRET + "\0", "cnd-é" * 9])
def test_another_text_is_no_token(issue, wrong):
    issue()
    assert find_token(wrong) is None


def test_an_expired_token_is_refused(issue):
    now = timezone.now()
    assert find_token(issue(expires=now + timedelta(minutes=1))[1])
    assert find_token(issue(expires=now)[1]) is None


def test_a_revoked_token_is_refused(issue):
    token, secret = issue()
    token.revoked = timezone.now()
    token.save()
    assert find_token(secret) is None


def test_the_token_of_an_inactive_user_is_refused(issue, owner):
    _, secret = issue()
    owner.is_active = False
    owner.save()
    assert find_token(secret) is None


def test_a_token_goes_with_its_owner(issue, owner):
    _, secret = issue()
    owner.delete()
    assert find_token(secret) is None and not CondaToken.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Authorization": f"Bearer {SECRET}"}, id="Bearer"),
        pytest.param({"Authorization": f"bearer  {SECRET} "}, id="bearer with spaces"),
        pytest.param({"Authorization": f"token {SECRET}"}, id="token"),
        pytest.param({"X-API-Key": SECRET}, id="X-API-Key"),
        pytest.param({PATH_TOKEN_HEADER: SECRET}, id="path"),
        pytest.param(
            {"Authorization": "Basic " + base64.b64encode(f"é:{SECRET}".encode()).decode()},
            id="Basic",
        ),
        pytest.param({"X-API-Key": SECRET, "Authorization": "Basic eDp5"}, id="after a password"),
    ],
)
def test_a_token_is_read_from_where_clients_send_it(headers):
    assert secret_of(headers) == SECRET


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer eyJhbGciOi.e30.x", "Basic", "Basic !!!", "Basic eDp5", "x"]
)
def test_other_credentials_are_left_to_other_classes(value):
    assert secret_of({"Authorization": value}) is None


def test_a_view_of_the_api_accepts_a_token_with_the_scope_that_it_declares(issue, owner):
    token, secret = issue(TokenScope.UPLOAD)
    request = of_api(secret)
    assert (request.user, request.auth) == (owner, token)


@pytest.mark.parametrize(
    ("scope", "method", "view"),
    [
        pytest.param(TokenScope.READ, "post", _View, id="another scope"),
        pytest.param(TokenScope.UPLOAD, "get", _View, id="another action"),
        pytest.param(TokenScope.UPLOAD, "post", APIView, id="a view without scopes"),
    ],
)
def test_a_view_of_the_api_refuses_all_other_tokens(issue, scope, method, view):
    request = of_api(issue(scope)[1], method, view)
    with pytest.raises(PermissionDenied, match="CND0091") as refused:
        request.user  # noqa: B018
    assert refused.value.status_code == 403


def test_a_wrong_token_is_refused_by_the_api(issue):
    with pytest.raises(AuthenticationFailed, match="CND0090") as refused:
        of_api(SECRET).user  # noqa: B018
    assert refused.value.status_code == 401 and SECRET not in str(refused.value)


def test_in_the_content_app_a_token_is_nobody_until_the_channel_is_known(issue, owner):
    token, secret = issue()
    request = of_content(secret)
    assert request["user"] == request["drf_request"].user == AnonymousUser()
    assert request["auth"] == token
    assert let_in(request, TokenScope.READ, make_channel()) == owner
    assert request["user"] == request["drf_request"].user == owner


def test_in_the_content_app_a_token_for_something_else_stays_nobody(issue):
    request = of_content(issue(TokenScope.UPLOAD)[1])
    assert let_in(request, TokenScope.READ, make_channel()) == AnonymousUser()
    assert request["drf_request"].user == AnonymousUser()


def test_in_the_content_app_a_wrong_token_is_noted(issue):
    request = of_content(SECRET)
    assert isinstance(request["auth"], Refused) and request["user"] == AnonymousUser()
    assert not token_allows(request, TokenScope.READ, make_channel())


def test_without_a_token_everything_is_left_to_the_rights_of_the_user():
    request = make_mocked_request("GET", "/")
    channel = make_channel()
    for auth in (None, request, {"claims": "of something else"}):
        assert token_allows(auth, TokenScope.READ, channel)


def test_a_token_is_for_its_scopes(issue):
    token, _ = issue(TokenScope.READ, TokenScope.PROMOTE)
    channel = make_channel()
    allowed = {scope for scope in TokenScope if token_allows(token, scope, channel)}
    assert allowed == {TokenScope.READ, TokenScope.PROMOTE}


def test_a_limited_token_is_for_its_channels_only(issue):
    ours, other = make_channel("ours"), make_channel("other")
    token, _ = issue(channels=[ours.pk])
    assert token_allows(token, TokenScope.READ, ours)
    assert not token_allows(token, TokenScope.READ, other)


def test_a_view_refuses_a_channel_for_which_the_token_is_not(issue):
    _, secret = issue(TokenScope.UPLOAD, channels=[make_channel("ours").pk])
    with pytest.raises(PermissionDenied, match="CND0091"):
        check_token(of_api(secret), TokenScope.UPLOAD, make_channel("other"))


def test_a_token_whose_only_channel_is_deleted_is_for_no_channel(issue):
    ours, other = make_channel("ours"), make_channel("other")
    token, _ = issue(channels=[ours.pk])
    ours.delete()
    token.refresh_from_db()
    assert not token_allows(token, TokenScope.READ, other)


def test_a_token_for_a_lifecycle_is_for_all_of_its_stages(issue):
    lifecycle = CondaLifecycle.objects.create(
        name="team", repository=CondaRepository.objects.create(name="team")
    )
    lifecycle.add_stages([{"name": "unstable", "base_path": "team/unstable", "gates": []}])
    stage = CondaDistribution.objects.get(base_path="team/unstable")
    token, _ = issue(lifecycles=[lifecycle.pk])
    assert token_allows(token, TokenScope.READ, stage)
    assert not token_allows(token, TokenScope.READ, make_channel())


def test_a_token_is_for_its_domain(issue):
    other = Domain.objects.create(name="other", storage_class="x", storage_settings={})
    token, _ = issue(domain=other)
    assert not token_allows(token, TokenScope.READ, make_channel())


def test_the_use_of_a_token_is_written_once_a_minute(issue):
    token, secret = issue()

    def last_use():
        return CondaToken.objects.get(pk=token.pk).last_used

    assert last_use() is None
    of_content(secret)
    first = last_use()
    of_content(secret)
    assert first is not None and last_use() == first
    earlier = first - timedelta(seconds=61)
    CondaToken.objects.update(last_used=earlier)
    of_content(secret)
    assert last_use() > first


def test_in_the_content_app_wrong_tokens_are_slowed_down_without_an_exception(issue, settings):
    settings.CONDA_FAILED_LOGINS = 10
    refused = [of_content(SECRET)["auth"] for _ in range(11)]
    assert [each.retry_after for each in refused] == [None] * 10 + [1]
    _, secret = issue()
    assert isinstance(of_content(secret)["auth"], CondaToken)
