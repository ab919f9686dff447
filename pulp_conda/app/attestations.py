"""Verify attestations and store sidecars, for uploads and for mirrors.

`pulp_conda.channel.package.attestations` knows what an attestation must say. The program
`pulp_conda.verifier` checks the signatures, in one process for a list of sidecars. If that process
fails, none of the sidecars counts as verified.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from gettext import gettext as _
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaDistribution, CondaPackage, CondaRepository, CondaSidecar
from pulp_conda.channel.errors import (
    BadAttestation,
    BadSidecar,
    ChannelError,
    SeveralErrors,
    TooLargeToWait,
    shown,
)
from pulp_conda.channel.package.attestations import (
    check_sidecar,
    make_sidecar,
    read_bundles,
)
from pulp_conda.channel.records import PackageRecord

log = logging.getLogger(__name__)

# A sidecar of the largest allowed size takes less than a second.
_SECONDS_TO_START = 60
_SECONDS_PER_SIDECAR = 1

# An upload or a sync stores a sidecar first, and the package that names it later. It may take this
# long before the sidecar counts as unused.
_UNUSED_FOR = timedelta(days=1)

# A record of an upstream's package, the URL of its sidecar, and the bytes of the sidecar.
MirroredSidecar = tuple[PackageRecord, str, bytes]

# The SHA-256 of a sidecar in hex, and its bytes.
StoredSidecar = tuple[str, bytes]


class Claim(NamedTuple):
    """A sidecar, and the file that it should be about.

    Fields:
        data: The bytes of the sidecar.
        filename: The name of the package file.
        sha256: The SHA-256 of the package file, in hex.
    """

    data: bytes
    filename: str
    sha256: str


@dataclass(frozen=True)
class Verdict:
    """What the verifier says about a sidecar.

    Fields:
        problem: Why the sidecar is not good. None if one of its statements about the package has a
            correct signature.
        channel: The `targetChannel` of that statement, or None.
    """

    problem: str | None
    channel: str | None


def verify(claims: list[Claim]) -> list[Verdict]:
    """Return a `Verdict` for each sidecar, in the same order."""
    if not claims:
        return []
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        request: dict[str, Any] = {
            "trusted_root": settings.CONDA_SIGSTORE_TRUSTED_ROOT,
            "sidecars": [],
        }
        for number, claim in enumerate(claims):
            digest = sha256(claim.data).hexdigest()
            path = Path(folder, f"{number}.conda.sigs.{digest}")
            path.write_bytes(claim.data)
            request["sidecars"].append(
                {
                    "path": str(path),
                    "sha256": digest,
                    "filename": claim.filename,
                    "package_sha256": claim.sha256,
                }
            )
        try:
            return _run_verifier(request, folder)
        except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
            log.warning("Attestations cannot be verified: %s", error)
    problem = _("this server cannot verify it, an administrator finds the reason in its log")
    return [Verdict(problem, channel=None)] * len(claims)


def attested(
    record: PackageRecord, bundles: list[dict[str, Any]], repository: CondaRepository | None
) -> PackageRecord:
    """Store the sidecar of an uploaded file, and return the file's record with the digest of it.

    If the repository has the same file with a sidecar, the new sidecar also has the statements of
    the old one: statements are only ever added.

    Args:
        bundles: The Sigstore bundles that came with the file.
        repository: The repository that gets the file, or None.

    Raises:
        BadAttestation: a bundle is not good, or is about another file or another channel.
    """
    # A package cannot vouch for itself: only the sidecars that this server has count.
    fields = {key: value for key, value in record.fields.items() if key != "attestations_sha256"}
    if bundles:
        assert repository, "the serializer wants a repository with attestations"
        _check_uploaded(record.filename, record.sha256, bundles, repository)
    sidecar = _present_sidecar(record, repository)
    if bundles:
        try:
            sidecar = make_sidecar(bundles, before=sidecar or b"[]")
        except ValueError as error:
            raise BadAttestation(filename=record.filename, reason=str(error)) from None
    if sidecar:
        fields["attestations_sha256"] = sha256(sidecar).hexdigest()
        store_sidecars([(fields["attestations_sha256"], sidecar)])
    return replace(record, fields=fields)


@contextmanager
def with_its_attestation(
    filename: str | None,
    sha256: str,
    bundles: list[dict[str, Any]],
    repository: CondaRepository | None,
) -> Iterator[None]:
    """A context in which an uploaded file is read. If it is no good package, the error also says
    what is wrong with its attestation, so that whoever uploads it sees everything at once.

    Args:
        filename: The name of the file, or None if only the package knows it.
        Others: as of `attested`, with the digest of the file in hex.

    Raises:
        SeveralErrors: what the block raised, and `BadAttestation`.
    """
    try:
        yield
    except TooLargeToWait:
        raise  # Nobody has read the package yet.
    except ChannelError as error:
        if filename and bundles and repository:
            try:
                _check_uploaded(filename, sha256, bundles, repository)
            except BadAttestation as other:
                raise SeveralErrors([*error.errors, other]) from None
        raise


def uploaded_bundles(text: str, filename: str) -> list[dict[str, Any]]:
    """Return the bundles that a client sent with a package.

    Args:
        text: JSON, a Sigstore bundle or a list of them.
        filename: The name of the package, for the error.

    Raises:
        BadAttestation: they are no Sigstore bundles.
    """
    if text.lstrip().startswith("{"):
        text = f"[{text}]"
    try:
        return read_bundles(text.encode())
    except ValueError as error:
        raise BadAttestation(filename=filename, reason=str(error)) from None


def sidecar_problem(record: PackageRecord, data: bytes) -> str | None:
    """Return why some bytes are not the sidecar that a record names, or no sidecar, or None."""
    digest = sha256(data).hexdigest()
    if digest != record.attestations_sha256:
        return _("it has the sha256 '{}', and the record says '{}'").format(
            digest, shown(record.attestations_sha256)
        )
    try:
        read_bundles(data)
    except ValueError as error:
        return str(error)
    return None


def checked_sidecars(mirrored: list[MirroredSidecar]) -> list[StoredSidecar]:
    """Check the sidecars of an upstream's packages, and return them as `store_sidecars` takes them.

    A sidecar may name another channel: a mirror has the packages of other channels.

    Args:
        mirrored: Sidecars in which `sidecar_problem` finds nothing.

    Raises:
        BadSidecar: for the first sidecar that is not about its package, or whose signatures are not
            good.
    """
    for record, url, data in mirrored:
        try:
            check_sidecar(data, filename=record.filename, sha256=record.sha256)
        except ValueError as error:
            raise BadSidecar(url=url, reason=str(error)) from None
    if settings.CONDA_VERIFY_MIRRORED_ATTESTATIONS:
        verdicts = verify(
            [Claim(data, record.filename, record.sha256) for record, _url, data in mirrored]
        )
        for (_record, url, _data), verdict in zip(mirrored, verdicts, strict=True):
            if verdict.problem:
                raise BadSidecar(url=url, reason=verdict.problem)
    return [(record.attestations_sha256, data) for record, _url, data in mirrored]


def store_sidecars(sidecars: Iterable[StoredSidecar]) -> None:
    """Store sidecars. Those that are there already are safe from removal for another day."""
    domain = get_domain_pk()
    rows = [
        # Always in the same order: otherwise two tasks that store the same sidecars could block
        # each other.
        CondaSidecar(sha256=digest, data=data, pulp_domain_id=domain)
        for digest, data in sorted(dict(sidecars).items())
    ]
    CondaSidecar.objects.bulk_create(
        rows,
        batch_size=100,
        update_conflicts=True,
        unique_fields=["pulp_domain", "sha256"],
        update_fields=["pulp_last_updated"],
    )


def remove_unused_sidecars() -> int:
    """Delete the sidecars of this domain that no package names, and return how many it deleted."""
    domain = get_domain_pk()
    users = CondaPackage.objects.filter(
        _pulp_domain=domain, attestations_sha256=OuterRef("sha256")
    ).exclude(attestations_sha256="")
    unused = CondaSidecar.objects.filter(
        ~Exists(users), pulp_domain=domain, pulp_last_updated__lt=timezone.now() - _UNUSED_FOR
    )
    # One statement, so that it sees sidecars which another task stores again at the same time.
    # `delete` would load the rows first.
    return unused._raw_delete(unused.db)


def _check_uploaded(
    filename: str, sha256: str, bundles: list[dict[str, Any]], repository: CondaRepository
) -> None:
    """Check that every bundle is good, and names no channel that does not serve the repository.

    Args:
        filename, sha256: Those of the file, the digest in hex.

    Raises:
        BadAttestation: with all bundles that are not.
    """
    try:
        sidecar = make_sidecar(bundles)
        check_sidecar(sidecar, filename=filename, sha256=sha256, strict=True)
    except ValueError as error:
        raise BadAttestation(filename=filename, reason=str(error)) from None
    channels = _channel_urls(repository)
    # One sidecar for each bundle: in a common sidecar, one good bundle would be enough.
    claims = [Claim(make_sidecar([bundle]), filename, sha256) for bundle in bundles]
    problems = []
    for number, verdict in enumerate(verify(claims)):
        problem = verdict.problem
        if not problem and verdict.channel and verdict.channel not in channels:
            problem = _("it is for the channel '{}', and repository '{}' is served at {}").format(
                shown(verdict.channel),
                repository.name,
                ", ".join(f"'{url}'" for url in channels) or _("no URL"),
            )
        if problem:
            problems.append(_("bundle {}: {}").format(number, problem))
    if problems:
        raise BadAttestation(filename=filename, reason="; ".join(problems))


def _channel_urls(repository: CondaRepository) -> list[str]:
    """Return the URLs of the channels that serve a repository, in the form of attestations.

    Upload tools put the name of the channel behind the URL of the server to which they upload.
    """
    distributions = CondaDistribution.objects.filter(
        Q(repository=repository)
        | Q(repository_version__repository=repository)
        | Q(publication__repository_version__repository=repository)
    )
    return sorted(
        url.rstrip("/")
        for distribution in distributions
        for url in (distribution.url, *distribution.upload_urls)
    )


def _present_sidecar(record: PackageRecord, repository: CondaRepository | None) -> bytes | None:
    """Return the sidecar that the same file has in a repository, or None."""
    if repository is None:
        return None
    version = repository.latest_version()
    package = CondaPackage.at_path([version], record.subdir, record.filename)
    if package is None or package.sha256 != record.sha256:
        return None
    row = CondaSidecar.objects.filter(
        pulp_domain=get_domain_pk(), sha256=package.attestations_sha256
    ).first()
    return row and bytes(row.data)


def _run_verifier(request: dict[str, Any], folder: str) -> list[Verdict]:
    """Run `pulp_conda.verifier`, and return its verdicts.

    Raises:
        OSError, subprocess.SubprocessError, ValueError, TypeError: it did not give all of them.
    """
    count = len(request["sidecars"])
    done = subprocess.run(
        # -P: do not import Python modules from the working directory.
        [sys.executable, "-P", "-m", "pulp_conda.verifier"],
        input=json.dumps(request).encode(),
        capture_output=True,
        timeout=_SECONDS_TO_START + count * _SECONDS_PER_SIDECAR,
        cwd=folder,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace")[-2000:].strip()
        raise ValueError(f"the verifier ended with status {done.returncode}: {reason}")
    verdicts = [Verdict(**verdict) for verdict in json.loads(done.stdout)]
    if len(verdicts) != count:
        raise ValueError(f"the verifier gave {len(verdicts)} verdicts for {count} sidecars")
    return verdicts
