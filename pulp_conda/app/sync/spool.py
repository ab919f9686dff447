"""The records of an upstream on the disk, by package name.

A selection asks for records name by name. So the records of a whole subdir, or those of the shards
that were read, are in a file in the working directory of the task, and not in memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

import orjson

from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.channel.records import PackageRecord

_BATCH = 1000

# SQLite takes so many parameters in each of its versions.
_MOST_PARAMETERS = 500

_CREATE = """
CREATE TABLE record (
    name TEXT, subdir TEXT, filename TEXT, record BLOB, in_v3 INTEGER, corrections BLOB,
    run_exports BLOB, url TEXT
)
"""

_COLUMNS = "subdir, filename, record, in_v3, corrections, run_exports, url"


class Spool:
    """A file with the records of packages.

    Args:
        path: The file, which does not exist yet. Who makes the spool removes it.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        # A task that was killed begins again without the file.
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_CREATE)
        self._database.execute("CREATE INDEX by_name ON record (name)")

    def close(self) -> None:
        self._database.close()

    def add(self, packages: Iterable[UpstreamPackage]) -> None:
        """Add packages. They are read as a stream."""
        rows = map(_row, packages)
        while some := list(islice(rows, _BATCH)):
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", some)
            self._database.execute("COMMIT")

    def named(self, names: Iterable[str]) -> Iterator[UpstreamPackage]:
        """Yield the packages of some names."""
        for some in _chunks(names):
            marks = ", ".join("?" * len(some))
            statement = f"SELECT {_COLUMNS} FROM record WHERE name IN ({marks}) ORDER BY rowid"
            for row in self._database.execute(statement, some):
                yield _package(*row)

    def names(self) -> set[str]:
        """Return all names."""
        return {name for (name,) in self._database.execute("SELECT DISTINCT name FROM record")}

    def digest(self, subdir: str, name: str) -> str:
        """Return what changes with any record of a name in a subdir. Empty if it has none."""
        rows = self._database.execute(
            "SELECT filename, record, run_exports, url FROM record WHERE name = ? AND subdir = ?"
            " ORDER BY filename, rowid",
            (name, subdir),
        )
        found = [sha256(b"\0".join(map(_as_bytes, row))).digest() for row in rows]
        return sha256(b"".join(found)).hexdigest() if found else ""


def _row(package: UpstreamPackage) -> tuple[object, ...]:
    record = package.record
    return (
        record.name,
        record.subdir,
        record.filename,
        record.canonical,
        record.in_v3,
        None if record.corrections is None else orjson.dumps(record.corrections),
        None if record.run_exports is None else orjson.dumps(record.run_exports),
        package.url,
    )


def _package(
    subdir: str,
    filename: str,
    record: bytes,
    in_v3: int,
    corrections: bytes | None,
    run_exports: bytes | None,
    url: str,
) -> UpstreamPackage:
    fields = orjson.loads(record)
    return UpstreamPackage(
        PackageRecord(
            subdir,
            filename,
            fields,
            run_exports=None if run_exports is None else orjson.loads(run_exports),
            in_v3=bool(in_v3),
            corrections=None if corrections is None else tuple(orjson.loads(corrections)),
        ),
        url,
    )


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value or "").encode()


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    names = iter(names)
    while chunk := list(islice(names, _MOST_PARAMETERS)):
        yield chunk
