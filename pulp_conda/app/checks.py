"""Checks of the settings, which `pulpcore-manager check` runs."""

import tempfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import OperationalError, ProgrammingError, transaction
from django.utils.module_loading import import_string
from rest_framework.authentication import BasicAuthentication

from pulp_conda.app.authentication import TokenAuthentication
from pulp_conda.app.compression import levels
from pulp_conda.app.database import ComeAgain
from pulp_conda.app.labels import read_labels
from pulp_conda.app.models import CondaDistribution
from pulp_conda.channel.layout import TOKEN
from pulp_conda.pages.looks import web_link


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


@register
def check_zstd_level(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Sequence[CheckMessage]:
    """Refuse levels of CONDA_ZSTD_LEVEL that do not exist, and advise names in place of numbers."""
    try:
        found = levels()
    except ValueError as error:
        hint = "Set it to 'fast', 'small' or a number, or to a dictionary of these."
        return [Error(f"CONDA_ZSTD_LEVEL: {error}.", hint=hint, id="conda.E001")]
    if any(isinstance(level, int) and level > 1 for level in (found.repodata, found.run_exports)):
        text = (
            "CONDA_ZSTD_LEVEL is a number above 1. Most of these levels give larger files than "
            "'fast', and all of them are slower."
        )
        hint = "Set it to 'fast', or to 'small' for smaller files."
        return [Warning(text, hint=hint, id="conda.W003")]
    return []


@register
def check_board_origin(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Sequence[CheckMessage]:
    """Refuse values of CONDA_BOARD_ORIGIN that are no origin of the web."""
    origin = settings.CONDA_BOARD_ORIGIN
    if origin is None:
        return []
    if web_link(origin):
        parts = urlsplit(origin)
        if origin == f"{parts.scheme}://{parts.netloc}":
            return []
    text = f"CONDA_BOARD_ORIGIN is {origin!r}, which is no origin."
    hint = "Write a scheme, a host and perhaps a port, such as 'https://pulp.example.com'."
    return [Error(text, hint=hint, id="conda.E003")]


@register
def check_upload_labels(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> Sequence[CheckMessage]:
    """Refuse values of CONDA_UPLOAD_LABELS that mean nothing."""
    hint = (
        "Write {'<channel>': {'<label>': '<path of a channel>'}}, or the same for one domain: "
        "{'<domain>': {'<channel>': {'<label>': '<path of a channel>'}}}."
    )
    try:
        labels = read_labels(settings.CONDA_UPLOAD_LABELS)
    except ValueError as error:
        return [Error(f"{error}.", hint=hint, id="conda.E002")]
    domains = {label.domain for label in labels if label.domain not in (None, "default")}
    if domains and not settings.DOMAIN_ENABLED:
        names = ", ".join(sorted(f"'{name}'" for name in domains))
        text = f"CONDA_UPLOAD_LABELS has entries for {names}, and there is only one domain."
        return [Warning(text, hint="Set DOMAIN_ENABLED, or remove them.", id="conda.W005")]
    return []


@register(Tags.database)
def check_labeled_channels(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None, **kwargs: Any
) -> list[Warning]:
    """Warn of labels whose channel, or the channel that they stand for, is not there."""
    if not databases or check_upload_labels(None):
        return []
    try:
        with transaction.atomic():
            channels = CondaDistribution.objects.values_list(
                "pulp_domain__name", "base_path", "upload_alias"
            )
            known = {(domain, name) for domain, *names in channels for name in names if name}
    except (OperationalError, ProgrammingError):
        # There are no tables before the first migration.
        return []
    warnings = []
    for domain, owner, label, channel in read_labels(settings.CONDA_UPLOAD_LABELS):
        domains = [domain] if domain else [each for each, name in known if name == owner]
        missing = [
            f"'{name}' in domain '{each}'"
            for each in domains
            for name in (owner, channel.strip("/"))
            if (each, name) not in known
        ] or ([] if domains else [f"'{owner}' in any domain"])
        if missing:
            text = (
                f"CONDA_UPLOAD_LABELS: label '{label}' of '{owner}' needs a channel {missing[0]}."
            )
            hint = "Make the channel, or correct the name."
            warnings.append(Warning(text, hint=hint, id="conda.W006"))
    return warnings


@register(Tags.database)
def check_token_paths(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None, **kwargs: Any
) -> list[Warning]:
    """Warn of channels, from before this was refused, in whose path clients find a token."""
    if not databases:
        return []
    try:
        with transaction.atomic():
            channels = CondaDistribution.objects.filter(base_path__regex=f"(^|/){TOKEN}(/|$)")
            paths = list(channels.order_by("base_path").values_list("base_path", flat=True))
    except (OperationalError, ProgrammingError):
        # There are no tables before the first migration.
        return []
    hint = f"Give it a 'base_path' without a part '{TOKEN}'."
    text = "Clients take a part of the path of channel '{}' for a token."
    return [Warning(text.format(path), hint=hint, id="conda.W004") for path in paths]


@register
def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Warning]:
    """Warn if the settings leave out the class that answers while the database is away."""
    own = f"{ComeAgain.__module__}.{ComeAgain.__name__}"
    if settings.MIDDLEWARE[0] == own:
        return []
    text = "While the database does not answer, the API says 500 instead of 503."
    return [Warning(text, hint=f"Put '{own}' first in MIDDLEWARE.", id="conda.W007")]


@register
def check_disks(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Warning]:
    """Warn if files that are received are copied to another disk, instead of moved."""
    if not isinstance(default_storage, FileSystemStorage):
        return []
    media = Path(default_storage.location)
    warnings = []
    for name in ("WORKING_DIRECTORY", "FILE_UPLOAD_TEMP_DIR"):
        folder = Path(getattr(settings, name) or tempfile.gettempdir())
        if _disk_of(folder) not in (_disk_of(media), None):
            text = (
                f"{name} ({folder}) and MEDIA_ROOT ({media}) are on different disks, so each file "
                "that arrives is written twice."
            )
            warnings.append(Warning(text, hint="Put both on one disk.", id="conda.W008"))
    return warnings


@register
def check_redirects(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Warning]:
    """Warn if clients are redirected to where they cannot go, or with signed URLs that have ended.

    Channels do not use the cache of Pulp, but what else it serves does.
    """
    if not settings.REDIRECT_TO_OBJECT_STORAGE:
        return []
    warnings = []
    endpoint = getattr(default_storage, "endpoint_url", None) or ""
    host = urlsplit(endpoint).hostname
    if host and not getattr(default_storage, "custom_domain", None) and _is_near(host):
        text = f"Clients are redirected to '{endpoint}', which only this machine or network knows."
        hint = "Set a public 'endpoint_url' or 'custom_domain', or no REDIRECT_TO_OBJECT_STORAGE."
        warnings.append(Warning(text, hint=hint, id="conda.W009"))
    lifetime = getattr(default_storage, "querystring_expire", None)
    kept = settings.CACHE_SETTINGS["EXPIRES_TTL"]
    if lifetime and settings.CACHE_ENABLED and (kept is None or lifetime <= kept):
        text = f"A signed URL ends after {lifetime} seconds, and Pulp's cache may hand it on later."
        hint = "Let CACHE_SETTINGS['EXPIRES_TTL'] be less than half of 'querystring_expire'."
        warnings.append(Warning(text, hint=hint, id="conda.W010"))
    return warnings


def _is_near(host: str) -> bool:
    """Say whether a host is this machine, or a name without a dot, which no public server has."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return "." not in host


def _disk_of(folder: Path) -> int | None:
    """Return the device that has a folder, or None if the folder is not there."""
    try:
        return folder.stat().st_dev
    except OSError:
        return None
