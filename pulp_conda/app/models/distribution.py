"""Where a channel is served, and how a path of it is found."""

from datetime import UTC, datetime, timedelta

from aiohttp.web import HTTPMovedPermanently, HTTPNotFound
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    Distribution,
    PublishedMetadata,
)
from pulpcore.plugin.util import get_domain_pk

from pulp_conda import pages
from pulp_conda.app.models.content import CondaPackage
from pulp_conda.app.models.file import CondaSidecar
from pulp_conda.app.models.publication import CondaPublication
from pulp_conda.app.models.shard import CondaShard
from pulp_conda.channel import layout
from pulp_conda.channel.notices import current_notices, encode_notices, last_expiry

# The bytes of a package, a shard or an old sidecar never change under its name, so nobody has to ask again for a year.
_IMMUTABLE = "public, max-age=31536000, immutable"

_CONTENT_TYPES = {
    ".json": "application/json",
    ".zst": "application/zstd",
    ".conda": "application/octet-stream",
    ".bz2": "application/x-bzip2",
    ".html": "text/html; charset=utf-8",
}


class CondaDistribution(Distribution, AutoAddObjPermsMixin):
    """The URL of a channel: `base_path` is the channel's name.

    Every path is resolved here, by indexed lookups: pulpcore's own way lists the whole version first.

    Fields:
        notices (list): What clients show to their users, entries of `notices.json` (CEP 6).
    """

    TYPE = "conda"
    SERVE_FROM_PUBLICATION = True

    notices = models.JSONField(default=list)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_condadistribution", "Can manage roles on conda distributions"),
        ]

    def content_handler(self, path):
        """Return what a path below the channel's URL stands for.

        Raises:
            HTTPNotFound: for everything that the channel does not have.
        """
        if self.checkpoint:
            publication, path = self._checkpoint(path)
            if publication is None:
                # pulpcore lists the checkpoints, and redirects to the one before a date.
                return None
        else:
            publication = self.get_repository_publication_and_version()[2]
            if publication is None:
                raise HTTPNotFound

        match layout.parse_path(path):
            case layout.Package(subdir, filename):
                found = self._package(publication, subdir, filename)
            case layout.Shard(subdir, sha256):
                found = self._shard(publication, subdir, sha256)
            case layout.Sidecar(subdir, filename, None):
                found = self._sidecar(publication, subdir, filename)
            case layout.Sidecar(subdir, filename, sha256):
                found = self._old_sidecar(publication, subdir, filename, sha256)
            case layout.Metadata(None, layout.NOTICES):
                found = self._notices()
            case layout.Metadata():
                found = self._metadata(publication, path)
            case layout.Folder(subdir):
                found = self._page(publication, subdir)
            case _:
                if path in publication.package_counts:
                    raise HTTPMovedPermanently(f"{path}/")
                found = None
        if found is None:
            raise HTTPNotFound
        return found

    def _checkpoint(self, path):
        """Return the checkpoint whose date leads a path, and the path behind the date."""
        date, _, path = path.partition("/")
        try:
            moment = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None, path
        publications = CondaPublication.objects.filter(
            repository_version__repository=self.repository, checkpoint=True, complete=True
        )
        in_that_second = publications.filter(
            pulp_created__gte=moment, pulp_created__lt=moment + timedelta(seconds=1)
        )
        return in_that_second.order_by("pulp_created").last(), path

    def _package(self, publication, subdir, filename):
        package = CondaPackage.at_path([publication.repository_version], subdir, filename)
        if package is None:
            package = CondaPackage.at_path(self._superseded_versions, subdir, filename)
        if package is None:
            return None
        content_artifact = _content_artifact(package)
        headers = _headers(filename, _IMMUTABLE)
        if content_artifact.artifact:
            return _answers().StoredFile(
                content_artifact, headers, last_modified=package.pulp_created
            )
        return _answers().OnDemandPackage(
            content_artifact, package, headers, last_modified=package.pulp_created
        )

    def _shard(self, publication, subdir, sha256):
        served = CondaPublication.objects.filter(
            Q(pk=publication.pk) | Q(pk__in=self._superseded.values("publication")),
            package_counts__has_key=subdir,
        )
        shard = CondaShard.objects.filter(
            sha256=bytes.fromhex(sha256), conda_publishedshard__publication__in=served.values("pk")
        ).first()
        return shard and _answers().BytesInMemory(
            bytes(shard.data),
            _headers(".zst", _IMMUTABLE),
            sha256=sha256,
            last_modified=shard.pulp_created,
        )

    def _sidecar(self, publication, subdir, filename):
        package = CondaPackage.at_path([publication.repository_version], subdir, filename)
        sidecar = package and _find_sidecar(package.attestations_sha256)
        return sidecar and _answers().BytesInMemory(
            bytes(sidecar.data),
            _headers(".json", _revalidated()),
            sha256=sidecar.sha256,
            **self._date(publication),
        )

    def _old_sidecar(self, publication, subdir, filename, sha256):
        """Return what the sidecar of a package is now, or was a while ago, by the digest in its path."""
        sidecar = _find_sidecar(sha256)
        # Few paths get to the versions, which are asked one by one.
        if (
            not sidecar
            or not CondaPackage.objects.filter(
                _pulp_domain=get_domain_pk(),
                subdir=subdir,
                filename=filename,
                attestations_sha256=sha256,
            ).exists()
        ):
            return None
        for version in (publication.repository_version, *self._superseded_versions):
            package = CondaPackage.at_path([version], subdir, filename)
            if package and package.attestations_sha256 == sha256:
                return _answers().BytesInMemory(
                    bytes(sidecar.data),
                    _headers(".json", _IMMUTABLE),
                    sha256=sha256,
                    last_modified=sidecar.pulp_created,
                )
        return None

    def _notices(self):
        # CEP 6: conda follows no redirect to a storage.
        now = timezone.now()
        changes = (self.pulp_last_updated, last_expiry(self.notices, now))
        return _answers().BytesInMemory(
            encode_notices(current_notices(self.notices, now)),
            _headers(layout.NOTICES, _revalidated()),
            last_modified=max(filter(None, changes)),
        )

    def _metadata(self, publication, path):
        metadata = PublishedMetadata.objects.filter(publication=publication, relative_path=path)
        metadata = metadata.first()
        return metadata and _answers().StoredFile(
            _content_artifact(metadata), _headers(path, _revalidated()), **self._date(publication)
        )

    @property
    def _superseded(self):
        """What this URL served a while ago, newest first: clients still hold indexes that name its files."""
        return self.core_distributedpublications.filter(expires_at__gte=timezone.now()).order_by(
            "-pulp_created"
        )

    @property
    def _superseded_versions(self):
        rows = self._superseded.select_related("publication__repository_version").defer(
            "publication__repository_version__content_ids"
        )
        return [row.publication.repository_version for row in rows]

    def _date(self, publication):
        """Return since when this URL gives what it gives, and whether it gave something else in the same second.

        The date of the publication is not enough: after a rollback it is older than what clients have.
        """
        if self.checkpoint:
            return {"last_modified": publication.pulp_last_updated}
        turns = self.core_distributedpublications.order_by("-pulp_last_updated")
        turns = turns.values_list("publication", "pulp_last_updated")[:2]
        if not turns:
            # With DISTRIBUTED_PUBLICATION_RETENTION_PERIOD=0 nobody notes them.
            return {"last_modified": max(publication.pulp_last_updated, self.pulp_last_updated)}
        (newest, since), *before = turns
        moment = max(publication.pulp_last_updated, since)
        second = moment.replace(microsecond=0)
        is_alone = newest == publication.pk and all(since < second for _, since in before)
        return {"last_modified": moment, "is_date_unique": is_alone}

    def _page(self, publication, subdir):
        counts = publication.package_counts
        if subdir is None:
            html = pages.render_channel(
                self.name, self.url, counts, publication.repository_version.number
            )
        elif subdir in counts:
            files = PublishedMetadata.objects.filter(
                publication=publication, relative_path__startswith=f"{subdir}/"
            )
            names = (
                path.rpartition("/")[2] for path in files.values_list("relative_path", flat=True)
            )
            html = pages.render_subdir(self.name, subdir, counts[subdir], names)
        else:
            return None
        # No date: the next release of this plugin may write it in another way.
        return _answers().BytesInMemory(html.encode(), _headers(".html", _revalidated()))

    @property
    def url(self):
        """The URL that clients use."""
        domain = f"{self.pulp_domain.name}/" if settings.DOMAIN_ENABLED else ""
        origin = settings.CONTENT_ORIGIN or ""
        return f"{origin}{settings.CONTENT_PATH_PREFIX}{domain}{self.base_path}"


def _answers():
    """Return the module of the answers: only the content app may import it, and only it comes here."""
    from pulp_conda.app import content

    return content


def _headers(filename, cache_control):
    """Return the headers that conda clients and the proxies before them go by."""
    extension = "." + filename.rpartition(".")[2]
    return {"Content-Type": _CONTENT_TYPES[extension], "Cache-Control": cache_control}


def _revalidated():
    return f"public, max-age={settings.CONDA_METADATA_MAX_AGE}, must-revalidate"


def _find_sidecar(sha256):
    return CondaSidecar.objects.filter(pulp_domain=get_domain_pk(), sha256=sha256).first()


def _content_artifact(content):
    artifacts = content.contentartifact_set.select_related("artifact", "artifact__pulp_domain")
    return artifacts.first()
