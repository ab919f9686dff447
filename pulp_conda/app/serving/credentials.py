"""Who asks, in the form in which the question about a channel can say whether they may read it.

It only says so if it is certain. All else is left to the slow way, which refuses, counts failures,
and lets clients wait.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.conf import settings
from rest_framework.authentication import BasicAuthentication
from rest_framework.settings import api_settings

from pulp_conda.app.addresses import client_address
from pulp_conda.app.authentication import TokenAuthentication, password_of, secret_of
from pulp_conda.app.models.failed_login import login_of
from pulp_conda.app.models.token import digest_of
from pulp_conda.app.passwords import was_right
from pulp_conda.app.versions import served

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True)
class Credentials:
    """None at all, or none that a statement can check."""

    statement: ClassVar[str] = served.STATE

    @property
    def facts(self) -> dict[str, Any]:
        """The values of the statement, besides those of the channel."""
        return {}

    def are_of(self, password: str | None) -> bool:
        """Say whether the credentials are right.

        Args:
            password: The stored hash that the statement gave.
        """
        return True


@dataclass(frozen=True)
class Token(Credentials):
    """A token, by its digest."""

    sha256: str

    statement: ClassVar[str] = served.STATE_FOR_TOKEN

    @property
    def facts(self) -> dict[str, Any]:
        return {"sha256": self.sha256}


@dataclass(frozen=True)
class Login(Credentials):
    """A user and a password, from an address."""

    username: str
    password: str
    address: str

    statement: ClassVar[str] = served.STATE_FOR_USER

    @property
    def facts(self) -> dict[str, Any]:
        # The password is in no statement.
        return {
            "username": self.username,
            "address": self.address,
            "login": login_of(self.username),
            "free": settings.CONDA_FAILED_LOGINS,
        }

    def are_of(self, password: str | None) -> bool:
        return password is not None and was_right(self.password, password)


NOBODY = Credentials()


def credentials_of(headers: Mapping[str, str]) -> Credentials:
    """Return what a request gives, if it is what the slow way would take, else `NOBODY`."""
    first, second = [*api_settings.DEFAULT_AUTHENTICATION_CLASSES, None, None][:2]
    if first is not TokenAuthentication:
        return NOBODY
    if (secret := secret_of(headers)) is not None:
        digest = digest_of(secret)
        return Token(digest) if digest else NOBODY
    login = password_of(headers)
    if login is None or "\0" in login[0] or not _checks_passwords(second):
        return NOBODY
    # As Django names headers in the content app.
    names = ("X-Forwarded-For", "X_Forwarded_For")
    added = {f"HTTP_{name.upper()}": headers.get(name, "") for name in names}
    return Login(*login, client_address(added))


def _checks_passwords(authentication: type | None) -> bool:
    """Say whether a class of REST framework asks Django's users for passwords before others."""
    return (
        authentication is not None
        and issubclass(authentication, BasicAuthentication)
        and all(
            getattr(authentication, name) is getattr(BasicAuthentication, name)
            for name in ("authenticate", "authenticate_credentials")
        )
        and settings.AUTHENTICATION_BACKENDS[0] == _BACKEND
    )
