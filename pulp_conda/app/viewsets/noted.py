"""Note what pulpcore does without saving a row: it then runs no hooks and sends no signals."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from pulpcore.plugin.models.role import GroupRole, UserRole
from pulpcore.plugin.viewsets import LabelsMixin, RolesMixin

from pulp_conda.app.models.act import note_act, note_role
from pulp_conda.app.vocabulary import ActVerb

_Action = Callable[..., Response]


def _noting_roles(add_role: _Action) -> _Action:
    # With what makes it an action of a viewset.
    @wraps(add_role)
    def run(self: Any, request: Request, *arguments: Any, **options: Any) -> Response:
        instance = self.get_object()
        with transaction.atomic():
            before = {given.pk for given in _roles_on(instance)}
            answer = add_role(self, request, *arguments, **options)
            for given in _roles_on(instance):
                if given.pk not in before:
                    note_role(ActVerb.GRANTED, given)
        return answer

    return run


def _noting_labels(change: _Action) -> _Action:
    @wraps(change)
    def run(self: Any, request: Request, *arguments: Any, **options: Any) -> Response:
        instance = self.get_object()
        before = instance.pulp_labels
        with transaction.atomic():
            answer = change(self, request, *arguments, **options)
            instance.refresh_from_db(fields=["pulp_labels"])
            if instance.pulp_labels != before:
                name, domain = instance.act_name, instance.act_domain
                note_act(ActVerb.UPDATED, instance, name, domain, fields=["pulp_labels"])
        return answer

    return run


def _roles_on(instance: models.Model) -> list[UserRole | GroupRole]:
    kind = ContentType.objects.get_for_model(instance, for_concrete_model=False)
    of_instance = {"content_type": kind, "object_id": str(instance.pk)}
    return [
        *UserRole.objects.filter(**of_instance).select_related("role", "user"),
        *GroupRole.objects.filter(**of_instance).select_related("role", "group"),
    ]


class NotedRoles(RolesMixin):
    """The actions for the roles on an object. Those that are given are acts."""

    add_role = _noting_roles(RolesMixin.add_role)


class NotedLabels(LabelsMixin):
    """The actions for single labels of an object. Each is an act."""

    set_label = _noting_labels(LabelsMixin.set_label)
    unset_label = _noting_labels(LabelsMixin.unset_label)
