"""Checks of the settings, which `pulpcore-manager check` runs."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Tags, Warning, register
from django.utils.module_loading import import_string
from rest_framework.authentication import BasicAuthentication

from pulp_conda.app.authentication import TokenAuthentication


@register(Tags.security)
def check_token_authentication(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[Warning]:
    """Warn if the settings leave out the class that reads tokens, or put it behind passwords."""
    names = settings.REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]
    classes = [import_string(name) for name in names]
    own = f"{TokenAuthentication.__module__}.{TokenAuthentication.__name__}"
    hint = f"Put '{own}' first in REST_FRAMEWORK['DEFAULT_AUTHENTICATION_CLASSES']."
    if TokenAuthentication not in classes:
        return [Warning("No request with a token is let in.", hint=hint, id="conda.W001")]
    before = classes[: classes.index(TokenAuthentication)]
    if any(issubclass(each, BasicAuthentication) for each in before):
        text = "Tokens that are sent as passwords are refused, and guessing is not slowed down."
        return [Warning(text, hint=hint, id="conda.W002")]
    return []
