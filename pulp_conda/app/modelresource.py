"""What Pulp exports of a channel, and imports on another server."""

from functools import cached_property
from typing import Any

from django.db.models import DateTimeField, Field, ForeignKey, Model, QuerySet
from import_export.widgets import Widget

from pulpcore.plugin.importexport import BaseContentResource, QueryModelResource
from pulpcore.plugin.modelresources import RepositoryResource
from pulpcore.plugin.models import Task
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import (
    CondaEnvironment,
    CondaPackage,
    CondaPackageInfo,
    CondaPatch,
    CondaRepository,
    CondaSidecar,
    IndexedFile,
)
from pulp_conda.channel.records import PackageRecord

# The place of the name of the repository among the arguments of
# `pulpcore.app.tasks.importer.import_repository_version`.
_DESTINATION = 3


class _AsIs(Widget):
    """Leaves a value as JSON has it.

    Other widgets break lists whose texts contain commas, empty objects, and the difference between
    null and an empty text.
    """

    def render(self, value: Any, obj: Model | None = None, **kwargs: Any) -> Any:
        return value


class _Resource(QueryModelResource):
    @classmethod
    def widget_from_django_field(cls, field: Field, default: type[Widget] = Widget) -> Any:
        if isinstance(field, ForeignKey | DateTimeField):
            return super().widget_from_django_field(field, default)
        return _AsIs


class _ContentResource(_Resource, BaseContentResource):
    def set_up_queryset(self) -> QuerySet:
        return self.repo_version.get_content(self._meta.model.objects)


class CondaPackageResource(_ContentResource):
    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        """Compute all columns from the record, as an upload and a sync do."""
        super().before_import_row(row, **kwargs)
        record = PackageRecord.from_canonical(
            row["subdir"], row["filename"], row["record"], row["in_v3"]
        )
        row.update(CondaPackage.columns(record))

    class Meta:
        model = CondaPackage
        import_id_fields = model.natural_key_fields()


class CondaPatchResource(_ContentResource):
    class Meta:
        model = CondaPatch
        import_id_fields = model.natural_key_fields()


class CondaEnvironmentResource(_ContentResource):
    class Meta:
        model = CondaEnvironment
        import_id_fields = model.natural_key_fields()


class CondaPackageInfoResource(_Resource):
    """What is known about the files of a version. Without it, their run_exports would be lost."""

    def set_up_queryset(self) -> QuerySet:
        packages = self.repo_version.get_content(CondaPackage.objects)
        return CondaPackageInfo.objects.filter(
            sha256__in=packages.values("sha256"),
            pulp_domain=self.repo_version.repository.pulp_domain,
        )

    class Meta:
        model = CondaPackageInfo
        import_id_fields = ("pulp_domain", "sha256")


class CondaSidecarResource(_Resource):
    """The sidecars that the records of a version name."""

    def set_up_queryset(self) -> QuerySet:
        packages = self.repo_version.get_content(CondaPackage.objects)
        return CondaSidecar.objects.filter(
            sha256__in=packages.values("attestations_sha256"),
            pulp_domain=self.repo_version.repository.pulp_domain,
        )

    def dehydrate_data(self, sidecar: CondaSidecar) -> str:
        return bytes(sidecar.data).decode()

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        row["data"] = row["data"].encode()

    class Meta:
        model = CondaSidecar
        import_id_fields = ("pulp_domain", "sha256")


class IndexedFileResource(_Resource):
    """Since when the channel has its files, as its metadata say (CEP 47).

    How old they are for a quarantine is for the other server to say, by its own clock.
    """

    def set_up_queryset(self) -> QuerySet:
        packages = self.repo_version.get_content(CondaPackage.objects)
        return IndexedFile.objects.filter(
            sha256__in=packages.values("sha256"), repository=self.repo_version.repository_id
        )

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        row["repository"] = self._destination.pk

    @cached_property
    def _destination(self) -> CondaRepository:
        """The repository into which the task imports.

        pulpcore does not tell that to resources. It is the name among the arguments of the task.
        """
        name = Task.current().enc_args[_DESTINATION]
        return CondaRepository.objects.get(name=name, pulp_domain=get_domain_pk())

    def skip_row(self, instance: IndexedFile, original: IndexedFile, *args: Any) -> bool:
        """Keep what the repository here has said already."""
        return not original._state.adding

    class Meta:
        model = IndexedFile
        fields = ("repository", "sha256", "indexed_timestamp")
        import_id_fields = ("repository", "sha256")


class CondaRepositoryResource(RepositoryResource):
    def set_up_queryset(self) -> QuerySet:
        return CondaRepository.objects.filter(pk=self.repo_version.repository)

    class Meta:
        model = CondaRepository
        # What a sync saw is about the upstream of the other server.
        exclude = RepositoryResource.Meta.exclude + ("last_sync",)


IMPORT_ORDER = [
    CondaPackageInfoResource,
    CondaSidecarResource,
    CondaPackageResource,
    CondaPatchResource,
    CondaEnvironmentResource,
    CondaRepositoryResource,
    # Behind the repository, which it needs, and before pulpcore makes the version, which keeps it.
    IndexedFileResource,
]
