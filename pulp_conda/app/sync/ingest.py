"""Store the records of a sync in the database, in bulk.

pulpcore's pipeline saves each content unit by itself, which takes 3 ms, or an hour for conda-forge.
Here records are written into a temporary table, one batch at a time. SQL then compares this table
with the tables of content. What is new becomes content, with the URL to download its file from. It
gets the file itself if a repository has it that the user of the sync may view. Memory does not grow
with the channel, and neither does the time for each record.

The rows are the same that pulpcore's pipeline writes; a test compares them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.util import get_current_user, get_domain_pk, get_objects_for_user

from pulp_conda.app.models import CondaPackage, CondaRemote, CondaRepository
from pulp_conda.app.sync import batch
from pulp_conda.app.sync.packages import AbsentFile, UpstreamPackage
from pulp_conda.app.versions.blocked import IS_FREE
from pulp_conda.app.versions.membership import change_contents
from pulp_conda.app.versions.sql import BY_INDEX, MEMBER, is_in_one_of, packages_of_latest
from pulp_conda.channel.records import PackageRecord

_BATCH = 5000

_CREATE = f"""
{batch.CREATE};
CREATE TEMP TABLE conda_seen (
    content uuid, subdir text, filename text, is_settled boolean DEFAULT false
);
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

# Of several records for one file, the one of the latest version stays, else the last one: that is
# the one that readers of JSON take.
_DROP_DOUBLES = """
WITH twice AS (
    SELECT subdir, filename FROM conda_seen GROUP BY subdir, filename HAVING count(*) > 1
), ranked AS (
    SELECT conda_seen.ctid AS row, content, first_value(content) OVER (
        PARTITION BY subdir, filename ORDER BY is_settled DESC, conda_seen.ctid DESC
    ) AS kept
    FROM conda_seen JOIN twice USING (subdir, filename)
)
DELETE FROM conda_seen USING ranked
WHERE conda_seen.ctid = ranked.row AND ranked.content <> ranked.kept
RETURNING conda_seen.subdir, conda_seen.filename
"""

# A settled package is in the latest version (see `batch`), so no other package of the latest
# version has its path.
_COMPARE = f"""
ANALYZE conda_seen;
CREATE TEMP TABLE conda_added AS
    SELECT DISTINCT content FROM conda_seen
    WHERE NOT is_settled
        AND (%(is_empty)s OR {MEMBER.format(content="conda_seen.content")} IS NULL);
CREATE TEMP TABLE conda_removed AS
    SELECT package.content_ptr_id AS content
    FROM conda_seen CROSS JOIN LATERAL (
        SELECT content_ptr_id FROM conda_condapackage
        WHERE _pulp_domain_id = %(domain)s
            AND subdir = conda_seen.subdir AND filename = conda_seen.filename
        OFFSET 0
    ) AS package
    WHERE NOT %(is_empty)s AND NOT is_settled
        AND {MEMBER.format(content="package.content_ptr_id")} IS NOT NULL
    EXCEPT SELECT content FROM conda_seen
"""

# They count as added, so that nothing removes them.
_KEEP = f"""
INSERT INTO conda_seen
SELECT member.content_id, package.subdir, package.filename, true
FROM {packages_of_latest()}
WHERE package.subdir || '/' || package.filename = ANY(%(paths)s)
    AND NOT EXISTS (
        SELECT FROM conda_seen
        WHERE conda_seen.subdir = package.subdir AND conda_seen.filename = package.filename
    )
"""

# Removes packages whose name was looked at, and which the upstream does not have any more. Blocked
# packages stay: the sync did not look for them in the upstream.
_REMOVE_NAMES = f"""
INSERT INTO conda_removed
SELECT package.content_ptr_id
FROM conda_names CROSS JOIN LATERAL (
    SELECT content_ptr_id FROM conda_condapackage AS package
    WHERE _pulp_domain_id = %(domain)s
        AND name = conda_names.name AND subdir = conda_names.subdir AND {IS_FREE}
    OFFSET 0
) AS package
WHERE {MEMBER.format(content="package.content_ptr_id")} IS NOT NULL
EXCEPT SELECT content FROM conda_seen
"""

_REMOVE_SUBDIRS = f"""
INSERT INTO conda_removed
SELECT member.content_id
FROM {packages_of_latest()}
WHERE NOT package.subdir = ANY(%(kept)s) AND {IS_FREE}
    AND NOT EXISTS (SELECT FROM conda_seen WHERE conda_seen.content = member.content_id)
"""

_ABSENT_FILES = """
SELECT artifact.pulp_id, remote.url, package.subdir, package.filename, package.sha256, package.size
FROM conda_seen
    JOIN conda_condapackage AS package ON package.content_ptr_id = conda_seen.content
    JOIN core_contentartifact AS artifact ON artifact.content_id = conda_seen.content
    JOIN core_remoteartifact AS remote ON remote.content_artifact_id = artifact.pulp_id
        AND remote.remote_id = %(remote)s
WHERE artifact.artifact_id IS NULL
ORDER BY package.subdir, package.filename
"""

# As with files, it is not enough to name the digest of a sidecar that this server has.
_ABSENT_SIDECARS = f"""
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
        WHERE sidecar.pulp_domain_id = %(domain)s
            AND sidecar.sha256 = package.attestations_sha256
    ) OR NOT EXISTS (
        SELECT FROM conda_condapackage AS holder
        WHERE holder.attestations_sha256 = package.attestations_sha256
            AND holder.attestations_sha256 <> ''
            AND holder._pulp_domain_id = %(domain)s
            AND {is_in_one_of("viewable", "holder.content_ptr_id")}
    ) OR EXISTS (
        SELECT FROM conda_condapackage AS other
        WHERE other.attestations_sha256 = package.attestations_sha256
            AND other.attestations_sha256 <> ''
            AND other._pulp_domain_id = %(domain)s
            AND (other.filename, other.sha256) <> (package.filename, package.sha256)
    )
)
ORDER BY package.attestations_sha256, package.filename, package.sha256
"""

# A package that is replaced under its path is not gone.
_GONE = """
WITH gone AS (
    SELECT package.subdir, package.filename
    FROM conda_removed JOIN conda_condapackage AS package ON content_ptr_id = content
    EXCEPT
    SELECT package.subdir, package.filename
    FROM conda_added JOIN conda_condapackage AS package ON content_ptr_id = content
), others AS (
    SELECT DISTINCT package.subdir
    FROM conda_added JOIN conda_condapackage AS package ON content_ptr_id = content
)
SELECT subdir, count(*), subdir IN (SELECT subdir FROM others)
FROM gone GROUP BY subdir ORDER BY subdir
"""

_COUNT_LATEST = f"""
SELECT count(*) FROM (
    SELECT FROM {packages_of_latest()}
    WHERE %(subdir)s::text IS NULL OR package.subdir = %(subdir)s LIMIT %(at_most)s
) AS counted
"""

# Where such a package replaces another one, the other one stays.
_LEAVE_OUT = """
WITH bad AS (
    DELETE FROM conda_added USING core_contentartifact AS artifact
    WHERE artifact.pulp_id = ANY(%(artifacts)s) AND conda_added.content = artifact.content_id
    RETURNING conda_added.content
)
DELETE FROM conda_removed
USING bad
    JOIN conda_condapackage AS new ON new.content_ptr_id = bad.content
    JOIN conda_condapackage AS old ON old._pulp_domain_id = new._pulp_domain_id
        AND old.subdir = new.subdir AND old.filename = new.filename
WHERE conda_removed.content = old.content_ptr_id
"""

_ANY_CHANGE = "SELECT FROM conda_added UNION ALL SELECT FROM conda_removed LIMIT 1"


class PatchChanges(NamedTuple):
    """The keys of the patches that a sync adds to the latest version, and removes from it."""

    added: Collection[UUID] = ()
    removed: Collection[UUID] = ()


class Gone(NamedTuple):
    """The packages of a subdir that a sync removes and does not replace.

    Attributes:
        packages: How many they are.
        has_new: Whether the sync adds other packages to the subdir.
    """

    subdir: str
    packages: int
    has_new: bool


class Ingest:
    """Takes the records that one sync of a remote into a repository reads.

    A context manager: its temporary tables exist from its beginning to its end.
    """

    def __init__(self, repository: CondaRepository, remote: CondaRemote) -> None:
        self._repository = repository
        self._has_sidecars = False
        is_empty = repository.latest_version().number == 0
        # Whether all packages were new so far.
        self._all_new = is_empty
        self._facts: batch.SyncFacts = {
            "domain": get_domain_pk(),
            "remote": remote.pk,
            "repository": repository.pk,
            "viewable": _viewable(repository),
            "pulp_type": CondaPackage.get_pulp_type(),
            "is_empty": is_empty,
        }

    def __enter__(self) -> Self:
        # A task that was killed leaves an incomplete version. Its memberships would be taken for
        # those of the latest version.
        for incomplete in self._repository.versions.filter(complete=False):
            incomplete.delete()
        self._execute(_CREATE)
        return self

    def __exit__(self, *exception: object) -> None:
        self._execute(_DROP)

    def add(self, packages: Iterable[UpstreamPackage]) -> Iterator[int]:
        """Store packages, and where to download their files from.

        Args:
            packages: Read as a stream.

        Yields:
            The number of packages of each batch, once it is stored.
        """
        packages = iter(packages)
        while some := list(islice(packages, _BATCH)):
            self._all_new = batch.store(some, self._facts, self._all_new) and self._all_new
            self._has_sidecars |= any(package.record.attestations_sha256 for package in some)
            yield len(some)

    def keep(self, paths: Collection[str]) -> None:
        """Keep packages of the latest version, after all were added, as if they were added again.

        Args:
            paths: Their paths in the channel. Those that the version does not have are ignored.
        """
        if paths:
            self._execute(_KEEP, paths=list(paths))

    def drop_doubles(self) -> list[tuple[str, str]]:
        """Keep one record for each file, after all were added.

        Returns:
            The subdir and the file name of each record that was dropped.
        """
        return self._rows(_DROP_DOUBLES)

    def add_run_exports(self, subdir: str, run_exports: Iterable[tuple[str, str]]) -> None:
        """Store the run_exports of packages that were added, from a file beside the repodata.

        Args:
            run_exports: The file name and the canonical JSON for each package; read as a stream.
                Names of packages that were not added are ignored.
        """
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

    def look_at_names(self, subdir: str, names: Iterable[str]) -> None:
        """Note that all packages of these names were added, for a subdir that was read in part.

        Packages of other names in the subdir were not read, and say nothing about the upstream.
        """
        with connection.cursor() as cursor, cursor.copy("COPY conda_names FROM STDIN") as copy:
            for name in names:
                copy.write_row((subdir, name))

    def absent_files(self) -> list[AbsentFile]:
        """Return the files of added packages that this server does not have, sorted by path."""
        return list(map(AbsentFile._make, self._rows(_ABSENT_FILES)))

    def absent_sidecars(self) -> list[UpstreamPackage]:
        """Return the added packages whose attestations have to be downloaded or checked.

        These are packages whose record names a sidecar that this server does not have. If the
        record of another package names the same sidecar, it is checked again: a sidecar can be
        about one of the two only.
        """
        if not self._has_sidecars:
            return []
        return [
            UpstreamPackage(PackageRecord.from_canonical(subdir, filename, record, in_v3), url)
            for subdir, filename, record, in_v3, url in self._rows(_ABSENT_SIDECARS)
        ]

    def compare(
        self,
        mirror_except: Collection[str] | None,
        no_other_subdirs: bool = False,
        patches: PatchChanges = PatchChanges(),
    ) -> None:
        """Find out what differs between the latest version and what was added.

        Args:
            mirror_except: None to keep packages that were not added. Otherwise they are removed.
                Then this names the subdirs that were not read as a whole: these lose packages only
                of names that were looked at.
            no_other_subdirs: The latest version has packages in no other subdirs than those of
                `mirror_except`. Then nobody needs to look through all of its packages.
            patches: Patches to add and to remove.
        """
        with transaction.atomic():
            self._execute(BY_INDEX)
            self._execute(_COMPARE)
            if mirror_except is not None:
                self._execute(_REMOVE_NAMES)
        if mirror_except is not None and not no_other_subdirs:
            self._execute(_REMOVE_SUBDIRS, kept=list(mirror_except))
        for table, keys in zip(("conda_added", "conda_removed"), patches, strict=True):
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for key in keys:
                    copy.write_row((key,))

    def gone(self) -> list[Gone]:
        """Return what the comparison removes and does not replace, by subdir."""
        if not self._rows("SELECT FROM conda_removed LIMIT 1"):
            return []
        return list(map(Gone._make, self._rows(_GONE)))

    def count_latest(self, subdir: str | None, at_most: int | None) -> int:
        """Count the packages of the latest version, in a subdir or in all, up to a number."""
        ((count,),) = self._rows(_COUNT_LATEST, subdir=subdir, at_most=at_most)
        return count

    def leave_out(self, files: Iterable[AbsentFile]) -> None:
        """Leave the packages of files out of the new version, after `compare`.

        What the latest version has stays: it is the package itself, or the one that it replaces.
        """
        self._execute(_LEAVE_OUT, artifacts=[file.content_artifact for file in files])

    def new_version(
        self,
        is_first_sync: bool = False,
        trust_dates: bool = False,
        prepare: Callable[[RepositoryVersion], None] | None = None,
    ) -> RepositoryVersion | None:
        """Make a version from what was compared, or return None if it would equal the latest one.

        Args:
            is_first_sync, trust_dates: Which dates of the upstream to believe, see
                `IndexedFile.note`.
            prepare: Called with the new version before it is complete.
        """
        if not self._rows(_ANY_CHANGE):
            return None
        with self._repository.new_version() as version:
            change_contents(
                version,
                added="SELECT content FROM conda_added",
                removed="SELECT content FROM conda_removed",
            )
            version.believed_dates = {
                "is_first_sync": is_first_sync,
                "trust_dates": trust_dates,
            }
            if prepare:
                prepare(version)
        return version

    def _execute(self, statements: str, **facts: Any) -> None:
        with connection.cursor() as cursor:
            for statement in statements.split(";"):
                if statement.strip():
                    cursor.execute(statement, {**self._facts, **facts})

    def _rows(self, statement: str, **facts: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**self._facts, **facts})
            return cursor.fetchall()


def _viewable(repository: CondaRepository) -> list[UUID]:
    """Return the keys of the repositories whose files a sync may have without a download.

    These are the repository itself and those that the user of the task may view, if it has one.
    """
    keys = [repository.pk]
    if user := get_current_user():
        of_domain = CondaRepository.objects.filter(pulp_domain=get_domain_pk())
        seen = get_objects_for_user(user, "conda.view_condarepository", of_domain)
        keys += seen.exclude(pk=repository.pk).values_list("pk", flat=True)
    return keys
