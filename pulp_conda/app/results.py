"""The results of tasks, which are checked before what a task does is committed.

pulpcore stores the result of a task when the task is over. If PostgreSQL refuses it then, the
process ends, and the task is said to have failed although everything that it did is there.
"""

import json
from typing import Any, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DataError, connection, transaction
from django.db.models import Model

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.util import get_prn, get_url

from pulp_conda.app.errors import BadResult
from pulp_conda.app.exceptions import CondaError

_R = TypeVar("_R")


def checked(result: _R) -> _R:
    """Return the result of a task, if it can be stored.

    Call this where an error still undoes what the task did: in the transaction, or in the `with`
    block of the version or publication.

    Raises:
        CondaError: `BadResult`.
    """
    try:
        text = json.dumps(result, cls=DjangoJSONEncoder)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT %s::jsonb", [text])
    except (DataError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CondaError(BadResult(reason=reason)) from error
    return result


def named(instance: Model) -> dict[str, str]:
    """Return an object as the result of the task that made it: where more of it can be read."""
    return {"pulp_href": get_url(instance), "prn": get_prn(instance)}


def named_version(version: RepositoryVersion) -> dict[str, Any]:
    """Return a version that a task makes, which need not be complete yet, as its result."""
    repository = get_url(version.repository.cast())
    return {
        "pulp_href": f"{repository}versions/{version.number}/",
        "prn": get_prn(version),
        "number": version.number,
        "repository": repository,
    }
