"""The five nouns of the plugin, as rows, and what they keep beside themselves."""

from .content import CondaPackage
from .distribution import CondaDistribution
from .file import CondaPackageInfo, CondaSidecar, IndexedFile
from .patch import CondaPatch
from .publication import CondaPublication
from .remote import CondaRemote
from .repository import CondaRepository
from .shard import CondaShard, PublishedShard
from .upstream import UpstreamShards, UpstreamSummary

__all__ = [
    "CondaDistribution",
    "CondaPackage",
    "CondaPackageInfo",
    "CondaPatch",
    "CondaPublication",
    "CondaRemote",
    "CondaRepository",
    "CondaShard",
    "CondaSidecar",
    "IndexedFile",
    "PublishedShard",
    "UpstreamShards",
    "UpstreamSummary",
]
