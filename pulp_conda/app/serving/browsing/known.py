"""What a publication has of its names, or None if it was made before names were kept."""

from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar
from uuid import UUID

from pulp_conda.app.errors import NamesMissing
from pulp_conda.app.versions import names as kept
from pulp_conda.channel.metadata.names import NameFacts

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _or_none(ask: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs) -> _R | None:
    try:
        return ask(*arguments, **options)
    except NamesMissing:
        return None


def facts_of(publication: UUID, names: Collection[str]) -> dict[str, NameFacts] | None:
    """Return what a publication has of some names; those that it does not have are left out."""
    if not kept.has_names(publication):
        return None
    return kept.facts_of(publication, names)


def count_of(publication: UUID) -> int | None:
    """Return the number of names of a publication."""
    return _or_none(kept.count_names, publication)


def dependents(publication: UUID, name: str, limit: int) -> kept.Dependents | None:
    """Return which names of a publication depend on one of them."""
    return _or_none(kept.dependents, publication, name, limit)


def search(publication: UUID, text: str, limit: int, after: str) -> kept.SearchResult | None:
    """Search in the names and the summaries of a publication."""
    return _or_none(kept.search, publication, text, limit, after)
