"""The five nouns of the plugin, as JSON. Pulp finds serializers here by name."""

from .content import CondaPackageSerializer, CondaPackageUploadSerializer
from .distribution import CondaDistributionSerializer
from .patch import CondaPatchDiffSerializer, CondaPatchSerializer, CondaPatchSummarySerializer
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
    "CondaPatchDiffSerializer",
    "CondaPatchSerializer",
    "CondaPatchSummarySerializer",
    "CondaPublicationSerializer",
    "CondaRemoteSerializer",
    "CondaRepositorySerializer",
    "CondaSyncSerializer",
    "CondaVersionDiffSerializer",
]
