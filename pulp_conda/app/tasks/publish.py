"""Write the metadata files of a repository version."""

import logging
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.core.files import File
from django.db.models.functions import Collate

from pulpcore.plugin.models import ProgressReport, PublishedMetadata, RepositoryVersion

from pulp_conda.app.models import CondaPackage, CondaPublication
from pulp_conda.app.serializers import CondaPublicationSerializer
from pulp_conda.channel import layout
from pulp_conda.channel.repodata import RepodataWriter, compress

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
        for subdir, rows in _rows_by_subdir(version):
            counts[subdir] = _write_subdir(publication, subdir, rows, Path(folder))
            progress.increase_by(counts[subdir])
        if layout.NOARCH not in counts:
            # Without noarch/repodata.json a URL is no channel (CEP 26).
            counts[layout.NOARCH] = _write_subdir(publication, layout.NOARCH, (), Path(folder))
        publication.package_counts = counts
    log.info("Published version %s of '%s'", version.number, version.repository.name)
    return CondaPublicationSerializer(publication, context={"request": None}).data


def _rows_by_subdir(version):
    """Yield (subdir, rows) in one pass of a server-side cursor, in an order that no locale changes."""
    rows = (
        version.get_content(CondaPackage.objects)
        .order_by(Collate("subdir", "C"), Collate("name", "C"), Collate("filename", "C"))
        .values_list("subdir", "filename", "record")
    )
    return groupby(rows.iterator(chunk_size=_BATCH), key=lambda row: row[0])


def _write_subdir(publication, subdir, rows, folder):
    """Write and store the files of one subdir. Returns the number of its packages."""
    count = 0
    plain = folder / layout.REPODATA
    with plain.open("wb") as file:
        writer = RepodataWriter(file, subdir)
        for _, filename, record in rows:
            writer.add(filename, record.encode())
            count += 1
        writer.close()
    compressed = folder / layout.REPODATA_ZST
    with plain.open("rb") as source, compressed.open("wb") as target:
        compress(source, target, plain.stat().st_size, settings.CONDA_ZSTD_LEVEL)
    for path in (plain, compressed):
        with path.open("rb") as file:
            PublishedMetadata.create_from_file(
                File(file), publication, relative_path=layout.metadata_path(subdir, path.name)
            )
    return count
