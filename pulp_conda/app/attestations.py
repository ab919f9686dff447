"""Verify attestations and keep sidecars, for uploads and mirrors.

What an attestation must say is in `pulp_conda.channel.package.attestations`. The signatures are checked by `pulp_conda.verifier`,
one process for a list of sidecars: if it fails, nothing is taken for verified.
"""

import json
import logging
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from gettext import gettext as _
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaDistribution, CondaPackage, CondaSidecar
from pulp_conda.channel.errors import BadAttestation, BadSidecar, mask, shown
from pulp_conda.channel.package.attestations import check_sidecar, make_sidecar

log = logging.getLogger(__name__)

# A sidecar of the largest size takes less than a second.
_SECONDS_TO_START = 60
_SECONDS_PER_SIDECAR = 1

# How long an upload or a sync may take from storing a sidecar to storing the package that names it.
_UNUSED_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Verdict:
    """What the verifier says of a sidecar.

    Fields:
        problem: Why it is not good, or None if one of its statements about the package is signed as it should be.
        channel: The `targetChannel` of that statement, or None.
    """

    problem: str | None
    channel: str | None


def verify(sidecars):
    """Return a `Verdict` for each of (bytes, file name, sha256 of the file)."""
    if not sidecars:
        return []
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        request = {"trusted_root": settings.CONDA_SIGSTORE_TRUSTED_ROOT, "sidecars": []}
        for number, (data, filename, package_sha256) in enumerate(sidecars):
            digest = sha256(data).hexdigest()
            path = Path(folder, f"{number}.conda.sigs.{digest}")
            path.write_bytes(data)
            request["sidecars"].append(
                {
                    "path": str(path),
                    "sha256": digest,
                    "filename": filename,
                    "package_sha256": package_sha256,
                }
            )
        try:
            return _run_verifier(request, folder)
        except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
            log.warning("Attestations cannot be verified: %s", error)
    problem = _("this server cannot verify it, an administrator finds the reason in its log")
    return [Verdict(problem, channel=None)] * len(sidecars)


def attested(record, bundles, repository):
    """Return the record of an uploaded file with the digest of its sidecar, and store that.

    What the repository has of the same file is kept, as sidecars only ever grow.

    Args:
        bundles: Sigstore bundles that came with the file.
        repository: Where the file goes, or None.

    Raises:
        BadAttestation: a bundle is not good, or for another file or another channel.
    """
    # A package cannot vouch for itself: only sidecars that the server has count.
    fields = {key: value for key, value in record.fields.items() if key != "attestations_sha256"}
    _check_uploaded(record, bundles, repository)
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


def checked_sidecars(mirrored):
    """Return (digest, bytes) of the sidecars of an upstream's packages, for `store_sidecars`.

    They may be for another channel, which is what a mirror is about.

    Args:
        mirrored: A list of (`PackageRecord`, URL of its sidecar, bytes).

    Raises:
        BadSidecar: the first that is not what its record says, or is not about its package.
    """
    for record, url, data in mirrored:
        digest = sha256(data).hexdigest()
        if digest != record.attestations_sha256:
            reason = _("it has the sha256 '{}', and the record says '{}'").format(
                digest, shown(record.attestations_sha256)
            )
            raise BadSidecar(url=mask(url), reason=reason)
        try:
            check_sidecar(data, filename=record.filename, sha256=record.sha256)
        except ValueError as error:
            raise BadSidecar(url=mask(url), reason=str(error)) from None
    if settings.CONDA_VERIFY_MIRRORED_ATTESTATIONS:
        verdicts = verify(
            [(data, record.filename, record.sha256) for record, _url, data in mirrored]
        )
        for (_record, url, _data), verdict in zip(mirrored, verdicts, strict=True):
            if verdict.problem:
                raise BadSidecar(url=mask(url), reason=verdict.problem)
    return [(record.attestations_sha256, data) for record, _url, data in mirrored]


def store_sidecars(sidecars):
    """Keep sidecars, given as (digest, bytes); those that are there are protected from removal for a day."""
    domain = get_domain_pk()
    rows = [
        # In one order, so that two tasks with the same sidecars do not wait for each other in a circle.
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


def remove_unused_sidecars():
    """Remove the sidecars of this domain that no package names, and return how many there were."""
    domain = get_domain_pk()
    users = CondaPackage.objects.filter(
        _pulp_domain=domain, attestations_sha256=OuterRef("sha256")
    ).exclude(attestations_sha256="")
    unused = CondaSidecar.objects.filter(
        ~Exists(users), pulp_domain=domain, pulp_last_updated__lt=timezone.now() - _UNUSED_FOR
    )
    # In one statement, which sees what another task stored again in the meantime; `delete` would load the rows first.
    return unused._raw_delete(unused.db)


def _check_uploaded(record, bundles, repository):
    """Raise `BadAttestation` unless every bundle is good, and for a channel that serves the repository."""
    if not bundles:
        return
    try:
        sidecar = make_sidecar(bundles)
        check_sidecar(sidecar, filename=record.filename, sha256=record.sha256, strict=True)
    except ValueError as error:
        raise BadAttestation(filename=record.filename, reason=str(error)) from None
    channels = _channel_urls(repository)
    # Each in a sidecar of its own, of which one good bundle would be enough.
    sidecars = [(make_sidecar([bundle]), record.filename, record.sha256) for bundle in bundles]
    for number, verdict in enumerate(verify(sidecars)):
        problem = verdict.problem
        if not problem and verdict.channel and verdict.channel not in channels:
            problem = _("it is for the channel '{}', and repository '{}' is served at {}").format(
                shown(verdict.channel),
                repository.name,
                ", ".join(f"'{url}'" for url in channels) or _("no URL"),
            )
        if problem:
            reason = _("bundle {}: {}").format(number, problem)
            raise BadAttestation(filename=record.filename, reason=reason)


def _channel_urls(repository):
    """Return the URLs of the channels that serve a repository, as attestations name them."""
    distributions = CondaDistribution.objects.filter(
        Q(repository=repository)
        | Q(repository_version__repository=repository)
        | Q(publication__repository_version__repository=repository)
    )
    return sorted(distribution.url.rstrip("/") for distribution in distributions)


def _present_sidecar(record, repository):
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


def _run_verifier(request, folder):
    """Return the verdicts of `pulp_conda.verifier`, or raise what prevented them."""
    count = len(request["sidecars"])
    done = subprocess.run(
        # -P: what lies in the folder is no Python of ours.
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
