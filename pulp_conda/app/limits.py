"""The limits that the settings give."""

from django.conf import settings

from pulp_conda.channel.package.package import Limits


def package_limits() -> Limits:
    """Return the limits for the contents of a package."""
    return Limits(**settings.CONDA_PACKAGE_LIMITS)
