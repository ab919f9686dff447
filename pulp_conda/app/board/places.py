"""The URLs of the board.

They are below the root of Pulp's API, so that each proxy in front of Pulp sends them to the API app
already, with the domain where Pulp has it.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import reverse

from pulpcore.plugin.find_url import find_api_root
from pulpcore.plugin.util import get_domain

from pulp_conda.app.models.lifecycle import BOARDS

# Pulp has nothing at Django's default.
_NO_LOGIN = "/accounts/login/"


def url_pattern() -> str:
    """Return the route of the board for Django, with the places of the domain and the root."""
    return find_api_root(lstrip=True)[1] + BOARDS


def place(request: HttpRequest, name: str, **parts: Any) -> str:
    """Return the path of a page of the board.

    Args:
        name: The name of the route without `conda-board-`.
        parts: What the route takes.
    """
    if settings.DOMAIN_ENABLED:
        parts["pulp_domain"] = get_domain().name
    if settings.API_ROOT_REWRITE_HEADER:
        parts["api_root"] = getattr(request, "api_root", settings.API_ROOT.strip("/"))
    return reverse(f"conda-board-{name}", kwargs=parts)


def login_place() -> str:
    """Return where people log in: as the setting `LOGIN_URL` has it, or in the pages of Pulp."""
    if settings.LOGIN_URL and settings.LOGIN_URL != _NO_LOGIN:
        return resolve_url(settings.LOGIN_URL)
    return reverse("rest_framework:login")


def channels_place() -> str:
    """Return the place of all channels of the domain in the content app, with a slash behind."""
    domain = f"{get_domain().name}/" if settings.DOMAIN_ENABLED else ""
    return f"{settings.CONTENT_ORIGIN or ''}{settings.CONTENT_PATH_PREFIX}{domain}"
