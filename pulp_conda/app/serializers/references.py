"""References in requests: a user may name only what the user may see."""

from collections.abc import Iterable, Mapping
from gettext import gettext as _
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.fields import get_attribute
from rest_framework.relations import RelatedField
from rest_framework.request import Request

from pulpcore.plugin.util import extract_pk, get_prn

from pulp_conda.app.access import find_visible, visible
from pulp_conda.app.models import CondaDistribution, CondaRepository


class VisibleReferencesMixin(serializers.Serializer):
    """Refuses references to what the user may not see, as if it did not exist.

    This happens before any other check, whose answer could tell that the object exists. It covers
    all fields that take an href, also those that a serializer inherits or gets later. What an
    object refers to already may stay. A task has no request, and so no check: the request that
    dispatched it was checked.
    """

    def to_internal_value(self, data: Any) -> Any:
        request = self.context.get("request")
        if request and isinstance(data, Mapping):
            errors = {
                field.field_name: [error]
                for field in self.fields.values()
                if isinstance(field, RelatedField)
                and not field.read_only
                and (error := self._error(request, field, data))
            }
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)

    def _error(self, request: Request, field: RelatedField, data: Mapping) -> Any:
        """Return what is wrong with the value of a field, or None."""
        reference = field.get_value(data)
        if reference in (serializers.empty, None, ""):
            return None
        try:
            if not isinstance(reference, str):
                field.fail("incorrect_type", data_type=type(reference).__name__)
            if not self._is_kept(field, reference) and find_visible(request, reference) is None:
                field.fail("does_not_exist")
        except serializers.ValidationError as error:
            return error.detail[0]
        return None

    def instances(self) -> Iterable[Model]:
        """Return what a request may change, whose references may stay."""
        return [self.instance] if self.instance else []

    def _is_kept(self, field: RelatedField, reference: str) -> bool:
        """Say whether what the request may change refers to this already."""
        for instance in self.instances():
            # Not `field.get_attribute`: that may give a key only, which has no PRN.
            now = get_attribute(instance, field.source_attrs)
            if now is not None and reference in (get_prn(now), field.to_representation(now)):
                return True
        return False


def visible_content(request: Request, references: Iterable[str]) -> list[str]:
    """Return the keys of the content that references name.

    Args:
        references: Untrusted input: hrefs or PRNs.

    Raises:
        ValidationError: some of it does not exist, or the user may not see it.
    """
    by_key: dict[str, str] = {}
    for reference in references:
        key = extract_pk(reference)
        try:
            by_key[str(UUID(key))] = reference
        except ValueError:
            raise serializers.ValidationError(
                _("'{}' is no href or PRN of content.").format(reference)
            ) from None
    found = {
        str(key)
        for model in CondaRepository.CONTENT_TYPES
        for key in visible(request, model).filter(pk__in=by_key).values_list("pk", flat=True)
    }
    if missing := [reference for key, reference in by_key.items() if key not in found]:
        raise serializers.ValidationError(
            _("Could not find the following content units: {}").format(missing)
        )
    return list(by_key)


def visible_channels(request: Request | None) -> QuerySet:
    """Return the channels that a request may name by their base paths: in a task, all."""
    return visible(request, CondaDistribution) if request else CondaDistribution.objects.all()
