"""The five nouns of the plugin, as rows, and the shards of publications."""

from .content import CondaPackage
from .distribution import CondaDistribution
from .publication import CondaPublication
from .remote import CondaRemote
from .repository import CondaRepository
from .shard import CondaShard, PublishedShard

__all__ = [
    "CondaDistribution",
    "CondaPackage",
    "CondaPublication",
    "CondaRemote",
    "CondaRepository",
    "CondaShard",
    "PublishedShard",
]
