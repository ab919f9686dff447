"""Write the metadata files of a channel: a publication of a repository version."""

import logging
from contextlib import contextmanager
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from django.db import connection, transaction
from django.utils import timezone

from pulpcore.plugin.models import ProgressReport, RepositoryVersion

from pulp_conda.app.heap import frozen_heap
from pulp_conda.app.models import (
    CondaPackageInfo,
    CondaPatch,
    CondaPublication,
    CondaRepository,
)
from pulp_conda.app.publishing.shards import remove_unused_shards
from pulp_conda.app.publishing.subdir import Row, SubdirWriter, store
from pulp_conda.app.signals import publication_made
from pulp_conda.app.versions.sql import keys_of
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.channeldata import Channeldata
from pulp_conda.channel.metadata.patches import Patches

log = logging.getLogger(__name__)

_BATCH = 2000

# The planner takes the array of a version for a short one, and would look each of its members up in every table.
_MEMBERS = f"""
CREATE TEMP TABLE conda_member AS {keys_of()};
ANALYZE conda_member
"""

# What became known after the version was made is for the next one: a version gives the same files each time.
_ROWS = """
SELECT package.subdir, package.name, package.filename, package.record, package.in_v3, package.version,
    package.build_number, package.timestamp, package.sha256, info.run_exports,
    CASE WHEN package.indexed_timestamp IS NULL THEN indexed.indexed_timestamp END
FROM conda_member
    JOIN conda_condapackage AS package ON package.content_ptr_id = content
    LEFT JOIN conda_indexedfile AS indexed ON indexed.repository_id = %(repository)s
        AND indexed.sha256 = package.sha256
    LEFT JOIN conda_condapackageinfo AS info ON info.pulp_domain_id = package._pulp_domain_id
        AND info.sha256 = package.sha256 AND info.run_exports_known_at <= %(made)s
ORDER BY package.subdir COLLATE "C", package.name COLLATE "C", package.filename COLLATE "C"
"""

# Looked up one by one, so that no statistics lead to another way: hundreds of keys compared with each of a million rows.
_INFOS = """
SELECT info.* FROM unnest(%(digests)s::text[]) AS digest CROSS JOIN LATERAL (
    SELECT pulp_id, sha256, about, traits, read_at FROM conda_condapackageinfo
    WHERE pulp_domain_id = %(domain)s AND sha256 = digest OFFSET 0
) AS info
WHERE info.read_at <= %(made)s
"""
_SUMMARIES = """
SELECT summary.* FROM unnest(%(names)s::text[]) AS wanted CROSS JOIN LATERAL (
    SELECT name, summary FROM conda_upstreamsummary
    WHERE repository_id = %(repository)s AND name = wanted AND since <= %(number)s
    ORDER BY since DESC LIMIT 1
) AS summary
"""


def publish_version(version: RepositoryVersion, checkpoint: bool = False) -> CondaPublication:
    """Write the channel files of a repository version into a new publication, and return it.

    The same packages give the same bytes, so that an old version can be published again.
    """
    with (
        frozen_heap(),
        # With its whole path, by which Pulp sees that it may move the files into its storage.
        TemporaryDirectory(dir=Path.cwd()) as folder,
        CondaPublication.create(version, pass_through=True, checkpoint=checkpoint) as publication,
        ProgressReport(message="Publishing packages", code="publish.packages") as progress,
    ):
        channel = _ChannelWriter(publication, Path(folder))
        progress.total = version.count(content_type="conda.package")
        with _rows(version) as rows:
            for subdir, of_subdir in groupby(rows, key=attrgetter("subdir")):
                channel.write_subdir(subdir, of_subdir)
        channel.finish(progress)
    publication_made.send(CondaPublication, publication=publication)
    remove_unused_shards()
    log.info("Published version %s of '%s'", version.number, version.repository.name)
    return publication


@contextmanager
def _rows(version):
    """Give all rows in one pass of a server-side cursor, in an order that no locale changes."""
    facts = {
        "version": version.pk,
        "repository": version.repository_id,
        "made": version.pulp_created,
    }
    # In a transaction, since PostgreSQL would write all rows to a file for a cursor that outlives it.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MEMBERS, facts)
        with connection.chunked_cursor() as rows:
            rows.execute(_ROWS, facts)
            batches = iter(lambda: rows.fetchmany(_BATCH), [])
            yield map(Row._make, chain.from_iterable(batches))
        cursor.execute("DROP TABLE conda_member")


class _ChannelWriter:
    """Writes and stores the files of a channel."""

    def __init__(self, publication, folder):
        self._publication = publication
        self._version = publication.repository_version
        self._repository = CondaRepository.objects.get(pk=self._version.repository_id)
        self._folder = folder
        self._patches = CondaPatch.active(self._version, timezone.now())
        self._channeldata = Channeldata()
        self._counts = publication.package_counts = {}
        self._written = []

    def write_subdir(self, subdir, rows):
        """Write the files of a subdir, to be stored when all rows are read."""
        folder = self._folder / subdir
        folder.mkdir()
        patches = self._patches.get(subdir, Patches())
        writer = SubdirWriter(
            self._publication, self._repository, subdir, folder, patches, self._channeldata
        )
        self._counts[subdir] = writer.write(rows)
        self._written.append(writer)

    def finish(self, progress):
        """Write what is left: the subdirs without packages, and what the subdirs have together. Store all files."""
        for subdir in sorted(self._empty_subdirs() - self._counts.keys()):
            self.write_subdir(subdir, ())
        for writer in self._written:
            writer.store()
            progress.increase_by(writer.count)
        path = self._folder / layout.CHANNELDATA
        files = self._channeldata.files()
        names = sorted(files)
        with path.open("wb") as file:
            self._channeldata.write(
                file,
                _Lookup([files[name] for name in names], self._infos),
                _Lookup(names, self._summaries),
            )
        store(self._publication, path, layout.CHANNELDATA)

    def _empty_subdirs(self):
        """Subdirs that clients know: without noarch/repodata.json a URL is no channel (CEP 26), and a client that once
        finds no shards does not look for them again.
        """
        before = CondaPublication.objects.filter(
            repository_version__repository=self._repository,
            repository_version__number__lt=self._version.number,
            complete=True,
        )
        newest = before.order_by("-repository_version__number", "-pulp_created").first()
        return {layout.NOARCH, *(newest.package_counts if newest else ())}

    def _infos(self, digests):
        facts = {
            "digests": list(digests),
            "domain": self._publication.pulp_domain_id,
            "made": self._version.pulp_created,
        }
        return {info.sha256: info for info in CondaPackageInfo.objects.raw(_INFOS, facts)}

    def _summaries(self, names):
        facts = {
            "names": list(names),
            "repository": self._repository.pk,
            "number": self._version.number,
        }
        with connection.cursor() as cursor:
            cursor.execute(_SUMMARIES, facts)
            return {name: orjson.loads(summary) for name, summary in cursor}


class _Lookup:
    """Rows by a key, loaded some hundred at a time for somebody who asks for them in the order of the keys."""

    def __init__(self, keys, load):
        self._keys = iter(keys)
        self._load = load
        self._asked = set()
        self._rows = {}

    def get(self, key):
        if key not in self._asked:
            self._asked = set(islice(self._keys, 500))
            self._rows = self._load(self._asked)
        return self._rows.get(key)
