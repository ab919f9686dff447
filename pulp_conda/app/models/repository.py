"""A channel's changing content: all subdirs, changed as one."""

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django_lifecycle import BEFORE_DELETE, hook

from pulpcore.plugin.models import AutoAddObjPermsMixin, Repository
from pulpcore.plugin.repo_version_utils import remove_duplicates

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models.content import CondaPackage
from pulp_conda.app.models.environment import CondaEnvironment
from pulp_conda.app.models.file import IndexedFile
from pulp_conda.app.models.membership import ask_for_existence, remove_replaced
from pulp_conda.app.models.patch import CondaPatch
from pulp_conda.app.models.remote import CondaRemote
from pulp_conda.app.models.retention import is_kept
from pulp_conda.channel import layout
from pulp_conda.channel.errors import (
    DuplicateFilename,
    PackageConflict,
    PatchWithoutPackage,
    UsedByLifecycle,
)


class CondaRepository(Repository, AutoAddObjPermsMixin):
    """A channel with the packages of all its subdirs.

    Fields:
        autopublish (bool): Publish each new version as soon as it is complete.
        channel_relations (dict): The channels that clients shall load with this one, `base` and `overrides` (CEP 42).
        legacy_metadata (bool): Also publish `current_repodata.json` and `repodata.json.bz2`, for clients of old.
        last_sync (dict): What the last sync saw, so that an unchanged upstream costs one request per subdir.
    """

    TYPE = "conda"
    CONTENT_TYPES = [CondaPackage, CondaPatch, CondaEnvironment]
    REMOTE_TYPES = [CondaRemote]

    autopublish = models.BooleanField(default=False)
    channel_relations = models.JSONField(default=dict)
    legacy_metadata = models.BooleanField(default=False)
    last_sync = models.JSONField(default=dict)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("sync_condarepository", "Can start a sync task"),
            ("modify_condarepository", "Can modify content of the repository"),
            ("manage_roles_condarepository", "Can manage roles on conda repositories"),
            ("repair_condarepository", "Can repair repository versions"),
        ]

    @hook(BEFORE_DELETE)
    def check_unused(self):
        """Refuse to delete the repository of a lifecycle or of a stage.

        Raises:
            CondaError: `UsedByLifecycle`.
        """
        names = self.conda_condalifecycle.values_list("name", flat=True)
        of_stages = self.stages.values_list("lifecycle__name", flat=True)
        if name := names.first() or of_stages.first():
            raise CondaError(UsedByLifecycle(name=self.name, lifecycle=name))

    def protected_versions(self):
        """Return the versions that must not go: what distributions serve, and what stages served lately."""
        of_stages = self.versions.filter(is_kept("publication__conda_historyentry__"))
        protected = Q(pk__in=super().protected_versions().values("pk"))
        return self.versions.filter(protected | Q(pk__in=of_stages.values("pk")))

    def check_content_overwrite(self, version, add_content_pks, remove_content_pks=None):
        """Refuse another file under a name that the version has; a new record of the same file is fine.

        Raises:
            CondaError: `PackageConflict`, for the first such package.
        """
        present = version.get_content(CondaPackage.objects).exclude(pk__in=remove_content_pks or [])
        same_name = present.filter(subdir=OuterRef("subdir"), filename=OuterRef("filename"))
        other_bytes = same_name.exclude(sha256=OuterRef("sha256")).values("sha256")
        conflict = (
            CondaPackage.objects.filter(pk__in=add_content_pks)
            .annotate(found=Subquery(other_bytes[:1]))
            .filter(found__isnull=False)
            .first()
        )
        if conflict:
            raise CondaError(
                PackageConflict(
                    path=layout.package_path(conflict.subdir, conflict.filename),
                    repository=self.name,
                    found=conflict.found,
                    sha256=conflict.sha256,
                )
            )

    def finalize_new_version(self, new_version):
        """Keep one record per file name: what was added replaces what was there.

        Raises:
            CondaError: `DuplicateFilename`, when two records for one name were added at once. `PatchWithoutPackage`,
                when a patch was added that names no package of the version.
        """
        if new_version.base_version_id:
            remove_duplicates(new_version)  # Here all that the base has counts as added.
        else:
            remove_replaced(new_version)
            CondaEnvironment.remove_replaced(new_version)
        added = CondaPackage.objects.filter(pk__in=new_version.added())
        twice = (
            added.values("subdir", "filename")
            .annotate(count=Count("pk"))
            .filter(count__gt=1)
            .order_by("subdir", "filename")
            .first()
        )
        if twice:
            raise CondaError(
                DuplicateFilename(
                    path=layout.package_path(twice["subdir"], twice["filename"]),
                    repository=self.name,
                    count=twice["count"],
                )
            )
        if not getattr(new_version, "is_copy", False):
            self._check_patches(new_version)
        IndexedFile.note(new_version, seed=getattr(new_version, "is_first_sync", False))
        ask_for_existence(new_version)

    def _check_patches(self, new_version):
        """Refuse patches that would do nothing; one that has packages for some of its names is fine."""
        # What an upstream removed is mostly not here.
        added = CondaPatch.objects.filter(pk__in=new_version.added()).exclude(author="")
        targets = {patch: patch.as_patches().targets() for patch in added}
        if not targets:
            return
        packages = new_version.get_content(CondaPackage.objects).filter(
            subdir__in={patch.subdir for patch in targets},
            filename__in=set().union(*targets.values()),
        )
        present = set(packages.values_list("subdir", "filename"))
        for patch, filenames in targets.items():
            if not any((patch.subdir, filename) in present for filename in filenames):
                path = layout.package_path(patch.subdir, patch.filenames[0])
                raise CondaError(PatchWithoutPackage(path=path, repository=self.name))

    def on_new_version(self, version):
        super().on_new_version(version)
        if self.autopublish:
            # pulpcore calls the model when a version is done, so the model has to know the task.
            from pulp_conda.app.tasks.publish import publish

            publish(str(version.pk))
