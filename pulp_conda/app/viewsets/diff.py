"""What differs between two states of a channel, as an answer."""

from rest_framework.response import Response

from pulp_conda.app.models.patch import diff_patches
from pulp_conda.app.versions.comparison import NameQuery, compare
from pulp_conda.app.viewsets.renderers import wants_markdown
from pulp_conda.channel.changelog import render_markdown


def answer_diff(view, base, target, query, names, title):
    """Return the response to a request for a diff: JSON, or Markdown for people.

    Args:
        base, target (RepositoryVersion): The older and the newer state.
        query: What is left of the validated query: `offset`, `limit` and the filters of `compare`.
        names: How the two states are called in the answer.
        title: Of the changelog, with a place for each of the names.
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
