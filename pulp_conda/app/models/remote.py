"""An upstream channel that we mirror."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.functional import cached_property

from pulpcore.plugin.download import BaseDownloader, DownloaderFactory
from pulpcore.plugin.models import (
    AutoAddObjPermsMixin,
    EncryptedJSONField,
    EncryptedTextField,
    Remote,
    RemoteArtifact,
)

from pulp_conda.app.downloads import HomeDownloader, check_online, is_at_home, timeout_of
from pulp_conda.app.errors import Offline
from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models.act import Audited
from pulp_conda.app.vocabulary import OnError, RepodataForm, choices_of
from pulp_conda.channel.secrets import mask, mask_headers

# `headers` may have an authorization in them.
_SECRETS = {
    "username",
    "password",
    "token",
    "headers",
    "unmasked",
    "client_cert",
    "client_key",
}


class CondaRemote(Audited, Remote, AutoAddObjPermsMixin):
    """An upstream channel, and which of its packages to take.

    Fields:
        subdirs (list): The subdirs to take; all that the channel has if empty.
        includes (list): MatchSpecs of packages to take; all if empty.
        excludes (list): MatchSpecs of packages to leave out, applied after `includes`.
        repodata_form (str): In which form to read the repodata: a word of `RepodataForm`.
        on_error (str): What a sync does about package files that it cannot download: a word of
            `OnError`.
        trust_dates (bool): Whether a quarantine believes the dates that the upstream gives.
        token (str): The token of a `/t/<token>/` URL, kept apart from the URL so that no row,
            answer or log has it.
        unmasked (dict): The `url` and the `headers` with their secrets. pulpcore's list of all
            remotes shows its own rows, so both are masked there. A `CondaRemote` has the real ones.
    """

    TYPE = "conda"

    url: str
    headers: list[dict[str, str]] | None

    subdirs = ArrayField(models.TextField(), default=list)
    includes = ArrayField(models.TextField(), default=list)
    excludes = ArrayField(models.TextField(), default=list)
    repodata_form = models.TextField(
        choices=choices_of(RepodataForm), default=RepodataForm.AUTO.value
    )
    on_error = models.TextField(choices=choices_of(OnError), default=OnError.FAIL.value)
    trust_dates = models.BooleanField(default=False)
    token = EncryptedTextField(null=True)
    unmasked = EncryptedJSONField(null=True)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        permissions = [
            ("manage_roles_condaremote", "Can manage roles on conda remotes"),
        ]

    @classmethod
    def from_db(cls, *args: Any, **options: Any) -> "CondaRemote":
        remote: CondaRemote = super().from_db(*args, **options)
        if "unmasked" not in remote.get_deferred_fields() and remote.unmasked:
            remote.url, remote.headers = remote.unmasked["url"], remote.unmasked["headers"]
        return remote

    def changed_fields(self) -> set[str]:
        before, now = self.initial_value("unmasked") or {}, self.unmasked or {}
        hidden = {name for name in now if now[name] != before.get(name)}
        return super().changed_fields() - {"unmasked"} | hidden

    def save(self, *args: Any, **options: Any) -> None:
        url, headers = self.url, self.headers
        self.unmasked = {"url": url, "headers": headers}
        self.url = mask(url)
        self.headers = headers and [mask_headers(header) for header in headers]
        if options.get("update_fields") is not None:
            options["update_fields"] = {*options["update_fields"], "unmasked"}
        try:
            super().save(*args, **options)
        finally:
            self.url, self.headers = url, headers

    @cached_property
    def download_factory(self) -> DownloaderFactory:
        """Makes downloaders that keep the secrets on the upstream's own server."""
        return DownloaderFactory(self, {"http": HomeDownloader, "https": HomeDownloader})

    def get_downloader(
        self,
        remote_artifact: RemoteArtifact | None = None,
        url: str | None = None,
        **kwargs: Any,
    ) -> BaseDownloader:
        """Return a downloader that uses the secrets of the remote on the upstream's own server
        only. A `download_factory` has to make subclasses of `HomeDownloader`.

        Raises:
            CondaError: `Offline`.
        """
        try:
            check_online()
        except Offline as error:
            raise CondaError(error) from None
        remote = self.for_url(url or (remote_artifact and remote_artifact.url) or self.url)
        if remote is not self:
            return remote.get_downloader(remote_artifact=remote_artifact, url=url, **kwargs)
        downloader = super().get_downloader(remote_artifact=remote_artifact, url=url, **kwargs)
        downloader.url = with_token(downloader.url, self.token)
        downloader.timeout = timeout_of(self)
        if self.client_cert:
            downloader.abroad = self._copy_without_secrets()
        return downloader

    def for_url(self, url: str) -> "CondaRemote":
        """Return the remote, or for a URL of another server a copy of it without secrets.

        Repodata may point to another server (`base_url`, CEP 15), which must not get the secrets.
        """
        if self._knows_no_secrets or is_at_home(url, self.url):
            return self
        return self._copy_without_secrets()

    def _copy_without_secrets(self) -> "CondaRemote":
        if self._without_secrets is None:
            remote = type(self)(
                **{
                    field.attname: getattr(self, field.attname)
                    for field in self._meta.concrete_fields
                    if field.attname not in _SECRETS
                }
            )
            remote._knows_no_secrets = True
            self._without_secrets = remote
        return self._without_secrets

    _knows_no_secrets = False
    _without_secrets: "CondaRemote | None" = None


def with_token(url: str, token: str | None) -> str:
    """Put a token in front of a URL's path, where anaconda.org and its kin look for it."""
    if not token:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/t/{token}{parts.path}"))


def split_token(url: str) -> tuple[str, str | None]:
    """Take the token out of a URL. Returns the URL without it, and the token or None."""
    parts = urlsplit(url)
    segments = parts.path.split("/")
    if len(segments) < 4 or segments[1] != "t":
        return url, None
    return urlunsplit(parts._replace(path="/".join(["", *segments[3:]]))), segments[2]
