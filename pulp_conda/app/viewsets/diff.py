"""Answer requests for the differences between two states of a channel."""

from typing import Any

from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from pulp_conda.app.models.patch import diff_patches
from pulp_conda.app.versions.comparison import NameQuery, compare
from pulp_conda.app.versions.state import State
from pulp_conda.app.viewsets.renderers import wants_markdown
from pulp_conda.channel.changelog import render_markdown


def answer_diff(
    view: GenericViewSet,
    base: State,
    target: State,
    query: dict[str, Any],
    names: tuple[str | int, str | int],
    title: str,
) -> Response:
    """Return the response to a request for a diff: JSON, or Markdown for people.

    Args:
        base, target: The older and the newer state.
        query: The validated query without the states: `offset`, `limit` and the filters of
            `compare`.
        names: The names of the two states in the answer.
        title: The title of the changelog, with a `{}` for each of the names.
    """
    offset, limit = query.pop("offset"), query.pop("limit")
    with compare(base, target, **query) as changes:
        if wants_markdown(view.request):
            sections = changes.sections(limit)
            return Response(render_markdown(title.format(*names), changes.summaries(), sections))
        page = changes.page(offset, limit)
        answer = {
            "base": names[0],
            "target": names[1],
            "counts": changes.counts(),
            "summaries": changes.summaries(),
            "names": page,
            "packages": {change.name: change.changes for change in page},
            "patches": diff_patches(base, target, NameQuery(query.get("name")).exact_name),
        }
    return Response(view.get_serializer(answer).data)
