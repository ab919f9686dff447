"""What differs between two states, at any size.

PostgreSQL compares the sets and keeps what differs in temporary tables: file by file, and name by
name. Python gets the versions of the names, since it alone knows their order. Of the files it gets
only the records of a page.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from pulp_conda.app.versions.sql import is_member_at, join_memberships
from pulp_conda.app.versions.state import NOTHING, State, VersionState
from pulp_conda.channel.diff import KINDS, SUMMARIES, NameChange, diff, highest, summarize
from pulp_conda.channel.errors import BadMatchSpec
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.records import PackageRecord
from pulp_conda.channel.returning import Build

# Files on a page, shared evenly by its names. A name has a hundred on average in large channels,
# and some ten thousand.
FILES_SHOWN = 10_000

_BATCH = 5000

_NAME = re.compile(r"[A-Za-z0-9_.*-]+")

_MEMBERS = """
SELECT content, bool_or(older) AS older
FROM (
    SELECT content, true FROM ({base}) AS base
    UNION ALL
    SELECT content, false FROM ({target}) AS target
) AS member (content, older)
GROUP BY content
"""

# The files that only one of the states has; a file of both is found by its path.
_FILES = """
CREATE TEMP TABLE conda_changes ON COMMIT DROP AS
WITH only_one AS (
    {members} HAVING count(*) = 1
), package AS MATERIALIZED (
    SELECT content, older, name, version, subdir, filename, sha256
    FROM only_one JOIN conda_condapackage AS package ON package.content_ptr_id = content
    WHERE {where}
)
SELECT name COLLATE "C" AS name, version, subdir, filename,
    older.content AS base, newer.content AS target,
    CASE
        WHEN older.content IS NULL THEN 'added'
        WHEN newer.content IS NULL THEN 'removed'
        WHEN older.sha256 <> newer.sha256 THEN 'replaced'
        ELSE 'updated'
    END AS kind
FROM (SELECT * FROM package WHERE older) AS older
    FULL JOIN (SELECT * FROM package WHERE NOT older) AS newer
    USING (name, version, subdir, filename);
ANALYZE conda_changes
"""

# All versions of the names that changed: those of files that differ, and those of files that both
# states have.
_NAMES = """
CREATE TEMP TABLE conda_changed_names ON COMMIT DROP AS
WITH version AS (
    SELECT name, version, base IS NOT NULL AS before, target IS NOT NULL AS after,
        kind IN ('added', 'replaced') AS gained
    FROM conda_changes
    UNION ALL
    SELECT package.name COLLATE "C", package.version, true, true, false
    FROM conda_condapackage AS package
        JOIN ({members} HAVING count(*) = 2) AS member ON member.content = package.content_ptr_id
    WHERE package.name = ANY (ARRAY(SELECT DISTINCT name FROM conda_changes)) AND {where}
)
SELECT name,
    CASE WHEN NOT bool_or(before) THEN 'new' WHEN NOT bool_or(after) THEN 'gone' END AS summary,
    NULL::text AS from_version, NULL::text AS to_version,
    array_agg(DISTINCT version) FILTER (WHERE before) AS before,
    array_agg(DISTINCT version) FILTER (WHERE after) AS after,
    array_agg(DISTINCT version) FILTER (WHERE gained) AS gained
FROM version GROUP BY name;
ANALYZE conda_changed_names
"""

# PostgreSQL expects short arrays and would look up each of their members. Here the packages of a
# few names are found by an index, and the arrays are read once.
_BY_NAME = """
SET LOCAL enable_nestloop = off;
{statement};
SET LOCAL enable_nestloop = on
"""

_SET_SUMMARIES = """
UPDATE conda_changed_names
SET summary = told.summary, from_version = told.from_version, to_version = told.to_version
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
    AS told (name, summary, from_version, to_version)
WHERE conda_changed_names.name = told.name
"""

_PAGE = """
SELECT name, summary, from_version, to_version, before, after
FROM conda_changed_names WHERE summary = ANY(%s) ORDER BY name OFFSET %s LIMIT %s
"""

_PAGE_COUNTS = """
SELECT name, kind, count(*) FROM conda_changes WHERE name = ANY(%s) GROUP BY name, kind
"""

_PAGE_SUBDIRS = """
SELECT name, array_agg(DISTINCT subdir ORDER BY subdir),
    array_agg(DISTINCT subdir ORDER BY subdir)
        FILTER (WHERE target IS NOT NULL AND version = to_version AND summary LIKE '%%graded')
FROM conda_changes JOIN conda_changed_names USING (name) WHERE name = ANY(%s) GROUP BY name
"""

_RECORDS = """
SELECT older, package.subdir, package.filename, package.record, package.in_v3
FROM (
    SELECT base, target, row_number() OVER (PARTITION BY name ORDER BY filename, subdir) AS number
    FROM conda_changes WHERE name = ANY(%s)
) AS change
    CROSS JOIN LATERAL (VALUES (true, base), (false, target)) AS side (older, content)
    JOIN conda_condapackage AS package ON package.content_ptr_id = content
WHERE number <= COALESCE(%s, number)
"""

# Names of which the target lacks files that the base has, or has other files in their places.
_WITHDRAWN_NAMES = """
SELECT name, bool_or(kind = 'replaced'), count(*) OVER ()
FROM conda_changes WHERE kind IN ('removed', 'replaced') GROUP BY name ORDER BY name LIMIT %s
"""

# The builds of such names: those that are withdrawn, and all that the target has.
_BUILDS = """
SELECT DISTINCT change.name, true, package.version, package.build_number
FROM conda_changes AS change
    JOIN conda_condapackage AS package ON package.content_ptr_id = change.base
WHERE kind = 'removed' AND change.name = ANY(%(names)s)
UNION ALL
SELECT DISTINCT package.name COLLATE "C", false, package.version, package.build_number
FROM ({target}) AS member JOIN conda_condapackage AS package
    ON package.content_ptr_id = member.content
WHERE package.name = ANY(%(names)s) AND package.sha256 <> ALL(%(withheld)s::text[])
"""

# The next two count the files that differ: packages that only one of two states has, where two
# records at one path are one file. The first looks at all keys of both states.
_COUNT_BY_KEYS = """
SELECT count(*) FROM (
    SELECT DISTINCT name, version, subdir, filename
    FROM ({members} HAVING count(*) = 1) AS only_one
        JOIN conda_condapackage AS package ON package.content_ptr_id = only_one.content
) AS file
"""

# The second looks only at the memberships that began or ended between two versions of a repository.
_COUNT_BY_MEMBERSHIPS = f"""
WITH later AS (
    SELECT pulp_id FROM core_repositoryversion
    WHERE repository_id = %(repository)s AND number > %(low)s AND number <= %(high)s
), touched AS (
    SELECT content_id FROM core_repositorycontent
    WHERE version_added_id IN (SELECT pulp_id FROM later)
    UNION
    SELECT content_id FROM core_repositorycontent
    WHERE version_removed_id IN (SELECT pulp_id FROM later)
)
SELECT count(*) FROM (
    SELECT DISTINCT package.name, package.version, package.subdir, package.filename
    FROM touched JOIN conda_condapackage AS package ON package.content_ptr_id = touched.content_id
        {join_memberships()}
    WHERE member.repository_id = %(repository)s
    GROUP BY package.content_ptr_id
    HAVING bool_or({is_member_at("%(low)s")}) <> bool_or({is_member_at("%(high)s")})
) AS file
"""

_KEEP_FILES = "(subdir, filename) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
_KEEP_NAMES = """
EXISTS (
    SELECT FROM conda_changed_names AS changed
    WHERE changed.name = conda_changes.name AND summary = %s
)
"""
_FORGET_NAMES = """
DELETE FROM conda_changed_names AS changed
WHERE NOT EXISTS (SELECT FROM conda_changes WHERE conda_changes.name = changed.name)
"""


@dataclass
class Withdrawn:
    """A package name of which clients may have files that the newer state does not serve.

    Attributes:
        name: The package name.
        is_replaced: Whether a file of it has other bytes now.
        builds: Versions and build numbers of the files that are gone.
        kept: Versions and build numbers of the files that the newer state has.
    """

    name: str
    is_replaced: bool
    builds: list[Build]
    kept: list[Build]


@contextmanager
def compare(
    base: State | None,
    target: State,
    *,
    name: str | None = None,
    subdir: str | None = None,
    kind: str | None = None,
    summary: str | None = None,
) -> Iterator["Changes"]:
    """Give the `Changes` from one state to another, for the time of a `with` block.

    They may be of different repositories. A connection makes one comparison at a time, since the
    temporary tables have fixed names.

    Args:
        base: None for a channel that served nothing.
        name: Look at packages of this name only, or of names like `py*`; or show only changes that
            a MatchSpec of one name matches.
        subdir: Look at this subdir only.
        kind: Show only changes of this kind.
        summary: Show only names of which this became.

    Raises:
        BadMatchSpec: `name` is no name, pattern or MatchSpec.
    """
    query = NameQuery(name)
    with transaction.atomic():
        changes = Changes(base, target, query, subdir)
        if kind:
            changes.keep("kind = %s", [kind])
        if query.spec:
            changes.keep(_KEEP_FILES, changes.matching(query.spec))
        if summary:
            changes.keep(_KEEP_NAMES, [summary])
        yield changes
        # After an error the transaction drops them.
        _execute("DROP TABLE IF EXISTS conda_changes, conda_changed_names")


class Changes:
    """What differs between two states; made by `compare`."""

    def __init__(
        self,
        base: State | None,
        target: State,
        query: "NameQuery",
        subdir: str | None,
    ) -> None:
        where, self._facts = query.condition(subdir)
        self._members, facts = _members_of_both(base or NOTHING, target)
        self._target = target
        self._facts |= facts
        self._where = where
        self._has_names = False
        find = _FILES.format(members=self._members, where=where)
        _execute(_BY_NAME.format(statement=find) if query.exact_name else find, self._facts)

    def counts(self) -> dict[str, int]:
        """Return how many files changed, by kind; kinds that did not happen are left out."""
        rows = _rows("SELECT kind, count(*) FROM conda_changes GROUP BY kind")
        return _in_order(KINDS, rows)

    def summaries(self) -> dict[str, int]:
        """Return of how many names which summary is true; others are left out."""
        self._find_names()
        rows = _rows("SELECT summary, count(*) FROM conda_changed_names GROUP BY summary")
        return _in_order(SUMMARIES, rows)

    def names(
        self, offset: int = 0, limit: int | None = 100, summary: str | None = None
    ) -> list[str]:
        """Return the names that changed, sorted."""
        return [name for name, *_ in self._page(offset, limit, summary)]

    def page(
        self,
        offset: int = 0,
        limit: int | None = 100,
        summary: str | None = None,
        files: int = FILES_SHOWN,
    ) -> list[NameChange]:
        """Return some of the names that changed as `NameChange`, sorted by name.

        Args:
            summary: Of those that this became.
            files: How many single files to load at most, shared evenly by the names.
        """
        rows = self._page(offset, limit, summary)
        names = [name for name, *_ in rows]
        counts: dict[str, list[tuple[str, int]]] = {}
        for name, kind, count in _rows(_PAGE_COUNTS, [names]):
            counts.setdefault(name, []).append((kind, count))
        subdirs = {
            name: tuple(some or every) for name, every, some in _rows(_PAGE_SUBDIRS, [names])
        }
        removed, added = _records(names, files // max(len(names), 1))
        changes = diff(removed, added)
        return [
            NameChange(
                name=name,
                summary=word,
                from_version=from_version or highest(before or ()),
                to_version=to_version or highest(after or ()),
                subdirs=subdirs[name],
                counts=_in_order(KINDS, counts[name]),
                changes=tuple(changes.get(name, ())),
            )
            for name, word, from_version, to_version, before, after in rows
        ]

    def withdrawn(self, limit: int, withheld: Collection[str] = ()) -> tuple[int, list[Withdrawn]]:
        """Return of how many names files are gone or replaced, and the first of them by name.

        Args:
            withheld: The sha256 of packages that the newer state has, and does not serve.
        """
        rows = _rows(_WITHDRAWN_NAMES, [limit])
        found = {name: Withdrawn(name, replaced, [], []) for name, replaced, _ in rows}
        statement = _BUILDS.format(target=self._target.members("target"))
        facts = self._target.facts("target") | {"names": list(found), "withheld": list(withheld)}
        for name, is_gone, *build in _rows(statement, facts) if found else ():
            (found[name].builds if is_gone else found[name].kept).append(tuple(build))
        return (rows[0][2] if rows else 0), list(found.values())

    def sections(self, limit: int = 100) -> list[NameChange]:
        """Return the first names of each summary, for
        `pulp_conda.channel.changelog.render_markdown`.
        """
        return [
            change for summary in SUMMARIES for change in self.page(limit=limit, summary=summary)
        ]

    def keep(self, condition: str, arguments: list[Any]) -> None:
        """Forget all changes but those of a condition in SQL; what became of their names stays
        true.
        """
        self._find_names()
        _execute(f"DELETE FROM conda_changes WHERE NOT {condition}", arguments)
        _execute(_FORGET_NAMES)

    def matching(self, spec: Query) -> list[list[str]]:
        """Return the subdirs and the names of the files whose records a MatchSpec matches, the
        older or the newer.
        """
        removed, added = _records(self.names(limit=1), None)
        matched = {
            (record.subdir, record.filename) for record in removed + added if spec.matches(record)
        }
        return [list(column) for column in zip(*matched)] or [[], []]

    def _page(self, offset: int, limit: int | None, summary: str | None) -> list[tuple[Any, ...]]:
        self._find_names()
        return _rows(_PAGE, [[summary] if summary else list(SUMMARIES), offset, limit])

    def _find_names(self) -> None:
        """Tell what became of each name: PostgreSQL, of a name that one state has; else the order
        of versions.
        """
        if self._has_names:
            return
        self._has_names = True
        find = _NAMES.format(members=self._members, where=self._where)
        _execute(_BY_NAME.format(statement=find), self._facts)
        last = ""
        while rows := _rows(
            "SELECT name, before, after, gained FROM conda_changed_names"
            " WHERE summary IS NULL AND name > %s ORDER BY name LIMIT %s",
            [last, _BATCH],
        ):
            told = [
                (name, *summarize(before, after, gained or ()))
                for name, before, after, gained in rows
            ]
            _execute(_SET_SUMMARIES, [list(column) for column in zip(*told)])
            last = rows[-1][0]


def count_changes(base: State | None, target: State) -> int:
    """Return how many files differ between two states: the sum of `Changes.counts`.

    One query without temporary tables. For two versions of one repository, its cost depends on what
    changed between them, and not on how much they have.

    Args:
        base: None for a channel that served nothing.
    """
    if (
        isinstance(base, VersionState)
        and isinstance(target, VersionState)
        and base.repository == target.repository
    ):
        low, high = sorted((base.version.number, target.version.number))
        facts = {"repository": target.repository, "low": low, "high": high}
        ((count,),) = _rows(_COUNT_BY_MEMBERSHIPS, facts)
    else:
        members, facts = _members_of_both(base or NOTHING, target)
        ((count,),) = _rows(_COUNT_BY_KEYS.format(members=members), facts)
    return count


class NameQuery:
    """Which packages a text means: of one name, of names like a pattern, or a MatchSpec.

    A name and a pattern choose what is compared. A MatchSpec chooses what is shown of one name,
    since a version that it does not match still tells whether another one is an upgrade.

    Attributes:
        exact_name: The name that all of them have, or None.
        spec: The MatchSpec as a `Query`, or None.

    Raises:
        BadMatchSpec: it is none of these.
    """

    def __init__(self, text: str | None) -> None:
        self.exact_name: str | None = None
        self.spec: Query | None = None
        self._pattern: str | None = None
        if not text:
            return
        if not _NAME.fullmatch(text):
            self.spec = Query(text)
            self.exact_name = self.spec.exact_name
            if self.exact_name is None:
                raise BadMatchSpec(spec=text, reason="a pattern of names takes no constraints here")
        elif "*" in text:
            self._pattern = text
        else:
            self.exact_name = text

    def condition(self, subdir: str | None) -> tuple[str, dict[str, Any]]:
        """Return a condition in SQL for rows of packages, and its arguments."""
        conditions, arguments = ["true"], {}
        if subdir:
            conditions.append("package.subdir = %(subdir)s")
            arguments["subdir"] = subdir
        if self.exact_name:
            conditions.append("package.name = %(name)s")
            arguments["name"] = self.exact_name
        elif self._pattern:
            conditions.append("package.name LIKE %(pattern)s")
            arguments["pattern"] = _like(self._pattern)
        return " AND ".join(conditions), arguments


def _members_of_both(base: State, target: State) -> tuple[str, dict[str, Any]]:
    """Return a query for the content that one of two states has or both, and its parameters."""
    query = _MEMBERS.format(base=base.members("base"), target=target.members("target"))
    return query, base.facts("base") | target.facts("target")


def _records(names: list[str], most: int | None) -> tuple[list[PackageRecord], list[PackageRecord]]:
    """Return the older and the newer records of what changed, of at most so many files of each
    name.
    """
    records: dict[bool, list[PackageRecord]] = {True: [], False: []}
    for older, *record in _rows(_RECORDS, [names, most]):
        records[older].append(PackageRecord.from_canonical(*record))
    return records[True], records[False]


def _like(pattern: str) -> str:
    pattern = re.sub(r"\*+", "*", pattern)
    return re.sub(r"[\\%_]", r"\\\g<0>", pattern).replace("*", "%")


def _in_order(words: Iterable[str], rows: list[tuple[Any, ...]]) -> dict[str, int]:
    counts = dict(rows)
    return {word: counts[word] for word in words if word in counts}


def _execute(statement: str, arguments: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)


def _rows(statement: str, arguments: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall()
