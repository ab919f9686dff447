"""Channels that are served as one: what a virtual channel merges, and what it merged when."""

from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from pulpcore.plugin.models import BaseModel, RepositoryVersion

from pulp_conda.app.errors import UsedByVirtualChannel
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.versions.state import MergedState, Part, State, VersionState
from pulp_conda.channel.ownership import Rules


class MergedChannel(BaseModel):
    """A channel that a virtual channel merges.

    Fields:
        repository (CondaRepository): The virtual channel.
        position (int): Its place in the order, from 0.
        distribution (CondaDistribution): The channel.
        owns (list): Patterns for names that come from this channel alone.
    """

    repository = models.ForeignKey(
        "CondaRepository", on_delete=models.CASCADE, related_name="merged_channels"
    )
    position = models.PositiveSmallIntegerField()
    distribution = models.ForeignKey(
        "CondaDistribution", on_delete=models.PROTECT, related_name="merged_into"
    )
    owns = ArrayField(models.TextField(), default=list)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = (("repository", "position"), ("repository", "distribution"))
        ordering = ("position",)


class MergedVersion(BaseModel):
    """What a version of a virtual channel has from one channel. It is never changed.

    Fields:
        version (RepositoryVersion): That of the virtual channel, which has no content itself.
        position (int): The place of the channel in the order, from 0.
        distribution (CondaDistribution): The channel.
        member (RepositoryVersion): What the channel served, or None if it served nothing.
        owns (list): Patterns for names that come from this channel alone.
        hidden (list): The names that `member` has and the channel does not own.
    """

    version = models.ForeignKey(
        RepositoryVersion, on_delete=models.CASCADE, related_name="merged_versions"
    )
    position = models.PositiveSmallIntegerField()
    distribution = models.ForeignKey(
        "CondaDistribution", on_delete=models.PROTECT, related_name="merged_versions"
    )
    # Not PROTECT, whose error has no code: see `check_not_merged`.
    member = models.ForeignKey(
        RepositoryVersion, null=True, on_delete=models.CASCADE, related_name="merged_by"
    )
    owns = ArrayField(models.TextField(), default=list)
    hidden = ArrayField(models.TextField(), default=list)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("version", "position")
        ordering = ("position",)


class MergedPart(NamedTuple):
    """A version that a virtual channel serves packages from, as serving needs it.

    Attributes:
        place: That of its channel in the order.
        repository_id, number: The version, as `CondaPackage.at_path` takes it.
        hidden: The names that it has and its channel does not own.
        rules: Those of the virtual channel then.
    """

    place: int
    repository_id: UUID
    number: int
    hidden: frozenset[str]
    rules: Rules

    def owns(self, name: str) -> bool:
        """Say whether the packages of a name come from here, if any are here."""
        return name not in self.hidden and self.rules.owner_of(name) in (None, self.place)


# The rows of a version never change.
@lru_cache(maxsize=200)
def parts_of(version: UUID) -> tuple[MergedPart, ...]:
    """Return what a version of a virtual channel serves packages from, in order."""
    rows = list(MergedVersion.objects.filter(version=version))
    rules = Rules([row.owns for row in rows])
    members = RepositoryVersion.objects.in_bulk([row.member_id for row in rows if row.member_id])
    return tuple(
        MergedPart(
            row.position,
            members[row.member_id].repository_id,
            members[row.member_id].number,
            frozenset(row.hidden),
            rules,
        )
        for row in rows
        if row.member_id
    )


def owners_of(version: UUID, filename: str) -> list[MergedPart]:
    """Return what a version of a virtual channel serves a file of a package from, in order, if the
    file is there."""
    name = filename.rsplit("-", 2)[0]
    return [part for part in parts_of(version) if part.owns(name)]


def state_of(version: RepositoryVersion) -> State:
    """Return what a repository version serves: its content, or that of the versions it merges."""
    rows = list(MergedVersion.objects.filter(version=version.pk))
    if not rows:
        return VersionState(version)
    # Without the keys of all their content.
    members = RepositoryVersion.objects.in_bulk([row.member_id for row in rows if row.member_id])
    parts = [Part(members[row.member_id], row.hidden) for row in rows if row.member_id]
    return MergedState(version, parts)


def merging_channel(use: Q) -> str | None:
    """Return the name of a virtual channel for which a condition for `MergedVersion` holds."""
    used = MergedVersion.objects.filter(use)
    return used.values_list("version__repository__name", flat=True).first()


@receiver(pre_delete, sender=RepositoryVersion)
def check_not_merged(instance: RepositoryVersion, **kwargs: object) -> None:
    """Refuse to delete a version from which a virtual channel serves packages.

    Raises:
        CondaError: `UsedByVirtualChannel`.
    """
    if channel := merging_channel(Q(member=instance.pk)):
        name = f"{instance.repository.name}/{instance.number}"
        raise CondaError(UsedByVirtualChannel(name=name, channel=channel))
