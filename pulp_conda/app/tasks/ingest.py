"""Take the records of a sync into the database, in bulk.

pulpcore's pipeline saves unit by unit: 3 ms each, an hour for conda-forge. Here records are copied into a temporary table, a batch
at a time, and the rest is set difference in SQL: what is new becomes content, with its artifact if the server holds the
bytes already, and with the place to download it from. Memory and the cost of a record do not grow with the channel.

The rows are those that pulpcore's pipeline writes; a test compares the two.
"""

from itertools import islice

from django.db import connection, transaction
from django.utils import timezone

from pulpcore.plugin.models import Content
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaPackage
from pulp_conda.app.models.membership import add_contents, remove_contents
from pulp_conda.channel.records import PackageRecord
from pulp_conda.channel.run_exports import canonical

_BATCH = 5000

_COLUMNS = (
    "subdir, filename, sha256, record_digest, record, name, version, build, build_number, md5, size,"
    ' license, noarch, depends, "timestamp", indexed_timestamp, attestations_sha256, in_v3'
)

_CREATE = f"""
CREATE TEMP TABLE conda_batch AS
    SELECT NULL::uuid AS content, NULL::uuid AS new_content, NULL::uuid AS new_content_artifact,
        NULL::uuid AS new_remote_artifact, ''::text AS url, NULL::text AS run_exports, {_COLUMNS}
    FROM conda_condapackage LIMIT 0;
CREATE TEMP TABLE conda_seen (content uuid, subdir text, filename text);
CREATE TEMP TABLE conda_names (subdir text, name text)
"""

_COPY = f"""
COPY conda_batch (new_content, new_content_artifact, new_remote_artifact, url, run_exports, {_COLUMNS})
FROM STDIN
"""

_DROP = """
DROP TABLE conda_batch, conda_seen, conda_names;
DROP TABLE IF EXISTS conda_added, conda_removed
"""

# A batch is small against the tables it is compared with: look rows up by their indexes, one after the other as the joins
# are written. Statistics cannot help to see that, since they are of before the sync.
_PLAN = """
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_seqscan = off;
SET LOCAL join_collapse_limit = 1;
ANALYZE conda_batch
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
WHERE content IS NULL
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
FROM conda_batch WHERE new_content = ANY(ARRAY(SELECT content_ptr_id FROM package))
"""

# In two steps: asked at once for those without artifact, PostgreSQL would look through all that have none.
_LINK_ARTIFACTS = """
WITH found AS MATERIALIZED (
    SELECT link.pulp_id, link.artifact_id AS present, artifact.pulp_id AS artifact
    FROM conda_batch
        JOIN core_artifact AS artifact ON artifact.sha256 = conda_batch.sha256
        JOIN core_contentartifact AS link ON link.content_id = conda_batch.content
    WHERE artifact.pulp_domain_id = %(domain)s
), unlinked AS (
    SELECT link.pulp_id, found.artifact
    FROM found JOIN core_contentartifact AS link ON link.pulp_id = found.pulp_id
    WHERE found.present IS NULL
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
    SELECT pulp_id FROM conda_batch JOIN core_content ON pulp_id = content
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

# What is known already stays: versions were published with it (CEP 12: run_exports are never patched).
_ADD_RUN_EXPORTS = """
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

_FIND_SHA256 = """
UPDATE conda_batch SET sha256 = package.sha256
FROM conda_seen JOIN conda_condapackage AS package ON package.content_ptr_id = conda_seen.content
WHERE conda_seen.subdir = conda_batch.subdir AND conda_seen.filename = conda_batch.filename
"""

_COMPARE = """
ANALYZE conda_seen;
CREATE TEMP TABLE conda_added AS
    SELECT DISTINCT content FROM conda_seen
    WHERE NOT EXISTS (
        SELECT FROM core_repositorycontent AS member
        WHERE member.content_id = conda_seen.content
            AND repository_id = %(repository)s AND version_removed_id IS NULL
    );
CREATE TEMP TABLE conda_removed AS
    SELECT member.content_id AS content
    FROM conda_seen
        JOIN conda_condapackage AS package ON package._pulp_domain_id = %(domain)s
            AND package.subdir = conda_seen.subdir AND package.filename = conda_seen.filename
        JOIN core_repositorycontent AS member ON member.content_id = package.content_ptr_id
    WHERE member.repository_id = %(repository)s AND member.version_removed_id IS NULL
        AND NOT EXISTS (SELECT FROM conda_seen AS same WHERE same.content = member.content_id)
"""

# Files of names that were looked at, and not found again.
_REMOVE_NAMES = """
INSERT INTO conda_removed
SELECT member.content_id
FROM conda_names
    JOIN conda_condapackage AS package ON package._pulp_domain_id = %(domain)s
        AND package.name = conda_names.name AND package.subdir = conda_names.subdir
    JOIN core_repositorycontent AS member ON member.content_id = package.content_ptr_id
WHERE member.repository_id = %(repository)s AND member.version_removed_id IS NULL
    AND NOT EXISTS (SELECT FROM conda_seen WHERE conda_seen.content = member.content_id)
"""

_REMOVE_SUBDIRS = """
INSERT INTO conda_removed
SELECT member.content_id
FROM core_repositorycontent AS member
    JOIN conda_condapackage AS package ON package.content_ptr_id = member.content_id
WHERE member.repository_id = %(repository)s AND member.version_removed_id IS NULL
    AND NOT package.subdir = ANY(%(kept)s)
    AND NOT EXISTS (SELECT FROM conda_seen WHERE conda_seen.content = member.content_id)
"""

_ABSENT_FILES = """
SELECT artifact.pulp_id, remote.url, package.filename, package.sha256, package.size
FROM conda_seen
    JOIN conda_condapackage AS package ON package.content_ptr_id = conda_seen.content
    JOIN core_contentartifact AS artifact ON artifact.content_id = conda_seen.content
    JOIN core_remoteartifact AS remote ON remote.content_artifact_id = artifact.pulp_id
        AND remote.remote_id = %(remote)s
WHERE artifact.artifact_id IS NULL
ORDER BY package.subdir, package.filename
"""

_ABSENT_SIDECARS = """
SELECT DISTINCT ON (package.attestations_sha256, package.filename, package.sha256)
    package.subdir, package.filename, package.record, package.in_v3, remote.url
FROM conda_seen
    JOIN conda_condapackage AS package ON package.content_ptr_id = conda_seen.content
    JOIN core_contentartifact AS artifact ON artifact.content_id = conda_seen.content
    JOIN core_remoteartifact AS remote ON remote.content_artifact_id = artifact.pulp_id
        AND remote.remote_id = %(remote)s
WHERE package.attestations_sha256 <> '' AND (
    NOT EXISTS (
        SELECT FROM conda_condasidecar AS sidecar
        WHERE sidecar.pulp_domain_id = %(domain)s AND sidecar.sha256 = package.attestations_sha256
    ) OR EXISTS (
        SELECT FROM conda_condapackage AS other
        WHERE other.attestations_sha256 = package.attestations_sha256 AND other.attestations_sha256 <> ''
            AND other._pulp_domain_id = %(domain)s
            AND (other.filename, other.sha256) <> (package.filename, package.sha256)
    )
)
ORDER BY package.attestations_sha256, package.filename, package.sha256
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

    def add_run_exports(self, subdir, run_exports):
        """Store what a file beside the repodata says: (file name, canonical JSON) of packages that were added."""
        run_exports = iter(run_exports)
        self._execute("ANALYZE conda_seen")
        while batch := list(islice(run_exports, _BATCH)):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("TRUNCATE conda_batch")
                columns = "COPY conda_batch (subdir, filename, run_exports) FROM STDIN"
                with cursor.copy(columns) as copy:
                    for filename, text in batch:
                        copy.write_row((subdir, filename, text))
                cursor.execute(_FIND_SHA256)
                cursor.execute("DELETE FROM conda_batch WHERE sha256 IS NULL")
                cursor.execute(_ADD_RUN_EXPORTS, {**self._facts, "now": timezone.now()})

    def look_at_names(self, subdir, names):
        """Note that all packages of these names were added, and that others of the subdir were not looked at."""
        with connection.cursor() as cursor, cursor.copy("COPY conda_names FROM STDIN") as copy:
            for name in names:
                copy.write_row((subdir, name))

    def absent_files(self):
        """List what is still upstream: (content artifact, URL, file name, sha256, size) of packages that were added."""
        return self._rows(_ABSENT_FILES)

    def absent_sidecars(self):
        """List (`PackageRecord`, URL of the package) where attestations are promised that are not here yet.

        Also where another package is promised the same: they are about one of the two at most.
        """
        return [
            (PackageRecord.from_canonical(subdir, filename, record, in_v3), url)
            for subdir, filename, record, in_v3, url in self._rows(_ABSENT_SIDECARS)
        ]

    def new_version(self, mirror_except, first=False, patches=((), ()), prepare=None):
        """Make a version of what was added, or return None if the latest one is the same.

        Args:
            mirror_except: None to keep packages that were not seen. To remove them: the subdirs that were not read as a
                whole, where only names that were looked at lose packages.
            first: It is the first sync of this channel, whose packages are as old as they say (CEP 47).
            patches: Further content to add, and to remove.
            prepare: Called with the new version before it is complete.
        """
        for leftover in self._repository.versions.filter(complete=False):
            leftover.delete()  # of a task that was killed; its members are not to be compared with
        self._compare(mirror_except, patches)
        if not self._rows("SELECT FROM conda_added UNION ALL SELECT FROM conda_removed LIMIT 1"):
            return None
        with self._repository.new_version() as version:
            remove_contents(version, "SELECT content FROM conda_removed")
            add_contents(version, "SELECT content FROM conda_added")
            version.is_first_sync = first
            if prepare:
                prepare(version)
        return version

    def _compare(self, mirror_except, patches):
        self._execute(_COMPARE)
        if mirror_except is not None:
            self._execute(_REMOVE_NAMES)
            self._execute(_REMOVE_SUBDIRS, kept=list(mirror_except))
        for table, contents in zip(("conda_added", "conda_removed"), patches, strict=True):
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for content in contents:
                    copy.write_row((content,))

    def _take(self, batch):
        new_id = Content._meta.pk.get_default
        facts = {**self._facts, "now": timezone.now()}
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE conda_batch")
            with cursor.copy(_COPY) as copy:
                for record, url in batch:
                    run_exports = (
                        None
                        if record.run_exports is None
                        else canonical(record.run_exports).decode()
                    )
                    columns = CondaPackage.columns(record).values()
                    copy.write_row((new_id(), new_id(), new_id(), url, run_exports, *columns))
            cursor.execute(_PLAN)
            for statement in (
                _MATCH,
                _INSERT,
                _MATCH,
                _LINK_ARTIFACTS,
                _LINK_REMOTE,
                _TOUCH,
                _ADD_RUN_EXPORTS,
                _NOTE,
            ):
                cursor.execute(statement, facts)

    def _execute(self, statements, **facts):
        with connection.cursor() as cursor:
            for statement in statements.split(";"):
                if statement.strip():
                    cursor.execute(statement, {**self._facts, **facts})

    def _rows(self, statement):
        with connection.cursor() as cursor:
            cursor.execute(statement, self._facts)
            return cursor.fetchall()
