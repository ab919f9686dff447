"""From a path of a channel to the facts about what lies there, by indexed lookups.

What becomes of the facts, statuses and headers, is decided in `answers`.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from pulpcore.plugin.models import (
    ContentArtifact,
    RepositoryContent,
    RepositoryVersion,
)
from pulpcore.plugin.util import get_domain, get_domain_pk

from pulp_conda.app.compression import levels
from pulp_conda.app.errors import NeedsContentGuard
from pulp_conda.app.lifecycle.retention import is_kept
from pulp_conda.app.models import (
    BlockedFile,
    CondaDistribution,
    CondaPackage,
    CondaPublication,
    CondaRepository,
    CondaShard,
    CondaSidecar,
    MergedVersion,
    PublishedShard,
)
from pulp_conda.app.models.distribution import stage_of
from pulp_conda.app.models.virtual import MergedPart, owners_of
from pulp_conda.app.serving.browsing.frame import Framer
from pulp_conda.app.serving.browsing.front import (
    empty_front_page,
    empty_subdir_page,
    front_page,
    subdir_page,
)
from pulp_conda.app.serving.browsing.reading import read_page
from pulp_conda.app.serving.browsing.visitor import Made, Visitor
from pulp_conda.app.serving.channel import Served, Unserved, published_subdirs
from pulp_conda.app.serving.fetching import Failure
from pulp_conda.app.serving.freshness import Freshness
from pulp_conda.app.serving.history_feed import render_history
from pulp_conda.channel import layout
from pulp_conda.channel.metadata.empty import EmptyChannel
from pulp_conda.channel.metadata.notices import current_notices, encode_notices, last_expiry

# The storage that has files where the content app reads them, so it sends nobody elsewhere.
_DISK = "pulpcore.app.models.storage.FileSystem"

# The digest comes first: in a join, PostgreSQL may read all shards of the publication. In SQL,
# because Django takes longer to make the statement than PostgreSQL to answer it.
_SHARDS = """
SELECT shard.*, (
    SELECT publication_id FROM conda_publishedshard
    WHERE shard_id = shard.pulp_id AND publication_id = %s
) IS NOT NULL AS is_served
FROM conda_condashard AS shard WHERE sha256 = %s
"""


# Whether a repository version is one of a virtual channel.
_IS_MERGED = Exists(MergedVersion.objects.filter(version=OuterRef("pk")))


class Kind(Enum):
    """What lies at a path."""

    NOTHING = auto()
    MOVED = auto()  # to another path of the channel
    PACKAGE = auto()
    BLOCKED = auto()  # a package that cannot be downloaded
    SHARD = auto()
    SIDECAR = auto()
    OLD_SIDECAR = auto()  # by its digest
    METADATA = auto()
    NOTICES = auto()
    HISTORY_FEED = auto()
    PAGE = auto()


@dataclass(frozen=True)
class InMemory:
    """A small file that was read from the database, or made for the request."""

    data: bytes


@dataclass(frozen=True)
class Stored:
    """A file in Pulp's storage, that of the domain in the context."""

    content_artifact: ContentArtifact

    @cached_property
    def path(self) -> str | None:
        """Where the file is on the disk, or None if the storage is none."""
        try:
            return self.content_artifact.artifact.file.path
        except NotImplementedError:
            return None

    def stored_size(self) -> int | None:
        """Return how many bytes the file has in the storage, or None if it is lost.

        A storage that is no disk is asked over the network.
        """
        artifact = self.content_artifact.artifact
        try:
            if self.path is not None:
                return os.stat(self.path).st_size
            return artifact.file.storage.size(artifact.file.name)
        except FileNotFoundError:
            return None

    def is_whole(self) -> bool:
        """Say whether the storage has all bytes of the file."""
        return self.stored_size() == self.content_artifact.artifact.size


@dataclass(frozen=True)
class Upstream:
    """A package whose bytes are still upstream."""

    content_artifact: ContentArtifact


@dataclass(frozen=True)
class Facts:
    """The description of the file at a path, independent of the request.

    Attributes:
        kind: The kind of the file.
        filename: The name of the file. Its extension defines the content type.
        where: The bytes of the file, or their location.
        sha256: The digest of the bytes, or None if it is computed from the bytes in memory.
        size: The size in bytes, or None if it is not known. Then there are no ranges.
        last_modified: When the URL began to give these bytes, or None.
        is_date_unique: False if the URL had other bytes in the same second, so the date does not
            identify the bytes.
        max_age: Seconds for which a file that can change may be used without revalidation.
        location: Where to look instead of a path that has moved.
        reason: Why nothing is there, if there is more to say than that, or why a package is
            blocked.
        links: Where people may go instead: (words, href).
        is_guarded: Whether a guard says who may read the channel.
        is_personal: Whether other visitors may get another page, since they may read other
            channels.
        ways: For a path that people open: the ways from it to the channel, and to the list of all
            channels. None for the paths that clients read.
        cors_origins: The web sites whose scripts may read the channel, see `CondaDistribution`.
        is_redirected: Whether the domain wants clients to be sent to its object storage.
        is_lost: Whether the bytes should be in the storage, and are not.
        failure: Why the bytes cannot be fetched from upstream, if that was tried.
        freshness: How old metadata is that may only be so old, or None.
        is_cold: Whether the channel waits for its first sync.
        answers: What `answers` made of these facts.
    """

    kind: Kind
    filename: str = ""
    where: InMemory | Stored | Upstream | None = None
    sha256: str | None = None
    size: int | None = None
    last_modified: datetime | None = None
    is_date_unique: bool = True
    max_age: int = 0
    location: str = ""
    reason: str = ""
    links: Sequence[tuple[str, str]] = ()
    is_guarded: bool = False
    is_personal: bool = False
    ways: tuple[str, str] | None = None
    cors_origins: Sequence[str] | None = None
    is_redirected: bool = False
    is_lost: bool = False
    failure: Failure | None = None
    freshness: Freshness | None = None
    is_cold: bool = False
    answers: dict[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)


NOTHING = Facts(Kind.NOTHING)


def resolve(state: Served | Unserved, path: str, visitor: Visitor | None = None) -> Facts:
    """Return the facts about a path in a state of a channel.

    Args:
        visitor: Who asks, for the pages. The default is anybody.
    """
    if isinstance(state, Served) and state.is_closed:
        return Facts(Kind.NOTHING, reason=str(NeedsContentGuard()))
    found: Facts | None
    meaning = layout.parse_path(path)
    match meaning:
        case layout.Metadata(None, layout.NOTICES):
            found = _notices(state)
        case layout.Metadata(None, layout.HISTORY_FEED):
            found = _history_feed(state.distribution)
        case layout.Metadata(subdir, filename) if not state.has_subdir(subdir):
            found = _empty_metadata(state, subdir, filename)
        case layout.Folder() | layout.Page():
            found = _page(state, meaning, path, visitor)
        case None if layout.is_subdir(path):
            is_there = state.has_subdir(path) or path == layout.NOARCH
            found = Facts(Kind.MOVED, location=f"{path}/") if is_there else None
        case _:
            found = _published(state, meaning, path) if isinstance(state, Served) else None
    return found or NOTHING


def _published(state: Served, meaning: layout.Meaning | None, path: str) -> Facts | None:
    """Return what a publication has at a path."""
    match meaning:
        case layout.Package(subdir, filename):
            return _package(state, subdir, filename)
        case layout.Shard(subdir, sha256):
            return _shard(state, subdir, sha256)
        case layout.Sidecar(subdir, filename, None):
            return _sidecar(state, subdir, filename)
        case layout.Sidecar(subdir, filename, str(sha256)):
            return _old_sidecar(state, subdir, filename, sha256)
        case layout.Metadata():
            return _metadata(state, path)
    return None


def _package(state: Served, subdir: str, filename: str) -> Facts | None:
    package = CondaPackage.at_path(_versions(state, filename), subdir, filename)
    if package is None:
        return None
    if not package.is_free:
        return Facts(Kind.BLOCKED, filename, reason=BlockedFile.reason_of(package.sha256))
    content_artifact = ContentArtifact.objects.select_related("artifact").get(content=package.pk)
    facts = Facts(Kind.PACKAGE, filename, last_modified=package.pulp_created)
    if content_artifact.artifact:
        return stored(facts, content_artifact)
    return replace(
        facts, where=Upstream(content_artifact), sha256=package.sha256, size=package.size
    )


def _shard(state: Served, subdir: str, sha256: str) -> Facts | None:
    keys = [state.publication.pk, bytes.fromhex(sha256)]
    shards = {each.pk: each for each in CondaShard.objects.raw(_SHARDS, keys)}
    if not shards:
        return None
    shard = None
    if subdir in state.publication.package_counts:
        shard = next((each for each in shards.values() if each.is_served), None)
    if shard is None:
        past = _past_publications(state).filter(package_counts__has_key=subdir)
        found = PublishedShard.objects.filter(shard__in=shards, publication__in=past.values("pk"))
        shard = next((shards[key] for key in found.values_list("shard", flat=True)[:1]), None)
    return shard and _in_memory(
        Kind.SHARD,
        ".zst",
        bytes(shard.data),
        sha256=sha256,
        last_modified=shard.pulp_created,
    )


def _sidecar(state: Served, subdir: str, filename: str) -> Facts | None:
    package = CondaPackage.at_path(_served_versions(state, filename), subdir, filename)
    sidecar = package and _find_sidecar(package.attestations_sha256)
    return sidecar and _in_memory(
        Kind.SIDECAR,
        ".json",
        bytes(sidecar.data),
        sha256=sidecar.sha256,
        max_age=state.max_age,
        **state.date,
    )


def _old_sidecar(state: Served, subdir: str, filename: str, sha256: str) -> Facts | None:
    """Return what the sidecar of a package is now, or was a while ago, by the digest in its
    path.
    """
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
        Q(publication=state.publication) | Q(publication__in=_past_publications(state).values("pk"))
    )
    if not sidecar:
        return None
    if not versions.filter(Exists(memberships)).exists() and not any(
        _has_sidecar(part, packages) for part in _parts(versions, filename)
    ):
        return None
    return _in_memory(
        Kind.OLD_SIDECAR,
        ".json",
        bytes(sidecar.data),
        sha256=sha256,
        last_modified=sidecar.pulp_created,
    )


def _notices(state: Served | Unserved) -> Facts:
    # CEP 6: conda follows no redirect to a storage.
    now, channels = timezone.now(), [state.distribution]
    if isinstance(state, Served) and state.publication.is_merged:
        merged = state.publication.repository_version.merged_versions.select_related("distribution")
        channels += [each.distribution for each in merged]
    notices = [notice for channel in channels for notice in channel.notices]
    changes = [*(channel.pulp_last_updated for channel in channels), last_expiry(notices, now)]
    return _in_memory(
        Kind.NOTICES,
        layout.NOTICES,
        encode_notices(current_notices(notices, now)),
        last_modified=max(filter(None, changes)),
        max_age=settings.CONDA_METADATA_MAX_AGE,
    )


def _history_feed(distribution: CondaDistribution) -> Facts | None:
    stage = stage_of(distribution)
    # No date, as with pages.
    return stage and _in_memory(
        Kind.HISTORY_FEED,
        layout.HISTORY_FEED,
        render_history(stage, distribution.url),
        max_age=settings.CONDA_METADATA_MAX_AGE,
    )


def _metadata(state: Served, path: str) -> Facts | None:
    try:
        content_artifact = _find_metadata(state.publication.pk, path)
    except LookupError:
        return None
    facts = Facts(Kind.METADATA, path, max_age=state.max_age, **state.date)
    return stored(facts, content_artifact)


def _empty_metadata(state: Served | Unserved, subdir: str | None, filename: str) -> Facts | None:
    """Return a file of a subdir that the publication does not have, or of the root of a channel
    without a publication.
    """
    if subdir not in (None, layout.NOARCH) and filename != layout.SHARD_INDEX:
        return None
    data = _without_packages(state).files(subdir).get(filename)
    if data is None:
        return None
    # No date: nobody knows since when the subdir has no packages.
    return _in_memory(Kind.METADATA, filename, data, max_age=state.max_age)


def _without_packages(state: Served | Unserved) -> EmptyChannel:
    """Return what the channel has where it has no packages."""
    distribution = state.distribution
    repositories = CondaRepository.objects.defer("last_sync")
    if stage := stage_of(distribution):
        # Not that of the publication, which may be one of the stage's own.
        repositories = repositories.filter(conda_condalifecycle=stage.lifecycle_id)
    elif isinstance(state, Served):
        repositories = repositories.filter(pk=state.publication.repository_version.repository_id)
    elif distribution.repository_version_id:
        repositories = repositories.filter(versions=distribution.repository_version_id)
    else:
        repositories = repositories.filter(pk=distribution.repository_id)
    for repository in repositories:
        # What is published there may come to this channel.
        return repository.as_empty(published_subdirs(repository.pk))
    return EmptyChannel.of(layout.DEFAULT_SUBDIRS, levels=levels())


def _page(
    state: Served | Unserved,
    meaning: layout.Folder | layout.Page,
    path: str,
    visitor: Visitor | None,
) -> Facts | None:
    """Return a page for people."""
    if visitor is None:
        visitor = Visitor(f"{state.distribution.base_path}/{path}")
    framer = Framer(state, path, visitor)
    made: Made
    match meaning:
        case layout.Page():
            made = read_page(framer, meaning)
        case layout.Folder(None):
            made = front_page(framer) if isinstance(state, Served) else empty_front_page(framer)
        case layout.Folder(str(subdir)) if state.has_subdir(subdir):
            made = subdir_page(framer, subdir)
        case layout.Folder(layout.NOARCH):
            made = empty_subdir_page(framer, layout.NOARCH, _without_packages(state))
        case _:
            # Other subdirs have nothing to see before they have packages.
            return None
    return facts_of(made, state.max_age)


def facts_of(made: Made, max_age: int) -> Facts:
    """Return the facts about a page that was made for a request."""
    if made.location:
        return Facts(Kind.MOVED, location=made.location)
    if made.data is None:
        return Facts(Kind.NOTHING, reason=made.reason, links=made.links)
    # No date: the next release of this plugin may write it in another way.
    return _in_memory(
        Kind.PAGE,
        f".{made.extension}",
        made.data,
        max_age=max_age,
        is_personal=made.is_personal,
    )


def _versions(state: Served, filename: str) -> Iterator[Any]:
    """Yield the version that is served, and then those that clients may still hold an index of,
    newest first. Of a virtual channel, the versions that it merges, if they own the file.

    Of the earlier ones only what `CondaPackage.at_path` needs is read: a history can have a
    thousand.
    """
    yield from _served_versions(state, filename)
    distribution = state.distribution
    kept = _is_kept(distribution, "publication__")
    yield from _newest_first(kept, "conda_historyentry__moved_at", filename)
    superseded = Q(publication__core_distributedpublications__in=_superseded(distribution))
    yield from _newest_first(superseded, "core_distributedpublications__pulp_created", filename)


def _served_versions(state: Served, filename: str) -> Iterator[Any]:
    """Yield the version that is served; of a virtual channel, those that own a file."""
    version = state.publication.repository_version
    if state.publication.is_merged:
        yield from owners_of(version.pk, filename)
    else:
        yield version


def _newest_first(condition: Q, date: str, filename: str) -> Iterator[Any]:
    versions = RepositoryVersion.objects.filter(condition)
    versions = versions.annotate(newest=Max(f"publication__{date}"), is_merged=_IS_MERGED).order_by(
        "-newest"
    )
    for version in versions.values_list("pk", "repository_id", "number", "is_merged", named=True):
        if version.is_merged:
            yield from owners_of(version.pk, filename)
        else:
            yield version


def _parts(versions: QuerySet[RepositoryVersion], filename: str) -> Iterator[MergedPart]:
    """Yield what those of some versions that are of a virtual channel serve a file from."""
    for version in versions.filter(_IS_MERGED).values_list("pk", flat=True):
        yield from owners_of(version, filename)


def _has_sidecar(part: MergedPart, packages: QuerySet[CondaPackage]) -> bool:
    """Say whether a version has one of some packages."""
    members = RepositoryContent.objects.filter(
        content__in=packages.values("pk"),
        repository=part.repository_id,
        version_added__number__lte=part.number,
    )
    return members.exclude(version_removed__number__lte=part.number).exists()


def _past_publications(state: Served) -> QuerySet[CondaPublication]:
    """Return what the URL served lately, or keeps installable: clients hold indexes that name its
    files.
    """
    kept = CondaPublication.objects.filter(_is_kept(state.distribution))
    superseded = _superseded(state.distribution).values("publication")
    return CondaPublication.objects.filter(Q(pk__in=kept.values("pk")) | Q(pk__in=superseded))


def _is_kept(distribution: CondaDistribution, publication: str = "") -> Q:
    """Return the condition for what is in the kept history of a URL; `publication` leads to a
    publication.
    """
    entries = f"{publication}conda_historyentry__"
    of_this = {
        f"{entries}stage__distribution": distribution,
        f"{entries}moved_at__isnull": False,
    }
    return is_kept(entries) & Q(**of_this)


def _superseded(distribution: CondaDistribution) -> QuerySet:
    """Return what the URL served a while ago, as pulpcore keeps it in mind."""
    return distribution.core_distributedpublications.filter(expires_at__gte=timezone.now())


def _in_memory(kind: Kind, filename: str, data: bytes, **facts: Any) -> Facts:
    return Facts(kind, filename, InMemory(data), size=len(data), **facts)


def stored(facts: Facts, content_artifact: ContentArtifact) -> Facts:
    artifact = content_artifact.artifact
    domain = get_domain()
    return replace(
        facts,
        where=Stored(content_artifact),
        sha256=artifact.sha256,
        size=artifact.size,
        is_redirected=domain.redirect_to_object_storage and domain.storage_class != _DISK,
    )


def _find_sidecar(sha256: str) -> CondaSidecar | None:
    return CondaSidecar.objects.filter(pulp_domain=get_domain_pk(), sha256=sha256).first()


@lru_cache(maxsize=1000)
def _find_metadata(publication: UUID, path: str) -> ContentArtifact:
    """Return the content artifact of a metadata file. Kept in mind, for that of a publication
    stays.

    Raises:
        LookupError: there is none, which is not kept in mind.
    """
    found = ContentArtifact.objects.filter(
        published_artifact__publication=publication, published_artifact__relative_path=path
    ).select_related("artifact")
    # There is one at most. Not by `first`, which sorts: that is a third of the time of the whole
    # lookup.
    for content_artifact in found:
        return content_artifact
    raise LookupError(path)
