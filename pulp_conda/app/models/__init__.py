"""The five nouns of the plugin, as rows, and what they keep beside themselves."""

from .act import CondaAct
from .block import BlockedFile, CondaBlock
from .condition import ChannelCondition
from .content_guard import CondaContentGuard
from .delivery import WebhookDelivery
from .distribution import CondaDistribution
from .environment import CondaEnvironment, CondaSolution
from .failed_login import FailedLogin
from .indexed_file import IndexedFile
from .lifecycle import CondaLifecycle, CondaStage, HistoryEntry
from .name import NameBlock, PublicationNames
from .package import CondaPackage
from .package_info import CondaPackageInfo
from .patch import CondaPatch
from .publication import CondaPublication
from .publication_layout import PublicationLayout
from .publisher import CondaPublisher, UsedIdentity
from .refresh import CondaRefresh, CondaRefreshRun
from .remote import CondaRemote
from .repository import CondaRepository
from .shard import CondaShard, PublishedShard
from .sidecar import CondaSidecar
from .token import CondaRobot, CondaToken
from .upload import CondaUpload
from .upstream import UpstreamShards, UpstreamSummary
from .virtual import MergedChannel, MergedVersion

__all__ = [
    "BlockedFile",
    "ChannelCondition",
    "CondaAct",
    "CondaBlock",
    "CondaContentGuard",
    "CondaDistribution",
    "CondaEnvironment",
    "CondaLifecycle",
    "CondaPackage",
    "CondaPackageInfo",
    "CondaPatch",
    "CondaPublication",
    "CondaPublisher",
    "CondaRefresh",
    "CondaRefreshRun",
    "CondaRemote",
    "CondaRepository",
    "CondaRobot",
    "CondaShard",
    "CondaSidecar",
    "CondaSolution",
    "CondaStage",
    "CondaToken",
    "CondaUpload",
    "FailedLogin",
    "HistoryEntry",
    "IndexedFile",
    "MergedChannel",
    "MergedVersion",
    "NameBlock",
    "PublicationLayout",
    "PublicationNames",
    "PublishedShard",
    "UpstreamShards",
    "UpstreamSummary",
    "UsedIdentity",
    "WebhookDelivery",
]
