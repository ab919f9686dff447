"""Conditions of our access policies that pulpcore does not have. Its setting `DRF_ACCESS_POLICY` names this module."""

from pulpcore.plugin.util import get_domain


def has_lifecycle_perms(request, view, action, permission):
    """Allow those with a permission on the lifecycle below which the URL is, on its domain, or on all."""
    lifecycle = view.get_parent_object()
    return lifecycle.pulp_domain == get_domain() and _has_perm(request, permission, lifecycle)


def may_override_if_asked(request, view, action):
    """Allow only those to override gates who may do so on this lifecycle."""
    if not view.validated().get("overrides"):
        return True
    return _has_perm(request, "conda.override_condalifecycle", view.get_object())


def may_jump_if_asked(request, view, action):
    """Allow only those to promote past stages who may do so on this lifecycle."""
    data = view.validated()
    if data["stage"].position - data["source"].position == 1:
        return True
    return _has_perm(request, "conda.jump_condalifecycle", view.get_object())


def may_use_distributions_if_asked(request, view, action):
    """Allow a lifecycle to take over only distributions that the user may change, and to make some if they may do that."""
    is_change = action in ("update", "partial_update")
    serializer = view.get_serializer(
        view.get_object() if is_change else None,
        data=request.data,
        partial=action == "partial_update",
    )
    serializer.is_valid(raise_exception=True)
    for stage in serializer.validated_data.get("stages", ()):
        if distribution := stage.get("distribution"):
            if not _has_perm(request, "conda.change_condadistribution", distribution):
                return False
        elif "base_path" in stage and not _has_perm(
            request, "conda.add_condadistribution", get_domain()
        ):
            return False
    return True


def _has_perm(request, permission, instance):
    return any(request.user.has_perm(permission, scope) for scope in (None, get_domain(), instance))
