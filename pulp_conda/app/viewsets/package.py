import operator
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import transaction
from django.db.models import F, Func, QuerySet, TextField, UUIDField, Value
from django.db.models.functions import Lower
from django_filters import CharFilter
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer, ValidationError

from pulpcore.plugin.models import PulpTemporaryFile
from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.util import assign_role
from pulpcore.plugin.viewsets import (
    NAME_FILTER_OPTIONS,
    CharInFilter,
    SingleArtifactContentUploadViewSet,
)

from pulp_conda.app.access import content_policy, has_permission
from pulp_conda.app.errors import BadVersion, FilterNeedsName
from pulp_conda.app.models import CondaPackage
from pulp_conda.app.serializers import CondaPackageSerializer, CondaPackageUploadSerializer
from pulp_conda.app.viewsets.content import CreatesContent
from pulp_conda.app.viewsets.members import MembersFilterSet, MembersPagination
from pulp_conda.app.viewsets.references import VisibleContentMixin, VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.channel.errors import ChannelError
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.versions import VersionKey

_NUMBER_FILTERS = ["exact", "lt", "lte", "gt", "gte", "range"]

_COMPARISONS = {
    "version__lt": operator.lt,
    "version__lte": operator.le,
    "version__gt": operator.gt,
    "version__gte": operator.ge,
}

# What a match spec compares.
_COMPARED = (
    "pk",
    "name",
    "version",
    "build",
    "build_number",
    "subdir",
    "filename",
    "license",
    "sha256",
    "md5",
)


def _version_filter(what: str) -> CharFilter:
    text = "Packages of a version that is {} this one, in conda's order. It needs 'name'."
    return CharFilter(method="filter_version", help_text=text.format(what))


class CondaPackageFilter(VisibleReferencesFilterMixin, MembersFilterSet):
    depends = CharFilter(
        method="filter_depends",
        help_text="Packages that need a package of this name, for example 'python'.",
    )

    # The index of bytes is one of `lower(sha256)`, see `CondaPackage`.
    sha256 = CharFilter(
        method="filter_sha256", help_text="The SHA-256 of the file, in hex and lower case."
    )
    sha256__in = CharInFilter(method="filter_sha256_in", lookup_expr="in")

    match = CharFilter(
        method="filter_match",
        help_text=(
            "Packages that a match spec matches, for example 'numpy >=2,<3'. It has the exact name "
            "of a package, or 'name' is given, too. The newest version comes first, unless "
            "'ordering' is given."
        ),
    )
    version__lt = _version_filter("before")
    version__lte = _version_filter("at most")
    version__gt = _version_filter("after")
    version__gte = _version_filter("at least")

    def filter_match(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        with _refused(name):
            query = Query(value)
            of_name = queryset.filter(name=query.exact_name or self._one_name(name))
        rows = of_name.values_list(*_COMPARED, named=True)
        return queryset.filter(pk__in=[row.pk for row in rows if query.matches(row)])

    def filter_version(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        bound = VersionKey(value)
        with _refused(name):
            if not bound.is_version:
                raise BadVersion(version=value)
            of_name = queryset.filter(name=self._one_name(name))
        versions = of_name.order_by().values_list("version", flat=True).distinct()
        keys = [key for key in map(VersionKey, versions) if key.is_version]
        compare = _COMPARISONS[name]
        return of_name.filter(version__in=[key.text for key in keys if compare(key, bound)])

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        found = super().filter_queryset(queryset)
        given = self.form.cleaned_data
        is_of_one_name = any(given.get(each) for each in ("match", *_COMPARISONS))
        return _newest_first(found) if is_of_one_name and not given.get("ordering") else found

    def _one_name(self, filter: str) -> str:
        """Return the name that is given.

        Raises:
            FilterNeedsName: there is none.
        """
        if not (name := self.form.cleaned_data.get("name")):
            raise FilterNeedsName(filter=filter)
        return name

    def filter_sha256(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.alias(lower_sha256=Lower("sha256")).filter(lower_sha256=value)

    def filter_sha256_in(self, queryset: QuerySet, name: str, value: list[str]) -> QuerySet:
        return queryset.alias(lower_sha256=Lower("sha256")).filter(lower_sha256__in=value)

    def filter_depends(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        # A dependency is a name, or a name, a blank and constraints.
        lines = Func(
            F("depends"), Value("\n"), function="array_to_string", output_field=TextField()
        )
        pattern = rf"(^|\n){re.escape(value)}( |\n|$)"
        return queryset.alias(depends_lines=lines).filter(depends_lines__regex=pattern)

    class Meta:
        model = CondaPackage
        fields = {
            "name": NAME_FILTER_OPTIONS,
            "version": ["exact", "in", "startswith"],
            "build": ["exact", "in", "contains"],
            "build_number": _NUMBER_FILTERS,
            "subdir": ["exact", "in", "ne"],
            "filename": NAME_FILTER_OPTIONS,
            "license": ["exact", "in", "icontains"],
            "noarch": ["exact", "in"],
            "md5": ["exact", "in"],
            "record_digest": ["exact", "in"],
            "attestations_sha256": ["exact", "in", "ne"],
            "size": _NUMBER_FILTERS,
            "timestamp": _NUMBER_FILTERS,
        }


@contextmanager
def _refused(field: str) -> Iterator[None]:
    """Turn an error of a channel into the error of a filter."""
    try:
        yield
    except ChannelError as error:
        raise ValidationError({field: [str(error)]}, code=error.code) from None


def _newest_first(packages: QuerySet) -> QuerySet:
    """Order the packages of one name as conda does. PostgreSQL does not know that order."""
    rows = packages.order_by().values_list("pk", "version", "build_number", "pulp_created")
    rows = sorted(rows, key=lambda row: (VersionKey(row[1]), *row[2:]), reverse=True)
    pks = Value([row[0] for row in rows], output_field=ArrayField(UUIDField()))
    return packages.order_by(Func(pks, F("pk"), function="array_position"))


class CondaPackageViewSet(
    CheckedRequests, CreatesContent, VisibleContentMixin, SingleArtifactContentUploadViewSet
):
    """A CondaPackage is a package file with the record that clients see."""

    endpoint_name = "packages"
    # The base serializer of pulpcore reads the report of each package.
    queryset = CondaPackage.objects.prefetch_related("_artifacts", "core_vulnerabilityreport")
    serializer_class = CondaPackageSerializer
    filterset_class = CondaPackageFilter
    pagination_class = MembersPagination

    DEFAULT_ACCESS_POLICY = content_policy("condarepository", "conda.upload_condapackages")
    LOCKED_ROLES = {
        "conda.condapackage_uploader": ["conda.upload_condapackages"],
        "conda.condapackage_viewer": ["conda.view_condapackage"],
    }

    def init_content_data(self, serializer: Serializer, request: Request) -> dict[str, Any]:
        """Store an uploaded file in a temporary place until a task has read it.

        A file that the task refuses is deleted.
        """
        if "file" not in request.data:
            return super().init_content_data(serializer, request)
        self._temporary_file = PulpTemporaryFile.init_and_validate(request.data["file"])
        self._temporary_file.save()
        return {key: value for key, value in request.data.items() if key != "file"}

    def get_deferred_context(self, request: Request) -> dict[str, Any]:
        if "file" not in request.data:
            return {}
        return {
            "pulp_temp_file_pk": str(self._temporary_file.pk),
            "filename": request.data["file"].name,
        }

    @extend_schema(
        summary="Upload a package",
        description="Trigger a task that reads a package, stores it and, with 'repository', makes "
        "a new version that has it.",
        responses={202: AsyncOperationResponseSerializer},
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        return self.dispatch_creation(request)

    def payload_of(self, serializer: Serializer, request: Request) -> dict[str, Any]:
        return self.init_content_data(serializer, request)

    @extend_schema(
        summary="Upload a package synchronously",
        description="Take a package and answer with it, without a task.",
        request=CondaPackageUploadSerializer,
        responses={201: CondaPackageUploadSerializer},
    )
    @action(detail=False, methods=["post"], serializer_class=CondaPackageUploadSerializer)
    def upload(self, request: Request, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        with transaction.atomic():
            serializer.is_valid(raise_exception=True)
            package = serializer.save()
            # No repository shows it yet. Who has the bytes may see it, and add it to one.
            if not has_permission(request.user, "conda.view_condapackage", package):
                assign_role("conda.condapackage_viewer", request.user, package)
        headers = self.get_success_headers(serializer.data)
        return Response(serializer.data, status=status.HTTP_201_CREATED, headers=headers)
