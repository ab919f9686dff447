"""Access policies and locked roles, built in the same way for every resource.

Pulp expects them in full on each viewset. Here a viewset names only what is special about it. The
rest follows the convention of Pulp: the user who creates an object owns it, an owner may do
everything with it, and a viewer may read it.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Model

from pulpcore.plugin.util import get_domain

# In the form of pulpcore: a statement, and a policy with its statements and hooks.
Statement = dict[str, Any]
Policy = dict[str, Any]


def model_policy(
    model: str,
    extra: Iterable[Statement] = (),
    create: Iterable[str] = (),
    update: Iterable[str] = (),
    immutable: bool = False,
) -> Policy:
    """Return the access policy of a resource that has its own roles.

    Args:
        model: The model's name in lower case, for example `condaremote`.
        extra: Statements about more actions, made by `statement`.
        create: More conditions that a request has to meet to create an object.
        update: More conditions that a request has to meet to change an object.
        immutable: Objects cannot be changed: leave out the actions that change one.
    """
    statements = [
        _statement(["list", "retrieve", "my_permissions"]),
        _statement(["create"], f"has_model_or_domain_perms:conda.add_{model}", *create),
        statement("destroy", model, "delete"),
        statement(["list_roles", "add_role", "remove_role"], model, "manage_roles", view=False),
        *extra,
    ]
    if not immutable:
        actions = ["update", "partial_update", "set_label", "unset_label"]
        statements.append(statement(actions, model, "change", *update))
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
        uploading = [_statement(["upload"], f"has_model_or_domain_perms:{upload_permission}")]
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


def has_permission(user: AbstractBaseUser, permission: str, instance: Model) -> bool:
    """Say whether a user has a permission on an object, on the domain, or on everything."""
    return any(user.has_perm(permission, scope) for scope in (None, get_domain(), instance))


def _statement(actions: str | list[str], *conditions: str) -> Statement:
    result: Statement = {
        "action": [actions] if isinstance(actions, str) else list(actions),
        "principal": "authenticated",
        "effect": "allow",
    }
    if conditions:
        result["condition"] = list(conditions)
    return result
