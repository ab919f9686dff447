"""The five nouns of the plugin, as rows, and what they keep beside themselves."""

from .content import CondaPackage
from .delivery import WebhookDelivery
from .distribution import CondaDistribution
from .environment import CondaEnvironment, CondaSolution
from .file import CondaPackageInfo, CondaSidecar, IndexedFile
from .lifecycle import CondaLifecycle, CondaStage, HistoryEntry
from .patch import CondaPatch
from .publication import CondaPublication
from .remote import CondaRemote
from .repository import CondaRepository
from .shard import CondaShard, PublishedShard
from .upstream import UpstreamShards, UpstreamSummary

__all__ = [
    "CondaDistribution",
    "CondaEnvironment",
    "CondaLifecycle",
    "CondaPackage",
    "CondaPackageInfo",
    "CondaPatch",
    "CondaPublication",
    "CondaRemote",
    "CondaRepository",
    "CondaShard",
    "CondaSidecar",
    "CondaSolution",
    "CondaStage",
    "HistoryEntry",
    "IndexedFile",
    "PublishedShard",
    "UpstreamShards",
    "UpstreamSummary",
    "WebhookDelivery",
]
