"""Take the records of a sync into the database, in bulk.

pulpcore's pipeline saves unit by unit: 3 ms each, an hour for conda-forge. Here records are copied into a temporary table, a batch
at a time, and the rest is set difference in SQL: what is new becomes content, with its artifact if the server holds the
bytes already, and with the place to download it from. Memory and the cost of a record do not grow with the channel.

The rows are those that pulpcore's pipeline writes; a test compares the two.
"""

from itertools import islice

from django.db import connection, transaction
from django.utils import timezone

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaPackage
from pulp_conda.app.sync import batch
from pulp_conda.app.versions.membership import change_contents
from pulp_conda.app.versions.sql import BY_INDEX, MEMBER, packages_of_latest
from pulp_conda.channel.records import PackageRecord

_BATCH = 5000

_CREATE = f"""
{batch.CREATE};
CREATE TEMP TABLE conda_seen (content uuid, subdir text, filename text, is_settled boolean DEFAULT false);
CREATE TEMP TABLE conda_names (subdir text, name text)
"""

_DROP = """
DROP TABLE conda_batch, conda_seen, conda_names;
DROP TABLE IF EXISTS conda_added, conda_removed
"""

_FIND_SHA256 = """
UPDATE conda_batch SET sha256 = package.sha256
FROM conda_seen JOIN conda_condapackage AS package ON package.content_ptr_id = conda_seen.content
WHERE conda_seen.subdir = conda_batch.subdir AND conda_seen.filename = conda_batch.filename
"""

# What is settled was in the latest version already, and so nothing else with its path.
_COMPARE = f"""
ANALYZE conda_seen;
CREATE TEMP TABLE conda_added AS
    SELECT DISTINCT content FROM conda_seen
    WHERE NOT is_settled AND (%(is_empty)s OR {MEMBER.format(content="conda_seen.content")} IS NULL);
CREATE TEMP TABLE conda_removed AS
    SELECT package.content_ptr_id AS content
    FROM conda_seen CROSS JOIN LATERAL (
        SELECT content_ptr_id FROM conda_condapackage
        WHERE _pulp_domain_id = %(domain)s AND subdir = conda_seen.subdir AND filename = conda_seen.filename
        OFFSET 0
    ) AS package
    WHERE NOT %(is_empty)s AND NOT is_settled
        AND {MEMBER.format(content="package.content_ptr_id")} IS NOT NULL
    EXCEPT SELECT content FROM conda_seen
"""

# Files of names that were looked at, and not found again.
_REMOVE_NAMES = f"""
INSERT INTO conda_removed
SELECT package.content_ptr_id
FROM conda_names CROSS JOIN LATERAL (
    SELECT content_ptr_id FROM conda_condapackage
    WHERE _pulp_domain_id = %(domain)s AND name = conda_names.name AND subdir = conda_names.subdir
    OFFSET 0
) AS package
WHERE {MEMBER.format(content="package.content_ptr_id")} IS NOT NULL
EXCEPT SELECT content FROM conda_seen
"""

_REMOVE_SUBDIRS = f"""
INSERT INTO conda_removed
SELECT member.content_id
FROM {packages_of_latest()}
WHERE NOT package.subdir = ANY(%(kept)s)
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
        self._has_sidecars = False
        is_empty = repository.latest_version().number == 0
        self._all_new = is_empty
        self._facts = {
            "domain": get_domain_pk(),
            "remote": remote.pk,
            "repository": repository.pk,
            "pulp_type": CondaPackage.get_pulp_type(),
            "is_empty": is_empty,
        }

    def __enter__(self):
        for leftover in self._repository.versions.filter(complete=False):
            leftover.delete()  # of a task that was killed; its members are not to be compared with
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
        while some := list(islice(packages, _BATCH)):
            # Once one is not new, the others are asked for.
            self._all_new = batch.take(some, self._facts, self._all_new) and self._all_new
            self._has_sidecars |= any(record.attestations_sha256 for record, _url in some)
            yield len(some)

    def add_run_exports(self, subdir, run_exports):
        """Store what a file beside the repodata says: (file name, canonical JSON) of packages that were added."""
        run_exports = iter(run_exports)
        self._execute("ANALYZE conda_seen")
        while some := list(islice(run_exports, _BATCH)):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("TRUNCATE conda_batch")
                columns = "COPY conda_batch (subdir, filename, run_exports) FROM STDIN"
                with cursor.copy(columns) as copy:
                    for filename, text in some:
                        copy.write_row((subdir, filename, text))
                cursor.execute(_FIND_SHA256)
                cursor.execute("DELETE FROM conda_batch WHERE sha256 IS NULL")
                cursor.execute(batch.ADD_RUN_EXPORTS, {**self._facts, "now": timezone.now()})

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
        if not self._has_sidecars:
            return []
        return [
            (PackageRecord.from_canonical(subdir, filename, record, in_v3), url)
            for subdir, filename, record, in_v3, url in self._rows(_ABSENT_SIDECARS)
        ]

    def new_version(
        self, mirror_except, only_names=False, first=False, patches=((), ()), prepare=None
    ):
        """Make a version of what was added, or return None if the latest one is the same.

        Args:
            mirror_except: None to keep packages that were not seen. To remove them: the subdirs that were not read as a
                whole, where only names that were looked at lose packages.
            only_names: The latest version has no other subdirs than those, so that there is no need to look through it.
            first: It is the first sync of this channel, whose packages are as old as they say (CEP 47).
            patches: Further content to add, and to remove.
            prepare: Called with the new version before it is complete.
        """
        self._compare(mirror_except, only_names, patches)
        if not self._rows("SELECT FROM conda_added UNION ALL SELECT FROM conda_removed LIMIT 1"):
            return None
        with self._repository.new_version() as version:
            change_contents(
                version,
                added="SELECT content FROM conda_added",
                removed="SELECT content FROM conda_removed",
            )
            version.is_first_sync = first
            if prepare:
                prepare(version)
        return version

    def _compare(self, mirror_except, only_names, patches):
        with transaction.atomic():
            self._execute(BY_INDEX)
            self._execute(_COMPARE)
            if mirror_except is not None:
                self._execute(_REMOVE_NAMES)
        if mirror_except is not None and not only_names:
            self._execute(_REMOVE_SUBDIRS, kept=list(mirror_except))
        for table, contents in zip(("conda_added", "conda_removed"), patches, strict=True):
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for content in contents:
                    copy.write_row((content,))

    def _execute(self, statements, **facts):
        with connection.cursor() as cursor:
            for statement in statements.split(";"):
                if statement.strip():
                    cursor.execute(statement, {**self._facts, **facts})

    def _rows(self, statement):
        with connection.cursor() as cursor:
            cursor.execute(statement, self._facts)
            return cursor.fetchall()
