"""The settings of a site, for its API, its content apps and its workers alike.

What differs between sites stands in `site.env`. Each setting of Pulp and of the plugin can be added
here; see docs/admin/reference/settings.md, and docs/admin/guides/production.md for this file.
"""

import os
from pathlib import Path

_HOST = os.environ["SITE_HOST"]
_DATA = Path(os.environ["SITE_DATA"])
_SECRETS = Path(os.environ["SITE_SECRETS"])


def _secret(name: str) -> str:
    return (_SECRETS / name).read_text().strip()


SECRET_KEY = _secret("secret-key")
DB_ENCRYPTION_KEY = str(_SECRETS / "database-fields.key")
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["SITE_DATABASE_HOST"],
        "NAME": "pulp",
        "USER": "pulp",
        "PASSWORD": _secret("database-password"),
        # A process that asks a machine that is gone learns it within seconds, and not after hours.
        "OPTIONS": {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5},
    }
}

# One disk for both, so that a file that was received is moved into its place and not copied.
MEDIA_ROOT = str(_DATA / "media")
WORKING_DIRECTORY = str(_DATA / "tmp")
FILE_UPLOAD_TEMP_DIR = WORKING_DIRECTORY
STATIC_ROOT = str(_DATA / "static")
DEPLOY_ROOT = str(_DATA)

# The only folders of which Pulp reads, and into which it writes, for an import or an export.
ALLOWED_IMPORT_PATHS = [str(_DATA / "imports")]
ALLOWED_EXPORT_PATHS = [str(_DATA / "exports")]

if os.environ.get("SITE_S3_ENDPOINT"):
    MEDIA_ROOT = ""
    STORAGES = {
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "endpoint_url": os.environ["SITE_S3_ENDPOINT"],
                "bucket_name": os.environ["SITE_S3_BUCKET"],
                "access_key": _secret("s3-access-key"),
                "secret_key": _secret("s3-secret-key"),
                # Who has a signed URL can use it for so many seconds, even after a block.
                "querystring_expire": 900,
                "signature_version": "s3v4",
                "addressing_style": "path",
            },
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    REDIRECT_TO_OBJECT_STORAGE = True

# Clients come through nginx with TLS, and only nginx can reach the processes.
CONTENT_ORIGIN = f"https://{_HOST}"
# The pages of stages lead to the boards, where who logged in can promote.
CONDA_BOARD_ORIGIN = CONTENT_ORIGIN
ALLOWED_HOSTS = [_HOST, "localhost", "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = [CONTENT_ORIGIN]
USE_X_FORWARDED_HOST = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

# Channels are not cached in Redis: they ask the database each time, to see a promotion at once.
# It caches what pulpcore itself serves.
REDIS_URL = os.environ.get("SITE_REDIS_URL", "")
CACHE_ENABLED = bool(REDIS_URL)

# A worker that was killed counts as missing after this number of seconds. Its tasks are given back
# when another worker looks for such, at the latest after 100 heartbeats of a third of this time;
# `pulp conda doctor` says so, and need not wait.
WORKER_TTL = 10

ANALYTICS = False
