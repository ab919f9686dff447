"""Serve several channels as one: follow what each of them serves."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from pulpcore.plugin.models import RepositoryVersion, Task
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_prn

from pulp_conda.app.errors import NotMerged
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import (
    CondaDistribution,
    CondaRepository,
    MergedChannel,
    MergedVersion,
    PublicationLayout,
)
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.monitoring.syncs import note_failed_sync, note_good_merge
from pulp_conda.app.publishing.base import Doubt
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.publishing.merged import Member, member_of, not_merged
from pulp_conda.app.refreshing.turns import problem_of
from pulp_conda.app.results import checked
from pulp_conda.app.versions.blocked import blocked_packages
from pulp_conda.app.versions.published import newest_publication
from pulp_conda.app.vocabulary import VersionOutcome
from pulp_conda.channel.ownership import Rules, hidden_names


def dispatch_merges(channels: Q) -> None:
    """Dispatch a task for each virtual channel that merges certain channels, when the transaction
    is over.

    Args:
        channels: A condition for `MergedChannel`.
    """
    repositories = CondaRepository.objects.filter(
        pk__in=MergedChannel.objects.filter(channels).values("repository")
    )
    for repository in repositories:
        transaction.on_commit(partial(_dispatch, repository))


def _dispatch(repository: CondaRepository) -> None:
    # One that waits will see what was committed before it begins.
    waiting = Task.objects.filter(
        name=f"{merge.__module__}.{merge.__name__}",
        state="waiting",
        reserved_resources_record__contains=[get_prn(repository)],
    )
    if not waiting.exists():
        dispatch(
            merge,
            exclusive_resources=[repository],
            kwargs={"repository_pk": str(repository.pk)},
        )


def merge(repository_pk: str) -> dict[str, Any]:
    """Let a virtual channel serve what its channels serve now.

    Returns:
        `version`, the number of what it serves, and `outcome`: whether that is a new version.

    Raises:
        CondaError: `NotMerged`, if one of the channels cannot be merged. Then it stays as it was.
    """
    repository = CondaRepository.objects.filter(pk=repository_pk).first()
    channels = list(repository.merged_channels.select_related("distribution")) if repository else []
    if repository is None or not channels:
        # It is deleted by now.
        return checked({"outcome": VersionOutcome.UNCHANGED, "version": None})
    try:
        report = _merge(repository, channels)
    except Exception as error:
        note_failed_sync(repository.pk, problem_of(error))
        raise
    note_good_merge(repository.pk)
    return report


def _merge(repository: CondaRepository, channels: list[MergedChannel]) -> dict[str, Any]:
    """Merge channels, and return the report of `merge`."""
    serves = [_served_version(channel.distribution) for channel in channels]
    latest = repository.latest_version()
    now = [
        (channel.distribution_id, version and version.pk, channel.owns)
        for channel, version in zip(channels, serves, strict=True)
    ]
    before = latest.merged_versions.values_list("distribution", "member", "owns")
    if now == list(before):
        outcome = _publish_changed(latest)
        return checked({"outcome": outcome, "version": latest.number})
    members: list[Member | None] = []
    try:
        for channel, version in zip(channels, serves, strict=True):
            members.append(version and _member(repository, channel, version))
        hidden = _hidden(repository, channels, members)
    finally:
        for member in members:
            if member:
                member.base.close()
    with repository.new_merged_version() as new:
        MergedVersion.objects.bulk_create(
            MergedVersion(
                version=new,
                position=channel.position,
                distribution=channel.distribution,
                member=version,
                owns=channel.owns,
                hidden=sorted(names),
            )
            for channel, version, names in zip(channels, serves, hidden, strict=True)
        )
        return checked({"outcome": VersionOutcome.MADE, "version": new.number})


def _served_version(distribution: CondaDistribution) -> RepositoryVersion | None:
    """Return the version that a channel serves, or None."""
    publication: UUID | None
    if distribution.publication_id:
        publication = distribution.publication_id
    elif distribution.repository_version_id:
        publication = newest_publication("pulp_id", distribution.repository_version_id)
    else:
        publication = distribution.repository_id and newest_publication(
            "repository_id", distribution.repository_id
        )
    if publication is None:
        return None
    return RepositoryVersion.objects.filter(publication=publication).first()


def _member(
    repository: CondaRepository, channel: MergedChannel, version: RepositoryVersion
) -> Member:
    name = channel.distribution.name
    if version.merged_versions.exists():
        raise CondaError(
            NotMerged(
                channel=repository.name,
                member=name,
                reason="it is a virtual channel itself",
                advice="Merge the channels that it merges instead of it",
            )
        )
    try:
        return member_of(version)
    except Doubt as doubt:
        raise CondaError(not_merged(repository.name, name, doubt)) from doubt


def _hidden(
    repository: CondaRepository, channels: list[MergedChannel], members: list[Member | None]
) -> list[set[str]]:
    """Return which of its names each channel does not own."""
    names = []
    for channel, member in zip(channels, members, strict=True):
        try:
            names.append(member.names() if member else set())
        except Doubt as doubt:
            raise CondaError(
                not_merged(repository.name, channel.distribution.name, doubt)
            ) from doubt
    return hidden_names(names, Rules([channel.owns for channel in channels]))


def _publish_changed(version: RepositoryVersion) -> VersionOutcome:
    """Publish a version again if it is not published, or if what it merges was published again."""
    newest = newest_publication("pulp_id", version.pk)
    found = PublicationLayout.objects.select_related("publication").filter(publication=newest)
    layout = found.first()
    if layout is None:
        publish_version(version)
        return VersionOutcome.UNCHANGED
    members = version.merged_versions.exclude(member=None).values_list("member", flat=True)
    merged = [str(newest_publication("pulp_id", member)) for member in members]
    if layout.facts["merged"] != merged:
        old = layout.publication
        blocked = {package.sha256 for package in blocked_packages(served_state(old))}
        is_because_of_blocks = blocked != set(old.withheld)
        publish_version(version, replaces=old if is_because_of_blocks else None)
    return VersionOutcome.UNCHANGED
