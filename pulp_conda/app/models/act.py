"""Who did what to which channel, and when."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import wraps
from typing import Any, ClassVar, NamedTuple, TypeVar
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils import timezone
from django_lifecycle import AFTER_CREATE, AFTER_UPDATE, BEFORE_DELETE, hook
from django_lifecycle.priority import HIGHEST_PRIORITY

from pulpcore.plugin.models import BaseModel, Task
from pulpcore.plugin.models.role import GroupRole, UserRole
from pulpcore.plugin.util import (
    get_current_authenticated_user,
    get_current_user,
    get_domain,
    get_domain_pk,
    get_prn,
    set_current_user,
)

from pulp_conda.app.vocabulary import ActVerb, choices_of

# pulpcore sets it when a row is saved for the first time.
_TYPE = "pulp_type"


class CondaAct(BaseModel):
    """One thing that somebody did. It is written in the transaction of the act, and never changed.

    So an act that failed has no row, and an act without a row did not happen. What a task makes
    and removes again, for example because it fails, is no act.

    Fields:
        verb (str): What was done, an `ActVerb`.
        resource (str): The PRN of the object. The object may be gone by now.
        resource_name (str): Its name at that time.
        details (dict): Facts about the act: the names of the fields that changed, never their
            values, which may be secrets; the number of a version; the label of a state; a role; the
            name of the token by which the actor did it.
        actor (User), actor_name (str): Who did it. The name stays when the user goes. Empty for
            Pulp itself.
        task (UUID), task_name (str): The task that did it, and what that task does. Tasks are
            purged, so this is no foreign key. None and empty for an act of a request.
    """

    verb = models.TextField(choices=choices_of(ActVerb))
    resource = models.TextField(db_index=True)
    resource_name = models.TextField()
    details = models.JSONField(default=dict)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    actor_name = models.TextField(default="")
    task = models.UUIDField(null=True)
    task_name = models.TextField(default="")
    # They go with the domain: nobody could delete a domain otherwise.
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.CASCADE)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        # Rows are written in the order of time, so this finds a period with an index of a few
        # pages, and an act costs nothing more.
        indexes = [BrinIndex(fields=["pulp_created"], name="conda_act_times")]

    @classmethod
    def purge(cls) -> int:
        """Delete the acts of all domains that are older than the setting keeps them.

        Returns:
            How many were deleted.
        """
        days = settings.CONDA_ACT_RETENTION_DAYS
        if days is None:
            return 0
        old = cls.objects.filter(pulp_created__lt=timezone.now() - timedelta(days=days))
        # One statement: `delete` would load the rows first.
        return int(old._raw_delete(old.db))


class Contribution(NamedTuple):
    """What one user did of something that several users did together.

    Fields:
        user: None if it is not known.
        details: Facts about it, as those of `note_act`.
    """

    user: AbstractBaseUser | None
    details: dict[str, Any]


# The name of the token by which the user of a task acts, or nothing.
_token: ContextVar[str] = ContextVar("token", default="")

Result = TypeVar("Result")


def named_by_token(task: Callable[..., Result]) -> Callable[..., Result]:
    """Let the acts of a task name the token with which it was asked for.

    It gets one more argument, the `token_name`, if it was a token.
    """

    @wraps(task)
    def run(*arguments: Any, token_name: str = "", **options: Any) -> Result:
        before = _token.set(token_name)
        try:
            return task(*arguments, **options)
        finally:
            _token.reset(before)

    return run


@contextmanager
def acting_as(user: AbstractBaseUser | None) -> Iterator[None]:
    """Let what happens in a `with` block be done by a user, or by Pulp itself."""
    before = get_current_user()
    set_current_user(user)
    try:
        yield
    finally:
        set_current_user(before)


def note_act(
    verb: ActVerb, instance: models.Model, name: str, domain: UUID, **details: Any
) -> None:
    """Note what the current user does. Call it in the transaction of the act.

    Args:
        instance: The object to which it is done.
        name: Its name, for people.
        domain: The key of the domain in which the object is.
        details: Facts about the act, without secrets.
    """
    if take_back(verb, instance, **details):
        return
    if token := _token.get():
        details = {"token": token, **details}
    actor, task, prn = get_current_authenticated_user(), Task.current(), get_prn(instance)
    CondaAct.objects.create(
        verb=verb,
        resource=prn,
        resource_name=name,
        details=details,
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        task=task and task.pk,
        task_name=task.name if task else "",
        pulp_domain_id=domain,
    )


def note_role(verb: ActVerb, given: UserRole | GroupRole) -> None:
    """Note a role for an object of the plugin, or a role of the plugin for a domain.

    Args:
        verb: That it was given, or taken away.
    """
    details: dict[str, Any] = {"role": given.role.name}
    if isinstance(given, UserRole):
        details["user"] = given.user.username
    else:
        details["group"] = given.group.name
    about = given.content_object
    if name := getattr(about, "act_name", None):
        note_act(verb, about, name, about.act_domain, **details)
    elif about is None and given.role.name.startswith("conda."):
        domain = given.domain or get_domain()
        note_act(verb, domain, domain.name, domain.pk, all_domains=not given.domain, **details)


def take_back(verb: ActVerb, instance: models.Model, **details: Any) -> bool:
    """Forget what the current task did and takes back, for example because it fails.

    Returns:
        Whether the deletion of an object or of a version undoes what this task did.
    """
    task = Task.current()
    if task is None:
        return False
    acts = CondaAct.objects.filter(resource=get_prn(instance), task=task.pk)
    match verb:
        case ActVerb.DELETED if acts.filter(verb=ActVerb.CREATED).exists():
            acts.delete()
        case ActVerb.DELETED_VERSION:
            of_version = acts.filter(verb=ActVerb.CHANGED_CONTENT, details__contains=details)
            return bool(of_version.delete()[0])
        case _:
            return False
    return True


def is_asked_for(instance: models.Model, origin: models.Model | models.QuerySet) -> bool:
    """Say whether an object is deleted for itself, and not with something that it belongs to.

    Args:
        origin: What the signals of Django say is deleted.
    """
    model = origin.model if isinstance(origin, models.QuerySet) else type(origin)
    return isinstance(instance, model)


class Audited(models.Model):
    """A model whose rows users make, change and delete: each such act is noted.

    The hooks of a model run in the transaction that saves or deletes the row.
    """

    # Fields that the server sets by itself.
    SET_BY_SERVER: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        abstract = True

    @property
    def act_name(self) -> str:
        """What acts call the object."""
        return str(getattr(self, "name"))

    @property
    def act_domain(self) -> UUID:
        """The key of the domain of the object."""
        return self.pulp_domain_id

    def changed_fields(self) -> set[str]:
        """Return the names of the fields that a user changed since the row was read."""
        fields = [self._meta.get_field(name) for name in self._diff_with_initial]
        # Keys and dates of changes are not editable.
        names = {field.name for field in fields if field.editable and not field.primary_key}
        return names - self.SET_BY_SERVER - {_TYPE}

    # First: before the act that gives the creator a role.
    @hook(AFTER_CREATE, priority=HIGHEST_PRIORITY)
    def note_creation(self) -> None:
        self._note(ActVerb.CREATED)

    @hook(AFTER_UPDATE)
    def note_update(self) -> None:
        if fields := self.changed_fields():
            self._note(ActVerb.UPDATED, fields=sorted(fields))

    # Before: the key of the row is needed.
    @hook(BEFORE_DELETE)
    def note_deletion(self) -> None:
        self._note(ActVerb.DELETED)

    def _note(self, verb: ActVerb, **details: Any) -> None:
        note_act(verb, self, self.act_name, self.act_domain, **details)
