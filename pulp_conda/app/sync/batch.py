"""Take a batch of records into the tables of content.

What exists is found by its natural key. What is new is copied straight into the tables, which costs half of what `INSERT` with
`ON CONFLICT` does. If another sync inserts the same packages at the same moment, PostgreSQL refuses the batch as a whole, and on
the second try they are there to be found. Both take rows in the same order, so that neither waits for the other in a circle.
For the same reason the first sync of a channel need not ask what exists, until PostgreSQL refuses a batch.
"""

from itertools import count

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from pulpcore.plugin.models import Content

from pulp_conda.app.sync.copy_format import NULL, as_array, as_number, copy_rows
from pulp_conda.app.versions.sql import BY_INDEX, MEMBER
from pulp_conda.channel.metadata.run_exports import canonical

# Each try in vain means that another sync got on.
_TRIES = 20

_COLUMNS = (
    "subdir, filename, sha256, record_digest, record, name, version, build, build_number, md5, size,"
    ' license, noarch, depends, "timestamp", indexed_timestamp, attestations_sha256, in_v3'
)

CREATE = """
CREATE TEMP TABLE conda_batch (
    place int, content uuid, new_content uuid, subdir text, filename text, sha256 text, record_digest text,
    size bigint, url text, run_exports text
)
"""

_COPY_BATCH = """
COPY conda_batch (place, new_content, subdir, filename, sha256, record_digest, size, url, run_exports) FROM STDIN
"""

_ARTIFACT = """(
    SELECT pulp_id FROM core_artifact
    WHERE core_artifact.sha256 = conda_batch.sha256 AND pulp_domain_id = %(domain)s
)"""

_RUN_EXPORTS = """(
    SELECT known.run_exports FROM conda_condapackageinfo AS known
    WHERE known.pulp_domain_id = %(domain)s AND known.sha256 = conda_batch.sha256
)"""

# What the latest version has, and of which all is known that the upstream says, needs nothing more.
_SETTLE = f"""
WITH settled AS MATERIALIZED (
    SELECT conda_batch.ctid AS row, package.content_ptr_id AS content, subdir, filename
    FROM conda_batch CROSS JOIN LATERAL (
        SELECT content_ptr_id FROM conda_condapackage
        WHERE _pulp_domain_id = %(domain)s AND subdir = conda_batch.subdir AND filename = conda_batch.filename
            AND sha256 = conda_batch.sha256 AND record_digest = conda_batch.record_digest
        OFFSET 0
    ) AS package CROSS JOIN LATERAL (
        SELECT pulp_id, artifact_id FROM core_contentartifact WHERE content_id = package.content_ptr_id OFFSET 0
    ) AS link
    WHERE {MEMBER.format(content="package.content_ptr_id")} IS NOT NULL
        AND url = (
            SELECT url FROM core_remoteartifact
            WHERE content_artifact_id = link.pulp_id AND remote_id = %(remote)s AND pulp_domain_id = %(domain)s
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

_FIND_ARTIFACTS = """
SELECT sha256, pulp_id FROM core_artifact WHERE sha256 = ANY(%(digests)s) AND pulp_domain_id = %(domain)s
"""

_COPY_PACKAGES = f"COPY conda_condapackage (content_ptr_id, _pulp_domain_id, {_COLUMNS}) FROM STDIN"

_COPY_CONTENT = """
COPY core_content (pulp_id, pulp_type, pulp_domain_id, pulp_labels, timestamp_of_interest, pulp_created,
    pulp_last_updated) FROM STDIN
"""

_COPY_CONTENT_ARTIFACTS = """
COPY core_contentartifact (pulp_id, content_id, relative_path, artifact_id, pulp_created, pulp_last_updated)
FROM STDIN
"""

_COPY_REMOTE_ARTIFACTS = """
COPY core_remoteartifact (pulp_id, content_artifact_id, remote_id, pulp_domain_id, url, size, sha256, pulp_created,
    pulp_last_updated) FROM STDIN
"""

# In two steps: asked at once for those without artifact, PostgreSQL would look through all that have none.
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

# What no version has yet, or no more, must not be cleaned away before the new version has it.
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

# What is known already stays: versions were published with it (CEP 12: run_exports are never patched). Of content that was
# there before it mostly is, and is left out at once, for PostgreSQL locks each row in which it finds a conflict.
ADD_RUN_EXPORTS = f"""
INSERT INTO conda_condapackageinfo (pulp_id, pulp_created, pulp_last_updated, pulp_domain_id, sha256,
    run_exports, run_exports_known_at, licenses, traits)
SELECT DISTINCT ON (sha256) gen_random_uuid(), now(), now(), %(domain)s, sha256, run_exports, %(now)s,
    '{{}}'::text[], '{{}}'::jsonb
FROM conda_batch WHERE run_exports IS NOT NULL AND (content IS NULL OR {_RUN_EXPORTS} IS NULL)
ORDER BY sha256
ON CONFLICT (pulp_domain_id, sha256) DO UPDATE
    SET run_exports = EXCLUDED.run_exports, run_exports_known_at = EXCLUDED.run_exports_known_at
    WHERE conda_condapackageinfo.run_exports IS NULL
"""

_NOTE = "INSERT INTO conda_seen SELECT coalesce(content, new_content), subdir, filename FROM conda_batch"


def take(packages, facts, all_new):
    """Store packages that may be new, and note in `conda_seen` which content they are.

    Args:
        packages: (`PackageRecord`, URL) of each.
        facts: The keys of the `domain`, the `remote` and the `repository`, whether that `is_empty`, and the `pulp_type` of
            packages.
        all_new: Try first as if all were, which saves a tenth. In vain if one is not.

    Returns:
        Whether all were new.
    """
    unique = {}
    for record, url in packages:
        key = (record.subdir, record.filename, record.sha256, record.digest)
        unique.setdefault(key, (record, url))
    packages = sorted(unique.items())
    for attempt in range(1, _TRIES + 1):
        store = _take_new if all_new and attempt == 1 else _take
        try:
            # psycopg's own errors come from `copy`, unless they are translated.
            with (
                transaction.atomic(),
                connection.cursor() as cursor,
                connection.wrap_database_errors,
            ):
                return store(cursor, packages, {**facts, "now": timezone.now()})
        except IntegrityError:
            if attempt == _TRIES:
                raise


def _take_new(cursor, packages, facts):
    ids = _Ids(len(packages))
    cursor.execute(BY_INDEX)
    digests = [sha256 for (_, _, sha256, _), _package in packages]
    cursor.execute(_FIND_ARTIFACTS, {**facts, "digests": digests})
    artifacts = dict(cursor.fetchall())
    new = [(place, artifacts.get(sha256)) for place, sha256 in enumerate(digests)]
    _copy_new(cursor, packages, new, ids, facts)
    seen = [
        (content, subdir, filename)
        for content, ((subdir, filename, *_), _package) in zip(ids.contents, packages)
    ]
    copy_rows(cursor, "COPY conda_seen (content, subdir, filename) FROM STDIN", seen)
    run_exports = [
        (sha256, _run_exports(record))
        for (_, _, sha256, _), (record, _url) in packages
        if record.run_exports is not None
    ]
    if run_exports:
        cursor.execute("TRUNCATE conda_batch")
        copy_rows(cursor, "COPY conda_batch (sha256, run_exports) FROM STDIN", run_exports)
        cursor.execute(ADD_RUN_EXPORTS, facts)
    return True


def _take(cursor, packages, facts):
    ids = _Ids(len(packages))
    cursor.execute("TRUNCATE conda_batch")
    rows = [
        (str(place), content, *key, as_number(record.size), url, _run_exports(record))
        for place, content, (key, (record, url)) in zip(count(), ids.contents, packages)
    ]
    copy_rows(cursor, _COPY_BATCH, rows)
    cursor.execute(BY_INDEX)
    left = len(packages)
    if not facts["is_empty"]:
        cursor.execute(_SETTLE, facts)
        left -= cursor.rowcount
    if not left:
        return False
    cursor.execute(_MATCH, facts)
    cursor.execute(_FIND_NEW, facts)
    new = cursor.fetchall()
    if new:
        _copy_new(cursor, packages, new, ids, facts)
    if len(new) < left:
        cursor.execute(_LINK_ARTIFACTS, facts)
        cursor.execute(_LINK_REMOTE, facts)
        cursor.execute(_TOUCH, facts)
    cursor.execute(ADD_RUN_EXPORTS, facts)
    cursor.execute(_NOTE)
    return len(new) == len(packages)


def _copy_new(cursor, packages, new, ids, facts):
    """Copy what is new: (place in the batch, key of the artifact that the server has already, or None) of each."""
    domain, remote, pulp_type = str(facts["domain"]), str(facts["remote"]), facts["pulp_type"]
    now = facts["now"].isoformat()
    of_packages, of_contents, of_links, of_remotes = [], [], [], []
    for place, artifact in new:
        key, (record, url) = packages[place]
        subdir, filename, sha256, _digest = key
        content, link = ids.contents[place], ids.link(place)
        size = as_number(record.size)
        of_packages.append((content, domain, *key, *_columns(record, size)))
        of_contents.append((content, pulp_type, domain, "", now, now, now))
        of_links.append((link, content, f"{subdir}/{filename}", str(artifact or NULL), now, now))
        of_remotes.append((ids.remote(place), link, remote, domain, url, size, sha256, now, now))
    copy_rows(cursor, _COPY_PACKAGES, of_packages)
    copy_rows(cursor, _COPY_CONTENT, of_contents)
    copy_rows(cursor, _COPY_CONTENT_ARTIFACTS, of_links)
    copy_rows(cursor, _COPY_REMOTE_ARTIFACTS, of_remotes)


def _columns(record, size):
    """Return the rest of a package's columns, in the order of `_COLUMNS`; `CondaPackage.columns` says the same in objects."""
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
    )


def _run_exports(record):
    return NULL if record.run_exports is None else canonical(record.run_exports).decode()


class _Ids:
    """The keys of a batch's new rows: they follow each other, which costs less than to make each, and keeps indexes dense."""

    def __init__(self, size):
        # Of the 74 random bits those that count lie in front.
        self._first = Content._meta.pk.get_default().int & ~0xFFFFFF
        self.contents = [f"{key:032x}" for key in range(self._first, self._first + size)]
        self._size = size

    def link(self, place):
        """Return the key of a content artifact."""
        return f"{self._first + self._size + place:032x}"

    def remote(self, place):
        """Return the key of a remote artifact."""
        return f"{self._first + 2 * self._size + place:032x}"
