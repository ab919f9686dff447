"""Versions of a stage's own: what it serves, with single packages on top."""

from django.db import connection

from pulp_conda.app.models.repository import CondaRepository
from pulp_conda.app.versions.membership import become

# What the channel says of files and names goes along: a promotion makes no file younger (CEP 47).
_COPY_INDEXED = """
INSERT INTO conda_indexedfile (repository_id, sha256, indexed_timestamp)
SELECT %(own)s, sha256, indexed_timestamp FROM conda_indexedfile WHERE repository_id = %(channel)s
ON CONFLICT DO NOTHING
"""
_COPY_SUMMARIES = """
INSERT INTO conda_upstreamsummary (repository_id, name, since, summary)
SELECT DISTINCT ON (name) %(own)s, name, %(number)s, summary
FROM conda_upstreamsummary WHERE repository_id = %(channel)s
ORDER BY name, since DESC
ON CONFLICT DO NOTHING
"""


def make_version(stage, base, packages, replaced):
    """Return a version of the stage's own repository that is another one with packages on top.

    Args:
        base (RepositoryVersion): What the stage serves.
        packages: Keys of the packages to add.
        replaced: Keys of those of the base whose paths they have.
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
        # Its patches were checked where they were added.
        version.is_copy = True
        become(version, base, added=packages, removed=replaced)
    # The same packages as before make no new version.
    return repository.latest_version()


def _repository_of(stage):
    """Return the repository for versions of a stage's own, and make it if it is not there."""
    channel = stage.lifecycle.repository
    settings = {
        "channel_relations": channel.channel_relations,
        "legacy_metadata": channel.legacy_metadata,
    }
    if stage.repository is None:
        stage.repository = CondaRepository.objects.create(
            name=f"{stage.lifecycle.name}-{stage.name}-{stage.pk.hex[-8:]}",
            description=(
                f"What stage '{stage.name}' of lifecycle '{stage.lifecycle.name}' served, with single packages on top."
            ),
            pulp_domain=channel.pulp_domain,
            # Besides those that the history keeps: a new one, and one that stays if that has to go.
            retain_repo_versions=2,
            **settings,
        )
        stage.save()
    elif any(getattr(stage.repository, field) != value for field, value in settings.items()):
        for field, value in settings.items():
            setattr(stage.repository, field, value)
        stage.repository.save()
    return stage.repository
