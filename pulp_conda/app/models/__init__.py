"""The five nouns of the plugin, as rows."""

from .content import CondaPackage
from .distribution import CondaDistribution
from .publication import CondaPublication
from .remote import CondaRemote
from .repository import CondaRepository

__all__ = [
    "CondaDistribution",
    "CondaPackage",
    "CondaPublication",
    "CondaRemote",
    "CondaRepository",
]
