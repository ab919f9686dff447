"""The resources of the plugin as JSON. Pulp finds serializers here by name."""

from .act import CondaActSerializer
from .block import CondaBlockCreatedSerializer, CondaBlockSerializer, CondaTouchedSerializer
from .content_guard import CondaContentGuardSerializer
from .conversion import CondaConvertSerializer
from .copy import CondaCopySerializer
from .delivery import WebhookDeliverySerializer
from .diff import (
    CondaDiffQuerySerializer,
    CondaLifecycleDiffQuerySerializer,
    CondaLifecycleDiffSerializer,
    CondaVersionDiffSerializer,
)
from .distribution import CondaDistributionSerializer
from .environment import CondaEnvironmentSerializer, CondaEnvironmentSummarySerializer
from .history import CondaAnswerSerializer, HistoryEntrySerializer
from .lifecycle import CondaLifecycleSerializer
from .lock import (
    CondaFindLockSerializer,
    CondaImportLockSerializer,
    CondaLockQuerySerializer,
    CondaSolveSerializer,
)
from .package import CondaPackageSerializer, CondaPackageUploadSerializer
from .patch import CondaPatchDiffSerializer, CondaPatchSerializer, CondaPatchSummarySerializer
from .promotion import (
    CondaPromotePackagesSerializer,
    CondaPromoteSerializer,
    CondaRollbackSerializer,
)
from .publication import CondaPublicationSerializer
from .publisher import CondaPublisherSerializer
from .refresh import CondaRefreshRunSerializer, CondaRefreshSerializer
from .remote import CondaRemoteSerializer
from .repository import (
    CondaModifySerializer,
    CondaPlanSerializer,
    CondaRepositorySerializer,
    CondaSyncSerializer,
)
from .status import CondaChannelStatusSerializer
from .team import CondaChannelRoleSerializer, CondaMemberSerializer
from .token import (
    CondaRobotSerializer,
    CondaRotateTokenSerializer,
    CondaTokenSecretSerializer,
    CondaTokenSerializer,
)
from .upload import CondaUploadAnswerSerializer, CondaUploadSerializer

__all__ = [
    "CondaActSerializer",
    "CondaAnswerSerializer",
    "CondaBlockCreatedSerializer",
    "CondaBlockSerializer",
    "CondaChannelRoleSerializer",
    "CondaChannelStatusSerializer",
    "CondaContentGuardSerializer",
    "CondaConvertSerializer",
    "CondaCopySerializer",
    "CondaDiffQuerySerializer",
    "CondaDistributionSerializer",
    "CondaEnvironmentSerializer",
    "CondaEnvironmentSummarySerializer",
    "CondaFindLockSerializer",
    "CondaImportLockSerializer",
    "CondaLifecycleDiffQuerySerializer",
    "CondaLifecycleDiffSerializer",
    "CondaLifecycleSerializer",
    "CondaLockQuerySerializer",
    "CondaMemberSerializer",
    "CondaModifySerializer",
    "CondaPackageSerializer",
    "CondaPackageUploadSerializer",
    "CondaPatchDiffSerializer",
    "CondaPlanSerializer",
    "CondaPatchSerializer",
    "CondaPatchSummarySerializer",
    "CondaPromotePackagesSerializer",
    "CondaPromoteSerializer",
    "CondaPublicationSerializer",
    "CondaPublisherSerializer",
    "CondaRefreshRunSerializer",
    "CondaRefreshSerializer",
    "CondaRemoteSerializer",
    "CondaRepositorySerializer",
    "CondaRobotSerializer",
    "CondaRollbackSerializer",
    "CondaRotateTokenSerializer",
    "CondaSolveSerializer",
    "CondaSyncSerializer",
    "CondaTokenSecretSerializer",
    "CondaTokenSerializer",
    "CondaTouchedSerializer",
    "CondaUploadAnswerSerializer",
    "CondaUploadSerializer",
    "CondaVersionDiffSerializer",
    "HistoryEntrySerializer",
    "WebhookDeliverySerializer",
]
