"""The five nouns of the plugin, as REST resources."""

from .content import CondaPackageViewSet
from .distribution import CondaDistributionViewSet
from .patch import CondaPatchViewSet
from .publication import CondaPublicationViewSet
from .remote import CondaRemoteViewSet
from .repository import CondaRepositoryVersionViewSet, CondaRepositoryViewSet

__all__ = [
    "CondaDistributionViewSet",
    "CondaPackageViewSet",
    "CondaPatchViewSet",
    "CondaPublicationViewSet",
    "CondaRemoteViewSet",
    "CondaRepositoryVersionViewSet",
    "CondaRepositoryViewSet",
]
