"""The five nouns of the plugin, as JSON. Pulp finds serializers here by name."""

from .content import CondaPackageSerializer, CondaPackageUploadSerializer
from .distribution import CondaDistributionSerializer
from .publication import CondaPublicationSerializer
from .remote import CondaRemoteSerializer
from .repository import (
    CondaDiffQuerySerializer,
    CondaModifySerializer,
    CondaRepositorySerializer,
    CondaSyncSerializer,
    CondaVersionDiffSerializer,
)

__all__ = [
    "CondaDiffQuerySerializer",
    "CondaDistributionSerializer",
    "CondaModifySerializer",
    "CondaPackageSerializer",
    "CondaPackageUploadSerializer",
    "CondaPublicationSerializer",
    "CondaRemoteSerializer",
    "CondaRepositorySerializer",
    "CondaSyncSerializer",
    "CondaVersionDiffSerializer",
]
