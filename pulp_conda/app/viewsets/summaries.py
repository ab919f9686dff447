"""Summaries of the operations that viewsets inherit, for the OpenAPI schema.

pulpcore makes them of the name of the model. Its plurals are wrong for some of our models, its
updates with PUT and PATCH have the same summary, and that of repairs has none.
"""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.viewsets import GenericViewSet


def summarize(viewset: type[GenericViewSet]) -> None:
    """Give operations of a viewset that it inherits their summaries."""
    if viewset.queryset is None:
        return
    noun = viewset.queryset.model._meta.verbose_name
    summaries = {
        "list": f"List {_plural(noun)}",
        "partial_update": f"Change some fields of a {noun}",
        "repair": f"Repair a {noun}",
    }
    inherited = {
        name: extend_schema(summary=summary)
        for name, summary in summaries.items()
        if hasattr(viewset, name) and name not in vars(viewset)
    }
    extend_schema_view(**inherited)(viewset)


def _plural(noun: str) -> str:
    if noun.endswith("y"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("ch", "sh", "s")) else f"{noun}s"
