"""What is known of a package file besides its record."""

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.utils import timezone

from pulpcore.plugin.models import BaseModel
from pulpcore.plugin.util import get_domain_pk


class CondaPackageInfo(BaseModel):
    """What the record of a package cannot carry: read from the file, or said by an upstream that holds it.

    A version is published with what was known when it came to be, so that it gives the same files each time.

    Fields:
        sha256 (str): The digest of the file.
        run_exports (str): Canonical JSON of what the package adds to those built with it, or None if not known.
        run_exports_known_at (datetime): Since when.
        about (dict): `info/about.json`, or None if nobody has read the file yet.
        link (dict): `info/link.json`, or None if the package has none.
        licenses (list): The names of the license texts in it.
        traits (dict): Which scripts and prefixes it has, by the keys of channeldata.json.
        read_at (datetime): When the file was read.
    """

    sha256 = models.CharField(max_length=64)
    run_exports = models.TextField(null=True)
    run_exports_known_at = models.DateTimeField(null=True)
    about = models.JSONField(null=True)
    link = models.JSONField(null=True)
    licenses = ArrayField(models.TextField(), default=list)
    traits = models.JSONField(default=dict)
    read_at = models.DateTimeField(null=True)
    # No index of its own, here and elsewhere: that of the unique key begins with it.
    pulp_domain = models.ForeignKey(
        "core.Domain", default=get_domain_pk, on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "sha256")

    @classmethod
    def remember(cls, sha256, info):
        """Keep what was read from a file, a `pulp_conda.channel.info.PackageInfo`.

        What an upstream said of its run_exports before stays: published versions rely on it.
        """
        now = timezone.now()
        row, _ = cls.objects.get_or_create(sha256=sha256, pulp_domain_id=get_domain_pk())
        if row.run_exports is None:
            row.run_exports = orjson.dumps(info.run_exports, option=orjson.OPT_SORT_KEYS).decode()
            row.run_exports_known_at = now
        if row.read_at is None:
            row.about, row.link, row.traits = info.about, info.link, info.traits
            row.licenses = list(info.licenses)
            row.read_at = now
        row.save()


class IndexedFile(models.Model):
    """When a channel first offered a file: set once, and kept whatever happens to its record (CEP 47).

    Fields:
        sha256 (str): The digest of the file.
        indexed_timestamp (int): Milliseconds since 1970.
    """

    pk = models.CompositePrimaryKey("repository_id", "sha256")
    repository = models.ForeignKey(
        "conda.CondaRepository", on_delete=models.CASCADE, db_index=False
    )
    sha256 = models.CharField(max_length=64)
    indexed_timestamp = models.BigIntegerField()

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"

    @classmethod
    def note(cls, version, seed):
        """Note the files that a version added, at its moment, unless they were there before or their upstream says it.

        Args:
            seed: Take the moment when they were built, if that is past: a million old packages are not new because
                we mirror them since today (CEP 47).
        """
        facts = {
            "repository": version.repository_id,
            "version": version.pk,
            "seed": seed,
            "moment": int(version.pulp_created.timestamp() * 1000),
        }
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, facts)


_NOTE = """
INSERT INTO conda_indexedfile (repository_id, sha256, indexed_timestamp)
SELECT DISTINCT ON (package.sha256 COLLATE "C") %(repository)s, package.sha256,
    CASE WHEN %(seed)s THEN LEAST(package.timestamp, %(moment)s) ELSE %(moment)s END
FROM core_repositorycontent AS member
    JOIN conda_condapackage AS package ON package.content_ptr_id = member.content_id
WHERE member.repository_id = %(repository)s AND member.version_added_id = %(version)s
    AND package.indexed_timestamp IS NULL
ORDER BY package.sha256 COLLATE "C", package.timestamp
ON CONFLICT DO NOTHING
"""


class CondaSidecar(BaseModel):
    """The attestations of a package, as clients fetch them: a JSON list of Sigstore bundles (CEP 50).

    Fields:
        sha256 (str): The digest of `data`, by which records name it (`attestations_sha256`).
        data (bytes): The file.
    """

    sha256 = models.CharField(max_length=64)
    data = models.BinaryField()
    pulp_domain = models.ForeignKey(
        "core.Domain", default=get_domain_pk, on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "sha256")
