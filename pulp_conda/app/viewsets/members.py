"""Lists of the content of one repository version, whatever its size is."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from pulpcore.plugin.models import RepositoryVersion
from pulpcore.plugin.viewsets import ContentFilter

from pulp_conda.app.versions.members import count_members, page_of_members
from pulp_conda.app.versions.state import VersionState

# pulpcore's filter by a version. It is no part of the API for plugins.
_VersionFilter: Any = type(ContentFilter.declared_filters["repository_version"])

# Parameters of a list that choose nothing.
_WITHOUT_CHOICE = {"limit", "offset", "ordering", "fields", "exclude_fields"}


class _MembersFilter(_VersionFilter):
    """Asks for each content unit whether the version has it, by the index of memberships."""

    def filter(self, queryset: QuerySet, value: str | None) -> QuerySet:
        if value is None:
            return queryset
        return VersionState(self.get_repository_version(value)).having(queryset)


class MembersFilterSet(ContentFilter):
    """The filters of content."""

    repository_version = _MembersFilter()


class MembersPagination(LimitOffsetPagination):
    """Pages of content. A list of all that one version has knows its count, and reads one page."""

    def paginate_queryset(
        self, queryset: QuerySet, request: Request, view: Any = None
    ) -> list[Any] | None:
        chosen = request.query_params.keys() - _WITHOUT_CHOICE
        if chosen == {"repository_version"}:
            reference = request.query_params["repository_version"]
            version = _VersionFilter.get_repository_version(reference)
            if version.complete:
                is_ordered = "ordering" in request.query_params
                members = _Members(version, queryset if is_ordered else None, view)
                return super().paginate_queryset(members, request, view)
        return super().paginate_queryset(queryset, request, view)


class _Members:
    """The content that a view shows of one version. It has what a paginator needs of a queryset.

    The filters have been applied before, so whoever asks may see the version, and all of it.

    Args:
        ordered: The content in the order that was asked for, or None if any order will do.
    """

    def __init__(
        self, version: RepositoryVersion, ordered: QuerySet | None, view: GenericViewSet
    ) -> None:
        self._version = version
        self._ordered = ordered
        self._all = view.get_queryset()
        self._pulp_type = self._all.model.get_pulp_type()

    def count(self) -> int:
        return count_members(self._version, self._pulp_type)

    def __getitem__(self, page: slice) -> Sequence[Model]:
        if self._ordered is not None:
            return self._ordered[page]
        offset, limit = page.start, page.stop - page.start
        keys = page_of_members(self._version, self._pulp_type, offset, limit)
        return self._all.filter(pk__in=keys).order_by("-pk")
