"""Who a request comes from: tokens, and who has to wait after wrong ones.

One class for the API and the content app reads them:

    Authorization: Bearer cnd-…
    Authorization: token cnd-…
    Authorization: Basic …          the password is the token, the user name is any
    X-API-Key: cnd-…
    /t/cnd-…/                       in URLs of the content app: see `PATH_TOKEN_HEADER`

In the API, a view accepts no token unless it names the scope for each of its actions:

    class SomeViewSet(...):
        token_scopes: ClassVar[TokenScopes] = {"promote": TokenScope.PROMOTE}

It then asks `token_allows` whether the token is for the channel.

In the content app, a request with a token is anonymous: `request["user"]` is an `AnonymousUser`,
and `request["auth"]` is the `CondaToken`, or `Refused`. Who knows the channel calls `let_in`, which
makes the owner of the token the user of the request. So handlers and guards that know nothing of
tokens see nobody.

Sources: RFC 6750 (Bearer), RFC 7617 (Basic), RFC 9110 section 11 (challenges).
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import aiohttp.web
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request

from pulpcore.plugin.models import Domain, Task
from pulpcore.plugin.util import get_domain, get_domain_pk

from pulp_conda.app.addresses import client_address
from pulp_conda.app.errors import (
    CredentialsError,
    TokenNotForThis,
    TooManyFailures,
    WrongToken,
)
from pulp_conda.app.models import (
    CondaDistribution,
    CondaRepository,
    CondaToken,
    CondaUpload,
    FailedLogin,
)
from pulp_conda.app.models.token import PREFIX, digest_of
from pulp_conda.app.vocabulary import TokenScope

TokenScopes = Mapping[str, TokenScope]
User: TypeAlias = AbstractBaseUser | AnonymousUser

# The routes for `/t/<token>/` take the token out of the URL and put it into this header, before
# Pulp authenticates the request. A client may send it as well: it is one more way to give a token.
PATH_TOKEN_HEADER = "X-Pulp-Conda-Path-Token"

_KEY_HEADER = "X-API-Key"
_BASIC = re.compile(r"basic +([a-z0-9+/]+={0,2})", re.ASCII | re.IGNORECASE)
_REALM = "pulp"


@dataclass(frozen=True)
class Refused:
    """What `request["auth"]` is in the content app if the credentials are refused.

    Fields:
        error: Why.
        retry_after: After how many seconds they may be tried again: the status is then 429, and
            otherwise 401.
    """

    error: CredentialsError
    retry_after: int | None = None


class TokenAuthentication(BaseAuthentication):
    """Finds the token of a request; `request.auth` is then the `CondaToken`.

    Credentials of other kinds are left to the classes after it. It comes before Pulp's class for
    passwords, which would take the token of a Basic login for a password.
    """

    def authenticate(
        self, request: Request
    ) -> tuple[AbstractBaseUser | AnonymousUser, object] | None:
        """Return the user and the token, or None if the request has no token.

        Raises:
            AuthenticationFailed: `WrongToken`, only in the API; or there can be no user of the
                name.
            PermissionDenied: `TokenNotForThis`, only in the API.
            Throttled: `TooManyFailures`, only in the API.
        """
        secret = secret_of(request.headers)
        if secret is None:
            username = _username_of(request.headers)
            if username is None:
                return None
            if refused := _slowed_down(request, username):
                return _refuse(request, refused)
            if "\0" in username:
                # PostgreSQL cannot even look for it. This is what the next class would say.
                FailedLogin.note(client_address(request.META), username)
                raise AuthenticationFailed(_("Invalid username/password."))
            return None
        token = find_token(secret)
        if token is None:
            refused = _slowed_down(request, None)
            if refused is None:
                FailedLogin.note(client_address(request.META), None)
            return _refuse(request, refused or Refused(WrongToken()))
        if _is_for_content(request):
            token.note_use()
            return AnonymousUser(), token
        is_for_this = _declared_scope(request) in token.scopes or _asks_for_upload(request, token)
        if not is_for_this or token.pulp_domain_id != get_domain_pk():
            raise PermissionDenied(str(_not_for_this(token)))
        token.note_use()
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenges of all classes of the view, as one header.

        REST framework asks only the first class, which is this one.
        """
        others = [each for each in request.authenticators if not isinstance(each, type(self))]
        challenges = [each.authenticate_header(request) for each in others]
        return ", ".join([*filter(None, challenges), challenges_for(request.headers)[0]])


def secret_of(headers: Mapping[str, str]) -> str | None:
    """Return what a request gives as a token, or None.

    Whatever begins like a token counts as one, also if it cannot be a valid one.
    """
    return next((secret for secret in _secrets(headers) if secret.startswith(PREFIX)), None)


def challenges_for(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the ways to give credentials to a request that needs others: a token, or a user and a
    password.

    Each is for a header of its own, because some browsers read only the first of several in one.
    Only a request that has a token hears that it is wrong (RFC 6750, section 3.1).
    """
    scheme = headers.get("Authorization", "").strip().partition(" ")[0].lower()
    other_places = (PATH_TOKEN_HEADER, _KEY_HEADER)
    has_token = (
        scheme in ("bearer", "token")
        or secret_of(headers) is not None
        or any(headers.get(name, "").strip() for name in other_places)
    )
    error = ', error="invalid_token"' if has_token else ""
    return f'Bearer realm="{_REALM}"{error}', f'Basic realm="{_REALM}", charset="UTF-8"'


def password_of(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the user and the password of a Basic login, if it is written as all readers of it
    understand it in the same way; else None.
    """
    match = _BASIC.fullmatch(headers.get("Authorization", ""))
    return _login_in(match[1]) if match else None


def find_token(secret: str) -> CondaToken | None:
    """Return a token that is accepted now: not revoked, not expired, its owner active.

    This is one query. `versions/served` asks the same in a statement of its own.

    Args:
        secret: Untrusted input.
    """
    digest = digest_of(secret)
    if digest is None:
        return None
    token = CondaToken.objects.select_related("owner").filter(sha256=digest).first()
    return token if token is not None and token.is_valid else None


def issue_token(
    *,
    owner: AbstractBaseUser,
    name: str,
    scopes: Iterable[TokenScope],
    channels: Iterable[UUID] | None = None,
    lifecycles: Iterable[UUID] | None = None,
    expires: datetime | None = None,
    domain: Domain | None = None,
) -> tuple[CondaToken, str]:
    """Make a token, and return it with its secret, which is stored nowhere.

    Tokens of the domain that ended long ago are deleted.

    Args:
        owner: As whom it acts.
        name: Unique among the tokens of its owner in the domain.
        scopes: At least one.
        channels: The keys of the distributions for which it is.
        lifecycles: The keys of lifecycles: it is for the distributions of all of their stages. If
            this and `channels` are None, it is for all channels of the domain.
        domain: By default the one of the request.
    """
    domain = domain or get_domain()
    CondaToken.purge(domain)
    token = CondaToken(
        owner=owner,
        name=name,
        scopes=list(scopes),
        is_limited=channels is not None or lifecycles is not None,
        channels=list(channels or ()),
        lifecycles=list(lifecycles or ()),
        expires=expires,
        pulp_domain=domain,
    )
    secret = token.set_secret()
    token.save()
    return token, secret


def token_allows(
    auth: Request | aiohttp.web.BaseRequest | object,
    scope: TokenScope,
    distribution: CondaDistribution,
) -> bool:
    """Say whether the token of a request, if it has one, is for a purpose and a channel.

    The rights of the user are another question: ask both.

    Args:
        auth: A request of the API or of the content app, or what its `auth` is.
    """
    if isinstance(auth, Request):
        auth = auth.auth
    elif isinstance(auth, aiohttp.web.BaseRequest):
        auth = auth.get("auth")
    if isinstance(auth, CondaToken):
        return auth.allows(scope, distribution)
    return not isinstance(auth, Refused)


def check_token(request: Request, scope: TokenScope, distribution: CondaDistribution) -> None:
    """Refuse a request of the API whose token is not for a purpose and a channel.

    Raises:
        PermissionDenied: `TokenNotForThis`.
    """
    if not token_allows(request, scope, distribution):
        raise PermissionDenied(str(_not_for_this(request.auth)))


def let_in(
    request: aiohttp.web.Request, scope: TokenScope, distribution: CondaDistribution
) -> User:
    """Make the owner of the token the user of a request of the content app, and return the user.

    If the token is not for this purpose and channel, the request stays anonymous. A request without
    a token keeps its user.
    """
    token = request.get("auth")
    if isinstance(token, CondaToken):
        user = token.owner if token.allows(scope, distribution) else AnonymousUser()
        request["user"] = request["drf_request"].user = user
        # Setting the user of a request does not change its `auth`.
    return request["user"]


def _secrets(headers: Mapping[str, str]) -> Iterable[str]:
    """Yield what headers have in the places of tokens."""
    yield headers.get(PATH_TOKEN_HEADER, "")
    scheme, _, value = headers.get("Authorization", "").strip().partition(" ")
    match scheme.lower():
        case "bearer" | "token":
            yield value.strip()
        case "basic":
            yield _login_in(value)[1]
    yield headers.get(_KEY_HEADER, "").strip()


def _username_of(headers: Mapping[str, str]) -> str | None:
    """Return the name of the user of a Basic login, or None."""
    scheme, _, value = headers.get("Authorization", "").strip().partition(" ")
    return _login_in(value)[0] if scheme.lower() == "basic" else None


def _login_in(credentials: str) -> tuple[str, str]:
    """Return the user and the password of Basic credentials: two empty texts if it is none."""
    try:
        decoded = base64.b64decode(credentials.strip())
    except (binascii.Error, ValueError):
        return "", ""
    # As REST framework decodes it.
    try:
        login = decoded.decode()
    except UnicodeDecodeError:
        login = decoded.decode("latin-1")
    username, _, password = login.partition(":")
    return username, password


def _slowed_down(request: Request, username: str | None) -> Refused | None:
    """Return why nothing is checked now that comes from the address of a request, or None.

    A valid token is accepted at any time: nobody can guess one.
    """
    seconds = FailedLogin.seconds_to_wait(client_address(request.META), username)
    if not seconds:
        return None
    what = "tokens" if username is None else "passwords for this user"
    return Refused(TooManyFailures(what=what, seconds=seconds), seconds)


def _refuse(request: Request, refused: Refused) -> tuple[User, Refused]:
    """Refuse the credentials of a request.

    Returns:
        What the content app keeps. No exception: Pulp would write the path to its log.

    Raises:
        AuthenticationFailed, Throttled: in the API.
    """
    if _is_for_content(request):
        return AnonymousUser(), refused
    if refused.retry_after is None:
        raise AuthenticationFailed(str(refused.error))
    raise _Throttled(refused.retry_after, str(refused.error))


class _Throttled(Throttled):
    # The text of REST framework about the same would follow ours.
    extra_detail_singular = extra_detail_plural = ""


@receiver(user_login_failed)
def note_failed_login(
    credentials: Mapping[str, Any], request: Request | HttpRequest | None = None, **kwargs: Any
) -> None:
    """Count a wrong password that came by a request."""
    if request is not None and "username" in credentials:
        FailedLogin.note(client_address(request.META), credentials["username"])


def _is_for_content(request: Request) -> bool:
    """Say whether the content app asks. Its requests come from aiohttp, and not from a server of
    Django.
    """
    return type(request._request) is HttpRequest


def _declared_scope(request: Request) -> TokenScope | None:
    """Return the scope that the view declares for what the request does, or None."""
    view = request.parser_context.get("view")
    scopes: TokenScopes = getattr(view, "token_scopes", {})
    return scopes.get(getattr(view, "action", None) or request.method.lower())


def _asks_for_upload(request: Request, token: CondaToken) -> bool:
    """Say whether a request reads the task whose result says what became of uploads by the token.

    The view is one of pulpcore, which knows no scopes. Nothing else of it is open to tokens, and
    whether the owner may see the task is still asked.
    """
    view = request.parser_context.get("view")
    model = getattr(getattr(view, "queryset", None), "model", None)
    if model is not Task or view.action != "retrieve" or TokenScope.UPLOAD not in token.scopes:
        return False
    uploads = CondaUpload.objects.filter(
        user=token.owner,
        repository__in=token.repositories_in(CondaRepository.objects.all()),
    )
    try:
        return uploads.filter(task=view.kwargs["pk"]).exists()
    except ValidationError:
        # The key is no UUID.
        return False


def _not_for_this(token: CondaToken) -> TokenNotForThis:
    return TokenNotForThis(name=token.name, scopes=", ".join(token.scopes))
