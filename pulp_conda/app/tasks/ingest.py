"""Take the records of a sync into the database, in bulk.

pulpcore's pipeline saves unit by unit: 3 ms each, an hour for conda-forge. Here records are copied into a temporary table, a batch
at a time, and the rest is set difference in SQL: what is new becomes content, with its artifact if the server holds the
bytes already, and with the place to download it from. Memory and the cost of a record do not grow with the channel.

The rows are those that pulpcore's pipeline writes; a test compares the two.
"""

from itertools import islice

from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from pulpcore.plugin.models import Content
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaPackage

_BATCH = 5000

_COLUMNS = (
    "subdir, filename, sha256, record_digest, record, name, version, build, build_number, md5, size,"
    ' license, noarch, depends, "timestamp"'
)

_CREATE = f"""
CREATE TEMP TABLE conda_batch AS
    SELECT NULL::uuid AS content, NULL::uuid AS new_content, NULL::uuid AS new_content_artifact,
        NULL::uuid AS new_remote_artifact, ''::text AS url, {_COLUMNS} FROM conda_condapackage LIMIT 0;
CREATE TEMP TABLE conda_seen (content uuid, subdir text, filename text);
"""

_COPY = f"""
COPY conda_batch (new_content, new_content_artifact, new_remote_artifact, url, {_COLUMNS}) FROM STDIN
"""

_DROP = "DROP TABLE conda_batch, conda_seen; DROP TABLE IF EXISTS conda_added, conda_removed"

# A batch is small against the tables it is compared with: look rows up, do not read whole tables.
_PLAN = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; ANALYZE conda_batch"

_MATCH = """
UPDATE conda_batch SET content = package.content_ptr_id
FROM conda_condapackage AS package
WHERE content IS NULL
    AND package._pulp_domain_id = %(domain)s
    AND package.subdir = conda_batch.subdir
    AND package.filename = conda_batch.filename
    AND package.sha256 = conda_batch.sha256
    AND package.record_digest = conda_batch.record_digest
"""

# Another sync may insert the same packages at the same moment. Then its rows are matched afterwards; and since both take
# rows in the same order, here and below, neither waits for the other in a circle.
_INSERT = f"""
WITH package AS (
    INSERT INTO conda_condapackage (content_ptr_id, _pulp_domain_id, {_COLUMNS})
    SELECT new_content, %(domain)s, {_COLUMNS} FROM conda_batch WHERE content IS NULL
    ORDER BY subdir, filename, sha256, record_digest
    ON CONFLICT DO NOTHING
    RETURNING content_ptr_id
), content AS (
    INSERT INTO core_content (pulp_id, pulp_created, pulp_last_updated, pulp_type,
        timestamp_of_interest, pulp_domain_id, pulp_labels)
    SELECT content_ptr_id, now(), now(), %(pulp_type)s, now(), %(domain)s, ''::hstore FROM package
)
INSERT INTO core_contentartifact
    (pulp_id, pulp_created, pulp_last_updated, relative_path, artifact_id, content_id)
SELECT new_content_artifact, now(), now(), subdir || '/' || filename, NULL, new_content
FROM package JOIN conda_batch ON new_content = content_ptr_id
"""

_LINK_ARTIFACTS = """
WITH unlinked AS (
    SELECT link.pulp_id, artifact.pulp_id AS artifact
    FROM conda_batch
        JOIN core_contentartifact AS link ON link.content_id = conda_batch.content
        JOIN core_artifact AS artifact ON artifact.sha256 = conda_batch.sha256
    WHERE link.artifact_id IS NULL AND artifact.pulp_domain_id = %(domain)s
    ORDER BY link.pulp_id
    FOR NO KEY UPDATE OF link
)
UPDATE core_contentartifact AS link SET artifact_id = unlinked.artifact
FROM unlinked WHERE link.pulp_id = unlinked.pulp_id
"""

_LINK_REMOTE = """
INSERT INTO core_remoteartifact (pulp_id, pulp_created, pulp_last_updated, url, size, sha256,
    content_artifact_id, remote_id, pulp_domain_id)
SELECT DISTINCT ON (artifact.pulp_id) new_remote_artifact, now(), now(), url, size, sha256,
    artifact.pulp_id, %(remote)s, %(domain)s
FROM conda_batch JOIN core_contentartifact AS artifact ON artifact.content_id = conda_batch.content
ON CONFLICT (content_artifact_id, remote_id, pulp_domain_id) DO UPDATE
    SET url = EXCLUDED.url, pulp_last_updated = now() WHERE core_remoteartifact.url <> EXCLUDED.url
"""

# What no version has yet, or no more, must not be cleaned away before the new version has it.
_TOUCH = """
WITH unowned AS (
    SELECT pulp_id FROM core_content JOIN conda_batch ON pulp_id = content
    WHERE NOT EXISTS (
        SELECT FROM core_repositorycontent AS member
        WHERE member.content_id = conda_batch.content
            AND repository_id = %(repository)s AND version_removed_id IS NULL
    )
    ORDER BY pulp_id
    FOR NO KEY UPDATE OF core_content
)
UPDATE core_content SET timestamp_of_interest = now()
FROM unowned WHERE core_content.pulp_id = unowned.pulp_id
"""

_NOTE = "INSERT INTO conda_seen SELECT DISTINCT content, subdir, filename FROM conda_batch"

_COMPARE = """
ANALYZE conda_seen;
CREATE TEMP TABLE conda_added AS
    SELECT content FROM conda_seen
    EXCEPT
    SELECT content_id FROM core_repositorycontent
    WHERE repository_id = %(repository)s AND version_removed_id IS NULL;
CREATE TEMP TABLE conda_removed AS
    SELECT member.content_id AS content
    FROM core_repositorycontent AS member
        JOIN conda_condapackage AS package ON package.content_ptr_id = member.content_id
        LEFT JOIN conda_seen AS same ON same.content = member.content_id
    WHERE member.repository_id = %(repository)s AND member.version_removed_id IS NULL
        AND same.content IS NULL
        AND (
            (package.subdir, package.filename) IN (SELECT subdir, filename FROM conda_seen)
            OR %(mirror)s AND NOT package.subdir = ANY(%(unchanged)s)
        )
"""


class Ingest:
    """The records that one sync of a remote into a repository sees. A context: its tables go with it."""

    def __init__(self, repository, remote):
        self._repository = repository
        self._facts = {
            "domain": get_domain_pk(),
            "remote": remote.pk,
            "repository": repository.pk,
            "pulp_type": CondaPackage.get_pulp_type(),
        }

    def __enter__(self):
        self._execute(_CREATE)
        return self

    def __exit__(self, *exception):
        self._execute(_DROP)

    def add(self, packages):
        """Store records and where to download their files from.

        Args:
            packages: (`PackageRecord`, URL) of each; read as a stream.

        Yields:
            The number of records after each batch.
        """
        packages = iter(packages)
        while batch := list(islice(packages, _BATCH)):
            with transaction.atomic():
                self._take(batch)
            yield len(batch)

    def new_version(self, mirror, unchanged):
        """Make a version of what was added, or return None if the latest one is the same.

        Args:
            mirror: Remove packages that were not seen …
            unchanged: … but not from these subdirs, which were not looked at.
        """
        for leftover in self._repository.versions.filter(complete=False):
            leftover.delete()  # of a task that was killed; its members are not to be compared with
        self._execute(_COMPARE, mirror=mirror, unchanged=list(unchanged))
        added, removed = (
            Content.objects.filter(pk__in=RawSQL(f"SELECT content FROM {table}", ()))
            for table in ("conda_added", "conda_removed")
        )
        if not added.exists() and not removed.exists():
            return None
        with self._repository.new_version() as version:
            version.remove_content(removed)
            version.add_content(added)
        return version

    def _take(self, batch):
        new_id = Content._meta.pk.get_default
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE conda_batch")
            with cursor.copy(_COPY) as copy:
                for record, url in batch:
                    columns = CondaPackage.columns(record).values()
                    copy.write_row((new_id(), new_id(), new_id(), url, *columns))
            cursor.execute(_PLAN)
            for statement in (
                _MATCH,
                _INSERT,
                _MATCH,
                _LINK_ARTIFACTS,
                _LINK_REMOTE,
                _TOUCH,
                _NOTE,
            ):
                cursor.execute(statement, self._facts)

    def _execute(self, statements, **facts):
        with connection.cursor() as cursor:
            for statement in statements.split(";"):
                if statement.strip():
                    cursor.execute(statement, {**self._facts, **facts})
