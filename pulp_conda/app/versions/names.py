"""What people ask about the package names of a publication: searches, one name, its dependents.

The cost depends on the number of names alone, and not on that of packages. Nothing but the names of
the publication is read, so who may read the channel may see all of it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from pulp_conda.app.errors import NamesMissing
from pulp_conda.channel.metadata.names import (
    MatchKind,
    NameFacts,
    decode_block,
    decode_facts,
    decode_lines,
    dependents_of,
    name_of,
)
from pulp_conda.channel.metadata.names import search as search_lines
from pulp_conda.channel.storable import text_problem

_COUNT = "SELECT count FROM conda_publicationnames WHERE publication_id = %(publication)s"
_SEARCHED = "SELECT searched FROM conda_publicationnames WHERE publication_id = %(publication)s"
_DEPENDS = "SELECT depends FROM conda_publicationnames WHERE publication_id = %(publication)s"

# The blocks in which some names stand, if they are there at all.
_BLOCKS = """
SELECT DISTINCT ON (block.first) block.data
FROM unnest(%(names)s::text[]) AS wanted CROSS JOIN LATERAL (
    SELECT first, data FROM conda_nameblock
    WHERE publication_id = %(publication)s AND first <= wanted COLLATE "C"
    ORDER BY first DESC LIMIT 1
) AS block
"""


class Hit(NamedTuple):
    """A name that a search found, and why."""

    kind: MatchKind
    facts: NameFacts


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        count: The number of all names that were found.
        hits: Some of them, the best first.
    """

    count: int
    hits: list[Hit]


@dataclass(frozen=True)
class Dependents:
    """Which names of a channel depend on one of them, by the newest builds.

    Attributes:
        count: The number of all of them.
        names: Some of them, sorted.
    """

    count: int
    names: list[str]


def has_names(publication: UUID) -> bool:
    """Say whether the names of a publication are kept.

    They are not if it was made by an earlier version of this plugin. Its version can be published
    again.
    """
    return bool(_rows(_COUNT, {"publication": publication}))


def count_names(publication: UUID) -> int:
    """Return the number of names of a publication.

    Raises:
        NamesMissing: they are not kept.
    """
    count: int = _kept(_COUNT, publication)
    return count


def names_of(publication: UUID) -> list[str]:
    """Return all names of a publication, sorted.

    Raises:
        NamesMissing: they are not kept.
    """
    return [name_of(line) for line in decode_lines(_kept(_SEARCHED, publication))]


def search(publication: UUID, text: str, limit: int, after: str = "") -> SearchResult:
    """Search for the words of a text in the names and the summaries of a publication.

    The name itself comes first, then names that begin with the text, then names that have all
    words, and then the summaries; each kind sorted by name. A text without words finds all names.

    Args:
        limit: The most hits to return.
        after: The name of the last hit of the page before. Empty for the first page, which also
            comes if this name is no hit any more.

    Raises:
        NamesMissing: the names are not kept.
    """
    found = search_lines(decode_lines(_kept(_SEARCHED, publication)), text)
    kinds = {name: kind for kind, names in found.items() for name in names}
    start = _place_behind(kinds, after)
    page = list(islice(kinds, start, start + limit))
    facts = facts_of(publication, page)
    return SearchResult(len(kinds), [Hit(kinds[name], facts[name]) for name in page])


def _place_behind(names: Collection[str], name: str) -> int:
    return next((place for place, each in enumerate(names, 1) if each == name), 0)


def name(publication: UUID, wanted: str) -> NameFacts | None:
    """Return what a publication has of a name, or None if it has no such name.

    Raises:
        NamesMissing: the names are not kept.
    """
    _kept(_COUNT, publication)
    return facts_of(publication, [wanted]).get(wanted)


def facts_of(publication: UUID, names: Collection[str]) -> dict[str, NameFacts]:
    """Return what a publication has of some names. Names that it does not have are left out."""
    found: dict[str, NameFacts] = {}
    names = [each for each in names if text_problem(each) is None]
    for (data,) in _rows(_BLOCKS, {"publication": publication, "names": list(names)}):
        block = decode_block(data)
        found |= {each: decode_facts(block[each]) for each in names if each in block}
    return found


def dependents(publication: UUID, wanted: str, limit: int = 100, after: str = "") -> Dependents:
    """Return which names of a publication depend on a name.

    A name depends on another if its newest build does, in one of the subdirs that have its newest
    version.

    Args:
        limit: The most names to return.
        after: Only names behind this one are returned. All are counted.

    Raises:
        NamesMissing: the names are not kept.
    """
    found = dependents_of(decode_lines(_kept(_DEPENDS, publication)), wanted)
    return Dependents(len(found), [each for each in found if each > after][:limit])


def _kept(statement: str, publication: UUID) -> Any:
    rows = _rows(statement, {"publication": publication})
    if not rows:
        raise NamesMissing
    return rows[0][0]


def _rows(statement: str, facts: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        return cursor.fetchall()
