"""In whose name a repository is refreshed, and whether that user may still do so."""

from gettext import gettext as _

from django.contrib.auth.base_user import AbstractBaseUser

from pulp_conda.app.access import has_permission
from pulp_conda.app.models import CondaLifecycle, CondaRefresh, CondaRepository


def missing_right(
    user: AbstractBaseUser | None, repository: CondaRepository, lifecycle: CondaLifecycle | None
) -> str | None:
    """Return why a user may not let a repository be refreshed, as the end of a sentence, or None.

    Args:
        lifecycle: Where stages are promoted afterwards, or None.
    """
    if user is None:
        return _("is not there any more")
    if not user.is_active:
        return _("is not active")
    needed = ["sync_condarepository", "view_condarepository"]
    if not all(has_permission(user, f"conda.{right}", repository) for right in needed):
        return _("may not sync the repository")
    needed = ["promote_condalifecycle", "view_condalifecycle"]
    if lifecycle and not all(has_permission(user, f"conda.{right}", lifecycle) for right in needed):
        return _("may not promote in lifecycle '{name}'").format(name=lifecycle.name)
    return None


def missing_right_of(refresh: CondaRefresh) -> str | None:
    """Return why the user who set a refresh may not do so any more, or None."""
    return missing_right(refresh.user, refresh.repository, refresh.lifecycle)
