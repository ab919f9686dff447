"""Store a batch of records in the tables of content.

Packages that exist are found by their natural key. New packages are written with `COPY`, which
costs half of what `INSERT … ON CONFLICT` costs.

Two syncs may insert the same packages at the same moment. Then PostgreSQL refuses the whole batch
of one of them. It tries again, and finds the packages that the other one inserted. Both write
their rows in the same order, so that they never wait for each other in a circle.

The first sync of a channel uses this as well: it does not ask which packages exist until
PostgreSQL refuses a batch.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import count
from typing import TypedDict
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from pulpcore.plugin.models import Content

from pulp_conda.app.sync.copy_format import NULL, as_array, as_number, copy_rows
from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.app.versions.sql import BY_INDEX, MEMBER, is_in_one_of
from pulp_conda.channel.metadata.run_exports import canonical
from pulp_conda.channel.records import PackageRecord

# How often a batch is tried. It fails only when another sync has just stored the same packages.
_TRIES = 20

_COLUMNS = """
    subdir, filename, sha256, record_digest, record, name, version, build, build_number, md5, size,
    license, noarch, depends, "timestamp", indexed_timestamp, attestations_sha256, in_v3,
    is_plain
"""

CREATE = """
CREATE TEMP TABLE conda_batch (
    place int, content uuid, new_content uuid, subdir text, filename text, sha256 text,
    record_digest text, size bigint, url text, run_exports text
)
"""

_COPY_BATCH = """
COPY conda_batch (
    place, new_content, subdir, filename, sha256, record_digest, size, url, run_exports
) FROM STDIN
"""

# The files of this domain with these digests that the sync may have without a download. A digest in
# repodata proves nothing, since everybody can write one: a file counts only if it belongs to a
# content of a repository that the user of the sync may view. So the upstream has to deliver the
# bytes of all others itself.
_ARTIFACTS = f"""
    SELECT artifact.pulp_id, artifact.sha256 FROM core_artifact AS artifact
    WHERE artifact.sha256 = {{digest}} AND artifact.pulp_domain_id = %(domain)s AND EXISTS (
        SELECT FROM core_contentartifact AS link
        WHERE link.artifact_id = artifact.pulp_id AND {is_in_one_of("viewable", "link.content_id")}
    )
"""

_ARTIFACT = f"""(
    SELECT pulp_id FROM ({_ARTIFACTS.format(digest="conda_batch.sha256")}) AS artifact
)"""

_RUN_EXPORTS = """(
    SELECT known.run_exports FROM conda_condapackageinfo AS known
    WHERE known.pulp_domain_id = %(domain)s AND known.sha256 = conda_batch.sha256
)"""

# A package is settled if the latest version has it, and if everything that the upstream says about
# it is stored. It needs no further work, so it leaves the batch.
_SETTLE = f"""
WITH settled AS MATERIALIZED (
    SELECT conda_batch.ctid AS row, package.content_ptr_id AS content, subdir, filename
    FROM conda_batch CROSS JOIN LATERAL (
        SELECT content_ptr_id FROM conda_condapackage
        WHERE _pulp_domain_id = %(domain)s
            AND subdir = conda_batch.subdir AND filename = conda_batch.filename
            AND sha256 = conda_batch.sha256 AND record_digest = conda_batch.record_digest
        OFFSET 0
    ) AS package CROSS JOIN LATERAL (
        SELECT pulp_id, artifact_id FROM core_contentartifact
        WHERE content_id = package.content_ptr_id
        OFFSET 0
    ) AS link
    WHERE {MEMBER.format(content="package.content_ptr_id")} IS NOT NULL
        AND url = (
            SELECT url FROM core_remoteartifact
            WHERE content_artifact_id = link.pulp_id AND remote_id = %(remote)s
                AND pulp_domain_id = %(domain)s
        )
        AND (link.artifact_id IS NOT NULL OR {_ARTIFACT} IS NULL)
        AND (run_exports IS NULL OR {_RUN_EXPORTS} IS NOT NULL)
), noted AS (
    INSERT INTO conda_seen SELECT content, subdir, filename, true FROM settled
)
DELETE FROM conda_batch USING settled WHERE conda_batch.ctid = settled.row
"""

_MATCH = """
UPDATE conda_batch SET content = (
    SELECT package.content_ptr_id
    FROM conda_condapackage AS package
    WHERE package._pulp_domain_id = %(domain)s
        AND package.subdir = conda_batch.subdir
        AND package.filename = conda_batch.filename
        AND package.sha256 = conda_batch.sha256
        AND package.record_digest = conda_batch.record_digest
)
"""

_FIND_NEW = f"SELECT place, {_ARTIFACT} FROM conda_batch WHERE content IS NULL ORDER BY place"

_FIND_ARTIFACTS = f"""
SELECT sha256, pulp_id FROM ({_ARTIFACTS.format(digest="ANY(%(digests)s)")}) AS artifact
"""

_COPY_PACKAGES = f"""
COPY conda_condapackage (content_ptr_id, _pulp_domain_id, {_COLUMNS}) FROM STDIN
"""

_COPY_CONTENT = """
COPY core_content (
    pulp_id, pulp_type, pulp_domain_id, pulp_labels, timestamp_of_interest, pulp_created,
    pulp_last_updated
) FROM STDIN
"""

_COPY_CONTENT_ARTIFACTS = """
COPY core_contentartifact (
    pulp_id, content_id, relative_path, artifact_id, pulp_created, pulp_last_updated
) FROM STDIN
"""

_COPY_REMOTE_ARTIFACTS = """
COPY core_remoteartifact (
    pulp_id, content_artifact_id, remote_id, pulp_domain_id, url, size, sha256, pulp_created,
    pulp_last_updated
) FROM STDIN
"""

# In two steps. If one query asked for rows without an artifact, PostgreSQL would read all rows of
# the table that have none.
_LINK_ARTIFACTS = f"""
WITH found AS MATERIALIZED (
    SELECT link.pulp_id, link.artifact_id AS present, {_ARTIFACT} AS artifact
    FROM conda_batch JOIN core_contentartifact AS link ON link.content_id = conda_batch.content
), unlinked AS (
    SELECT link.pulp_id, found.artifact
    FROM found JOIN core_contentartifact AS link ON link.pulp_id = found.pulp_id
    WHERE found.present IS NULL AND found.artifact IS NOT NULL
    ORDER BY link.pulp_id
    FOR NO KEY UPDATE OF link
)
UPDATE core_contentartifact AS link SET artifact_id = unlinked.artifact
FROM unlinked WHERE link.pulp_id = unlinked.pulp_id
"""

_LINK_REMOTE = """
INSERT INTO core_remoteartifact (pulp_id, pulp_created, pulp_last_updated, url, size, sha256,
    content_artifact_id, remote_id, pulp_domain_id)
SELECT gen_random_uuid(), now(), now(), url, size, sha256, artifact.pulp_id, %(remote)s, %(domain)s
FROM conda_batch JOIN core_contentartifact AS artifact ON artifact.content_id = conda_batch.content
WHERE url IS DISTINCT FROM (
    SELECT present.url FROM core_remoteartifact AS present
    WHERE present.content_artifact_id = artifact.pulp_id AND present.remote_id = %(remote)s
        AND present.pulp_domain_id = %(domain)s
)
ORDER BY artifact.pulp_id
ON CONFLICT (content_artifact_id, remote_id, pulp_domain_id) DO UPDATE
    SET url = EXCLUDED.url, pulp_last_updated = now()
"""

# Content that is in no version is an orphan, and Pulp may delete it. This protects it until the new
# version has it.
_TOUCH = f"""
WITH unowned AS (
    SELECT pulp_id FROM conda_batch JOIN core_content ON pulp_id = content
    WHERE {MEMBER.format(content="conda_batch.content")} IS NULL
    ORDER BY pulp_id
    FOR NO KEY UPDATE OF core_content
)
UPDATE core_content SET timestamp_of_interest = now()
FROM unowned WHERE core_content.pulp_id = unowned.pulp_id
"""

# run_exports that are known never change: versions were published with them, and nobody patches
# them (CEP 12). PostgreSQL locks each row in which it finds a conflict. Of packages that existed
# before, most run_exports are known, so the query leaves them out before there is a conflict.
ADD_RUN_EXPORTS = f"""
INSERT INTO conda_condapackageinfo (pulp_id, pulp_created, pulp_last_updated, pulp_domain_id,
    sha256, run_exports, run_exports_known_at, licenses, traits)
SELECT DISTINCT ON (sha256) gen_random_uuid(), now(), now(), %(domain)s,
    sha256, run_exports, %(now)s, '{{}}'::text[], '{{}}'::jsonb
FROM conda_batch
WHERE run_exports IS NOT NULL AND (content IS NULL OR {_RUN_EXPORTS} IS NULL)
ORDER BY sha256
ON CONFLICT (pulp_domain_id, sha256) DO UPDATE
    SET run_exports = EXCLUDED.run_exports, run_exports_known_at = EXCLUDED.run_exports_known_at
    WHERE conda_condapackageinfo.run_exports IS NULL
"""

_NOTE = """
INSERT INTO conda_seen SELECT coalesce(content, new_content), subdir, filename FROM conda_batch
"""


class SyncFacts(TypedDict):
    """The parameters that the SQL statements of one sync share.

    Attributes:
        domain, remote, repository: Primary keys.
        viewable: The keys of the repositories whose files may be had without a download.
        pulp_type: The `pulp_type` of packages.
        is_empty: Whether the repository has nothing but its first, empty version.
    """

    domain: UUID
    remote: UUID
    repository: UUID
    viewable: list[UUID]
    pulp_type: str
    is_empty: bool


class _BatchFacts(SyncFacts):
    """The same for one batch, with the moment at which it is stored."""

    now: datetime


# The natural key of a package: subdir, file name, sha256, and the digest of its record.
_Key = tuple[str, str, str, str]

# A package of a batch. Plain tuples: to make named ones costs time for each of a million records.
_Entry = tuple[_Key, UpstreamPackage]

# Stores a batch within a transaction, and returns whether all packages were new.
_Store = Callable[[CursorWrapper, Sequence[_Entry], _BatchFacts], bool]


def store(packages: Iterable[UpstreamPackage], facts: SyncFacts, all_new: bool) -> bool:
    """Store those packages that are new, and note in `conda_seen` which content all of them are.

    Args:
        all_new: Try first without asking which packages exist. This saves a tenth of the time if
            all are new, and is tried in vain otherwise.

    Returns:
        Whether all packages were new.
    """
    entries = _sorted(packages)
    steps: _Store = _store_new if all_new else _store
    for _ in range(_TRIES - 1):
        try:
            return _in_transaction(steps, entries, facts)
        except IntegrityError:
            steps = _store
    return _in_transaction(steps, entries, facts)


def _sorted(packages: Iterable[UpstreamPackage]) -> list[_Entry]:
    """Return each package once, sorted by its natural key."""
    entries: dict[_Key, UpstreamPackage] = {}
    for package in packages:
        record = package.record
        key = (record.subdir, record.filename, record.sha256, record.digest)
        entries.setdefault(key, package)
    return sorted(entries.items())


def _in_transaction(steps: _Store, entries: Sequence[_Entry], facts: SyncFacts) -> bool:
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        # Django does not translate the errors of `copy`, which are psycopg's own.
        connection.wrap_database_errors,
    ):
        return steps(cursor, entries, {**facts, "now": timezone.now()})


def _store_new(cursor: CursorWrapper, entries: Sequence[_Entry], facts: _BatchFacts) -> bool:
    keys = _NewKeys(len(entries))
    cursor.execute(BY_INDEX)
    digests = [sha256 for (_, _, sha256, _), _package in entries]
    cursor.execute(_FIND_ARTIFACTS, {**facts, "digests": digests})
    artifacts: dict[str, UUID] = dict(cursor.fetchall())
    new = {place: artifacts.get(sha256) for place, sha256 in enumerate(digests)}
    _copy_new(cursor, entries, new, keys, facts)
    seen = [
        (content, subdir, filename)
        for content, ((subdir, filename, *_), _package) in zip(keys.contents, entries, strict=True)
    ]
    copy_rows(cursor, "COPY conda_seen (content, subdir, filename) FROM STDIN", seen)
    run_exports = [
        (sha256, _run_exports(record))
        for (_, _, sha256, _), (record, _url) in entries
        if record.run_exports is not None
    ]
    if run_exports:
        cursor.execute("TRUNCATE conda_batch")
        copy_rows(cursor, "COPY conda_batch (sha256, run_exports) FROM STDIN", run_exports)
        cursor.execute(ADD_RUN_EXPORTS, facts)
    return True


def _store(cursor: CursorWrapper, entries: Sequence[_Entry], facts: _BatchFacts) -> bool:
    keys = _NewKeys(len(entries))
    cursor.execute("TRUNCATE conda_batch")
    rows = [
        (str(place), content, *key, as_number(record.size), url, _run_exports(record))
        for place, content, (key, (record, url)) in zip(count(), keys.contents, entries)
    ]
    copy_rows(cursor, _COPY_BATCH, rows)
    cursor.execute(BY_INDEX)
    unsettled = len(entries)
    if not facts["is_empty"]:
        cursor.execute(_SETTLE, facts)
        unsettled -= cursor.rowcount
    if not unsettled:
        return False
    cursor.execute(_MATCH, facts)
    cursor.execute(_FIND_NEW, facts)
    new: dict[int, UUID | None] = dict(cursor.fetchall())
    if new:
        _copy_new(cursor, entries, new, keys, facts)
    if len(new) < unsettled:
        cursor.execute(_LINK_ARTIFACTS, facts)
        cursor.execute(_LINK_REMOTE, facts)
        cursor.execute(_TOUCH, facts)
    cursor.execute(ADD_RUN_EXPORTS, facts)
    cursor.execute(_NOTE)
    return len(new) == len(entries)


def _copy_new(
    cursor: CursorWrapper,
    entries: Sequence[_Entry],
    new: dict[int, UUID | None],
    keys: "_NewKeys",
    facts: _BatchFacts,
) -> None:
    """Write new packages into the tables of content.

    Args:
        new: By place in the batch, in this order: the key of the artifact if the sync may have one
            without a download, or None.
    """
    domain, remote, pulp_type = str(facts["domain"]), str(facts["remote"]), facts["pulp_type"]
    now = facts["now"].isoformat()
    of_packages, of_contents, of_links, of_remotes = [], [], [], []
    for place, artifact in new.items():
        key, (record, url) = entries[place]
        subdir, filename, sha256, _digest = key
        content, link = keys.contents[place], keys.content_artifact(place)
        size = as_number(record.size)
        of_packages.append((content, domain, *key, *_columns(record, size)))
        of_contents.append((content, pulp_type, domain, "", now, now, now))
        of_links.append((link, content, f"{subdir}/{filename}", str(artifact or NULL), now, now))
        of_remotes.append(
            (keys.remote_artifact(place), link, remote, domain, url, size, sha256, now, now)
        )
    copy_rows(cursor, _COPY_PACKAGES, of_packages)
    copy_rows(cursor, _COPY_CONTENT, of_contents)
    copy_rows(cursor, _COPY_CONTENT_ARTIFACTS, of_links)
    copy_rows(cursor, _COPY_REMOTE_ARTIFACTS, of_remotes)


def _columns(record: PackageRecord, size: str) -> tuple[str, ...]:
    """Return the values of `_COLUMNS` after the natural key, as texts.

    `CondaPackage.columns` gives the same values as Python objects.
    """
    return (
        record.canonical.decode(),
        record.name,
        record.version,
        record.build,
        str(record.build_number),
        record.md5,
        size,
        record.license,
        record.noarch,
        as_array(record.depends),
        as_number(record.timestamp),
        as_number(record.indexed_timestamp),
        record.attestations_sha256,
        str(record.in_v3),
        NULL if record.is_plain is None else str(record.is_plain),
    )


def _run_exports(record: PackageRecord) -> str:
    return NULL if record.run_exports is None else canonical(record.run_exports).decode()


class _NewKeys:
    """The primary keys for the new rows of a batch, as 32 hex digits each.

    They follow each other. This costs less than a random key for each row, and new entries of an
    index stand side by side.

    Attributes:
        contents: The keys for content, by place in the batch.
    """

    def __init__(self, size: int) -> None:
        # A key has 74 random bits, of which the last 24 become a counter.
        self._first: int = Content._meta.pk.get_default().int & ~0xFFFFFF
        self.contents = [f"{key:032x}" for key in range(self._first, self._first + size)]
        self._size = size

    def content_artifact(self, place: int) -> str:
        """Return the key for the content artifact of a package."""
        return f"{self._first + self._size + place:032x}"

    def remote_artifact(self, place: int) -> str:
        """Return the key for the remote artifact of a package."""
        return f"{self._first + 2 * self._size + place:032x}"
