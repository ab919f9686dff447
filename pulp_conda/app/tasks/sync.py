"""Synchronize a repository with an upstream channel."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from pulp_conda.app.attestations import remove_unused_sidecars
from pulp_conda.app.disk import disk_errors
from pulp_conda.app.downloads import check_online
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.moves import follow
from pulp_conda.app.models import CondaPublication, CondaRemote, CondaRepository
from pulp_conda.app.monitoring.syncs import note_failed_sync
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.refreshing.schedules import note_checked
from pulp_conda.app.refreshing.turns import problem_of
from pulp_conda.app.results import named_version
from pulp_conda.app.sync.channel import sync_channel
from pulp_conda.channel.errors import ChannelError

log = logging.getLogger(__name__)


@disk_errors()
def synchronize(
    remote_pk: str,
    repository_pk: str,
    mirror: bool = False,
    optimize: bool = True,
    allow_mass_removal: bool = False,
) -> dict[str, Any] | None:
    """Make a new version from what the upstream has now, and publish it.

    Args:
        mirror: Also remove the packages that the upstream does not have any more.
        optimize: Download only what changed since the last sync.
        allow_mass_removal: Also remove a large part of the channel at once.

    Returns:
        Where the new version is, or None if nothing changed.

    Raises:
        CondaError: the upstream is wrong, or the repository does not allow the new version. What
            was served before is still served.
    """
    remote = CondaRemote.objects.get(pk=remote_pk)
    repository = CondaRepository.objects.get(pk=repository_pk)
    began = timezone.now()
    is_own = repository.remote_id == remote.pk
    try:
        with naming(remote):
            check_online()
            version = sync_channel(remote, repository, mirror, optimize, allow_mass_removal)
        _publish_if_missing(repository)
    except Exception as error:
        if is_own:
            note_failed_sync(repository_pk, problem_of(error))
        raise
    if is_own:
        note_checked(repository_pk, began)
    remove_unused_sidecars()
    if version is None:
        log.info("Synced '%s' from '%s': nothing changed", repository.name, remote.name)
        return None
    log.info("Synced '%s' from '%s': version %s", repository.name, remote.name, version.number)
    result = named_version(version)
    if repository.selection:
        repository.refresh_from_db(fields=["last_sync"])
        result["selection"] = repository.last_sync["selected"]["report"]
    return result


@contextmanager
def naming(remote: CondaRemote) -> Iterator[None]:
    """Let errors say at which remote they happened."""
    try:
        yield
    except ChannelError as error:
        raise CondaError(_at(remote, error)) from None
    except CondaError as refused:
        raise CondaError(_at(remote, refused.error)) from None


def _at(remote: CondaRemote, error: ChannelError) -> ChannelError:
    place = f", {error.where}" if error.where else ""
    return error.at(f"Remote '{remote.name}'{place}")


def _publish_if_missing(repository: CondaRepository) -> None:
    """Publish the latest version, if a task was killed between making it and publishing it."""
    latest = repository.latest_version()
    published = CondaPublication.objects.filter(repository_version=latest, complete=True).last()
    if published:
        # The killed task may have published the version, but not moved the first stages.
        follow(published)
    elif repository.autopublish and latest.number > 0:
        publish_version(latest)
