"""An upstream channel that we mirror."""

from urllib.parse import urlsplit, urlunsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models

from pulpcore.plugin.models import AutoAddObjPermsMixin, EncryptedTextField, Remote


class CondaRemote(Remote, AutoAddObjPermsMixin):
    """An upstream channel, and which of its packages to take.

    Fields:
        subdirs (list): The subdirs to take; all that the channel has if empty.
        includes (list): MatchSpecs of packages to take; all if empty.
        excludes (list): MatchSpecs of packages to leave out, applied after `includes`.
        token (str): The token of a `/t/<token>/` URL, kept apart from the URL so that no row, answer or log has it.
    """

    TYPE = "conda"

    subdirs = ArrayField(models.TextField(), default=list)
    includes = ArrayField(models.TextField(), default=list)
    excludes = ArrayField(models.TextField(), default=list)
    token = EncryptedTextField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_condaremote", "Can manage roles on conda remotes"),
        ]

    def get_downloader(self, remote_artifact=None, url=None, **kwargs):
        """Return a downloader that uses the token and password on the upstream's own host only.

        Repodata may point to another host (`base_url`, CEP 15), which has no business with our secrets.
        """
        downloader = super().get_downloader(remote_artifact=remote_artifact, url=url, **kwargs)
        if urlsplit(downloader.url).netloc == urlsplit(self.url).netloc:
            downloader.url = with_token(downloader.url, self.token)
        else:
            downloader.auth = None
        return downloader


def with_token(url, token):
    """Put a token in front of a URL's path, where anaconda.org and its kin look for it."""
    if not token:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/t/{token}{parts.path}"))


def split_token(url):
    """Take the token out of a URL. Returns the URL without it, and the token or None."""
    parts = urlsplit(url)
    segments = parts.path.split("/")
    if len(segments) < 4 or segments[1] != "t":
        return url, None
    return urlunsplit(parts._replace(path="/".join(["", *segments[3:]]))), segments[2]
