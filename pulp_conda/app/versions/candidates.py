"""The packages of a state, as rules and the promotion of single packages look at them: without
those that are blocked, which no publication lists.
"""

from collections.abc import Iterable, Iterator

from django.db import connection

from pulp_conda.app.versions.ages import first_seen
from pulp_conda.app.versions.blocked import IS_FREE
from pulp_conda.app.versions.state import State
from pulp_conda.channel.fields import served_form
from pulp_conda.channel.policies.satisfaction import Candidate
from pulp_conda.channel.selection.pool import Package

_BATCH = 2000

_COLUMNS = """
    package.subdir, package.filename, package.name, package.version, package.build,
    package.build_number, package.license, {depends}, package.sha256, package.md5,
    COALESCE(package.indexed_timestamp, indexed.indexed_timestamp), {is_new},
    package.content_ptr_id, indexed.seen_timestamp, indexed.believed_timestamp
"""

_INDEXED = """
    LEFT JOIN conda_indexedfile AS indexed ON indexed.repository_id = member.repository
        AND indexed.sha256 = package.sha256
"""

# The file says whether a package is new: a correction of its record makes no new package. In the
# select list, where PostgreSQL asks the second question of few rows; as a join it would compare all
# with all.
_IS_NEW = """
    CASE WHEN package.content_ptr_id IN (
        SELECT content FROM ({members}) AS before
    ) THEN false ELSE NOT EXISTS (
        SELECT FROM conda_condapackage AS same CROSS JOIN LATERAL ({origin}) AS before
        WHERE same._pulp_domain_id = package._pulp_domain_id AND same.subdir = package.subdir
            AND same.filename = package.filename AND same.sha256 = package.sha256
    ) END
"""

_ALL = f"""
SELECT {_COLUMNS}
FROM ({{members}}) AS member
    JOIN conda_condapackage AS package ON package.content_ptr_id = member.content
    {_INDEXED}
WHERE {IS_FREE}
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

# By the members with these names alone, so that the cost does not depend on the size of the state.
_NAMED = f"""
SELECT {_COLUMNS}
FROM conda_condapackage AS package CROSS JOIN LATERAL ({{origin}}) AS member
    {_INDEXED}
WHERE package.name = ANY(%(names)s) AND (%(with_blocked)s OR {IS_FREE})
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""

# The same with the whole records.
_WITH_RECORDS = f"""
SELECT {_COLUMNS}, package.record, package.in_v3, package.is_plain
FROM conda_condapackage AS package CROSS JOIN LATERAL ({{origin}}) AS member
    {_INDEXED}
WHERE package.name = ANY(%(names)s) AND {IS_FREE}
"""

_NAMES = """
SELECT DISTINCT name FROM conda_condapackage WHERE content_ptr_id IN (
    SELECT content FROM ({members}) AS member
)
"""


def candidates(
    state: State,
    before: State | None = None,
    with_depends: bool = False,
    with_ages: bool = False,
) -> Iterator[Candidate]:
    """Yield a `Candidate` for each package of a state, in the order of their paths.

    Args:
        before: A state whose packages are not new, or None.
        with_ages: Also find out when this server first had the new ones, in whatever repository.
    """
    is_new, facts = "true", state.facts("state")
    if before:
        members, origin = before.members("before"), before.origin("same.content_ptr_id", "before")
        is_new = _IS_NEW.format(members=members, origin=origin)
        facts |= before.facts("before")
    statement = _ALL.format(
        members=state.members("state"),
        depends="package.depends" if with_depends else "NULL",
        is_new=is_new,
    )
    with connection.chunked_cursor() as cursor:
        cursor.itersize = _BATCH
        cursor.execute(statement, facts)
        found = map(Candidate._make, cursor)
        yield from first_seen(found) if with_ages else found


def candidates_named(
    state: State, names: Iterable[str], with_blocked: bool = False
) -> list[Candidate]:
    """Return a `Candidate` with its dependencies for each package of these names.

    Args:
        with_blocked: Also for those that are blocked.
    """
    origin = state.origin("package.content_ptr_id", "state")
    statement = _NAMED.format(origin=origin, depends="package.depends", is_new="true")
    facts = {**state.facts("state"), "names": list(names), "with_blocked": with_blocked}
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)
        return list(map(Candidate._make, cursor.fetchall()))


def packages_named(state: State, names: Iterable[str]) -> Iterator[Package]:
    """Yield all packages of these names with their records, in the form that clients read.

    Those that no client could read are left out, as in publications.
    """
    origin = state.origin("package.content_ptr_id", "state")
    statement = _WITH_RECORDS.format(origin=origin, depends="NULL", is_new="true")
    with connection.chunked_cursor() as cursor:
        cursor.itersize = _BATCH
        cursor.execute(statement, {**state.facts("state"), "names": list(names)})
        for *columns, record, in_v3, is_plain in cursor:
            candidate, served = Candidate._make(columns), record.encode()
            if not is_plain:
                try:
                    served = served_form(candidate.subdir, candidate.filename, served)
                except ValueError:
                    continue
            yield Package.read(candidate, served, in_v3)


def names_of(state: State) -> list[str]:
    """Return the names of all packages of a state."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES.format(members=state.members("state")), state.facts("state"))
        return [name for (name,) in cursor.fetchall()]
