"""The packages of a state with their records, as a stream, as the publisher writes them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from pulp_conda.app.versions.state import State

# Rows that are fetched from the database at once.
_BATCH = 2000

# PostgreSQL expects the array of a version to be short. Without this table, it would look up each
# package of the version by itself in every table.
_MEMBERS = """
CREATE TEMP TABLE conda_member AS {members};
ANALYZE conda_member
"""

# Leaves out what became known after the state was made. So a state gives the same files each time
# that it is published.
_COLUMNS = """
    package.subdir, package.name, package.filename, package.record, package.in_v3,
    package.version, package.build_number, package.timestamp, package.sha256, package.license,
    CASE WHEN info.run_exports_known_at <= %(made)s THEN info.run_exports END,
    CASE WHEN info.read_at <= %(made)s THEN info.traits::text END,
    CASE WHEN package.indexed_timestamp IS NULL THEN indexed.indexed_timestamp END,
    package.is_plain, package.size
"""

_ORDER = """
ORDER BY package.subdir COLLATE "C", package.name COLLATE "C", package.filename COLLATE "C"
"""

_ROWS = f"""
SELECT {_COLUMNS}
FROM conda_member AS member
    JOIN conda_condapackage AS package ON package.content_ptr_id = member.content
    LEFT JOIN conda_indexedfile AS indexed ON indexed.repository_id = member.repository
        AND indexed.sha256 = package.sha256
    LEFT JOIN conda_condapackageinfo AS info ON info.pulp_domain_id = package._pulp_domain_id
        AND info.sha256 = package.sha256
{_ORDER}
"""

# Each lookup is by its own index, whatever the statistics say: see `sql.BY_INDEX`.
_NAMED = f"""
SELECT {_COLUMNS}
FROM unnest(%(names)s::text[]) AS wanted CROSS JOIN LATERAL (
        SELECT content_ptr_id, _pulp_domain_id, subdir, name, filename, record, in_v3, version,
            build_number, timestamp, sha256, license, indexed_timestamp, is_plain,
            size
        FROM conda_condapackage WHERE name = wanted OFFSET 0
    ) AS package
    CROSS JOIN LATERAL ({{origin}}) AS member
    LEFT JOIN LATERAL (
        SELECT indexed_timestamp FROM conda_indexedfile
        WHERE repository_id = member.repository AND sha256 = package.sha256 OFFSET 0
    ) AS indexed ON true
    LEFT JOIN LATERAL (
        SELECT run_exports, run_exports_known_at, read_at, traits FROM conda_condapackageinfo
        WHERE pulp_domain_id = package._pulp_domain_id AND sha256 = package.sha256 OFFSET 0
    ) AS info ON true
{_ORDER}
"""


class PackageRow(NamedTuple):
    """A package of a state, with what is known of it besides its record.

    Attributes:
        record: Canonical JSON.
        timestamp: When it was built, in milliseconds since 1970, or None.
        license: The license of its record, or empty.
        run_exports: Canonical JSON, or None if they are not known.
        traits_json: Which scripts and prefixes it has, as JSON, or None if the file was not read.
        indexed_timestamp: When this channel first offered the file, in milliseconds since 1970.
            None if the record says it, or if nobody knows.
        is_plain: Whether the record surely has the form that all clients read.
        size: The bytes of the file, or None if the record does not say it.
    """

    subdir: str
    name: str
    filename: str
    record: str
    in_v3: bool
    version: str
    build_number: int
    timestamp: int | None
    sha256: str
    license: str
    run_exports: str | None
    traits_json: str | None
    indexed_timestamp: int | None
    is_plain: bool | None
    size: int | None

    @property
    def traits(self) -> frozenset[str] | None:
        """The names of the traits that the package has, or None if the file was not read."""
        return None if self.traits_json is None else _traits(self.traits_json)

    @property
    def canonical(self) -> str:
        """The record as this channel offers it, with its `indexed_timestamp` (CEP 47)."""
        if self.indexed_timestamp is None:
            return self.record
        if not self.is_plain and '"indexed_timestamp":' in self.record:
            # The record has the key, but no date. A key must not be there twice.
            fields = {**orjson.loads(self.record), "indexed_timestamp": self.indexed_timestamp}
            return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
        return f'{{"indexed_timestamp":{self.indexed_timestamp},{self.record[1:]}'


@lru_cache
def _traits(text: str) -> frozenset[str]:
    # A million packages have some dozens of these texts.
    return frozenset(trait for trait, value in orjson.loads(text).items() if value is True)


@contextmanager
def package_rows(
    state: State, names: Collection[str] | None = None
) -> Iterator[Iterator[PackageRow]]:
    """Give packages of a state as a stream, for the time of a `with` block.

    They are sorted by subdir, name and file name, in the same order whatever the locale is.

    Args:
        names: Those of these names only, at the cost of these. None means all packages.
    """
    # In one transaction: PostgreSQL would write all rows to a file for a cursor that outlives its
    # transaction.
    with transaction.atomic(), connection.cursor() as cursor:
        facts: dict[str, Any] = {"made": state.made}
        if names is None:
            statement = _ROWS
            cursor.execute(_MEMBERS.format(members=state.members("state")), state.facts("state"))
        else:
            statement = _NAMED.format(origin=state.origin("package.content_ptr_id", "state"))
            facts |= {**state.facts("state"), "names": list(names)}
        with connection.chunked_cursor() as stream:
            stream.execute(statement, facts)
            batches = iter(lambda: stream.fetchmany(_BATCH), [])
            yield map(PackageRow._make, chain.from_iterable(batches))
        if names is None:
            cursor.execute("DROP TABLE conda_member")
