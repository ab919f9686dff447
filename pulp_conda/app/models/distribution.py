"""Where a channel is served, and how a path of it is found."""

from functools import lru_cache

from aiohttp.web import HTTPMovedPermanently, HTTPNotFound
from django.conf import settings
from django.db import models
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone
from django_lifecycle import AFTER_UPDATE, BEFORE_DELETE, hook

from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    ContentArtifact,
    Distribution,
    PublishedMetadata,
    RepositoryContent,
    RepositoryVersion,
)
from pulpcore.plugin.util import get_domain_pk

from pulp_conda import pages
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models.package import CondaPackage
from pulp_conda.app.models.publication import CondaPublication
from pulp_conda.app.models.shard import CondaShard, PublishedShard
from pulp_conda.app.models.sidecar import CondaSidecar
from pulp_conda.app.serving.history_feed import render_history
from pulp_conda.app.serving.resolve import served_at, served_checkpoint, served_now, stage_of
from pulp_conda.channel import layout
from pulp_conda.channel.errors import ChannelError, UsedByLifecycle
from pulp_conda.channel.metadata.notices import current_notices, encode_notices, last_expiry

# What a distribution serves; of a stage, its moves alone say what.
SERVED_FIELDS = ("publication", "repository", "repository_version")

# The bytes of a package, a shard or an old sidecar never change under its name, so nobody has to ask again for a year.
_IMMUTABLE = "public, max-age=31536000, immutable"

_CONTENT_TYPES = {
    ".json": "application/json",
    ".zst": "application/zstd",
    ".conda": "application/octet-stream",
    ".bz2": "application/x-bzip2",
    ".html": "text/html; charset=utf-8",
    ".atom": "application/atom+xml",
}

# By their bytes first: joined, PostgreSQL may go through all shards of the publication. In SQL, as `served` has it.
_SHARDS = """
SELECT shard.*, (
    SELECT publication_id FROM conda_publishedshard WHERE shard_id = shard.pulp_id AND publication_id = %s
) IS NOT NULL AS is_served
FROM conda_condashard AS shard WHERE sha256 = %s
"""


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

    @hook(BEFORE_DELETE)
    def check_unused(self):
        """Refuse to delete a stage.

        Raises:
            CondaError: `UsedByLifecycle`.
        """
        if stage := stage_of(self):
            raise CondaError(UsedByLifecycle(name=self.name, lifecycle=stage.lifecycle.name))

    def save(self, *args, **options):
        if not self._state.adding and stage_of(self) and "update_fields" not in options:
            # The stage may have moved since this was read.
            fields = self._meta.concrete_fields
            options["update_fields"] = [
                field.name
                for field in fields
                if not field.primary_key and field.name not in SERVED_FIELDS
            ]
        super().save(*args, **options)

    @hook(AFTER_UPDATE, when_any=list(SERVED_FIELDS), has_changed=True, is_now=None)
    def clear_distributed_publication(self):
        # pulpcore forgets what a URL served lately as soon as it serves it in another way, not only if it serves nothing.
        if not any(getattr(self, f"{field}_id") for field in SERVED_FIELDS):
            super().clear_distributed_publication()

    def content_handler(self, path):
        """Return what a path below the channel's URL stands for.

        Raises:
            HTTPNotFound: for everything that the channel does not have.
        """
        if self.checkpoint:
            served, path = served_checkpoint(self, path)
            if served is None:
                # pulpcore lists the checkpoints, and redirects to the one before a date.
                return None
        else:
            served = served_now(self)
            if served is None:
                raise HTTPNotFound
        return self._answer(served, path)

    def past_content_handler(self, moment, path):
        """Return what a path stood for at a moment, a text as it stands behind the `@` of a URL.

        Raises:
            HTTPNotFound: as `content_handler`; if the moment is wrong, the answer says why.
        """
        try:
            served = served_at(self, moment)
        except ChannelError as error:
            raise HTTPNotFound(text=f"404: {error}") from None
        return self._answer(served, path)

    def _answer(self, served, path):
        match layout.parse_path(path):
            case layout.Package(subdir, filename):
                found = self._package(served, subdir, filename)
            case layout.Shard(subdir, sha256):
                found = self._shard(served, subdir, sha256)
            case layout.Sidecar(subdir, filename, None):
                found = self._sidecar(served, subdir, filename)
            case layout.Sidecar(subdir, filename, sha256):
                found = self._old_sidecar(served, subdir, filename, sha256)
            case layout.Metadata(None, layout.NOTICES):
                found = self._notices()
            case layout.Metadata(None, layout.HISTORY_FEED):
                found = self._history_feed()
            case layout.Metadata():
                found = self._metadata(served, path)
            case layout.Folder(subdir):
                found = self._page(served, subdir)
            case _:
                if path in served.publication.package_counts:
                    raise HTTPMovedPermanently(f"{path}/")
                found = None
        if found is None:
            raise HTTPNotFound
        return found

    def _package(self, served, subdir, filename):
        package = CondaPackage.at_path(self._versions(served), subdir, filename)
        if package is None:
            return None
        content_artifact = _find_stored(content=package.pk)
        headers = _headers(filename, _IMMUTABLE)
        if content_artifact.artifact:
            return _answers().StoredFile(
                content_artifact, headers, last_modified=package.pulp_created
            )
        return _answers().OnDemandPackage(
            content_artifact, package, headers, last_modified=package.pulp_created
        )

    def _shard(self, served, subdir, sha256):
        digest = bytes.fromhex(sha256)
        shards = {
            each.pk: each
            for each in CondaShard.objects.raw(_SHARDS, [served.publication.pk, digest])
        }
        if not shards:
            return None
        shard = None
        if subdir in served.publication.package_counts:
            shard = next((each for each in shards.values() if each.is_served), None)
        if shard is None:
            past = self._past_publications.filter(package_counts__has_key=subdir)
            found = PublishedShard.objects.filter(
                shard__in=shards, publication__in=past.values("pk")
            )
            shard = next((shards[key] for key in found.values_list("shard", flat=True)[:1]), None)
        return shard and _answers().BytesInMemory(
            bytes(shard.data),
            _headers(".zst", _IMMUTABLE),
            sha256=sha256,
            last_modified=shard.pulp_created,
        )

    def _sidecar(self, served, subdir, filename):
        package = CondaPackage.at_path([served.publication.repository_version], subdir, filename)
        sidecar = package and _find_sidecar(package.attestations_sha256)
        return sidecar and _answers().BytesInMemory(
            bytes(sidecar.data),
            _headers(".json", _revalidated(served)),
            sha256=sidecar.sha256,
            **served.date,
        )

    def _old_sidecar(self, served, subdir, filename, sha256):
        """Return what the sidecar of a package is now, or was a while ago, by the digest in its path."""
        sidecar = _find_sidecar(sha256)
        packages = CondaPackage.objects.filter(
            _pulp_domain=get_domain_pk(),
            subdir=subdir,
            filename=filename,
            attestations_sha256=sha256,
        )
        memberships = RepositoryContent.objects.filter(
            content__in=packages.values("pk"),
            repository=OuterRef("repository"),
            version_added__number__lte=OuterRef("number"),
        ).exclude(version_removed__number__lte=OuterRef("number"))
        versions = RepositoryVersion.objects.filter(
            Q(publication=served.publication)
            | Q(publication__in=self._past_publications.values("pk"))
        )
        if not sidecar or not versions.filter(Exists(memberships)).exists():
            return None
        return _answers().BytesInMemory(
            bytes(sidecar.data),
            _headers(".json", _IMMUTABLE),
            sha256=sha256,
            last_modified=sidecar.pulp_created,
        )

    def _notices(self):
        # CEP 6: conda follows no redirect to a storage.
        now = timezone.now()
        changes = (self.pulp_last_updated, last_expiry(self.notices, now))
        return _answers().BytesInMemory(
            encode_notices(current_notices(self.notices, now)),
            _headers(layout.NOTICES, _revalidated()),
            last_modified=max(filter(None, changes)),
        )

    def _history_feed(self):
        stage = stage_of(self)
        # No date, as with pages.
        return stage and _answers().BytesInMemory(
            render_history(stage, self.url), _headers(layout.HISTORY_FEED, _revalidated())
        )

    def _metadata(self, served, path):
        try:
            content_artifact = _find_metadata(served.publication.pk, path)
        except LookupError:
            return None
        return _answers().StoredFile(
            content_artifact, _headers(path, _revalidated(served)), **served.date
        )

    def _page(self, served, subdir):
        publication = served.publication
        counts = publication.package_counts
        url = f"{self.url}@{served.moment}" if served.moment else self.url
        if subdir is None:
            html = pages.render_channel(
                self.name,
                url,
                counts,
                publication.repository_version.number,
                self._shown_state(served),
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
        return _answers().BytesInMemory(html.encode(), _headers(".html", _revalidated(served)))

    def _shown_state(self, served):
        """Return what a page says of the state of a stage, or None."""
        entry = served.entry
        return entry and pages.State(
            stage=entry.stage.name,
            lifecycle=entry.stage.lifecycle.name,
            label=entry.label,
            since=entry.moved_at,
            until=entry.until,
            now=f"../{self.base_path.rpartition('/')[2]}/" if served.moment else None,
        )

    def _versions(self, served):
        """Yield the version that is served, and then those that clients may still hold an index of, newest first.

        Of those of before there is no more than `CondaPackage.at_path` needs: a history can have a thousand.
        """
        yield served.publication.repository_version
        facts = ("repository_id", "number")
        kept = RepositoryVersion.objects.filter(self._is_kept("publication__"))
        kept = kept.annotate(newest=Max("publication__conda_historyentry__moved_at"))
        yield from kept.order_by("-newest").values_list(*facts, named=True)
        lately = RepositoryVersion.objects.filter(
            publication__core_distributedpublications__in=self._superseded
        )
        lately = lately.annotate(
            newest=Max("publication__core_distributedpublications__pulp_created")
        )
        yield from lately.order_by("-newest").values_list(*facts, named=True)

    @property
    def _past_publications(self):
        """What this URL served lately, or keeps installable: clients hold indexes that name its files."""
        kept = CondaPublication.objects.filter(self._is_kept())
        return CondaPublication.objects.filter(
            Q(pk__in=kept.values("pk")) | Q(pk__in=self._superseded.values("publication"))
        )

    def _is_kept(self, publication=""):
        """Return the condition for what is in the kept history of this URL; `publication` leads to a publication."""
        entries = f"{publication}conda_historyentry__"
        of_this = {f"{entries}stage__distribution": self, f"{entries}moved_at__isnull": False}
        return is_kept(entries) & Q(**of_this)

    @property
    def _superseded(self):
        """What this URL served a while ago, as pulpcore keeps it in mind."""
        return self.core_distributedpublications.filter(expires_at__gte=timezone.now())

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


def _revalidated(served=None):
    max_age = served.max_age if served else settings.CONDA_METADATA_MAX_AGE
    return f"public, max-age={max_age}, must-revalidate"


def _find_sidecar(sha256):
    return CondaSidecar.objects.filter(pulp_domain=get_domain_pk(), sha256=sha256).first()


@lru_cache(maxsize=1000)
def _find_metadata(publication, path):
    """Return the content artifact of a metadata file. Kept in mind, for that of a publication stays.

    Raises:
        LookupError: there is none, which is not kept in mind.
    """
    found = _find_stored(
        published_artifact__publication=publication, published_artifact__relative_path=path
    )
    if found is None:
        raise LookupError(path)
    return found


def _find_stored(**conditions):
    """Return the one content artifact under these conditions, or None."""
    found = ContentArtifact.objects.filter(**conditions).select_related("artifact")
    # Not by `first`: what Django does to sort a single row is a third of the whole lookup.
    return next(iter(found), None)
