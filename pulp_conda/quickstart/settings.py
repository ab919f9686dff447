"""The settings file and the environment with which Pulp's programs run."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulp_conda.quickstart.state import State


def write_settings(state: State, socket_folder: Path, extra: Mapping[str, Any]) -> None:
    """Write Pulp's settings for this start.

    Args:
        socket_folder: Where the socket of PostgreSQL is.
        extra: More settings. They replace those of the same name.
    """
    settings = {
        "SECRET_KEY": state.secret_key_file.read_text().strip(),
        "DB_ENCRYPTION_KEY": str(state.db_key_file),
        "DATABASES": {"default": database(socket_folder)},
        "DEPLOY_ROOT": str(state.folder),
        "MEDIA_ROOT": str(state.media),
        "STATIC_ROOT": str(state.static),
        "WORKING_DIRECTORY": str(state.tmp),
        "FILE_UPLOAD_TEMP_DIR": str(state.tmp),
        "ALLOWED_IMPORT_PATHS": [str(state.imports)],
        "ALLOWED_EXPORT_PATHS": [str(state.exports)],
        "CONTENT_ORIGIN": content_url(state),
        "CONDA_BOARD_ORIGIN": api_url(state),
        "CACHE_ENABLED": False,  # A cache would need Redis.
        "TOKEN_AUTH_DISABLED": True,  # for pulp_container, if it is installed
        "ANALYTICS": False,
        # A worker that has to stop aborts its task at once, and the task says so.
        "TASK_GRACE_INTERVAL": 0,
        **extra,
    }
    text = '"""Written by pulp_conda.quickstart at every start: changes are lost."""\n\n'
    text += "".join(f"{name} = {value!r}\n" for name, value in settings.items())
    state.settings_file.touch(mode=0o600)
    state.settings_file.write_text(text)


def database(socket_folder: Path) -> dict[str, str]:
    """Return Django's settings of the database."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(socket_folder),
        "PORT": "5432",
        "USER": "pulp",
        "NAME": "pulp",
    }


def api_url(state: State) -> str | None:
    """Return the URL of the API without a path, or None if no port is chosen yet."""
    return _url(state, "api")


def content_url(state: State) -> str | None:
    """Return the URL of the content app without a path, or None if no port is chosen yet."""
    return _url(state, "content")


def environment(state: State) -> dict[str, str]:
    """Return the environment for Pulp's programs.

    It is the environment of this process, without variables that would change the settings.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULP_", "PG", "DJANGO_", "GUNICORN_", "DYNACONF"))
    }
    return inherited | {
        "PULP_SETTINGS": str(state.settings_file),
        "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings",
    }


def program(name: str) -> str:
    """Return the path of a program that is installed next to this Python."""
    return str(Path(sys.executable).parent / name)


def _url(state: State, name: str) -> str | None:
    port = state.facts.get("ports", {}).get(name)
    return f"http://127.0.0.1:{port}" if port else None
