"""The packages of a state with their records, as a stream, as the publisher writes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

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
_ROWS = """
SELECT package.subdir, package.name, package.filename, package.record, package.in_v3,
    package.version, package.build_number, package.timestamp, package.sha256, package.license,
    CASE WHEN info.run_exports_known_at <= %(made)s THEN info.run_exports END,
    CASE WHEN info.read_at <= %(made)s THEN info.traits::text END,
    CASE WHEN package.indexed_timestamp IS NULL THEN indexed.indexed_timestamp END,
    package.is_plain
FROM conda_member AS member
    JOIN conda_condapackage AS package ON package.content_ptr_id = member.content
    LEFT JOIN conda_indexedfile AS indexed ON indexed.repository_id = member.repository
        AND indexed.sha256 = package.sha256
    LEFT JOIN conda_condapackageinfo AS info ON info.pulp_domain_id = package._pulp_domain_id
        AND info.sha256 = package.sha256
ORDER BY package.subdir COLLATE "C", package.name COLLATE "C", package.filename COLLATE "C"
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

    @property
    def traits(self) -> frozenset[str] | None:
        """The names of the traits that the package has, or None if the file was not read."""
        return None if self.traits_json is None else _traits(self.traits_json)

    @property
    def canonical(self) -> bytes:
        """The record as this channel offers it, with its `indexed_timestamp` (CEP 47)."""
        record = self.record.encode()
        if self.indexed_timestamp is None:
            return record
        if not self.is_plain and b'"indexed_timestamp":' in record:
            # The record has the key, but no date. A key must not be there twice.
            fields = {**orjson.loads(record), "indexed_timestamp": self.indexed_timestamp}
            return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        return b'{"indexed_timestamp":%d,%b' % (self.indexed_timestamp, record[1:])


@lru_cache
def _traits(text: str) -> frozenset[str]:
    # A million packages have some dozens of these texts.
    return frozenset(trait for trait, value in orjson.loads(text).items() if value is True)


@contextmanager
def package_rows(state: State) -> Iterator[Iterator[PackageRow]]:
    """Give all packages of a state as a stream, for the time of a `with` block.

    They are sorted by subdir, name and file name, in the same order whatever the locale is.
    """
    # In one transaction: PostgreSQL would write all rows to a file for a cursor that outlives its
    # transaction.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MEMBERS.format(members=state.members("state")), state.facts("state"))
        with connection.chunked_cursor() as stream:
            stream.execute(_ROWS, {"made": state.made})
            batches = iter(lambda: stream.fetchmany(_BATCH), [])
            yield map(PackageRow._make, chain.from_iterable(batches))
        cursor.execute("DROP TABLE conda_member")
