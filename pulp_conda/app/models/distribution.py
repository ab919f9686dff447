"""Where a channel is served, and how a path of it is found."""

from datetime import UTC, datetime, timedelta

from aiohttp.web import HTTPMovedPermanently, HTTPNotFound, Response
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    Distribution,
    PublishedMetadata,
)

from pulp_conda import pages
from pulp_conda.app.models.content import CondaPackage
from pulp_conda.app.models.publication import CondaPublication
from pulp_conda.app.models.shard import CondaShard
from pulp_conda.channel import layout

# The bytes of a package or shard never change under its name, so nobody has to ask again for a year.
_IMMUTABLE = "public, max-age=31536000, immutable"

_CONTENT_TYPES = {
    ".json": "application/json",
    ".zst": "application/zstd",
    ".conda": "application/octet-stream",
    ".bz2": "application/x-bzip2",
}


class CondaDistribution(Distribution, AutoAddObjPermsMixin):
    """The URL of a channel: `base_path` is the channel's name.

    Every path is resolved here, by indexed lookups: pulpcore's own way lists the whole version first.
    """

    TYPE = "conda"
    SERVE_FROM_PUBLICATION = True

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
            case layout.Shard(_, sha256):
                found = self._shard(publication, path, sha256)
            case layout.Metadata():
                found = _metadata(publication, path)
            case layout.Folder(subdir):
                found = self._page(publication, subdir)
            case _:
                if layout.is_subdir(path):
                    raise HTTPMovedPermanently(f"{path}/")
                found = None
        if found is None:
            raise HTTPNotFound
        return found

    def content_headers_for(self, path):
        """Return the headers that conda clients and the proxies before them go by."""
        name = path.rpartition("/")[2]
        extension = "." + name.rpartition(".")[2]
        headers = {}
        if content_type := _CONTENT_TYPES.get(extension):
            headers["Content-Type"] = content_type
        if name.endswith(layout.EXTENSIONS) or "/shards/" in path:
            headers["Cache-Control"] = _IMMUTABLE
        elif name in layout.SUBDIR_METADATA:
            headers["Cache-Control"] = (
                f"public, max-age={settings.CONDA_METADATA_MAX_AGE}, must-revalidate"
            )
        return headers

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
            superseded = self._superseded.select_related("publication__repository_version")
            versions = [row.publication.repository_version for row in superseded]
            package = CondaPackage.at_path(versions, subdir, filename)
        if package is None:
            return None
        content_artifact = _content_artifact(package)
        if content_artifact.artifact:
            return content_artifact
        # Only the content app may import this, and only it comes here.
        from pulp_conda.app.content import OnDemandPackage

        return OnDemandPackage(content_artifact, package, self.content_headers_for(filename))

    def _shard(self, publication, path, sha256):
        superseded = Q(conda_publishedshard__publication__in=self._superseded.values("publication"))
        served = Q(conda_publishedshard__publication=publication) | superseded
        shard = CondaShard.objects.filter(served, sha256=bytes.fromhex(sha256)).first()
        if shard is None:
            return None
        headers = {**self.content_headers_for(path), "ETag": f'"{sha256}"'}
        return Response(body=bytes(shard.data), headers=headers)

    @property
    def _superseded(self):
        """What this URL served a while ago, newest first: clients still hold indexes that name its files."""
        return self.core_distributedpublications.filter(expires_at__gte=timezone.now()).order_by(
            "-pulp_created"
        )

    def _page(self, publication, subdir):
        counts = publication.package_counts
        if subdir is None:
            html = pages.render_channel(
                self.name, self._url, counts, publication.repository_version.number
            )
        elif subdir in counts:
            html = pages.render_subdir(self.name, subdir, counts[subdir])
        else:
            return None
        return Response(text=html, content_type="text/html", charset="utf-8")

    @property
    def _url(self):
        """The URL that clients use."""
        domain = f"{self.pulp_domain.name}/" if settings.DOMAIN_ENABLED else ""
        origin = settings.CONTENT_ORIGIN or ""
        return f"{origin}{settings.CONTENT_PATH_PREFIX}{domain}{self.base_path}"


def _metadata(publication, path):
    metadata = PublishedMetadata.objects.filter(publication=publication, relative_path=path).first()
    return metadata and _content_artifact(metadata)


def _content_artifact(content):
    artifacts = content.contentartifact_set.select_related("artifact", "artifact__pulp_domain")
    return artifacts.first()
