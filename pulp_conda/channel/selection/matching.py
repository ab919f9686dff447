"""The packages of a source that match specs, without what they depend on."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeAlias

from pulp_conda.channel.errors import BadMatchSpec, NothingToPromote, shown
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.policies.satisfaction import Candidate

# Takes package names, and returns the packages that have them. So a channel with a million packages
# is never loaded as a whole.
Lookup: TypeAlias = Callable[[list[str]], Iterable[Candidate]]

# For how many packages a promotion of single packages is meant. Who wants more can promote the
# whole version.
MOST_PACKAGES = 10_000

_NAMES_AT_ONCE = 100


def select(
    specs: Iterable[str],
    *,
    source: Lookup,
    target: Lookup,
    names: Callable[[], Iterable[str]],
) -> list[Candidate]:
    """Return the packages of the source that match any of the specs and are not in the target.

    They are in the order of their paths. If the record of a package was changed in the source, the
    target does not have it: another record makes another package.

    Args:
        names: A function that returns all package names of the source. It is called only for specs
            that have a pattern for the name.

    Raises:
        BadMatchSpec: A spec does not parse, or matches more than `MOST_PACKAGES` packages.
        NothingToPromote: Names all specs that match nothing in the source.
    """
    queries = [Query(spec) for spec in specs]
    selected: dict[tuple[str, str, Any], Candidate] = {}
    useless = []
    for query in queries:
        names_of_query: Iterable[str]
        if query.exact_name is not None:
            names_of_query = [query.exact_name]
        else:
            names_of_query = filter(query.may_match, sorted(names()))
        found: dict[tuple[str, str, Any], Candidate] = {}
        for chunk in _chunks(names_of_query):
            found |= {
                package.identity: package for package in source(chunk) if query.matches(package)
            }
            if len(found) > MOST_PACKAGES:
                reason = f"it matches more than {MOST_PACKAGES} packages"
                raise BadMatchSpec(spec=query.spec, reason=reason)
        if not found:
            useless.append(f"'{shown(query.spec)}'")
        selected |= found
    if useless:
        raise NothingToPromote(specs=", ".join(useless))
    for chunk in _chunks(sorted({package.name for package in selected.values()})):
        for package in target(chunk):
            selected.pop(package.identity, None)
    return sorted(selected.values(), key=lambda package: package.identity[:2])


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    names = iter(names)
    while chunk := list(islice(names, _NAMES_AT_ONCE)):
        yield chunk
