"""Write the metadata files of a repository version."""

import logging
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.core.files import File
from django.db.models.functions import Collate

from pulpcore.plugin.models import ProgressReport, PublishedMetadata, RepositoryVersion

from pulp_conda.app.models import CondaPackage, CondaPublication
from pulp_conda.app.serializers import CondaPublicationSerializer
from pulp_conda.app.tasks.shards import ShardStore, remove_unused_shards
from pulp_conda.channel import layout
from pulp_conda.channel.repodata import RepodataWriter, compress
from pulp_conda.channel.shards import encode_index

log = logging.getLogger(__name__)

_BATCH = 2000


def publish(repository_version_pk, checkpoint=False):
    """Write the channel files of a repository version into a new publication.

    The same packages give the same bytes, so that an old version can be published again.
    """
    version = RepositoryVersion.objects.get(pk=repository_version_pk)
    with (
        TemporaryDirectory(dir=".") as folder,
        CondaPublication.create(version, pass_through=True, checkpoint=checkpoint) as publication,
        ProgressReport(message="Publishing packages", code="publish.packages") as progress,
    ):
        counts = {}
        progress.total = version.content.count()

        def write(subdir, rows):
            counts[subdir] = _SubdirWriter(publication, subdir, Path(folder)).write(rows)
            progress.increase_by(counts[subdir])

        for subdir, rows in _rows_by_subdir(version):
            write(subdir, rows)
        if layout.NOARCH not in counts:
            write(layout.NOARCH, ())  # Without noarch/repodata.json a URL is no channel (CEP 26).
        publication.package_counts = counts
    remove_unused_shards()
    log.info("Published version %s of '%s'", version.number, version.repository.name)
    return CondaPublicationSerializer(publication, context={"request": None}).data


def _rows_by_subdir(version):
    """Yield (subdir, rows) in one pass of a server-side cursor, in an order that no locale changes."""
    rows = (
        version.get_content(CondaPackage.objects)
        .order_by(Collate("subdir", "C"), Collate("name", "C"), Collate("filename", "C"))
        .values_list("subdir", "name", "filename", "record", "record_digest")
    )
    return groupby(rows.iterator(chunk_size=_BATCH), key=itemgetter(0))


class _SubdirWriter:
    """Writes and stores the files of one subdir in one pass over its records, so that they cannot disagree."""

    def __init__(self, publication, subdir, folder):
        self._publication = publication
        self._subdir = subdir
        self._folder = folder

    def write(self, rows):
        """Return the number of packages."""
        count = 0
        shards = ShardStore(self._publication)
        plain = self._folder / layout.REPODATA
        with plain.open("wb") as file:
            repodata = RepodataWriter(file, self._subdir)
            for name, of_name in groupby(rows, key=itemgetter(1)):
                records = [row[2:] for row in of_name]
                for filename, record, _ in records:
                    repodata.add(filename, record.encode())
                shards.add(name, records)
                count += len(records)
            repodata.close()
        self._store(plain)
        self._store(self._compress(plain))
        self._store(self._write_index(shards.finish()))
        return count

    def _compress(self, plain):
        compressed = self._folder / layout.REPODATA_ZST
        with plain.open("rb") as source, compressed.open("wb") as target:
            compress(source, target, plain.stat().st_size, settings.CONDA_ZSTD_LEVEL)
        return compressed

    def _write_index(self, digests):
        index = self._folder / layout.SHARD_INDEX
        created_at = self._publication.repository_version.pulp_created
        index.write_bytes(
            encode_index(self._subdir, digests, created_at, settings.CONDA_ZSTD_LEVEL)
        )
        return index

    def _store(self, path):
        relative_path = layout.metadata_path(self._subdir, path.name)
        with path.open("rb") as file:
            PublishedMetadata.create_from_file(
                File(file), self._publication, relative_path=relative_path
            )
