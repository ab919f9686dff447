"""The REST API, asked in this process by the user of a session."""

import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import orjson
from django.core.handlers.wsgi import WSGIRequest
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import resolve
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

# What of the URL middlewares read before a view does.
_OF_MIDDLEWARES = {"pulp_domain", "api_root"}

# Whatever else a browser sends is not for REST: credentials that are no session, conditions.
_KEPT_HEADERS = {"HTTP_HOST"}

_CODED = re.compile(r"\[CND[0-9]{4}\] ")


class _OfSession(BaseAuthentication):
    """The user that the middlewares of Django found, who logged in."""

    def authenticate(self, request: Request) -> tuple[Any, None]:
        return request._request.user, None


class Rest:
    """Asks viewsets as their URLs do, in the name of the user of a request.

    The request was checked for a CSRF token already, if it is one that changes something.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def get(self, path: str, **query: Any) -> Response:
        """Return the answer to a GET. What REST refuses has its status and its data."""
        return self._ask("GET", path, query=query)

    def post(self, path: str, **body: Any) -> Response:
        """Return the answer to a POST."""
        return self._ask("POST", path, body)

    def allows(self, path: str, method: str = "POST", **body: Any) -> bool:
        """Say whether the policy of REST would let the user send a request. Nothing is sent."""
        view, request = self._view(method, path, body)
        try:
            view.initial(request, *view.args, **view.kwargs)
        except (APIException, Http404):
            return False
        return True

    def find(self, path: str) -> Any:
        """Return the object that a GET of its URL would show.

        Raises:
            Http404: there is none, or the user may not see it.
        """
        view, request = self._view("GET", path, {})
        try:
            view.initial(request, *view.args, **view.kwargs)
        except APIException:
            raise Http404() from None
        return view.get_object()

    def list(self, path: str) -> QuerySet:
        """Return the objects that a GET of their list would show."""
        view, request = self._view("GET", path, {})
        try:
            view.initial(request, *view.args, **view.kwargs)
        except APIException:
            return view.queryset.none()
        return view.get_queryset()

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Response:
        view, kwargs = self._instance(path)
        return view.dispatch(self._inner(method, path, body or {}, query or {}), **kwargs)

    def _view(
        self, method: str, path: str, body: Mapping[str, Any]
    ) -> tuple[GenericViewSet, Request]:
        """Return the viewset of a URL before it did anything, and the request as it has it."""
        view, kwargs = self._instance(path)
        view.args, view.kwargs = (), kwargs
        request = view.initialize_request(self._inner(method, path, body, {}), **kwargs)
        view.request = request
        view.headers = view.default_response_headers
        return view, request

    def _instance(self, path: str) -> tuple[GenericViewSet, dict[str, Any]]:
        """Return the viewset of a URL as its router makes it, but for the session as the login."""
        match = resolve(path)
        view = match.func.cls(**match.func.initkwargs)
        view.authentication_classes = [_OfSession]
        view.action_map = match.func.actions
        for method, action in view.action_map.items():
            setattr(view, method, getattr(view, action))
        kwargs = {key: value for key, value in match.kwargs.items() if key not in _OF_MIDDLEWARES}
        return view, kwargs

    def _inner(
        self, method: str, path: str, body: Mapping[str, Any], query: Mapping[str, Any]
    ) -> HttpRequest:
        outer = self._request
        data = orjson.dumps(dict(body)) if method == "POST" else b""
        environ = {
            key: value
            for key, value in outer.META.items()
            if not key.startswith("HTTP_") or key in _KEPT_HEADERS
        }
        environ |= {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(data)),
            "HTTP_ACCEPT": "application/json",
            "wsgi.input": BytesIO(data),
        }
        inner = WSGIRequest(environ)
        inner.GET = inner.GET.copy()
        inner.GET.update({key: str(value) for key, value in query.items() if value is not None})
        inner.user = outer.user
        for name in ("pulp_domain", "api_root"):
            if hasattr(outer, name):
                setattr(inner, name, getattr(outer, name))
        return inner


def sentences(answer: Response) -> list[str]:
    """Return what an answer of REST says that is no success, as sentences for people."""
    return list(_sentences(answer.data, ""))


def _sentences(data: Any, field: str) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            is_general = key in ("detail", "non_field_errors")
            yield from _sentences(value, field if is_general else str(key))
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _sentences(value, field)
    else:
        text = str(data)
        yield f"{field}: {text}" if field and not _CODED.match(text) else text
