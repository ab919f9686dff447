"""Make a unit of content of what a client sent: a package, a patch or an environment."""

from contextlib import nullcontext
from typing import Any

from django.db import transaction

from pulpcore.plugin.models import CreatedResource
from pulpcore.plugin.util import get_current_authenticated_user

from pulp_conda.app.models import CondaPackage
from pulp_conda.app.results import checked, named
from pulp_conda.app.serializers import (
    CondaEnvironmentSerializer,
    CondaPackageSerializer,
    CondaPatchSerializer,
)
from pulp_conda.app.uploading.converting import Wanted, ask_for_conversions

_SERIALIZERS = {
    serializer.__name__: serializer
    for serializer in (CondaEnvironmentSerializer, CondaPackageSerializer, CondaPatchSerializer)
}


def create_content(
    serializer_name: str, data: dict[str, Any], context: dict[str, Any]
) -> dict[str, str]:
    """Make a unit, and a version that has it if the data names a repository.

    Unlike the task of pulpcore, it says only where the unit is, and nothing that the unit says.

    Args:
        serializer_name: The name of the unit's serializer.
        data: What the client sent.
        context: More for the serializer.

    Raises:
        CondaError, ValidationError: the unit is refused. Then there is neither unit nor version.
    """
    serializer = _SERIALIZERS[serializer_name](data=data, context={"request": None, **context})
    serializer.is_valid(raise_exception=True)
    # pulpcore deletes the chunks of an upload at once, and not only when all is committed.
    upload = serializer.context.pop("upload", None)
    may_replace = serializer.validated_data.get("overwrite", True)
    repository = serializer.validated_data.pop("repository", None)
    repository = repository and repository.cast()
    latest = repository and repository.latest_version()
    with repository.new_version() if repository else nullcontext() as version:
        with transaction.atomic():
            unit = serializer.save().cast()
            if repository and not may_replace:
                repository.check_content_overwrite(latest, [unit.pk])
            if version:
                version.add_content(type(unit).objects.filter(pk=unit.pk))
            result = checked(named(unit))
    CreatedResource.objects.create(content_object=unit)
    if repository and isinstance(unit, CondaPackage):
        user = get_current_authenticated_user()
        ask_for_conversions(repository, [Wanted(unit, user)])
    if upload:
        upload.delete()
    return result
