"""What is known of a package file besides its record."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Self

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from pulpcore.plugin.models import Artifact, BaseModel
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.artifacts import compute_md5
from pulp_conda.channel.package.info import PackageInfo


class CondaPackageInfo(BaseModel):
    """What the record of a package cannot carry: read from the file, or said by an upstream that
    holds it.

    A version is published with what was known when it came to be, so that it gives the same files
    each time.

    Fields:
        sha256 (str): The digest of the file.
        md5 (str): The md5 of the file, computed if a lock file needs it and the record has none. Or
            None.
        run_exports (str): Canonical JSON of what the package adds to those built with it, or None
            if not known.
        run_exports_known_at (datetime): Since when.
        about (dict): `info/about.json`, or None if the file was not read yet.
        link (dict): `info/link.json`, or None if the package has none.
        licenses (list): The names of the license texts in it.
        traits (dict): Which scripts and prefixes it has, by the keys of channeldata.json.
        source_urls (list): The URLs of the sources that it was built from, or None if the file was
            not read since this is read.
        read_at (datetime): When the file was read.
        converted_from (str): The sha256 of the `.tar.bz2` of which this server made the file, or
            None.
    """

    sha256 = models.CharField(max_length=64)
    md5 = models.CharField(max_length=32, null=True)
    run_exports = models.TextField(null=True)
    run_exports_known_at = models.DateTimeField(null=True)
    about = models.JSONField(null=True)
    link = models.JSONField(null=True)
    licenses = ArrayField(models.TextField(), default=list)
    traits = models.JSONField(default=dict)
    source_urls = ArrayField(models.TextField(), null=True)
    read_at = models.DateTimeField(null=True)
    converted_from = models.CharField(max_length=64, null=True)
    # It needs no separate index, because the index of the unique key begins with it.
    pulp_domain = models.ForeignKey(
        "core.Domain", default=get_domain_pk, on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "sha256")
        indexes = [
            models.Index(
                fields=["converted_from"],
                name="conda_info_converted_from",
                condition=~models.Q(converted_from=None),
            ),
        ]

    @classmethod
    def remember(cls, sha256: str, info: PackageInfo) -> None:
        """Keep what was read from a file, a `pulp_conda.channel.package.info.PackageInfo`.

        What an upstream said of its run_exports before stays: published versions rely on it.
        """
        cls.remember_all({sha256: info})

    @classmethod
    def remember_all(cls, infos: Mapping[str, PackageInfo]) -> None:
        """Do as `remember` does for many files, by their sha256, in a few statements."""
        now, domain = timezone.now(), get_domain_pk()
        rows = {
            sha256: cls(sha256=sha256, pulp_domain_id=domain)._learn(info, now)
            for sha256, info in infos.items()
        }
        # Always in the same order: otherwise two tasks could wait for each other.
        cls.objects.bulk_create([rows[sha256] for sha256 in sorted(rows)], ignore_conflicts=True)
        lacking = cls.objects.filter(pulp_domain=domain, sha256__in=infos).filter(
            models.Q(run_exports=None) | models.Q(read_at=None)
        )
        for row in lacking:
            row._learn(infos[row.sha256], now).save()

    def _learn(self, info: PackageInfo, now: datetime) -> Self:
        """Take what was read from the file where nothing is known yet, and return the row."""
        if self.run_exports is None:
            run_exports = orjson.dumps(info.run_exports, option=orjson.OPT_SORT_KEYS)
            self.run_exports, self.run_exports_known_at = run_exports.decode(), now
        if self.read_at is None:
            self.about, self.link, self.traits = info.about, info.link, info.traits
            self.licenses, self.source_urls = list(info.licenses), list(info.source_urls)
            self.read_at = now
        return self

    @classmethod
    def made_of(cls, sha256: str) -> str | None:
        """Return of which `.tar.bz2` this server made a file, by their sha256, or None."""
        rows = cls.objects.filter(pulp_domain=get_domain_pk(), sha256=sha256)
        return rows.values_list("converted_from", flat=True).first()

    @classmethod
    def md5_of(cls, sha256s: Collection[str]) -> dict[str, str]:
        """Return the md5 of files that are on this server, by their sha256.

        Files are read once. Those that are not here are left out.
        """
        domain = get_domain_pk()
        rows = cls.objects.filter(pulp_domain=domain, sha256__in=sha256s, md5__isnull=False)
        known = dict(rows.values_list("sha256", "md5"))
        artifacts = Artifact.objects.filter(
            pulp_domain=domain, sha256__in=set(sha256s) - known.keys()
        )
        for artifact in artifacts:
            try:
                with artifact.file.open() as file:
                    known[artifact.sha256] = md5 = compute_md5(file)
            except FileNotFoundError:
                continue  # The storage lost it.
            # Each at once, because a request may be given up before the last.
            cls.objects.update_or_create(
                sha256=artifact.sha256, pulp_domain_id=domain, defaults={"md5": md5}
            )
        return known
