"""Objects of requests in which other keys are an error, as the OpenAPI schema describes them."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers


class Closed(serializers.Serializer):
    """An object of a request in which another key is an error."""


class _ClosedExtension(OpenApiSerializerExtension):
    target_class = "pulp_conda.app.serializers.closed.Closed"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        # A client of today shall read what a server of tomorrow adds to an answer.
        return {**schema, "additionalProperties": False} if direction == "request" else schema
