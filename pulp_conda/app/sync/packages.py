"""What the steps of a sync tell each other about packages."""

from typing import NamedTuple
from uuid import UUID

from pulp_conda.channel.records import PackageRecord


class UpstreamPackage(NamedTuple):
    """A package of the upstream.

    Attributes:
        url: Where its file can be downloaded.
    """

    record: PackageRecord
    url: str


class AbsentFile(NamedTuple):
    """The file of a package that this server does not have yet.

    Attributes:
        content_artifact: The key of the `ContentArtifact` that has no artifact.
        url: Where the file can be downloaded.
        sha256: What its record says, in hex.
        size: What its record says, in bytes, or None.
    """

    content_artifact: UUID
    url: str
    subdir: str
    filename: str
    sha256: str
    size: int | None
