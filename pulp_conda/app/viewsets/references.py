"""References in URLs: a user may name only what the user may see."""

import copy
from functools import cached_property, partial
from gettext import gettext as _
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, Model, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import Http404
from django_filters import Filter
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request

from pulpcore.plugin.models import RepositoryContent
from pulpcore.plugin.util import get_url
from pulpcore.plugin.viewsets import BaseFilterSet, HyperlinkRelatedFilter, NamedModelViewSet

from pulp_conda.app.access import find_visible, has_permission, names_type, visible
from pulp_conda.app.models import CondaRepository

# Filters whose values are hrefs or PRNs, and what they find. The filters of `pulp_href` and `prn`
# are none of them: they only choose from what the user may see.
_BY_REFERENCE = {
    "added_between": _("What the second of two repository versions has, and the first has not."),
    "content": _("What has this content unit."),
    "content__in": _("What has one of these content units."),
    "distribution": _("What belongs to this distribution."),
    "distribution__in": _("What belongs to one of these distributions."),
    "latest_with_content": _("Repositories whose latest version has this content unit."),
    "remote": _("Repositories that are synced from this remote."),
    "removed_between": _("What the first of two repository versions has, and the second has not."),
    "repository": _("What belongs to this repository."),
    "repository__in": _("What belongs to one of these repositories."),
    "repository_version": _("What belongs to this repository version."),
    "repository_version_added": _("What came with this repository version."),
    "repository_version_removed": _("What went with this repository version."),
    "with_content": _("Repositories with a version that has this content unit."),
}


class VisibleReferencesFilterMixin(BaseFilterSet):
    """Refuses filters by what the user may not see, as if it did not exist."""

    @classmethod
    def get_filters(cls) -> dict[str, Filter]:
        filters: dict[str, Filter] = super().get_filters()
        for name in filters.keys() & _BY_REFERENCE.keys():
            # Other classes have the same filter, without this text.
            filters[name] = copy.deepcopy(filters[name])
            described = {
                "type": "string",
                "description": _BY_REFERENCE[name] + _(" By href or PRN."),
            }
            extend_schema_field(described)(filters[name])
        return filters

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in _BY_REFERENCE.keys() & self.filters.keys():
            # A validator, because the filter `q` asks it as well.
            takes_type = isinstance(self.filters[name], HyperlinkRelatedFilter)
            self.filters[name].extra["validators"] = [partial(self._check, takes_type)]

    def _check(self, takes_type: bool, value: str | list[str]) -> None:
        """Refuse references to what the user may not see.

        Args:
            takes_type: The URL of a list does as well. It stands for all objects of its type.
        """
        for reference in [value] if isinstance(value, str) else value:
            if reference in ("", "null") or (takes_type and names_type(reference)):
                continue
            if find_visible(self.request, reference) is None:
                text = _("'{}' does not exist, or you may not see it.")
                raise ValidationError(text.format(reference))


class VisibleParentMixin(NamedModelViewSet):
    """Answers for parts of an object that the user may not see as if it did not exist."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if not request.user.is_authenticated:
            self.permission_denied(request)
        super().initial(request, *args, **kwargs)

    def get_parent_field_and_object(self) -> tuple[str, Model]:
        return self._parent

    @cached_property
    def _parent(self) -> tuple[str, Model]:
        try:
            field, parent = super().get_parent_field_and_object()
        except Http404:
            parent = None
        if parent is None or find_visible(self.request, get_url(parent)) is None:
            raise Http404
        return field, parent


class VisibleContentMixin(NamedModelViewSet):
    """Shows content of repositories that the user may see, and what the user uploaded to none.

    pulpcore shows what users uploaded to no repository to administrators only.
    """

    def scope_queryset(self, queryset: QuerySet) -> QuerySet:
        user, model = self.request.user, queryset.model
        view = f"view_{model._meta.model_name}"
        if user.is_superuser or has_permission(user, f"{model._meta.app_label}.{view}"):
            return queryset
        repositories = visible(self.request, CondaRepository)
        member = RepositoryContent.objects.filter(
            content=OuterRef("pk"), repository__in=repositories.values("pk")
        )
        own = user.object_roles.filter(
            role__permissions__content_type__app_label=model._meta.app_label,
            role__permissions__codename=view,
            object_id=Cast(OuterRef("pk"), TextField()),
        )
        return queryset.filter(Exists(member) | Exists(own))
