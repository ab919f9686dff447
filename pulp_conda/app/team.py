"""The roles of a team in a channel: who reads, uploads, promotes, approves and owns.

A channel is a repository, the distributions that serve it, and its lifecycles. Pulp gives a role
on one object. A role of a team is one role of Pulp, `conda.channel_uploader` for example, with the
permissions that it takes on each kind of object, and it is given on all parts of a channel at once.
So what was given by this way can be told from roles that were given in another way.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, Q

from pulpcore.plugin.models import Group
from pulpcore.plugin.models.role import GroupRole, Role, UserRole

from pulp_conda.app.access import has_permission
from pulp_conda.app.errors import NeedsLifecycle, NotAllManaged
from pulp_conda.app.models import CondaDistribution, CondaLifecycle, CondaRepository
from pulp_conda.app.vocabulary import ChannelRole

# What an owner may do with each part besides viewing, changing, deleting and sharing.
OWNER_PERMISSIONS = {
    "condarepository": ("read", "upload", "modify", "sync", "repair"),
    "condadistribution": ("read",),
    "condalifecycle": (
        "read",
        "promote",
        "jump",
        "promote_packages",
        "rollback",
        "override",
        "approve",
    ),
}

_PARTS = tuple(OWNER_PERMISSIONS)

# What all roles allow on each part: to see it, and to read its channels if they are private.
_ALL = ("view", "read")

# What a role allows on each part besides.
_ALLOWED: dict[ChannelRole, dict[str, tuple[str, ...]]] = {
    ChannelRole.READER: {},
    ChannelRole.UPLOADER: {"condarepository": ("upload",)},
    ChannelRole.PROMOTER: {"condalifecycle": ("promote", "promote_packages", "rollback")},
    ChannelRole.APPROVER: {"condalifecycle": ("approve",)},
    ChannelRole.OWNER: {
        part: ("change", "delete", "manage_roles", *permissions)
        for part, permissions in OWNER_PERMISSIONS.items()
    },
}

_ABOUT_STAGES = (ChannelRole.PROMOTER, ChannelRole.APPROVER)


# The roles of Pulp, with their permissions. The quickstart looks for this name: it tells that roles
# may have changed.
LOCKED_ROLES = {
    f"conda.channel_{role}": [
        f"conda.{permission}_{part}"
        for part in _PARTS
        for permission in dict.fromkeys((*_ALL, *allowed.get(part, ())))
    ]
    for role, allowed in _ALLOWED.items()
}

_CODENAMES = {
    permission.removeprefix("conda.")
    for permissions in LOCKED_ROLES.values()
    for permission in permissions
}


@dataclass(frozen=True)
class Member:
    """A role of a user, or of a group, in a channel.

    Attributes:
        granted: The role was given as a role of the channel. If not, other roles, for example that
            of who created it, allow the same.
        complete: All parts of the channel allow what the role needs. A part that came later does
            not: the role has to be given again.
    """

    role: ChannelRole
    user: str | None
    group: str | None
    granted: bool
    complete: bool

    @property
    def name(self) -> str:
        return self.user or self.group or ""


def name_of(role: ChannelRole) -> str:
    """Return the name of the role of Pulp."""
    return f"conda.channel_{role}"


def parts_of(repository: CondaRepository) -> list[Model]:
    """Return the objects that a channel is made of, the repository first."""
    serves = (
        Q(repository=repository)
        | Q(repository_version__repository=repository)
        | Q(publication__repository_version__repository=repository)
        | Q(stage__lifecycle__repository=repository)
    )
    distributions = CondaDistribution.objects.filter(serves).distinct().order_by("name")
    lifecycles = CondaLifecycle.objects.filter(repository=repository).order_by("name")
    return [repository, *distributions, *lifecycles]


def check_manageable(user: AbstractBaseUser, repository: CondaRepository) -> None:
    """Refuse a user who may not give roles on all parts of a channel.

    Raises:
        NotAllManaged: it names those of the parts that the user may see.
    """
    missing = [
        part
        for part in parts_of(repository)
        if not has_permission(user, f"conda.manage_roles_{_kind_of(part)}", part)
    ]
    if not missing:
        return
    names = [
        f"{_noun_of(part)} '{part.name}'"
        for part in missing
        if has_permission(user, f"conda.view_{_kind_of(part)}", part)
    ]
    if len(names) < len(missing):
        names.append("parts that you may not see")
    raise NotAllManaged(channel=repository.name, parts=", ".join(names))


def grant(
    repository: CondaRepository,
    role: ChannelRole,
    users: Collection[AbstractBaseUser],
    groups: Collection[Group],
) -> bool:
    """Give a role in a channel, on all of its parts.

    Returns:
        Whether somebody did not have all of it.

    Raises:
        NeedsLifecycle: the role is about stages, and the channel has none.
    """
    with _locked(repository):
        parts = parts_of(repository)
        if not _applies(role, parts):
            raise NeedsLifecycle(channel=repository.name, role=role)
        what = {"role": Role.objects.get(name=name_of(role)), "domain": None}
        changed = False
        for model, owner in _owners(users, groups):
            for part in parts:
                # Not in bulk: the signal of each row notes the act.
                _row, is_new = model.objects.get_or_create(**owner, **what, **_place_of(part))
                changed |= is_new
        return changed


def revoke(
    repository: CondaRepository,
    role: ChannelRole,
    users: Collection[AbstractBaseUser],
    groups: Collection[Group],
) -> bool:
    """Take a role in a channel from all of its parts. Roles that were given otherwise stay.

    Returns:
        Whether somebody had some of it.
    """
    with _locked(repository):
        parts = _on(parts_of(repository))
        taken = [
            model.objects.filter(parts, **owner, role__name=name_of(role)).delete()[0]
            for model, owner in _owners(users, groups)
        ]
        return any(taken)


def members(repository: CondaRepository) -> list[Member]:
    """Return who has which role in a channel: by the role itself, or by other roles of Pulp.

    Roles for the domain or for everything count. Of users only their own roles do, and groups stand
    for themselves. Administrators, who may do everything, are left out.
    """
    parts = parts_of(repository)
    found = [
        *_members(UserRole, "user__username", "user", parts),
        *_members(GroupRole, "group__name", "group", parts),
    ]
    order = list(ChannelRole).index
    return sorted(found, key=lambda each: (each.user is None, each.name, order(each.role)))


def _members(
    model: type[UserRole | GroupRole], name: str, kind: str, parts: list[Model]
) -> Iterator[Member]:
    everywhere = Q(object_id=None) & (Q(domain=None) | Q(domain=parts[0].pulp_domain_id))
    rows = (
        model.objects.filter(_on(parts) | everywhere, role__permissions__codename__in=_CODENAMES)
        .values_list(name, "role__name", "object_id", "role__permissions__codename")
        .distinct()
    )
    keys = [str(part.pk) for part in parts]
    granted: dict[str, set[str]] = defaultdict(set)
    allowed: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for owner, role, place, codename in rows:
        if place:
            granted[owner].add(role)
        for key in [place] if place else keys:
            allowed[owner][key].add(codename)
    for owner, of_parts in allowed.items():
        complete = {
            role
            for role in ChannelRole
            if _applies(role, parts)
            and all(_needed(role, part) <= of_parts[str(part.pk)] for part in parts)
        }
        for role in ChannelRole:
            is_granted = name_of(role) in granted[owner]
            if is_granted or role in complete and not _is_implied(role, complete):
                who = {"user": None, "group": None, kind: owner}
                yield Member(role, **who, granted=is_granted, complete=role in complete)


def _applies(role: ChannelRole, parts: Iterable[Model]) -> bool:
    return role not in _ABOUT_STAGES or any(isinstance(part, CondaLifecycle) for part in parts)


def _needed(role: ChannelRole, part: Model) -> set[str]:
    kind = _kind_of(part)
    return {f"{permission}_{kind}" for permission in (*_ALL, *_ALLOWED[role].get(kind, ()))}


def _is_implied(role: ChannelRole, others: Collection[ChannelRole]) -> bool:
    """Say whether one of the other roles allows all that a role does, and more."""
    own = set(LOCKED_ROLES[name_of(role)])
    return any(own < set(LOCKED_ROLES[name_of(other)]) for other in others)


def _owners(
    users: Iterable[AbstractBaseUser], groups: Iterable[Group]
) -> Iterator[tuple[type[UserRole | GroupRole], dict[str, Any]]]:
    yield from ((UserRole, {"user": user}) for user in users)
    yield from ((GroupRole, {"group": group}) for group in groups)


def _on(parts: Iterable[Model]) -> Q:
    """Return the condition of roles on one of these objects."""
    condition = Q()
    for part in parts:
        condition |= Q(**_place_of(part))
    return condition


def _place_of(part: Model) -> dict[str, Any]:
    return {"content_type": ContentType.objects.get_for_model(part), "object_id": str(part.pk)}


def _kind_of(part: Model) -> str:
    return str(part._meta.model_name)


def _noun_of(part: Model) -> str:
    return _kind_of(part).removeprefix("conda")


@contextmanager
def _locked(repository: CondaRepository) -> Iterator[None]:
    """Open a transaction in which nobody else gives or takes roles in a channel."""
    with transaction.atomic():
        CondaRepository.objects.select_for_update(of=("self",)).get(pk=repository.pk)
        yield
