"""What no request can mean is refused before a policy or a field sees it."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as InvalidValue
from django.db import DataError
from django.db.models import QuerySet
from django.http import QueryDict
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from pulp_conda.app.disk import full_disk
from pulp_conda.app.viewsets.summaries import summarize
from pulp_conda.channel.errors import BadRequestValue, ChannelError
from pulp_conda.channel.storable import Unstorable, find_unstorable

log = logging.getLogger(__name__)


class _InsufficientStorage(APIException):
    status_code = status.HTTP_507_INSUFFICIENT_STORAGE


class CheckedRequests(GenericViewSet):
    """A viewset that refuses requests with values that cannot be stored or looked for.

    Texts with a NUL and the like are found before anything else reads the request. Numbers, keys
    and patterns that only Django or PostgreSQL can judge are refused when they do so.

    Attributes:
        own_errors: By the name of a field, what makes its error of a reason. Other fields have
            `BadRequestValue`.
    """

    own_errors: ClassVar[Mapping[str, Callable[..., ChannelError]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        summarize(cls)

    def check_permissions(self, request: Request) -> None:
        # Policies read the body, too. Nobody reads that of a stranger.
        if request.user.is_authenticated:
            self._check(dict(request.query_params.lists()))
            self._check(_body_of(request))
        super().check_permissions(request)

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        try:
            return super().filter_queryset(queryset)
        except (ValueError, OverflowError, AttributeError) as error:
            # pulpcore's filters take each URL for that of an object.
            raise _as_validation(BadRequestValue(reason=str(error)), None) from None

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, DataError):
            reason = str(error).partition("\n")[0]
            error = _as_validation(BadRequestValue(reason=reason), None)
        elif isinstance(error, InvalidValue):
            reason = "; ".join(error.messages)
            error = _as_validation(BadRequestValue(reason=reason), None)
        elif full := full_disk(error):
            log.error("%s", full)
            error = _InsufficientStorage(str(full), code=full.code)
        return super().handle_exception(error)

    def error_for(self, found: Unstorable, values: Mapping[str, Any]) -> ChannelError:
        """Return the error for a value of a request that cannot be stored.

        Args:
            values: The body, or the query.
        """
        make = self.own_errors.get(str(found.path[0]), BadRequestValue)
        return make(reason=f"'{found.place}' {found.reason}")

    def _check(self, values: Mapping[str, Any]) -> None:
        if found := find_unstorable(values):
            field = str(found.path[0])
            is_key = len(found.path) == 1 and not isinstance(values[field], str)
            raise _as_validation(self.error_for(found, values), None if is_key else field)


def _body_of(request: Request) -> Mapping[str, Any]:
    """Return the fields of a request, with the JSON that forms have as texts.

    Raises:
        ParseError, ValidationError: it is no object, or is nested too deeply to be read.
    """
    try:
        data = request.data
    except RecursionError:
        raise ParseError("JSON parse error - it is nested too deeply") from None
    if isinstance(data, QueryDict):
        return {field: [_json_in(value) for value in values] for field, values in data.lists()}
    if not isinstance(data, Mapping):
        kind = type(data).__name__
        raise ValidationError(
            {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]}
        )
    return data


def _json_in(value: Any) -> Any:
    """Return what a text of a form stands for, if it is a list or an object in JSON."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return [value, json.loads(value)]
        except (ValueError, RecursionError):
            pass  # The field says what is wrong.
    return value


def _as_validation(error: ChannelError, field: str | None) -> ValidationError:
    return ValidationError({field or "non_field_errors": [str(error)]}, code=error.code)
