"""Take a batch of records into the tables of content.

What exists is found by its natural key. What is new is copied straight into the tables, which costs half of what `INSERT` with
`ON CONFLICT` does. If another sync inserts the same packages at the same moment, PostgreSQL refuses the batch as a whole, and on
the second try they are there to be found. Both take rows in the same order, so that neither waits for the other in a circle.
"""

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from pulpcore.plugin.models import Content

from pulp_conda.app.models import CondaPackage
from pulp_conda.app.models.membership import BY_INDEX, MEMBER
from pulp_conda.channel.run_exports import canonical

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

_ARTIFACT = """(
    SELECT pulp_id FROM core_artifact
    WHERE core_artifact.sha256 = conda_batch.sha256 AND pulp_domain_id = %(domain)s
)"""

_FIND_NEW = f"SELECT place, {_ARTIFACT} FROM conda_batch WHERE content IS NULL ORDER BY place"

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

# What is known already stays: versions were published with it (CEP 12: run_exports are never patched).
ADD_RUN_EXPORTS = """
INSERT INTO conda_condapackageinfo (pulp_id, pulp_created, pulp_last_updated, pulp_domain_id, sha256,
    run_exports, run_exports_known_at, licenses, traits)
SELECT DISTINCT ON (sha256) gen_random_uuid(), now(), now(), %(domain)s, sha256, run_exports, %(now)s,
    '{}'::text[], '{}'::jsonb
FROM conda_batch WHERE run_exports IS NOT NULL
ORDER BY sha256
ON CONFLICT (pulp_domain_id, sha256) DO UPDATE
    SET run_exports = EXCLUDED.run_exports, run_exports_known_at = EXCLUDED.run_exports_known_at
    WHERE conda_condapackageinfo.run_exports IS NULL
"""

_NOTE = "INSERT INTO conda_seen SELECT coalesce(content, new_content), subdir, filename FROM conda_batch"


def take(packages, facts):
    """Store packages that may be new, and note in `conda_seen` which content they are.

    Args:
        packages: (`PackageRecord`, URL) of each.
        facts: The keys of the `domain`, the `remote` and the `repository`, and the `pulp_type` of packages.
    """
    unique = {}
    for record, url in packages:
        key = (record.subdir, record.filename, record.sha256, record.digest)
        unique.setdefault(key, (record, url))
    packages = sorted(unique.items())
    for attempt in range(1, _TRIES + 1):
        try:
            # psycopg's own errors come from `copy`, unless they are translated.
            with (
                transaction.atomic(),
                connection.cursor() as cursor,
                connection.wrap_database_errors,
            ):
                _take(cursor, packages, {**facts, "now": timezone.now()})
            return
        except IntegrityError:
            if attempt == _TRIES:
                raise


def _take(cursor, packages, facts):
    ids = _Ids()
    cursor.execute("TRUNCATE conda_batch")
    with cursor.copy(_COPY_BATCH) as copy:
        for place, (key, (record, url)) in enumerate(packages):
            run_exports = record.run_exports
            if run_exports is not None:
                run_exports = canonical(run_exports).decode()
            copy.write_row((place, ids.content(place), *key, record.size, url, run_exports))
    cursor.execute(BY_INDEX)
    cursor.execute(_MATCH, facts)
    cursor.execute(_FIND_NEW, facts)
    new = cursor.fetchall()
    if new:
        _copy_new(cursor, packages, new, ids, facts)
    if len(new) < len(packages):
        cursor.execute(_LINK_ARTIFACTS, facts)
        cursor.execute(_LINK_REMOTE, facts)
        cursor.execute(_TOUCH, facts)
    cursor.execute(ADD_RUN_EXPORTS, facts)
    cursor.execute(_NOTE)


def _copy_new(cursor, packages, new, ids, facts):
    """Copy what is new: (place in the batch, key of the artifact that the server has already, or None) of each."""
    domain, now = str(facts["domain"]), facts["now"].isoformat()
    remote, pulp_type = str(facts["remote"]), facts["pulp_type"]
    with cursor.copy(_COPY_PACKAGES) as copy:
        for place, _artifact in new:
            _key, (record, _url) = packages[place]
            columns = CondaPackage.columns(record)
            columns["depends"] = _as_array(columns["depends"])
            copy.write_row((ids.content(place), domain, *columns.values()))
    with cursor.copy(_COPY_CONTENT) as copy:
        for place, _artifact in new:
            copy.write_row((ids.content(place), pulp_type, domain, "", now, now, now))
    with cursor.copy(_COPY_CONTENT_ARTIFACTS) as copy:
        for place, artifact in new:
            (subdir, filename, *_), _package = packages[place]
            path = f"{subdir}/{filename}"
            row = (ids.content_artifact(place), ids.content(place), path, artifact, now, now)
            copy.write_row(row)
    with cursor.copy(_COPY_REMOTE_ARTIFACTS) as copy:
        for place, _artifact in new:
            (_, _, sha256, _), (record, url) = packages[place]
            keys = (ids.remote_artifact(place), ids.content_artifact(place), remote, domain)
            copy.write_row((*keys, url, record.size, sha256, now, now))


class _Ids:
    """The keys of a batch's new rows: they follow each other, which costs less than to make each, and keeps indexes dense."""

    def __init__(self):
        # Of the 74 random bits those that count lie in front.
        self._first = Content._meta.pk.get_default().int & ~0xFFFFFF

    def content(self, place):
        return f"{self._first + 3 * place:032x}"

    def content_artifact(self, place):
        return f"{self._first + 3 * place + 1:032x}"

    def remote_artifact(self, place):
        return f"{self._first + 3 * place + 2:032x}"


def _as_array(texts):
    """Write an array as PostgreSQL reads it; what psycopg has for it costs as much as the rest of the row."""
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return '{"%s"}' % '","'.join(quoted) if quoted else "{}"
