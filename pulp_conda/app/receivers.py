"""What follows when a channel changed. Imported when Pulp is ready, see `pulp_conda.app`."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Q
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver

from pulpcore.plugin.models import RepositoryVersion, TaskSchedule
from pulpcore.plugin.models.role import GroupRole, UserRole

from pulp_conda.app.errors import ExportWithoutShards, NothingToExport
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.moves import follow
from pulp_conda.app.models import (
    CondaDistribution,
    CondaPublication,
    CondaPublisher,
    CondaRefresh,
    CondaRepository,
    CondaRobot,
    PublishedShard,
)
from pulp_conda.app.models.act import Contribution, acting_as, is_asked_for, note_act, note_role
from pulp_conda.app.models.publication import version_of
from pulp_conda.app.monitoring.sizes import measure
from pulp_conda.app.oidc.publishers import forbid
from pulp_conda.app.publishing.channel import publish_version
from pulp_conda.app.signals import channel_moved, channels_merged, publication_made, version_made
from pulp_conda.app.tasks.merge import dispatch_merges
from pulp_conda.app.vocabulary import ActVerb


@receiver(version_made, sender=CondaRepository)
def publish_new_version(
    repository: CondaRepository, version: RepositoryVersion, **kwargs: Any
) -> None:
    """Publish a new version, if the repository or who makes the version wants it, or if it is one
    of a virtual channel.

    The version is not complete yet: if it cannot be published, there is none.
    """
    is_merged = version.merged_versions.exists()
    if repository.autopublish or is_merged or getattr(version, "published_at_once", False):
        publish_version(version)


@receiver(publication_made, sender=CondaPublication)
def follow_new_publication(publication: CondaPublication, **kwargs: Any) -> None:
    """Let the first stages of the repository serve a new publication."""
    follow(publication)


@receiver(publication_made, sender=CondaPublication)
def measure_publication(publication: CondaPublication, **kwargs: Any) -> None:
    """Note how large the channel is now."""
    measure(version_of(publication))


@receiver(publication_made, sender=CondaPublication)
def merge_new_publication(publication: CondaPublication, **kwargs: Any) -> None:
    """Let virtual channels serve what one of their channels serves now."""
    version = publication.repository_version_id
    dispatch_merges(
        Q(distribution__repository__versions=version) | Q(distribution__repository_version=version)
    )


@receiver(post_delete, sender=CondaPublication)
def merge_after_deletion(instance: CondaPublication, **kwargs: Any) -> None:
    """Let virtual channels serve what one of their channels serves without a publication."""
    merge_new_publication(instance)


@receiver(channel_moved, sender=CondaDistribution)
def merge_moved_channel(distribution: CondaDistribution, **kwargs: Any) -> None:
    """Let virtual channels serve what one of their channels serves now."""
    dispatch_merges(Q(distribution=distribution.pk))


@receiver(channels_merged, sender=CondaRepository)
def merge_channels(repository: CondaRepository, **kwargs: Any) -> None:
    """Let a virtual channel serve the channels that it merges now."""
    dispatch_merges(Q(repository=repository.pk))


@receiver(post_save, sender=RepositoryVersion)
def note_new_version(instance: RepositoryVersion, **kwargs: Any) -> None:
    """Note who made a version, in the transaction that makes it complete."""
    if not (instance.complete and instance.number and instance.has_changed("complete")):
        return
    contributions: list[Contribution] | None = getattr(instance, "contributions", None)
    if contributions is None:
        _note_about_version(ActVerb.CHANGED_CONTENT, instance)
    for user, details in contributions or ():
        with acting_as(user):
            _note_about_version(ActVerb.CHANGED_CONTENT, instance, **details)


@receiver(pre_delete, sender=RepositoryVersion)
def note_deleted_version(instance: RepositoryVersion, origin: Any, **kwargs: Any) -> None:
    """Note who deleted a version, unless its repository goes or it never was complete."""
    if instance.complete and is_asked_for(instance, origin):
        _note_about_version(ActVerb.DELETED_VERSION, instance)


def _note_about_version(verb: ActVerb, version: RepositoryVersion, **details: Any) -> None:
    if repository := CondaRepository.objects.filter(pk=version.repository_id).first():
        domain = repository.pulp_domain_id
        note_act(verb, repository, repository.name, domain, version=version.number, **details)


@receiver(pre_save, sender="core.ExportedResource")
def refuse_export_in_part(instance: Any, **kwargs: Any) -> None:
    """Stop an exporter of Pulp that would write a channel without its packages or shards."""
    exported = instance.content_object
    version = version_of(exported) if isinstance(exported, CondaPublication) else exported
    if isinstance(version, RepositoryVersion) and version.merged_versions.exists():
        raise CondaError(NothingToExport(name=version.repository.name))
    if isinstance(exported, CondaPublication):
        if count := PublishedShard.objects.filter(publication=exported).count():
            raise CondaError(ExportWithoutShards(count=count))


@receiver(post_save, sender=UserRole)
@receiver(post_save, sender=GroupRole)
def note_granted_role(instance: UserRole | GroupRole, created: bool, **kwargs: Any) -> None:
    """Note who gave a role for an object of the plugin, or a role of the plugin for a domain."""
    # Who publishes owns the publication, which goes without saying.
    if created and not isinstance(instance.content_object, CondaPublication):
        note_role(ActVerb.GRANTED, instance)


@receiver(post_delete, sender=UserRole)
@receiver(post_delete, sender=GroupRole)
def note_revoked_role(instance: UserRole | GroupRole, origin: Any, **kwargs: Any) -> None:
    """Note who took a role away, unless it goes with its object or user."""
    if is_asked_for(instance, origin):
        note_role(ActVerb.REVOKED, instance)


@receiver(post_delete, sender=CondaPublisher)
def forbid_deleted_publisher(instance: CondaPublisher, **kwargs: Any) -> None:
    """Take from a publisher what it may do, also when it goes with its channel."""
    forbid(instance)


@receiver(post_delete, sender=CondaRefresh)
def end_schedule(instance: CondaRefresh, **kwargs: Any) -> None:
    """Delete the schedule of a refresh, also when that goes with its repository."""
    TaskSchedule.objects.filter(pk=instance.schedule_id).delete()


@receiver(pre_save, sender=get_user_model())
def keep_robot_without_password(instance: AbstractBaseUser, **kwargs: Any) -> None:
    """Take the password away that an administrator gives to the user of a robot."""
    if instance.pk and instance.has_usable_password():
        if CondaRobot.objects.filter(user=instance.pk).exists():
            instance.set_unusable_password()
