"""A file that arrived, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from pulp_conda.app.models import CondaDistribution, CondaToken, CondaUpload
from pulp_conda.app.vocabulary import UploadState
from pulp_conda.channel import layout


@dataclass(frozen=True)
class Arrival:
    """A file that a door received from a client.

    Fields:
        distribution: The channel to which it was sent.
        user: Who sent it.
        token: The token that the client used, or None.
        filename: The name of the package, as the client said it.
        path: Where the file is. It is moved away.
        size: Its bytes.
        sha256, md5: Its digests in hex, computed from the bytes as they arrived. The md5 may be
            None: then it is computed later.
        expected: The digests in hex that the client said, by algorithm: `sha256` or `md5`.
        attestation: The Sigstore bundles that came with the file (CEP 27).
        subdir: The subdir to which the client sent it, or None if the protocol does not say it.
        force: The package may replace another file of the same name.
    """

    distribution: CondaDistribution
    user: AbstractBaseUser
    filename: str
    path: Path
    size: int
    sha256: str
    md5: str | None = None
    token: CondaToken | None = None
    expected: Mapping[str, str] = field(default_factory=dict)
    attestation: Sequence[Mapping[str, Any]] = ()
    subdir: str | None = None
    force: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a file.

    Fields:
        state: `published`, `exists`, `conflict` or `refused`.
        code: The code of the first error, or None.
        texts: Everything that is wrong with the file, each a sentence with its code.
        filename, subdir: The name of the package and its subdir. The subdir is empty if nobody
            could read it.
        sha256: The digest of the file in hex.
        url: Where clients find the package. None if it is not served.
    """

    state: UploadState
    code: str | None
    texts: tuple[str, ...]
    filename: str
    subdir: str
    sha256: str
    url: str | None

    @classmethod
    def of(cls, upload: CondaUpload) -> "Outcome | None":
        """Return what became of an upload, or None if it still waits."""
        state = UploadState(upload.state)
        if state in (UploadState.HELD, UploadState.CONVERTING, UploadState.WAITING):
            return None
        url = None
        if upload.distribution and state in (UploadState.PUBLISHED, UploadState.EXISTS):
            path = layout.package_path(upload.subdir, upload.filename)
            url = f"{upload.distribution.url.rstrip('/')}/{path}"
        return cls(
            state=state,
            code=upload.errors[0]["code"] if upload.errors else None,
            texts=tuple(error["text"] for error in upload.errors),
            filename=upload.filename,
            subdir=upload.subdir,
            sha256=upload.sha256,
            url=url,
        )
