"""Access policies and locked roles, built the same way for every noun.

Pulp wants them written out on each viewset. Here a view states only what is its own, and the rest follows
Pulp's convention: whoever creates a thing owns it, an owner may do everything with it, a viewer may look.
"""


def model_policy(model, extra=(), create=(), update=(), immutable=False):
    """Return the access policy of a resource with roles of its own.

    Args:
        model: The model's name in lower case, for example `condaremote`.
        extra: Statements for further actions, made by `statement`.
        create: Further conditions of creating one.
        update: Further conditions of changing one.
        immutable: Leave out what changes an existing one.
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


def model_roles(model, *permissions, immutable=False):
    """Return the creator, owner and viewer roles of a resource.

    Args:
        model: The model's name in lower case.
        permissions: What an owner may do beyond viewing, changing, deleting and sharing.
        immutable: Nobody can change one.
    """
    owner = ["view", "delete", "manage_roles", *permissions]
    if not immutable:
        owner.append("change")
    return {
        f"conda.{model}_creator": [f"conda.add_{model}"],
        f"conda.{model}_owner": [f"conda.{permission}_{model}" for permission in owner],
        f"conda.{model}_viewer": [f"conda.view_{model}"],
    }


def statement(actions, model, permission, *conditions, view=True):
    """Allow actions on one object to those with a permission on it, who may also see it."""
    conditions = (f"has_model_or_domain_or_obj_perms:conda.{permission}_{model}", *conditions)
    if view:
        conditions += (f"has_model_or_domain_or_obj_perms:conda.view_{model}",)
    return _statement(actions, *conditions)


def version_policy(repository):
    """Return the access policy of a repository's versions, which have no roles of their own."""

    def on_repository(permission):
        return f"has_repository_model_or_domain_or_obj_perms:conda.{permission}_{repository}"

    return {
        "statements": [
            _statement(["list", "retrieve", "diff"], on_repository("view")),
            _statement(["destroy"], on_repository("delete"), on_repository("view")),
            _statement(["repair"], on_repository("repair"), on_repository("view")),
        ],
    }


def lifecycle_part_policy(**actions):
    """Return the access policy of what belongs to a lifecycle and has no roles of its own.

    Args:
        actions: Further actions, each with the permission on the lifecycle that it needs.
    """
    may_see = "has_lifecycle_perms:conda.view_condalifecycle"
    statements = [
        _statement(name, may_see, f"has_lifecycle_perms:conda.{permission}_condalifecycle")
        for name, permission in actions.items()
    ]
    return {"statements": [_statement(["list", "retrieve"], may_see), *statements]}


def content_policy(repository, upload_permission=None):
    """Return the access policy of a content type; with a permission, if it is made of uploaded files."""
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


def _statement(actions, *conditions):
    result = {
        "action": [actions] if isinstance(actions, str) else list(actions),
        "principal": "authenticated",
        "effect": "allow",
    }
    if conditions:
        result["condition"] = list(conditions)
    return result
