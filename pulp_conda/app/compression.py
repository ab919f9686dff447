"""The zstd levels of published metadata, as the setting `CONDA_ZSTD_LEVEL` says."""

from django.conf import settings

from pulp_conda.channel.metadata.compression import Levels


def levels() -> Levels:
    """Return the level of each kind of file."""
    return Levels.of(settings.CONDA_ZSTD_LEVEL)
