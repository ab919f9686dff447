"""The settings file and the environment with which Pulp's programs run."""

import os
import sys
from pathlib import Path


def write_settings(state, socket_folder, extra):
    """Write Pulp's settings for this start; ``extra`` overrides what is chosen here."""
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
        "CACHE_ENABLED": False,  # it would need Redis
        "TOKEN_AUTH_DISABLED": True,  # pulp_container, where installed
        "ANALYTICS": False,
        # A worker that is asked to stop aborts its task at once, and says so in the task.
        "TASK_GRACE_INTERVAL": 0,
        **extra,
    }
    text = '"""Written by pulp_conda.quickstart at every start: changes are lost."""\n\n'
    text += "".join(f"{name} = {value!r}\n" for name, value in settings.items())
    state.settings_file.touch(mode=0o600)
    state.settings_file.write_text(text)


def database(socket_folder):
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": str(socket_folder),
        "PORT": "5432",
        "USER": "pulp",
        "NAME": "pulp",
    }


def api_url(state):
    return _url(state, "api")


def content_url(state):
    return _url(state, "content")


def environment(state):
    """Our environment, without what would change the meaning of the settings file."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULP_", "PG", "DJANGO_", "GUNICORN_", "DYNACONF"))
    }
    return inherited | {
        "PULP_SETTINGS": str(state.settings_file),
        "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings",
    }


def program(name):
    """A program of the environment in which this one runs."""
    return str(Path(sys.executable).parent / name)


def _url(state, name):
    port = state.facts.get("ports", {}).get(name)
    return f"http://127.0.0.1:{port}" if port else None
