from gettext import gettext as _
from typing import Any

from rest_framework import serializers

from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.virtual_packages import VirtualPackagesField
from pulp_conda.channel.environments.virtual_packages import check_virtual_packages

_MOST_RELEASES = 1000


class DependencyBoundsSerializer(serializers.Serializer):
    """How much comes along when packages are taken with their dependencies."""

    with_dependencies = serializers.BooleanField(
        help_text=_(
            "Take what can be installed: the newest releases that the specs match, for all "
            "specs together, and what they need and the target does not have. "
            "If false, all packages that match a spec are taken, and nothing else. "
            "The default is true."
        ),
        default=True,
    )
    newest = serializers.IntegerField(
        help_text=_(
            "With dependencies: how many releases to take for each spec and each dependency, the "
            "newest ones that it allows. 0 takes all. An older release is taken as well if the "
            "solver needs it. The default is 2."
        ),
        default=2,
        min_value=0,
        max_value=_MOST_RELEASES,
    )
    virtual_packages = VirtualPackagesField(
        help_text=_(
            "With dependencies: what the machines have that no channel brings, as versions by name "
            "(CEP 30), for example {'__cuda': '12.9', '__glibc': '2.34'}. null says that they do "
            "not have it. The default is a machine of the platform without a GPU, with glibc 2.28 "
            "or macOS 13."
        ),
        default=dict,
    )

    def validate_virtual_packages(self, packages: Any) -> dict[str, str | None]:
        with channel_errors_as_validation():
            return check_virtual_packages(packages)

    @staticmethod
    def arguments(data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields as keyword arguments of a task."""
        return {key: data[key] for key in ("with_dependencies", "newest", "virtual_packages")}
