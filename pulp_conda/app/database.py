"""Whether the database can be asked, and what clients are told while it cannot: to come again."""

import logging
import sys
from collections.abc import Callable
from http import HTTPStatus
from pkgutil import iter_modules

from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse

from pulp_conda.app import migrations
from pulp_conda.app.disk import full_disk
from pulp_conda.app.errors import DatabaseAway

log = logging.getLogger(__name__)

# Seconds after which PostgreSQL may be there again.
RETRY_AFTER = 5

# The newest migration of the plugin.
NEWEST = max(module.name for module in iter_modules(migrations.__path__))

_MARK = "_conda_database_is_away"


def is_away(error: BaseException | None) -> bool:
    """Say whether an error is about a database that may answer later.

    It was stopped, was started again, or takes no more connections; or it broke a statement off,
    for example because of a deadlock. A full disk does not pass by itself.
    """
    return isinstance(error, (OperationalError, InterfaceError)) and full_disk(error) is None


def is_migrated() -> bool:
    """Say whether the database has all migrations of the plugin.

    Raises:
        OperationalError, InterfaceError: it cannot be asked.
    """
    return MigrationRecorder.Migration.objects.filter(app="conda", name=NEWEST).exists()


class ComeAgain:
    """Answers 503 instead of 500 where a request of the API fails because of the database.

    It stands first: the middlewares of Pulp ask the database before there is any view.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        is_error = response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
        if not is_error or not getattr(request, _MARK, False):
            return response
        log.warning("'%s' cannot be answered without PostgreSQL", request.path)
        error = DatabaseAway(seconds=RETRY_AFTER)
        return JsonResponse(
            {"detail": str(error)},
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_AFTER)},
        )


def _note(request: HttpRequest | None = None, **facts: object) -> None:
    """Note in a request that the database failed. Django makes an answer of the error at once, so
    the first middleware does not see it.
    """
    if request is not None and is_away(sys.exc_info()[1]):
        setattr(request, _MARK, True)


got_request_exception.connect(_note, dispatch_uid="conda_database_is_away")
