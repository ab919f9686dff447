"""Private channels: who has the right to read a channel, reads it."""

from collections.abc import Iterator
from typing import Any

from aiohttp.web import Request
from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast
from django_lifecycle import BEFORE_DELETE, hook

from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    ContentGuard,
    Domain,
    Publication,
    RepositoryVersion,
)
from pulpcore.plugin.models.role import GroupRole, UserRole
from pulpcore.plugin.util import get_domain, get_domain_pk

from pulp_conda.app.errors import ContentGuardInUse
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models.act import Audited
from pulp_conda.app.models.distribution import CondaDistribution, channel_at, stage_of
from pulp_conda.app.models.lifecycle import CondaLifecycle
from pulp_conda.app.models.repository import CondaRepository

# The name of the guard that `private` sets, one for each domain.
_NAME = "private-conda-channels"

# Where a reader may have the role: the permission, by the kind of object.
_READ = {
    CondaDistribution: "read_condadistribution",
    CondaLifecycle: "read_condalifecycle",
    CondaRepository: "read_condarepository",
}

# The kinds of guards that decide by the user: a login may help. Others look at what the web server
# or another program tells them.
_BY_USER = {"conda.conda", "core.rbac"}

# The kind that lets in whom one of its parts lets in.
COMPOSITE = "core.composite"


class CondaContentGuard(Audited, ContentGuard, AutoAddObjPermsMixin):
    """Lets in who may read the channel, as the roles of Pulp say.

    It has no settings, so all private channels of a domain share one. It only knows conda channels:
    on another distribution, it lets nobody in.
    """

    TYPE = "conda"

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_condacontentguard", "Can manage roles on conda content guards"),
        ]

    def permit(self, request: Request) -> None:
        """Let a request of the content app in, or not.

        Raises:
            PermissionError: its user may not read the channel of its path.
        """
        channel = request.get("conda_channel") or channel_at(request.match_info["path"])
        if channel is None or not may_read(request["user"], channel):
            raise PermissionError("Only readers of the channel may read it.")

    @hook(BEFORE_DELETE)
    def check_unused(self) -> None:
        """Refuse to make channels public by the deletion of their guard. pulpcore would.

        Raises:
            CondaError: `ContentGuardInUse`.
        """
        if Domain.objects.filter(default_content_guard=self).exists():
            raise CondaError(
                ContentGuardInUse(name=self.name, use="it is the default of its domain")
            )
        names = self.distribution_set.order_by("name").values_list("name", flat=True)
        if names:
            use = f"'{names[0]}' is private by it"
            if len(names) > 1:
                use = f"{len(names)} channels are private by it, '{names[0]}' among them"
            raise CondaError(ContentGuardInUse(name=self.name, use=use))


def private_guard() -> CondaContentGuard:
    """Return the guard of the private channels of the domain. It is made if there is none."""
    guards = CondaContentGuard.objects.filter(pulp_domain=get_domain_pk())
    return guards.order_by("pulp_created").first() or guards.create(name=_free_name())


def is_private_guard(guard: ContentGuard | None) -> bool:
    """Say whether a guard is one that `private` sets and takes away."""
    return guard is not None and guard.pulp_type == CondaContentGuard.get_pulp_type()


def decides_by_user(guard: ContentGuard | None) -> bool:
    """Say whether a guard lets in whom it knows, perhaps among others."""
    if guard is None:
        return False
    if guard.pulp_type == COMPOSITE:
        return any(decides_by_user(part) for part in guard.cast().guards.all())
    return guard.pulp_type in _BY_USER


def may_read(user: Any, channel: CondaDistribution) -> bool:
    """Say whether a user has the right to read a channel.

    The right is a permission on the distribution, on its lifecycle, on the repository that it
    serves, on the domain, or on all domains. This is asked for every request, so it is one query.

    Args:
        user: A user of Django, who may be anonymous.
    """
    if not (user.is_authenticated and user.is_active):
        return False
    if user.is_superuser:
        return True
    wanted = Q()
    for permission, keys in _sought(channel):
        wanted |= Q(
            Q(object_id=None, domain=None)
            | Q(object_id=None, domain=channel.pulp_domain_id)
            | Q(object_id__in=keys),
            role__permissions__codename=permission,
            role__permissions__content_type__app_label="conda",
        )
    of_user = UserRole.objects.filter(wanted, user=user).values("pk")
    of_groups = GroupRole.objects.filter(wanted, group__in=user.groups.all()).values("pk")
    if of_user.union(of_groups, all=True).exists():
        return True
    # A site may have backends of Django that know rights from elsewhere.
    permission = f"conda.{_READ[CondaDistribution]}"
    return any(user.has_perm(permission, scope) for scope in (None, get_domain(), channel))


def _sought(channel: CondaDistribution) -> Iterator[tuple[str, list[str] | QuerySet]]:
    """Yield the permissions by which a user may read a channel, each with the keys of the objects
    on which the user may have it.
    """
    yield _READ[CondaDistribution], [str(channel.pk)]
    if stage := stage_of(channel):
        yield _READ[CondaLifecycle], [str(stage.lifecycle_id)]
        lifecycle = CondaLifecycle.objects.filter(pk=stage.lifecycle_id)
        yield _READ[CondaRepository], _keys(lifecycle, "repository_id")
    if channel.repository_id:
        yield _READ[CondaRepository], [str(channel.repository_id)]
    if channel.repository_version_id:
        version = RepositoryVersion.objects.filter(pk=channel.repository_version_id)
        yield _READ[CondaRepository], _keys(version, "repository_id")
    if channel.publication_id:
        publication = Publication.objects.filter(pk=channel.publication_id)
        yield _READ[CondaRepository], _keys(publication, "repository_version__repository_id")


def _keys(rows: QuerySet, field: str) -> QuerySet:
    """Return keys as assignments of roles have them: as text."""
    return rows.values(key=Cast(field, CharField()))


def _free_name() -> str:
    """Return a name that no guard of the domain has."""
    guards = ContentGuard.objects.filter(pulp_domain=get_domain_pk())
    taken = set(guards.filter(name__startswith=_NAME).values_list("name", flat=True))
    names = (f"{_NAME}-{number}" if number else _NAME for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)
