"""What is said to a client that a content guard does not let in."""

from aiohttp.web import Request
from django.conf import settings

from pulp_conda.app.access import has_permission
from pulp_conda.app.authentication import Refused, challenges_for
from pulp_conda.app.models import CondaDistribution, CondaToken
from pulp_conda.app.models.content_guard import COMPOSITE, decides_by_user
from pulp_conda.app.serving.answers import Refusal


def refuse(request: Request, channel: CondaDistribution, reason: str) -> Refusal:
    """Return why the client of a request may not read a channel.

    Args:
        reason: What the guard said, or nothing.
    """
    user, auth = request.get("user"), request.get("auth")
    is_known = (user is not None and user.is_authenticated) or isinstance(auth, CondaToken)
    if settings.CONDA_HIDE_PRIVATE_CHANNELS and not (
        user is not None and has_permission(user, "conda.view_condadistribution", channel)
    ):
        request["conda_hidden"] = True
        return Refusal(is_hidden=True)
    guard = channel.content_guard
    if guard is not None and guard.pulp_type == COMPOSITE:
        # It names the guards that it asks, and where they are.
        reason = ""
    may_help = not is_known and decides_by_user(guard)
    challenges = challenges_for(request.headers) if may_help else ()
    retry_after = auth.retry_after if isinstance(auth, Refused) else None
    return Refusal(challenges, retry_after=retry_after, reason=reason)
