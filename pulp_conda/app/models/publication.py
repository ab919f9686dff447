"""The metadata files written for one state of a channel."""

from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django_lifecycle import AFTER_UPDATE, hook

from pulpcore.plugin.models import AutoAddObjPermsMixin, Publication, RepositoryVersion

from pulp_conda.app.errors import ProtectedState
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models.act import is_asked_for, note_act, take_back
from pulp_conda.app.models.virtual import state_of
from pulp_conda.app.versions.state import State
from pulp_conda.app.vocabulary import ActVerb


class CondaPublication(Publication, AutoAddObjPermsMixin):
    """The metadata files of a repository version. Packages are passed through from the version.

    Fields:
        package_counts (dict): The number of packages by subdir; its keys are the subdirs that the
            channel has.
        withheld (list): The sha256 of the packages of the version that it does not list, because
            they were blocked when it was made.
        replaces (Publication): The publication of the same version that it replaces, because
            packages were blocked or are not blocked any more. None for all others.
    """

    TYPE = "conda"

    package_counts = models.JSONField(default=dict)
    withheld = ArrayField(models.CharField(max_length=64), default=list)
    replaces = models.ForeignKey(
        Publication, null=True, on_delete=models.SET_NULL, related_name="replacements"
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_condapublication", "Can manage roles on conda publications"),
        ]

    @hook(AFTER_UPDATE, when="complete", was=False, is_now=True)
    def note_creation(self) -> None:
        note_act(ActVerb.CREATED, self, self.act_name, self.pulp_domain_id)

    @property
    def act_name(self) -> str:
        """What acts call the publication: the names of its repository and of its version."""
        version = version_of(self)
        return f"{version.repository.name}/{version.number}"

    @property
    def act_domain(self) -> UUID:
        """The key of the domain of the publication."""
        return self.pulp_domain_id


def version_of(publication: Publication) -> RepositoryVersion:
    """Return the repository version of a publication, which Django would load with the keys of all
    its content.

    That takes a second and a hundred megabytes for a million packages.
    """
    if not Publication.repository_version.is_cached(publication):
        versions = RepositoryVersion.objects
        publication.repository_version = versions.get(pk=publication.repository_version_id)
    return publication.repository_version


def served_state(publication: Publication) -> State:
    """Return what a publication has the files of, as a state."""
    return state_of(version_of(publication))


@receiver(pre_delete, sender=CondaPublication)
def check_protected(instance: CondaPublication, **kwargs: Any) -> None:
    """Refuse to delete what a stage serves, served within its kept history, or waits for.

    Not a hook of the model, which the deletion of a version passes by: pulpcore asks its own model
        of the repository then.
    This is called in the transaction that deletes, and from here on a move that wants the
    publication has to wait.

    Raises:
        CondaError: `ProtectedState`.
    """
    Publication.objects.select_for_update().filter(pk=instance.pk).first()
    kept = CondaPublication.objects.filter(is_kept("conda_historyentry__"), pk=instance.pk)
    names = kept.values_list(
        "conda_historyentry__lifecycle__name", "conda_historyentry__stage__name"
    ).first()
    if names:
        lifecycle, stage = names
        raise CondaError(ProtectedState(lifecycle=lifecycle, stage=stage))


@receiver(pre_delete, sender=CondaPublication)
def note_deletion(instance: CondaPublication, origin: Any, **kwargs: Any) -> None:
    """Note who deleted a publication, unless its version goes or it never was complete."""
    if instance.complete and is_asked_for(instance, origin):
        note_act(ActVerb.DELETED, instance, instance.act_name, instance.pulp_domain_id)
    else:
        take_back(ActVerb.DELETED, instance)
