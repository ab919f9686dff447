"""A package: a file and the record that clients saw."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models.functions import Lower

from pulpcore.plugin.models import Content
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.versions.blocked import IS_FREE
from pulp_conda.app.versions.sql import join_memberships
from pulp_conda.channel.records import PackageRecord

# In SQL, because it runs for each package that is served: Django takes four times as long to make
# it of a queryset.
_AT_PATH = f"""
SELECT package.content_ptr_id, package.filename, package.sha256, package.size,
    package.attestations_sha256, content.pulp_type, content.pulp_created, member.repository_id,
    added.number AS added, removed.number AS removed, {IS_FREE} AS is_free
FROM conda_condapackage AS package
    JOIN core_content AS content ON content.pulp_id = package.content_ptr_id
    {join_memberships()}
WHERE package._pulp_domain_id = %s AND package.subdir = %s AND package.filename = %s
"""


class CondaPackage(Content):
    """A package file with its repodata record.

    Upstream channels rewrite records of files that stay the same, so the record is part of the key.
    A hotfix is another unit that shares the artifact, and an old repository version keeps the old
    record.

    Fields:
        subdir (str): The platform folder, `linux-64` or `noarch`.
        filename (str): The name of the file in that folder.
        sha256 (str): The digest of the file.
        record_digest (str): The digest of the record in canonical form.
        record (str): The record in canonical form, as it is written into repodata.
        name, version, build, build_number, md5, size, license, noarch, depends: From the record, to
            filter by.
        timestamp (int): When the package was built, in milliseconds since 1970.
        indexed_timestamp (int): When the upstream first offered it, if the upstream says so (CEP
            47).
        attestations_sha256 (str): The digest of its sidecar, or empty (CEP 50).
        in_v3 (bool): The record belongs into the `v3` section of repodata (CEP 48).
        is_plain (bool): The record has the form that all clients read, so it is served as it is
            stored. None if nobody looked: then the publisher looks at it each time.
    """

    TYPE = "package"
    PROTECTED_FROM_RECLAIM = False
    repo_key_fields = ("subdir", "filename")

    subdir = models.TextField()
    filename = models.TextField()
    sha256 = models.CharField(max_length=64)
    record_digest = models.CharField(max_length=64)
    record = models.TextField()

    name = models.TextField()
    version = models.TextField()
    build = models.TextField()
    build_number = models.BigIntegerField()
    md5 = models.CharField(max_length=32)
    size = models.BigIntegerField(null=True)
    license = models.TextField()
    noarch = models.TextField()
    depends = ArrayField(models.TextField())
    timestamp = models.BigIntegerField(null=True)
    indexed_timestamp = models.BigIntegerField(null=True)
    attestations_sha256 = models.TextField(default="")
    in_v3 = models.BooleanField(default=False)
    is_plain = models.BooleanField(null=True)

    # This field has no index: PostgreSQL would use it instead of the one below as long as it has no
    # statistics of the table.
    _pulp_domain = models.ForeignKey(
        "core.Domain", default=get_domain_pk, on_delete=models.PROTECT, db_index=False
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        # In this order the index behind it also finds a path of a channel, see `at_path`.
        unique_together = ("_pulp_domain", "subdir", "filename", "sha256", "record_digest")
        indexes = [
            # One index for equal names and for beginnings of names. Django alone would make two.
            models.Index(
                fields=["name"], name="conda_package_name", opclasses=["text_pattern_ops"]
            ),
            # For the sidecars that no package has any more.
            models.Index(
                fields=["attestations_sha256"],
                name="conda_package_attestations",
                condition=~models.Q(attestations_sha256=""),
            ),
            # For all packages with the same bytes. Of the expression, so that PostgreSQL takes it
            # only for statements that say so: a sync looks up whole paths, which lie side by side
            # in the index behind the unique key.
            HashIndex(Lower("sha256"), name="conda_package_sha256"),
        ]
        permissions = [
            ("upload_condapackages", "Can upload conda packages using the synchronous API."),
        ]

    @classmethod
    def from_record(cls, record: PackageRecord) -> "CondaPackage":
        """Build an unsaved package from a `PackageRecord`."""
        return cls(**cls.columns(record))

    @staticmethod
    def columns(record: PackageRecord) -> dict[str, Any]:
        """Return the values of a record's columns, by field name."""
        return {
            "subdir": record.subdir,
            "filename": record.filename,
            "sha256": record.sha256,
            "record_digest": record.digest,
            "record": record.canonical.decode(),
            "name": record.name,
            "version": record.version,
            "build": record.build,
            "build_number": record.build_number,
            "md5": record.md5,
            "size": record.size,
            "license": record.license,
            "noarch": record.noarch,
            "depends": record.depends,
            "timestamp": record.timestamp,
            "indexed_timestamp": record.indexed_timestamp,
            "attestations_sha256": record.attestations_sha256,
            "in_v3": record.in_v3,
            "is_plain": record.is_plain,
        }

    def as_record(self) -> PackageRecord:
        """Return the record, with the keys that the upstream gave it."""
        return PackageRecord.from_canonical(self.subdir, self.filename, self.record, self.in_v3)

    @classmethod
    def at_path(
        cls, repository_versions: Iterable[Any], subdir: str, filename: str
    ) -> "CondaPackage | None":
        """Return the package that the first of these versions to have one has at a path, or None.

        Goes through the membership rows of this path alone, so that the cost does not depend on the
        size of the versions, nor on their number. The package has the attribute `is_free`, which
        says that its bytes are not blocked.
        """
        # A package once for each of its memberships.
        members = list(cls.objects.raw(_AT_PATH, [get_domain_pk(), subdir, filename]))
        if not members:
            # Which versions there are is another query.
            return None
        for version in repository_versions:
            for package in members:
                is_member = package.added <= version.number and not (
                    package.removed and package.removed <= version.number
                )
                if package.repository_id == version.repository_id and is_member:
                    return package
        return None
