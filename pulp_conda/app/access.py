"""Who may do what, and who may see what.

Access policies and locked roles are built in the same way for every resource. Pulp expects them in
full on each viewset. Here a viewset names only what is special about it. The rest follows the
convention of Pulp: the user who creates an object owns it, an owner may do everything with it, and
a viewer may read it.

What a user may not see, the user may not name. Objects that a request refers to are looked up by
`find_visible`, or among `visible`. Both ask the viewset of the object, so that users may name
exactly what a GET would show them.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404
from django.urls import NoReverseMatch, Resolver404, ResolverMatch, resolve
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from pulpcore.plugin.models import (
    Artifact,
    Content,
    CreatedResource,
    RepositoryVersion,
    Task,
)
from pulpcore.plugin.util import get_domain, get_objects_for_user, get_url, resolve_prn

# In the form of pulpcore: a statement, and a policy with its statements and hooks.
Statement = dict[str, Any]
Policy = dict[str, Any]


# Errors that tell that a reference is malformed, or names nothing.
_NAMES_NOTHING = (Resolver404, ObjectDoesNotExist, ValidationError, APIException, ValueError)


def model_policy(
    model: str,
    extra: Iterable[Statement] = (),
    create: Iterable[str] = (),
    update: Iterable[str] = (),
    immutable: bool = False,
    read: Iterable[str] = (),
) -> Policy:
    """Return the access policy of a resource that has its own roles.

    Args:
        model: The model's name in lower case, for example `condaremote`.
        extra: Statements about more actions, made by `statement`.
        create: More conditions that a request has to meet to create an object.
        update: More conditions that a request has to meet to change an object.
        immutable: Objects cannot be changed: leave out the actions that change one.
        read: More actions that only tell of objects that the user may view.
    """
    statements = [
        _statement(["list", "retrieve", "my_permissions", *read]),
        _statement(["create"], f"has_model_or_domain_perms:conda.add_{model}", *create),
        statement("destroy", model, "delete"),
        statement(["list_roles", "add_role", "remove_role"], model, "manage_roles", view=False),
        *extra,
    ]
    if not immutable:
        statements.append(statement(["update", "partial_update"], model, "change", *update))
        # A label changes nothing that those conditions are about.
        statements.append(statement(["set_label", "unset_label"], model, "change"))
    return {
        "statements": statements,
        "creation_hooks": [
            {
                "function": "add_roles_for_object_creator",
                "parameters": {"roles": f"conda.{model}_owner"},
            }
        ],
        "queryset_scoping": {"function": "scope_queryset"},
    }


def reader_role(model: str) -> dict[str, list[str]]:
    """Return the role that reads private channels: on a distribution, or on what it serves.

    Args:
        model: The model's name in lower case.
    """
    return {f"conda.{model}_reader": [f"conda.view_{model}", f"conda.read_{model}"]}


def model_roles(model: str, *permissions: str, immutable: bool = False) -> dict[str, list[str]]:
    """Return the permissions of the creator, owner and viewer roles of a resource, by role name.

    Args:
        model: The model's name in lower case.
        permissions: What an owner may do besides viewing, changing, deleting and sharing.
        immutable: Objects cannot be changed, so no role has the permission to do so.
    """
    owner = ["view", "delete", "manage_roles", *permissions]
    if not immutable:
        owner.append("change")
    return {
        f"conda.{model}_creator": [f"conda.add_{model}"],
        f"conda.{model}_owner": [f"conda.{permission}_{model}" for permission in owner],
        f"conda.{model}_viewer": [f"conda.view_{model}"],
    }


def statement(
    actions: str | list[str], model: str, permission: str, *conditions: str, view: bool = True
) -> Statement:
    """Return a statement that allows actions on one object to users with a permission on it.

    Args:
        view: Users also need the permission to view the object.
    """
    conditions = (f"has_model_or_domain_or_obj_perms:conda.{permission}_{model}", *conditions)
    if view:
        conditions += (f"has_model_or_domain_or_obj_perms:conda.view_{model}",)
    return _statement(actions, *conditions)


def version_policy(repository: str) -> Policy:
    """Return the access policy of the versions of a repository, which have no own roles."""

    def on_repository(permission: str) -> str:
        return f"has_repository_model_or_domain_or_obj_perms:conda.{permission}_{repository}"

    return {
        "statements": [
            _statement(["list", "retrieve", "diff"], on_repository("view")),
            _statement(["destroy"], on_repository("delete"), on_repository("view")),
            _statement(["repair"], on_repository("repair"), on_repository("view")),
        ],
    }


def view_policy(*actions: str) -> Policy:
    """Return the access policy of objects that nobody makes or changes by a request.

    Args:
        actions: More actions that tell of objects that the user may view.
    """
    return {
        "statements": [_statement(["list", "retrieve", *actions])],
        "queryset_scoping": {"function": "scope_queryset"},
    }


def channel_part_policy() -> Policy:
    """Return the access policy of objects of a channel that have no own roles.

    The viewset shows those that a user may manage, and checks the rights on the channel.
    """
    actions = ["list", "retrieve", "create", "update", "partial_update", "destroy"]
    return {
        "statements": [_statement(actions)],
        "queryset_scoping": {"function": "scope_queryset"},
    }


def lifecycle_part_policy(**actions: str) -> Policy:
    """Return the access policy of objects that belong to a lifecycle and have no own roles.

    Args:
        actions: More actions, each with the permission on the lifecycle that it needs.
    """
    may_see = "has_lifecycle_perms:conda.view_condalifecycle"
    statements = [
        _statement(name, may_see, f"has_lifecycle_perms:conda.{permission}_condalifecycle")
        for name, permission in actions.items()
    ]
    return {"statements": [_statement(["list", "retrieve"], may_see), *statements]}


def content_policy(repository: str, upload_permission: str | None = None) -> Policy:
    """Return the access policy of a type of content.

    Args:
        repository: The name of the repository model in lower case.
        upload_permission: Needed to upload a file without a task. None if that is not possible.
    """
    creating = [
        f"has_required_repo_perms_on_upload:conda.modify_{repository}",
        f"has_required_repo_perms_on_upload:conda.view_{repository}",
    ]
    uploading = []
    if upload_permission:
        creating.append("has_upload_param_model_or_domain_or_obj_perms:core.change_upload")
        adding = f"has_required_repo_perms_on_upload:conda.upload_{repository}"
        uploading = [
            _statement(["upload"], f"has_model_or_domain_perms:{upload_permission}"),
            # Who may add packages only, does not replace one.
            _statement(["create"], adding, *creating[1:], "replaces_nothing"),
        ]
    return {
        "statements": [
            _statement(["list", "retrieve"]),
            _statement(["create"], *creating),
            *uploading,
            _statement(
                ["set_label", "unset_label"],
                "has_model_or_domain_perms:core.manage_content_labels",
            ),
        ],
        "queryset_scoping": {"function": "scope_queryset"},
    }


def has_permission(user: AbstractBaseUser, permission: str, instance: Model | None = None) -> bool:
    """Say whether a user has a permission on an object, on the domain, or on everything."""
    scopes = [None, get_domain(), *([instance] if instance else [])]
    return any(user.has_perm(permission, scope) for scope in scopes)


def find_visible(request: Request, reference: str) -> Any | None:
    """Return the object that a reference names, if the user may see it.

    A user may see what a GET of its URL would show. The answer for an object that is hidden is the
    same as for one that does not exist.

    Args:
        reference: Untrusted input: an href, with or without host, or a PRN.
    """
    try:
        match = resolve(_path_of(reference))
    except _NAMES_NOTHING:
        return None
    if not (match.url_name or "").endswith("-detail"):
        return None
    view = _reader(request, match)
    try:
        if getattr(view, "parent_lookup_kwargs", None):
            view.get_parent_object()
        if all(policy.has_permission(request, view) for policy in view.get_permissions()):
            return view.get_object()
    except (Http404, ObjectDoesNotExist, ValidationError, APIException):
        pass
    if view.queryset.model is Artifact:
        return _own_artifact(request, view.queryset, match.kwargs["pk"])
    return None


def names_type(reference: str) -> bool:
    """Say whether a reference is the URL of a list, which names a type and no object."""
    try:
        match = resolve(_path_of(reference))
    except _NAMES_NOTHING:
        return False
    return (match.url_name or "").endswith("-list") and not any(
        name == "pk" or name.endswith("_pk") for name in match.kwargs
    )


def visible(request: Request, model: type[Model]) -> QuerySet:
    """Return the objects of a model that the user may see, in the domain of the request.

    Args:
        model: A model whose list has a URL, for example `CondaDistribution`.
    """
    return _reader(request, resolve(get_url(model, domain=get_domain()))).get_queryset()


def _path_of(reference: str) -> str:
    """Return the path of the URL of what a reference names.

    Raises:
        ValueError, ValidationError, APIException, ObjectDoesNotExist: it names nothing.
    """
    if not reference.startswith("prn:"):
        return unquote(urlsplit(reference).path)
    model, key = resolve_prn(reference)
    instance = model.objects.get(pk=key)
    try:
        if isinstance(instance, RepositoryVersion):
            return f"{get_url(instance.repository.cast())}versions/{instance.number}/"
        return get_url(instance)
    except (LookupError, NoReverseMatch) as error:
        raise ValueError(f"what '{reference}' names has no URL") from error


def _reader(request: Request, match: ResolverMatch) -> GenericViewSet:
    """Return the viewset of a URL, as if the user of a request read that URL."""
    return match.func.cls(
        request=request,
        action="retrieve",
        detail=True,
        kwargs=match.kwargs,
        # The query of the request is not about this object.
        filter_backends=[],
    )


def _own_artifact(request: Request, artifacts: QuerySet, key: str) -> Artifact | None:
    """Return an artifact whose bytes the user has, or may read, anyway.

    pulpcore shows artifacts to administrators only. Others may name the file of content that they
    may see, and what a task of theirs made of a chunked upload.
    """
    try:
        artifact = artifacts.filter(pk=key, pulp_domain=get_domain()).first()
    except ValidationError:
        return None
    if artifact is None:
        return None
    tasks = CreatedResource.objects.filter(object_id=artifact.pk).values("task")
    # The permission of the role that pulpcore gives to whoever dispatches a task.
    if get_objects_for_user(
        request.user,
        "core.add_task",
        Task.objects.filter(pk__in=tasks),
        accept_domain_perms=False,
        accept_global_perms=False,
    ).exists():
        return artifact
    contents = Content.objects.filter(contentartifact__artifact=artifact)
    for content in contents.order_by("pulp_type").distinct("pulp_type"):
        if visible(request, type(content.cast())).filter(pk__in=contents.values("pk")).exists():
            return artifact
    return None


def _statement(actions: str | list[str], *conditions: str) -> Statement:
    result: Statement = {
        "action": [actions] if isinstance(actions, str) else list(actions),
        "principal": "authenticated",
        "effect": "allow",
    }
    if conditions:
        result["condition"] = list(conditions)
    return result
