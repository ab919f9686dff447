"""Virtual packages, as the OpenAPI schema describes them: versions by name (CEP 30)."""

from gettext import gettext as _

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pulp_conda.channel.environments.virtual_packages import MOST

_SCHEMA = {
    "type": "object",
    "maxProperties": MOST,
    "additionalProperties": {
        "type": ["string", "integer", "boolean", "null"],
        "not": {"const": True},
        "description": _("A version. Null or false: the machine does not have it."),
    },
}


@extend_schema_field(_SCHEMA)
class VirtualPackagesField(serializers.JSONField):
    """Takes any JSON, so that `check_virtual_packages` says what is wrong."""


@extend_schema_field({"type": "object", "additionalProperties": _SCHEMA})
class PlatformsVirtualPackagesField(serializers.JSONField):
    """The same for several platforms, by their subdir."""
