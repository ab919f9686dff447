"""The resources of the plugin as REST endpoints."""

from .act import CondaActViewSet
from .block import CondaBlockViewSet
from .content_guard import CondaContentGuardViewSet
from .delivery import WebhookDeliveryViewSet
from .distribution import CondaDistributionViewSet
from .environment import CondaEnvironmentViewSet
from .history import HistoryEntryViewSet
from .lifecycle import CondaLifecycleViewSet
from .package import CondaPackageViewSet
from .patch import CondaPatchViewSet
from .publication import CondaPublicationViewSet
from .publisher import CondaPublisherViewSet
from .refresh import CondaRefreshRunViewSet, CondaRefreshViewSet
from .remote import CondaRemoteViewSet
from .repository import CondaRepositoryVersionViewSet, CondaRepositoryViewSet
from .token import CondaRobotViewSet, CondaTokenViewSet

__all__ = [
    "CondaActViewSet",
    "CondaBlockViewSet",
    "CondaContentGuardViewSet",
    "CondaDistributionViewSet",
    "CondaEnvironmentViewSet",
    "CondaLifecycleViewSet",
    "CondaPackageViewSet",
    "CondaPatchViewSet",
    "CondaPublicationViewSet",
    "CondaPublisherViewSet",
    "CondaRefreshRunViewSet",
    "CondaRefreshViewSet",
    "CondaRemoteViewSet",
    "CondaRepositoryVersionViewSet",
    "CondaRepositoryViewSet",
    "CondaRobotViewSet",
    "CondaTokenViewSet",
    "HistoryEntryViewSet",
    "WebhookDeliveryViewSet",
]
