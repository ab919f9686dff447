"""Keep an upstream's channeldata.json, for the packages that this server has not read."""

from django.conf import settings
from django.db import transaction

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.models import CondaPackage, UpstreamSummary
from pulp_conda.app.sync.upstream import FetchedFile
from pulp_conda.channel.metadata.channeldata import read_channeldata


def keep_summaries(version: RepositoryVersion, file: FetchedFile) -> None:
    """Store the entries for package names of a new version, where they are new or have changed.

    If it raises an error, those of the last sync stay.

    Args:
        file: The upstream's channeldata.json.

    Raises:
        ChannelError: the file is broken or too large.
    """
    summaries = UpstreamSummary.objects.filter(repository=version.repository_id)
    newest = summaries.order_by("name", "-since").distinct("name")
    before = dict(newest.values_list("name", "summary"))
    packages = version.get_content(CondaPackage.objects)
    names = set(packages.values_list("name", flat=True).distinct())
    with open(file.path, "rb") as opened, transaction.atomic():
        entries = read_channeldata(opened, url=file.url, max_size=settings.CONDA_MAX_REPODATA_SIZE)
        changed = (
            UpstreamSummary(
                repository_id=version.repository_id,
                name=name,
                since=version.number,
                summary=summary,
            )
            for name, summary in entries
            if name in names and before.get(name) != summary
        )
        UpstreamSummary.objects.bulk_create(changed, batch_size=1000, ignore_conflicts=True)
