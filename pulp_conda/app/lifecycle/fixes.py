"""Versions that only one stage serves: what it serves now, with single packages on top."""

from uuid import UUID

from django.db import connection

from pulpcore.plugin.models import RepositoryVersion

from pulp_conda.app.models import CondaStage
from pulp_conda.app.models.repository import CondaRepository
from pulp_conda.app.versions.membership import become

# The stage's own repository gets what the channel knows about files and names: a promotion does not
# change when a file was first offered (CEP 47), nor how old it is.
_COPY_INDEXED = """
INSERT INTO conda_indexedfile
    (repository_id, sha256, indexed_timestamp, seen_timestamp, believed_timestamp)
SELECT %(own)s, sha256, indexed_timestamp, seen_timestamp, believed_timestamp
FROM conda_indexedfile WHERE repository_id = %(channel)s
ON CONFLICT DO NOTHING
"""
_COPY_SUMMARIES = """
INSERT INTO conda_upstreamsummary (repository_id, name, since, summary)
SELECT DISTINCT ON (name) %(own)s, name, %(number)s, summary
FROM conda_upstreamsummary WHERE repository_id = %(channel)s
ORDER BY name, since DESC
ON CONFLICT DO NOTHING
"""


def make_version(
    stage: CondaStage, base: RepositoryVersion, packages: list[UUID], replaced: list[UUID]
) -> RepositoryVersion:
    """Return a version of the stage's own repository that is another version plus packages.

    Args:
        base: The version that the stage serves.
        packages: The keys of the packages to add.
        replaced: The keys of those packages of the base that have the same paths.
    """
    repository = _repository_of(stage)
    latest = repository.latest_version()
    facts = {
        "own": repository.pk,
        "channel": stage.lifecycle.repository_id,
        "number": latest.number + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COPY_INDEXED, facts)
        cursor.execute(_COPY_SUMMARIES, facts)
    with repository.new_version() as version:
        # The patches were checked when they were added to the channel.
        version.is_copy = True
        become(version, base, added=packages, removed=replaced)
    # With the same packages as the latest version, pulpcore makes no new version.
    return repository.latest_version()


def _repository_of(stage: CondaStage) -> CondaRepository:
    """Return the repository with the stage's own versions. Create it if there is none yet."""
    channel = stage.lifecycle.repository
    settings = {
        "channel_relations": channel.channel_relations,
        "legacy_metadata": channel.legacy_metadata,
        "subdirs": channel.subdirs,
        "shards": channel.shards,
    }
    if stage.repository is None:
        stage.repository = CondaRepository.objects.create(
            name=f"{stage.lifecycle.name}-{stage.name}-{stage.pk.hex[-8:]}",
            description=(
                f"What stage '{stage.name}' of lifecycle '{stage.lifecycle.name}' served, "
                "with single packages on top."
            ),
            pulp_domain=channel.pulp_domain,
            # Besides the versions that the history keeps: the new one, and one that stays if a gate
            # blocks the new one and it is deleted.
            retain_repo_versions=2,
            **settings,
        )
        stage.save()
    elif any(getattr(stage.repository, field) != value for field, value in settings.items()):
        for field, value in settings.items():
            setattr(stage.repository, field, value)
        stage.repository.save()
    return stage.repository
