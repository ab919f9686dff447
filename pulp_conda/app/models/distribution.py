"""Where a channel is served."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from aiohttp.web import StreamResponse
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django_lifecycle import AFTER_UPDATE, BEFORE_DELETE, hook

from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    Distribution,
    Repository,
    RepositoryVersion,
)
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.errors import UsedByLifecycle, UsedByVirtualChannel
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models.act import Audited
from pulp_conda.app.models.publication import CondaPublication, version_of
from pulp_conda.app.models.virtual import merging_channel
from pulp_conda.app.signals import channel_moved
from pulp_conda.app.versions.published import newest_publication

# What a distribution serves; of a stage, its moves alone say what.
SERVED_FIELDS = ("publication", "repository", "repository_version")


class CondaDistribution(Audited, Distribution, AutoAddObjPermsMixin):
    """The URL of a channel: `base_path` is the channel's name.

    `pulp_conda.app.serving` answers for every path, by indexed lookups: pulpcore's own way lists
    the whole version first.

    Fields:
        notices (list): What clients show to their users, entries of `notices.json` (CEP 6).
        cors_origins (list): The origins of the web sites whose scripts may read the channel, or `*`
            for all. If null, all may read a channel without a guard, and none one with a guard.
        upload_alias (str): A name without slashes for upload tools that know no others, or None.
            No two channels have the same one, also in different domains.
    """

    TYPE = "conda"
    SERVE_FROM_PUBLICATION = True

    # Set by `pulp_conda.app.content`: the content app alone answers.
    responder: ClassVar[Callable[["CondaDistribution", str], Any]]

    notices = models.JSONField(default=list)
    cors_origins = ArrayField(models.TextField(), null=True)
    upload_alias = models.TextField(null=True, unique=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_condadistribution", "Can manage roles on conda distributions"),
            ("read_condadistribution", "Can read the channel if it is private"),
        ]

    def changed_fields(self) -> set[str]:
        fields = super().changed_fields()
        # The history of a stage says what it serves.
        return fields.difference(SERVED_FIELDS) if fields and stage_of(self) else fields

    @hook(BEFORE_DELETE)
    def check_unused(self) -> None:
        """Refuse to delete a stage, or a channel that a virtual channel merges.

        Raises:
            CondaError: `UsedByLifecycle` or `UsedByVirtualChannel`.
        """
        if stage := stage_of(self):
            raise CondaError(UsedByLifecycle(name=self.name, lifecycle=stage.lifecycle.name))
        merging = self.merged_into.values_list("repository__name", flat=True)
        if name := merging.first() or merging_channel(models.Q(distribution=self.pk)):
            raise CondaError(UsedByVirtualChannel(name=self.name, channel=name))

    def save(self, *args: Any, **options: Any) -> None:
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
    def clear_distributed_publication(self) -> None:
        # pulpcore forgets what a URL served lately as soon as another field says what it serves.
        # Here it is forgotten only if the URL serves nothing.
        if not any(getattr(self, f"{field}_id") for field in SERVED_FIELDS):
            super().clear_distributed_publication()

    @hook(AFTER_UPDATE, when_any=list(SERVED_FIELDS), has_changed=True)
    def note_move(self) -> None:
        channel_moved.send(CondaDistribution, distribution=self)

    def content_handler(self, path: str) -> StreamResponse | None:
        """Return what a path below the channel's URL stands for, as the content app answers it."""
        return type(self).responder(self, path)

    def get_repository_publication_and_version(
        self,
    ) -> tuple[Repository | None, RepositoryVersion | None, CondaPublication | None]:
        """Return what the channel serves: the repository, its version and the publication, as
        pulpcore asks every distribution.

        pulpcore's own way loads the keys of all content of the version, see `version_of`.
        """
        version = self.repository_version_id and RepositoryVersion.objects.get(
            pk=self.repository_version_id
        )
        if self.publication_id:
            key: UUID | None = self.publication_id
        elif version:
            key = newest_publication("pulp_id", version.pk)
        else:
            key = self.repository_id and newest_publication("repository_id", self.repository_id)
        publication = key and CondaPublication.objects.filter(pk=key).first()
        if publication:
            version = version_of(publication)
        repository = version.repository if version else self.repository
        if repository and not version:
            version = repository.latest_version()
        return repository and repository.cast(), version or None, publication or None

    @property
    def private(self) -> bool:
        """Whether not everybody may read the channel."""
        return self.content_guard_id is not None

    @property
    def url(self) -> str:
        """The URL that clients use."""
        return f"{self._origin}{settings.CONTENT_PATH_PREFIX}{self._domain_part}{self.base_path}"

    @property
    def upload_urls(self) -> list[str]:
        """The URLs by which upload tools know the channel: that of a server and the channel's name,
        as CEP 27 has it.
        """
        doors = f"{self._origin}{doors_prefix()}"
        urls = [f"{doors}{self._domain_part}{self.base_path}"]
        roots = [f"{self._origin}/", doors]
        if "/" not in self.base_path and not self._domain_part:
            urls += [f"{root}{self.base_path}" for root in roots]
        if self.upload_alias:
            urls += [f"{root}{self.upload_alias}" for root in roots]
        return list(dict.fromkeys(urls))

    @property
    def _origin(self) -> str:
        return settings.CONTENT_ORIGIN or ""

    @property
    def _domain_part(self) -> str:
        return f"{self.pulp_domain.name}/" if settings.DOMAIN_ENABLED else ""


def doors_prefix() -> str:
    """Return the path below which upload tools find their APIs, with a slash at both ends."""
    path = settings.CONDA_DOORS_PREFIX.strip("/")
    return f"/{path}/" if path else "/"


def stage_of(distribution: Distribution) -> Any:
    """Return the stage that a distribution is, or None."""
    return getattr(distribution, "stage", None)


def channel_at(path: str) -> CondaDistribution | None:
    """Return the channel of the domain that has a path of the content app, now or in its past.

    Args:
        path: The path of a URL behind the prefix of the content app and the domain.
    """
    return find_channel([*paths_above(path), path.partition("@")[0]])


def find_channel(base_paths: list[str]) -> CondaDistribution | None:
    """Return the channel of the domain at one of these paths, if there is one."""
    channels = CondaDistribution.objects.select_related("stage").filter(
        pulp_domain=get_domain_pk(), base_path__in=base_paths
    )
    # There is one at most: pulpcore lets no channel lie in another one. Not by `first`, which
    # sorts and costs a quarter more.
    return next(iter(channels), None)


def paths_above(path: str) -> list[str]:
    """Return the paths at which the channel may be that has this one: itself, and what is above."""
    parts = path.strip("/").split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
