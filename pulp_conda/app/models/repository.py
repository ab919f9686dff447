"""A channel's changing content: all subdirs, changed as one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Count, OuterRef, Q, Subquery
from django_lifecycle import BEFORE_DELETE, hook

from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    CreatedResource,
    Distribution,
    Repository,
    RepositoryVersion,
    Task,
)

from pulp_conda.app.compression import levels
from pulp_conda.app.errors import (
    BlockedPackage,
    DuplicateFilename,
    PackageConflict,
    PatchWithoutPackage,
    TakesNoContent,
    UsedByLifecycle,
    UsedByVirtualChannel,
)
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models.act import Audited, note_act
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.app.models.environment import CondaEnvironment
from pulp_conda.app.models.indexed_file import IndexedFile
from pulp_conda.app.models.package import CondaPackage
from pulp_conda.app.models.patch import CondaPatch
from pulp_conda.app.models.remote import CondaRemote
from pulp_conda.app.models.virtual import merging_channel
from pulp_conda.app.signals import channels_merged, version_made
from pulp_conda.app.versions import membership, overrides
from pulp_conda.app.versions.blocked import names_added, packages_added_by
from pulp_conda.app.versions.state import VersionState
from pulp_conda.app.vocabulary import ActVerb
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.empty import EmptyChannel


class CondaRepository(Audited, Repository, AutoAddObjPermsMixin):
    """A channel with the packages of all its subdirs.

    Fields:
        autopublish (bool): Publish each new version as soon as it is complete.
        channel_relations (dict): The channels that clients shall load with this one, `base` and
            `overrides` (CEP 42).
        convert (bool): Packages that are uploaded as `.tar.bz2` also appear as `.conda`.
        legacy_metadata (bool): Also publish `current_repodata.json` and `repodata.json.bz2`, for
            clients of old.
        subdirs (list): The subdirs that clients find, also as long as they have no packages; None
            for `DEFAULT_SUBDIRS`. Subdirs with packages are always there.
        shards (bool): Publish sharded repodata (CEP 16).
        selection (dict): What a sync takes from the upstream, with what that needs: the fields of
            `CondaSelectionSerializer`. None to take all that the remote takes.
        last_sync (dict): What the last sync saw, so that an unchanged upstream costs one request
            per subdir.
    """

    TYPE = "conda"
    CONTENT_TYPES = [CondaPackage, CondaPatch, CondaEnvironment]
    REMOTE_TYPES = [CondaRemote]
    SET_BY_SERVER = frozenset({"last_sync", "next_version"})

    autopublish = models.BooleanField(default=False)
    channel_relations = models.JSONField(default=dict)
    convert = models.BooleanField(default=False)
    legacy_metadata = models.BooleanField(default=False)
    subdirs = ArrayField(models.TextField(), null=True)
    shards = models.BooleanField(default=True)
    selection = models.JSONField(null=True)
    last_sync = models.JSONField(default=dict)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("sync_condarepository", "Can start a sync task"),
            ("modify_condarepository", "Can modify content of the repository"),
            ("upload_condarepository", "Can add packages to the repository"),
            ("manage_roles_condarepository", "Can manage roles on conda repositories"),
            ("repair_condarepository", "Can repair repository versions"),
            ("read_condarepository", "Can read the channels that serve it and are private"),
        ]

    @hook(BEFORE_DELETE)
    def check_unused(self) -> None:
        """Refuse to delete the repository of a lifecycle or stage, or of a channel that is merged
        by a virtual channel.

        Raises:
            CondaError: `UsedByLifecycle` or `UsedByVirtualChannel`.
        """
        names = self.conda_condalifecycle.values_list("name", flat=True)
        of_stages = self.stages.values_list("lifecycle__name", flat=True)
        if name := names.first() or of_stages.first():
            raise CondaError(UsedByLifecycle(name=self.name, lifecycle=name))
        if name := merging_channel(Q(member__repository=self.pk)):
            raise CondaError(UsedByVirtualChannel(name=self.name, channel=name))

    def as_empty(self, more_subdirs: Collection[str] = ()) -> EmptyChannel:
        """Return what the channel has where it has no packages.

        Args:
            more_subdirs: Subdirs to have besides those of the repository.
        """
        subdirs = layout.DEFAULT_SUBDIRS if self.subdirs is None else self.subdirs
        return EmptyChannel.of(
            {*subdirs, *more_subdirs},
            self.channel_relations,
            has_shards=self.shards,
            has_legacy_files=self.legacy_metadata,
            levels=levels(),
        )

    def protected_versions(self) -> models.QuerySet:
        """Return the versions that must not go: what distributions serve, what stages served
        lately, and what virtual channels merge.
        """
        of_stages = self.staged_versions()
        merged = self.versions.filter(merged_by__isnull=False)
        protected = Q(pk__in=super().protected_versions().values("pk"))
        return self.versions.filter(
            protected | Q(pk__in=of_stages.values("pk")) | Q(pk__in=merged.values("pk"))
        )

    @property
    def is_virtual(self) -> bool:
        """Whether this is a virtual channel: it merges others, and has no content of its own."""
        return self.merged_channels.exists()

    def merge_channels(
        self, channels: Sequence[Mapping[str, Any]], *, is_new: bool = False
    ) -> None:
        """Merge these channels from now on.

        Args:
            channels: In their order: `distribution`, and `owns` as in `MergedChannel`.
            is_new: Whether the repository was made for this.
        """
        with transaction.atomic():
            self.merged_channels.all().delete()
            for position, channel in enumerate(channels):
                self.merged_channels.create(position=position, **channel)
            if not is_new:
                fields = ["merged_channels"]
                note_act(ActVerb.UPDATED, self, self.name, self.pulp_domain_id, fields=fields)
            channels_merged.send(CondaRepository, repository=self)

    def staged_versions(self) -> models.QuerySet:
        """Return the versions that stages serve or served lately."""
        return self.versions.filter(is_kept("publication__conda_historyentry__")).distinct()

    def new_version(self, base_version: RepositoryVersion | None = None) -> RepositoryVersion:
        """Begin a version as pulpcore does, without taking the keys of a million packages through
        Python.

        Raises:
            CondaError: `TakesNoContent`, for a virtual channel.
        """
        if self.is_virtual:
            raise CondaError(TakesNoContent(name=self.name))
        return self._begin_version(base_version)

    @contextmanager
    def new_merged_version(self) -> Iterator[RepositoryVersion]:
        """Make a version of a virtual channel, for the time of a `with` block. It has no content,
        but rows of `MergedVersion`.
        """
        with self._begin_version() as version:
            yield version

    def _begin_version(self, base_version: RepositoryVersion | None = None) -> RepositoryVersion:
        with transaction.atomic():
            latest = self.versions.latest()
            if not latest.complete:
                latest.delete()  # of a task that was killed
            version = membership.begin(self, base_version)
            if Task.current() and not self.user_hidden:
                CreatedResource.objects.create(content_object=version)
            return version

    def initialize_new_version(self, new_version: RepositoryVersion) -> None:
        overrides.change_by_sets(new_version)

    def cleanup_old_versions(self) -> None:
        """Delete versions beyond `retain_repo_versions`, without counting all of what the next ones
        have.
        """
        if self.retain_repo_versions and not self.versions.filter(complete=False).exists():
            versions = self.versions.complete().exclude(pk__in=self.protected_versions())
            for version in versions.order_by("-number")[self.retain_repo_versions :]:
                overrides.delete(version)
        super().cleanup_old_versions()

    def check_content_overwrite(
        self,
        version: RepositoryVersion,
        add_content_pks: Any,
        remove_content_pks: Any = None,
    ) -> None:
        """Refuse another file under a name that the version has; a new record of the same file is
        fine.

        Raises:
            CondaError: `PackageConflict`, for the first such package.
        """
        same_name = (
            VersionState(version)
            .having(CondaPackage.objects.all())
            .filter(
                _pulp_domain=OuterRef("_pulp_domain"),
                subdir=OuterRef("subdir"),
                filename=OuterRef("filename"),
            )
        )
        other_bytes = same_name.exclude(sha256=OuterRef("sha256")).values("sha256")
        if remove_content_pks is not None:
            other_bytes = other_bytes.exclude(pk__in=remove_content_pks)
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

    def finalize_new_version(self, new_version: RepositoryVersion) -> None:
        """Keep one record per file name: what was added replaces what was there.

        Raises:
            CondaError: `DuplicateFilename`, when two records for one name were added at once.
                `PatchWithoutPackage`, when a patch was added that names no package of the version.
                `BlockedPackage`, when a package was added that is blocked.
        """
        membership.remove_replaced(new_version)
        self._check_paths(new_version)
        if not getattr(new_version, "is_copy", False):
            self._check_patches(new_version)
            self._check_blocks(new_version)
        IndexedFile.note(new_version, **getattr(new_version, "believed_dates", {}))
        overrides.finish_by_changes(new_version)
        if new_version.merged_versions.exists():
            overrides.finish_as_changed(new_version)

    def _check_paths(self, new_version: RepositoryVersion) -> None:
        """Refuse two records for one file name; those that were there before were replaced."""
        if not membership.is_new_path_twice(new_version):
            return
        added = CondaPackage.objects.filter(pk__in=new_version.added())
        paths = added.values("subdir", "filename").annotate(count=Count("pk"))
        twice = paths.filter(count__gt=1).order_by("subdir", "filename").first()
        if twice:
            raise CondaError(
                DuplicateFilename(
                    path=layout.package_path(twice["subdir"], twice["filename"]),
                    repository=self.name,
                    count=twice["count"],
                )
            )

    def _check_patches(self, new_version: RepositoryVersion) -> None:
        """Refuse patches that would do nothing; one that has packages for some of its names is
        fine.
        """
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

    def _check_blocks(self, new_version: RepositoryVersion) -> None:
        """Refuse new packages that are blocked.

        Packages of the version before stay: a block removes nothing, and publications leave them
        out.
        """
        blocklist = current_blocklist()
        if not blocklist:
            return
        names = set(blocklist.exact_names)
        if blocklist.has_patterns:
            names.update(filter(blocklist.may_match, names_added(new_version)))
        for package in packages_added_by(new_version, blocklist.digests, names):
            if (reason := blocklist.reason_against(package)) is not None:
                raise CondaError(BlockedPackage(path=package.path, reason=reason.rstrip(".")))

    def on_new_version(self, version: RepositoryVersion) -> None:
        super().on_new_version(version)
        version_made.send(CondaRepository, repository=self, version=version)


def source_of(distribution: Distribution) -> CondaRepository | None:
    """Return the repository whose content a distribution serves, or None."""
    repositories = CondaRepository.objects.all()
    if stage := getattr(distribution, "stage", None):
        return stage.lifecycle.repository
    if distribution.publication_id:
        repositories = repositories.filter(versions__publication=distribution.publication_id)
    elif distribution.repository_version_id:
        repositories = repositories.filter(versions=distribution.repository_version_id)
    else:
        repositories = repositories.filter(pk=distribution.repository_id)
    return repositories.first()
