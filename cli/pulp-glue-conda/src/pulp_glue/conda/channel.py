"""A channel as one thing: the repository, the remote and the distribution of one name."""

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from pulp_glue.common.context import PulpContext, PulpEntityContext
from pulp_glue.common.exceptions import PulpEntityNotFound, PulpException, PulpHTTPError
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import (
    PulpCondaDistributionContext,
    PulpCondaLifecycleContext,
    PulpCondaRemoteContext,
    PulpCondaRepositoryContext,
    PulpCondaRepositoryVersionContext,
)

translation = get_translation(__package__)
_ = translation.gettext


class Channel:
    """What the server has under the name of a channel. Nothing is asked of it before it is
    needed.
    """

    def __init__(self, pulp_ctx: PulpContext, name: str) -> None:
        self.name = name
        self.pulp_ctx = pulp_ctx
        self.repository = PulpCondaRepositoryContext(pulp_ctx, entity={"name": name})
        self.remote = PulpCondaRemoteContext(pulp_ctx, entity={"name": name})
        self.distribution = PulpCondaDistributionContext(pulp_ctx, entity={"name": name})

    def converge(
        self,
        remote: dict[str, t.Any] | None = None,
        repository: dict[str, t.Any] | None = None,
        distribution: dict[str, t.Any] | None = None,
    ) -> dict[str, list[str]]:
        """Make what is missing, change what is not as wanted, and leave everything else as it is.

        In fake mode, nothing is done, and the answer is what would be changed. Secrets are sent
        each time, since nobody can compare them, and are not said to be changed.

        Parameters:
            remote: Fields of the remote. Without a url, there has to be one, or nothing to say of
                it.
            repository: Fields of the repository; publishes each new version by default.
            distribution: Fields of the distribution; the base path is the name by default.

        Returns:
            The fields that were changed, by the resource: all of its fields if it was made.

        Raises:
            PulpException: the server refuses something of it. What was made is removed again.
        """
        changed: dict[str, list[str]] = {}
        try:
            self._converge_all(changed, remote, repository, distribution)
        except PulpException:
            # Most often it is the path. Half of a channel would be served nowhere, and be in the
            # way of its name.
            with _waiting(self.pulp_ctx):
                for resource, context in (("repository", self.repository), ("remote", self.remote)):
                    if "name" in changed.get(resource, ()):
                        context.delete()
            raise
        return {resource: fields for resource, fields in changed.items() if fields}

    def describe(self) -> dict[str, t.Any]:
        """Return what people ask of a channel."""
        repository = self.repository.entity
        version = self.version().entity
        present = version["content_summary"]["present"]
        remote = {}
        if repository["remote"]:
            remote = PulpCondaRemoteContext(self.pulp_ctx, pulp_href=repository["remote"]).entity
        return {
            "name": self.name,
            "urls": self._urls(),
            "version": version["number"],
            "packages": present.get("conda.package", {}).get("count", 0),
            "upstream": remote.get("url"),
            **{field: remote.get(field) for field in ("subdirs", "includes", "excludes", "policy")},
            "autopublish": repository["autopublish"],
            "retain_repo_versions": repository["retain_repo_versions"],
            "lifecycles": [each["name"] for each in self._lifecycles()],
            "description": repository["description"],
            "pulp_href": repository["pulp_href"],
        }

    def urls(self) -> list[str]:
        """Return where the channel is served, its own URL first; then those of the stages that it
        goes through.

        Raises:
            PulpException: nowhere.
        """
        urls = self._urls()
        if not urls:
            raise PulpException(
                _("Channel '{name}' is not served anywhere.").format(name=self.name)
            )
        return urls

    def version(self, number: int | None = None) -> PulpCondaRepositoryVersionContext:
        """Return a version, the latest by default.

        Raises:
            PulpEntityNotFound: there is none of this number, or not any more.
        """
        version = self.repository.get_version_context(-1 if number is None else number)
        try:
            version.entity  # noqa: B018  it is looked for now
        except PulpHTTPError as error:
            if error.status_code != 404:
                raise
            reason = _("Channel '{name}' has no version {number}. Its latest one is {latest}.")
            latest = self.version().entity["number"]
            raise PulpEntityNotFound(
                reason.format(name=self.name, number=number, latest=latest)
            ) from None
        return t.cast(PulpCondaRepositoryVersionContext, version)

    def sync(self, mirror: bool = False, optimize: bool = True) -> int | None:
        """Sync, and return the number of the new version, or None if nothing changed."""
        if not self.repository.entity["remote"]:
            raise PulpException(
                _("Channel '{name}' has no upstream to sync from. Give it one first.").format(
                    name=self.name
                )
            )
        answer = self.repository.sync({"mirror": mirror, "optimize": optimize})
        return t.cast("int | None", answer.get("number"))

    def destroy(self) -> list[str]:
        """Remove all that has the name of the channel, and return what that was.

        A remote stays if another repository uses it.

        Raises:
            PulpException: a lifecycle is made of it, so nothing is removed.
        """
        repository = self.repository.pulp_href
        if names := [f"'{each['name']}'" for each in self._lifecycles()]:
            raise PulpException(
                _(
                    "Channel '{name}' belongs to lifecycle {lifecycles}, so it is not removed. "
                    "Remove the lifecycle first: "
                    "pulp conda lifecycle destroy --name NAME"
                ).format(name=self.name, lifecycles=", ".join(names))
            )
        removed = []
        with _waiting(self.pulp_ctx):
            remote = self._entity(self.remote)
            if remote is not None and self._others_with(remote["pulp_href"], repository):
                remote = None
            # What the server may refuse comes first. It takes the versions and publications along.
            self.repository.delete()
            removed.append("repository")
            if self._entity(self.distribution) is not None:
                self.distribution.delete()
                removed.append("distribution")
            if remote is not None:
                self.remote.delete()
                removed.append("remote")
        return removed

    def _converge_all(
        self,
        changed: dict[str, list[str]],
        remote: dict[str, t.Any] | None,
        repository: dict[str, t.Any] | None,
        distribution: dict[str, t.Any] | None,
    ) -> None:
        repository, distribution = dict(repository or {}), dict(distribution or {})
        if remote := _given(remote or {}):
            there = self._entity(self.remote)
            # One with a token is another one: the server keeps that apart, and shows it to nobody.
            if there and remote.get("url", "").rstrip("/") == there["url"].rstrip("/"):
                del remote["url"]
            if "url" not in remote and there is None:
                raise PulpException(
                    _(
                        "Channel '{name}' has no upstream of which {fields} could be said. Give "
                        "the URL of one."
                    ).format(name=self.name, fields=_(" and ").join(sorted(remote)))
                )
            changed["remote"] = self._converge(self.remote, remote, {"policy": "on_demand"})
            repository["remote"] = self.remote.pulp_href
        changed["repository"] = self._converge(self.repository, repository, {"autopublish": True})
        if self._entity(self.distribution) is None or (distribution and not self._is_stage()):
            distribution["repository"] = self.repository.pulp_href
        with _waiting(self.pulp_ctx):
            changed["distribution"] = self._converge(
                self.distribution, distribution, {"base_path": self.name}
            )

    def _converge(
        self, context: PulpEntityContext, wanted: dict[str, t.Any], defaults: dict[str, t.Any]
    ) -> list[str]:
        wanted = _given(wanted)
        before = self._entity(context)
        before = dict(before) if before is not None else None
        changed, _before, after = context.converge(wanted, {"name": self.name, **defaults})
        if not changed:
            return []
        assert after is not None
        if before is None:
            return sorted({"name", *defaults, *wanted})
        return sorted(field for field in wanted if before.get(field) != after.get(field))

    def _entity(self, context: PulpEntityContext) -> dict[str, t.Any] | None:
        """Return what there is of this name, or None."""
        try:
            return context.entity
        except PulpEntityNotFound:
            return None

    def _urls(self) -> list[str]:
        urls = [each["base_url"] for each in self._distributions()]
        for lifecycle in self._lifecycles():
            urls += [stage["base_url"] for stage in lifecycle["stages"]]
        return list(dict.fromkeys(urls))

    def _is_stage(self) -> bool:
        """Tell whether a lifecycle says what the distribution of this name serves."""
        stages = (stage for lifecycle in self._lifecycles() for stage in lifecycle["stages"])
        return self.distribution.pulp_href in {stage["distribution"] for stage in stages}

    def _distributions(self) -> list[dict[str, t.Any]]:
        """Return what serves the repository, with the distribution of its own name first."""
        query = {"repository": self.repository.pulp_href}
        found = list(PulpCondaDistributionContext(self.pulp_ctx).list_iterator(query))
        return sorted(found, key=lambda each: (each["name"] != self.name, each["name"]))

    def _lifecycles(self) -> list[dict[str, t.Any]]:
        query = {"repository": self.repository.pulp_href}
        return list(PulpCondaLifecycleContext(self.pulp_ctx).list_iterator(query))

    def _others_with(self, remote: str, repository: str) -> bool:
        repositories = PulpCondaRepositoryContext(self.pulp_ctx).list_iterator({"remote": remote})
        return any(each["pulp_href"] != repository for each in repositories)


def list_channels(pulp_ctx: PulpContext, limit: int, offset: int) -> list[dict[str, t.Any]]:
    """Return what channels there are, by name, and where they are served."""
    repositories = PulpCondaRepositoryContext(pulp_ctx).list(limit, offset, {})
    hrefs = [each["pulp_href"] for each in repositories]
    urls: dict[str, list[str]] = {}
    if hrefs:
        for each in PulpCondaDistributionContext(pulp_ctx).list_iterator():
            urls.setdefault(each["repository"], []).append(each["base_url"])
        for each in PulpCondaLifecycleContext(pulp_ctx).list_iterator():
            stages = [stage["base_url"] for stage in each["stages"]]
            urls.setdefault(each["repository"], []).extend(stages)
    return [
        {
            "name": each["name"],
            "version": int(each["latest_version_href"].rstrip("/").rpartition("/")[2]),
            "urls": urls.get(each["pulp_href"], []),
            "description": each["description"],
        }
        for each in repositories
    ]


def _given(fields: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in fields.items() if value is not None}


@contextmanager
def _waiting(pulp_ctx: PulpContext) -> Iterator[None]:
    """Wait for tasks that take a moment, and without which the next step would find nothing."""
    background = pulp_ctx.background_tasks
    pulp_ctx.background_tasks = False
    try:
        yield
    finally:
        pulp_ctx.background_tasks = background
