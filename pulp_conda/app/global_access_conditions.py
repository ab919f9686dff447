"""Conditions of our access policies that pulpcore does not have.

The setting `DRF_ACCESS_POLICY` names this module, so that pulpcore finds them.
"""

from gettext import gettext as _

from rest_framework.exceptions import PermissionDenied
from rest_framework.fields import BooleanField
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from pulpcore.plugin.util import get_domain

from pulp_conda.app.access import has_permission
from pulp_conda.app.errors import MayNotPromoteSo
from pulp_conda.app.serializers.token import may_issue


def has_lifecycle_perms(
    request: Request, view: GenericViewSet, action: str, permission: str
) -> bool:
    """Allow users with a permission on the lifecycle that the URL names, its domain, or all."""
    lifecycle = view.get_parent_object()
    return lifecycle.pulp_domain == get_domain() and has_permission(
        request.user, permission, lifecycle
    )


def may_override_if_asked(request: Request, view: GenericViewSet, action: str) -> bool:
    """Allow a request that overrides gates only to users who may do so on this lifecycle.

    Raises:
        PermissionDenied: the user may promote, but not override: `MayNotPromoteSo`.
    """
    if view.validated().get("overrides"):
        _check_promoter(
            request,
            view,
            permission="conda.override_condalifecycle",
            action=_("override gates"),
            advice=_("promote without overrides, and let the gates decide"),
        )
    return True


def may_jump_if_asked(request: Request, view: GenericViewSet, action: str) -> bool:
    """Allow a promotion that skips stages only to users who may do so on this lifecycle.

    Raises:
        PermissionDenied: the user may promote, but not skip stages: `MayNotPromoteSo`.
    """
    data = view.validated()
    if data["stage"].position - data["source"].position != 1:
        _check_promoter(
            request,
            view,
            permission="conda.jump_condalifecycle",
            action=_("skip stages"),
            advice=_("promote from each stage to the next one"),
        )
    return True


def _check_promoter(
    request: Request, view: GenericViewSet, permission: str, action: str, advice: str
) -> None:
    lifecycle = view.get_object()
    if not has_permission(request.user, permission, lifecycle):
        error = MayNotPromoteSo(
            user=request.user.username,
            lifecycle=lifecycle.name,
            action=action,
            permission=permission,
            advice=advice,
        )
        raise PermissionDenied(str(error), code=error.code)


def may_use_distributions_if_asked(request: Request, view: GenericViewSet, action: str) -> bool:
    """Allow a lifecycle to use distributions only if the user may do the same without it.

    The user needs the permission to change each distribution that becomes a stage, or whose guard
    changes by `private`, and the permission to add distributions if a stage gets a new one.
    """
    is_change = action in ("update", "partial_update")
    lifecycle = view.get_object() if is_change else None
    serializer = view.get_serializer(
        lifecycle,
        data=request.data,
        partial=action == "partial_update",
    )
    serializer.is_valid(raise_exception=True)
    for stage in serializer.validated_data.get("stages", ()):
        if distribution := stage.get("distribution"):
            if not has_permission(request.user, "conda.change_condadistribution", distribution):
                return False
        elif "base_path" in stage and not has_permission(
            request.user, "conda.add_condadistribution", get_domain()
        ):
            return False
    if lifecycle is None:
        return True
    changed = lifecycle.distributions_unless(serializer.validated_data.get("private"))
    return all(
        has_permission(request.user, "conda.change_condadistribution", each) for each in changed
    )


def replaces_nothing(request: Request, view: GenericViewSet, action: str) -> bool:
    """Allow an upload that does not ask to replace a package of the same name."""
    asked = request.data.get("overwrite", False)
    return isinstance(asked, str | bool | int) and asked in BooleanField.FALSE_VALUES


def may_issue_for_owner(request: Request, view: GenericViewSet, action: str) -> bool:
    """Allow to get the secret of a token only to users who may act as its owner."""
    return may_issue(request.user, view.get_object().owner)
