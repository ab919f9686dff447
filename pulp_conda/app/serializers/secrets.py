"""Fields of the API that may hold secrets, and do not show them."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pulp_conda.channel.secrets import mask, mask_headers, restore


class _MaskedField(serializers.Field):
    """A field that shows `***` in the place of secrets.

    What it shows can be given back, as clients do that change another field: then the secrets stay.
    """

    def to_internal_value(self, data: Any) -> Any:
        given = super().to_internal_value(data)
        stored = getattr(self.parent.instance, self.source, None)
        shown = None if stored is None else self.to_representation(stored)
        try:
            return restore(given, shown, stored)
        except ValueError as error:
            raise serializers.ValidationError(f"{error}.") from None


class MaskedUrlField(_MaskedField, serializers.CharField):
    """A URL."""

    def to_representation(self, url: str) -> str:
        return mask(url)


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class _HeaderField(serializers.DictField):
    """Values of headers by their name."""


class MaskedHeadersField(_MaskedField, serializers.ListField):
    """Headers of requests, each an object with a name and a value."""

    child = _HeaderField()

    def to_representation(self, headers: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [mask_headers(header) for header in headers]
