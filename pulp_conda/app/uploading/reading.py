"""Read an uploaded package, and store it as a unit."""

import logging
from typing import BinaryIO

from django.db import IntegrityError, transaction

from pulpcore.plugin.models import Artifact, ContentArtifact

from pulp_conda.app.errors import BlockedPackage
from pulp_conda.app.limits import package_limits
from pulp_conda.app.models import CondaPackage
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.channel import layout
from pulp_conda.channel.matchspec import Blocklist
from pulp_conda.channel.package.archive import Spend, spend_freely
from pulp_conda.channel.package.info import PackageInfo
from pulp_conda.channel.package.package import read_package_with_info
from pulp_conda.channel.records import PackageRecord

log = logging.getLogger(__name__)


def read_upload(
    file: BinaryIO,
    *,
    filename: str | None,
    subdir: str | None,
    sha256: str,
    md5: str,
    size: int,
    blocklist: Blocklist | None = None,
    spend: Spend = spend_freely,
) -> tuple[PackageRecord, PackageInfo]:
    """Check a package within the limits of the settings, and return what it says.

    Args:
        blocklist: What is blocked, if the caller knows it.
        Others: as of `read_package_with_info`.

    Raises:
        ChannelError: something is wrong with the package, or it is blocked.
    """
    record, info = read_package_with_info(
        file,
        filename=filename,
        subdir=subdir,
        sha256=sha256,
        md5=md5,
        size=size,
        limits=package_limits(),
        spend=spend,
    )
    if blocklist is None:
        blocklist = current_blocklist()
    if (reason := blocklist.reason_against(record)) is not None:
        path = layout.package_path(record.subdir, record.filename)
        raise BlockedPackage(path=path, reason=reason.rstrip("."))
    for warning in info.warnings:
        log.warning(
            "'%s' differs from its 'info/paths.json', which is harmless: %s",
            record.filename,
            warning,
        )
    return record, info


def store_package(record: PackageRecord, artifact: Artifact) -> CondaPackage:
    """Return the unit of a package, and make it if there is none.

    Call `CondaPackageInfo.remember` before a version has the package: a publication of that version
    uses this information.
    """
    package = CondaPackage.from_record(record)
    key = {field: getattr(package, field) for field in CondaPackage.natural_key_fields()}
    path = layout.package_path(record.subdir, record.filename)
    present = CondaPackage.objects.filter(**key).first()
    if present is None:
        try:
            with transaction.atomic():
                package.save()
                ContentArtifact.objects.create(
                    content=package, artifact=artifact, relative_path=path
                )
            return package
        except IntegrityError:
            # Another task made the same unit.
            present = CondaPackage.objects.get(**key)
    present.touch()
    # A mirrored package may not have its bytes yet.
    ContentArtifact.objects.filter(content=present, artifact=None).update(artifact=artifact)
    return present
