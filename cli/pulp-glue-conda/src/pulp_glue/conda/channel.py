"""A channel: the repository, the remote and the distribution or the lifecycle of the same name."""

import shlex
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from posixpath import relpath
from urllib.parse import urlsplit

from pulp_glue.common.context import PulpContext, PulpEntityContext
from pulp_glue.common.exceptions import PulpEntityNotFound, PulpException, PulpHTTPError
from pulp_glue.common.i18n import get_translation
from pulp_glue.conda.context import (
    PulpCondaDistributionContext,
    PulpCondaLifecycleContext,
    PulpCondaPublicationContext,
    PulpCondaRefreshContext,
    PulpCondaRefreshRunContext,
    PulpCondaRemoteContext,
    PulpCondaRepositoryContext,
    PulpCondaRepositoryVersionContext,
)
from pulp_glue.conda.lifecycle import find_stage
from pulp_glue.conda.selection import merge_selection
from pulp_glue.conda.virtual import with_names

translation = get_translation(__package__)
_ = translation.gettext


class Channel:
    """The resources of a channel on the server. They are only requested when they are needed."""

    def __init__(self, pulp_ctx: PulpContext, name: str) -> None:
        self.name = name
        self.pulp_ctx = pulp_ctx
        self.repository = PulpCondaRepositoryContext(pulp_ctx, entity={"name": name})
        self.remote = PulpCondaRemoteContext(pulp_ctx, entity={"name": name})
        self.distribution = PulpCondaDistributionContext(pulp_ctx, entity={"name": name})
        self.lifecycle = PulpCondaLifecycleContext(pulp_ctx, entity={"name": name})

    def converge(
        self,
        remote: dict[str, t.Any] | None = None,
        repository: dict[str, t.Any] | None = None,
        distribution: dict[str, t.Any] | None = None,
        stages: list[str] | None = None,
    ) -> dict[str, list[str]]:
        """Create missing resources, and change fields that differ from the given ones.

        In fake mode, nothing is changed, and the result is what would be changed. The server does
        not show secrets, so they cannot be compared: they are sent each time, and the result does
        not contain them.

        Parameters:
            remote: Fields of the remote. If there is no remote yet and there are fields, they must
                include `url`.
            repository: Fields of the repository. A new one publishes each version by default.
            distribution: `base_path`, whose default is the name, and `private`. With stages,
                `base_path` is the start of their paths, and `private` is for all of them.
            stages: The names of the stages, in their order. A channel that has a URL already keeps
                it: it becomes the first stage. By default, the stages are not changed, and a new
                channel has none.

        Returns:
            The names of the changed fields by resource. A new resource has all of its fields.

        Raises:
            PulpException: the server refuses a request. Resources that were created are removed.
        """
        changed: dict[str, list[str]] = {}
        try:
            self._converge_all(changed, remote, repository)
            with _waiting(self.pulp_ctx):
                self._converge_urls(changed, _given(distribution or {}), stages)
        except PulpException:
            # Often the path is taken. The new repository and remote would have no URL, and would
            # block their name.
            made = (
                ("distribution", self.distribution),
                ("repository", self.repository),
                ("remote", self.remote),
            )
            with _waiting(self.pulp_ctx):
                for resource, context in made:
                    if "name" in changed.get(resource, ()):
                        context.delete()
            raise
        return {resource: fields for resource, fields in changed.items() if fields}

    def relate(self, relations: dict[str, str | None]) -> list[str]:
        """Let clients that know relations (CEP 42) load other channels together with this one.

        Parameters:
            relations: `base`, which they prefer to this one, and `overrides`, to which they prefer
                this one: the URL of a channel of this server, empty for none, or None to change
                nothing.

        Returns:
            The names of the changed fields of the repository.

        Raises:
            PulpException: the channel is a virtual one, or its URLs are not in the same folder.
        """
        wanted = _given(relations)
        there = self._entity(self.repository)
        if not wanted or there is None:
            return ["channel_relations"] if wanted else []
        if there["merged_channels"]:
            reason = _(
                "Channel '{name}' serves other channels as one, and needs no relations. Clients "
                "would also load what it hides."
            )
            raise PulpException(reason.format(name=self.name))
        paths = {key: url and self._path_to(url) for key, url in wanted.items()}
        after = {**there["channel_relations"], **paths}
        return self._converge(
            self.repository,
            {"channel_relations": {key: path for key, path in after.items() if path}},
            {},
        )

    def _path_to(self, url: str) -> str:
        """Return the path to another channel from all URLs of this one."""
        own = [urlsplit(each).path for each in self._urls()]
        paths = {relpath(urlsplit(url).path, start) for start in own}
        if len(paths) != 1:
            reason = _(
                "The URLs of channel '{name}' are not in the same folder, so there is no one path "
                "from all of them to another channel."
            )
            raise PulpException(reason.format(name=self.name))
        return paths.pop()

    def describe(self) -> dict[str, t.Any]:
        """Return the main settings, the counts and the URLs of a channel."""
        repository = self.repository.entity
        version = self.version().entity
        present = version["content_summary"]["present"]
        remote = {}
        if repository["remote"]:
            remote = PulpCondaRemoteContext(self.pulp_ctx, pulp_href=repository["remote"]).entity
        lifecycles = self._lifecycles()
        return {
            "name": self.name,
            "urls": self._urls(),
            "stages": [
                {"name": stage["name"], "state": stage["state"], "url": stage["base_url"]}
                for lifecycle in lifecycles
                for stage in lifecycle["stages"]
            ],
            "private": self._private(lifecycles),
            "version": version["number"],
            "packages": present.get("conda.package", {}).get("count", 0),
            "upstream": remote.get("url"),
            **{field: remote.get(field) for field in ("subdirs", "includes", "excludes", "policy")},
            "selection": repository.get("selection"),
            "merged_channels": with_names(self.pulp_ctx, repository.get("merged_channels") or ()),
            "channel_relations": repository["channel_relations"],
            "autopublish": repository["autopublish"],
            "refresh": self._described_refresh(),
            "retain_repo_versions": repository["retain_repo_versions"],
            "lifecycles": [each["name"] for each in lifecycles],
            "description": repository["description"],
            "pulp_href": repository["pulp_href"],
        }

    def urls(self) -> list[str]:
        """Return the URLs of the channel: first its own, then those of its stages.

        Raises:
            PulpException: there are none.
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
            PulpEntityNotFound: no version has this number, or it was deleted.
        """
        version = self.repository.get_version_context(-1 if number is None else number)
        try:
            version.entity  # noqa: B018  this sends the request
        except PulpHTTPError as error:
            if error.status_code != 404:
                raise
            reason = _("Channel '{name}' has no version {number}. Its latest one is {latest}.")
            latest = self.version().entity["number"]
            raise PulpEntityNotFound(
                reason.format(name=self.name, number=number, latest=latest)
            ) from None
        return t.cast(PulpCondaRepositoryVersionContext, version)

    def sync(
        self, mirror: bool = False, optimize: bool = True, allow_mass_removal: bool = False
    ) -> int | None:
        """Sync, and return the number of the new version, or None if nothing changed."""
        if not self.repository.entity["remote"]:
            raise PulpException(
                _("Channel '{name}' has no upstream to sync from. Give it one first.").format(
                    name=self.name
                )
            )
        body = {"mirror": mirror, "optimize": optimize}
        if allow_mass_removal:  # Older servers do not know it.
            body["allow_mass_removal"] = True
        answer = self.repository.sync(body)
        return t.cast("int | None", answer.get("number"))

    def refresh(self, wanted: dict[str, t.Any]) -> tuple[bool, dict[str, t.Any]]:
        """Say when the channel is synced, without anybody asking.

        A refresh that stopped goes on, in the name of this user.

        Parameters:
            wanted: The fields to set. `lifecycle` is a name, or empty for none.

        Returns:
            Whether anything changed, and what is set then.
        """
        wanted = dict(wanted)
        if name := wanted.get("lifecycle"):
            lifecycle = PulpCondaLifecycleContext(self.pulp_ctx, entity={"name": name})
            wanted["lifecycle"] = lifecycle.pulp_href
        elif "lifecycle" in wanted:
            wanted["lifecycle"] = None
        times = {"interval": None, "cron": "", "max_age": None}
        if any(wanted.get(field) for field in times):
            wanted = {**times, **wanted}
        context = self._refresh
        before = self._entity(context)
        if before and before["stopped"]:
            return True, t.cast("dict[str, t.Any]", context.update(wanted))
        defaults = {"repository": self.repository.pulp_href}
        changed, _before, after = context.converge(wanted, defaults)
        return changed, t.cast("dict[str, t.Any]", after)

    def stop_refresh(self) -> bool:
        """Let the channel not be refreshed any more, and return whether it was."""
        if self._entity(self._refresh) is None:
            return False
        self._refresh.delete()
        return True

    def shown_refresh(self) -> dict[str, t.Any]:
        """Return when the channel is synced without anybody asking.

        Raises:
            PulpException: it is not.
        """
        shown = self._entity(self._refresh)
        if shown is None:
            reason = _(
                "Channel '{name}' is not refreshed. Say when: pulp conda channel refresh {name} "
                "--every 6h"
            )
            raise PulpException(reason.format(name=self.name))
        return dict(shown)

    def runs(self, limit: int, outcome: str | None = None) -> list[dict[str, t.Any]]:
        """Return the last runs of the refresh, the newest first."""
        query = {"repository": self.repository.pulp_href}
        if outcome:
            query["outcome"] = outcome
        return list(PulpCondaRefreshRunContext(self.pulp_ctx).list(limit, 0, query))

    @property
    def _refresh(self) -> PulpCondaRefreshContext:
        entity = {"repository": self.repository.pulp_href}
        return PulpCondaRefreshContext(self.pulp_ctx, entity=entity)

    def _described_refresh(self) -> dict[str, t.Any] | None:
        """Return the settings of the refresh and its last run, or None if there is none."""
        shown = self._entity(self._refresh)
        if shown is None:
            return None
        fields = ("interval", "cron", "time_zone", "max_age", "next_run", "checked_at")
        fields += ("failures", "stopped", "user")
        query = {"repository": self.repository.pulp_href}
        runs = PulpCondaRefreshRunContext(self.pulp_ctx).list_iterator(query, batch_size=1)
        last = next(iter(runs), None)
        return {
            **{field: shown[field] for field in fields},
            "last_run": last
            and {field: last[field] for field in ("pulp_created", "outcome", "version", "error")},
        }

    def convert(self, specs: list[str] | None = None, dry_run: bool = False) -> dict[str, t.Any]:
        """Make the `.conda` of packages that are there as `.tar.bz2`, and wait for their addition.

        Returns:
            The report of the server. Its `added` is the result of the task that adds the new files,
            as of an upload, or None.
        """
        report = self.repository.convert(specs, dry_run)
        added = None
        if report["task"]:
            task = self.pulp_ctx.api.call("tasks_read", parameters={"task_href": report["task"]})
            added = self.pulp_ctx.wait_for_task(task)["result"]
        return {**report, "added": added}

    def upstream(self) -> str | None:
        """Return the URL from which the channel can be synced, or None."""
        remote = self._entity(self.remote)
        return remote and remote["url"]

    def is_virtual(self) -> bool:
        """Return whether the channel serves several others as one."""
        return bool((self._entity(self.repository) or {}).get("merged_channels"))

    def moved_files(self, number: int) -> tuple[int, int]:
        """Return how many package files a version added, and how many it removed."""
        summary = self.version(number).entity["content_summary"]
        added, removed = (
            summary[key].get("conda.package", {}).get("count", 0) for key in ("added", "removed")
        )
        return added, removed

    def destroy(self) -> list[str]:
        """Remove the resources of the channel, and return the kind of each.

        These are the repository, all distributions of it and the remote. A remote stays if another
        repository uses it.

        Raises:
            PulpException: a lifecycle uses the channel, so nothing is removed.
        """
        repository = self.repository.pulp_href
        if names := [each["name"] for each in self._lifecycles()]:
            raise PulpException(
                _(
                    "Channel '{name}' belongs to lifecycle {lifecycles}, so it is not removed. "
                    "Remove the lifecycle first: pulp conda lifecycle destroy {first}"
                ).format(
                    name=self.name,
                    lifecycles=", ".join(f"'{name}'" for name in names),
                    first=shlex.quote(names[0]),
                )
            )
        urls = self._all_distributions()
        removed = []
        with _waiting(self.pulp_ctx):
            remote = self._entity(self.remote)
            if remote is not None and self._others_with(remote["pulp_href"], repository):
                remote = None
            # The repository comes first, because the server may refuse to delete it. Its versions
            # and publications are deleted with it.
            self.repository.delete()
            removed.append("repository")
            for href in urls:
                PulpCondaDistributionContext(self.pulp_ctx, pulp_href=href).delete()
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
    ) -> None:
        repository = dict(repository or {})
        if remote := _given(remote or {}):
            there = self._entity(self.remote)
            # A URL with a token differs from this one, because the server stores the token apart
            # and never shows it.
            if there and remote.get("url", "").rstrip("/") == there["url"].rstrip("/"):
                del remote["url"]
            if "url" not in remote and there is None:
                raise PulpException(
                    _(
                        "Channel '{name}' has no upstream, so {fields} cannot be set. Give the URL "
                        "of an upstream."
                    ).format(name=self.name, fields=_(" and ").join(sorted(remote)))
                )
            changed["remote"] = self._converge(self.remote, remote, {"policy": "on_demand"})
            repository["remote"] = self.remote.pulp_href
        if selection := repository.pop("selection", None):
            there = (self._entity(self.repository) or {}).get("selection")
            repository["selection"] = merge_selection(there, selection)
        changed["repository"] = self._converge(self.repository, repository, {"autopublish": True})

    def _converge_urls(
        self,
        changed: dict[str, list[str]],
        distribution: dict[str, t.Any],
        stages: list[str] | None,
    ) -> None:
        """Create or change what gives the channel its URLs: a distribution, or a lifecycle."""
        is_new = "name" in changed["repository"]
        lifecycle = None if is_new else self._lifecycle_of_urls()
        own = self._entity(self.distribution)
        if lifecycle is not None:
            self._converge_stages(changed, lifecycle, distribution, stages)
        elif own is None and stages:
            self._create_staged(changed, distribution, stages)
        else:
            if distribution or own is None:
                distribution["repository"] = self.repository.pulp_href
            changed["distribution"] = self._converge(
                self.distribution, distribution, {"base_path": self.name}
            )
            if stages:
                # The channel keeps its URL: the server makes it the first stage.
                base_path = self.distribution.entity["base_path"].removesuffix(f"/{stages[0]}")
                self._create_lifecycle(changed, base_path, _named(stages))

    def _create_staged(
        self, changed: dict[str, list[str]], distribution: dict[str, t.Any], stages: list[str]
    ) -> None:
        """Create the stages of a channel that has no URL yet."""
        base_path = distribution.pop("base_path", self.name)
        self._create_lifecycle(changed, base_path, _named(stages), **distribution)

    def _create_lifecycle(
        self,
        changed: dict[str, list[str]],
        base_path: str,
        stages: list[dict[str, t.Any]],
        **fields: t.Any,
    ) -> None:
        fields = {"base_path": base_path, "stages": stages, **fields}
        self.lifecycle.create(
            {"name": self.name, "repository": self.repository.pulp_href, **fields}
        )
        changed["lifecycle"] = sorted({"name", "repository", *fields})

    def _converge_stages(
        self,
        changed: dict[str, list[str]],
        lifecycle: dict[str, t.Any],
        distribution: dict[str, t.Any],
        stages: list[str] | None,
    ) -> None:
        """Change the stages of a channel that has some: add new ones, and set who may read them."""
        there = lifecycle["stages"]
        if base_path := distribution.pop("base_path", None):
            first = PulpCondaDistributionContext(
                self.pulp_ctx, pulp_href=there[0]["distribution"]
            ).entity
            if first["base_path"] not in (base_path, f"{base_path}/{there[0]['name']}"):
                raise PulpException(
                    _(
                        "Stage '{stage}' of channel '{name}' stays at '{path}', because its users "
                        "know that. To move it: pulp conda distribution update --name "
                        "{distribution} --base-path PATH"
                    ).format(
                        name=self.name,
                        stage=there[0]["name"],
                        path=first["base_path"],
                        distribution=first["name"],
                    )
                )
        wanted = {
            field: value for field, value in distribution.items() if lifecycle.get(field) != value
        }
        if stages and stages != [stage["name"] for stage in there]:
            wanted["stages"] = _named(stages)
        if not wanted:
            return
        self.lifecycle = PulpCondaLifecycleContext(self.pulp_ctx, pulp_href=lifecycle["pulp_href"])
        if not self.pulp_ctx.fake_mode:
            self.lifecycle.update(wanted)
        changed["lifecycle"] = sorted(wanted)

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
        """Return the entity of this name, or None."""
        try:
            return context.entity
        except PulpEntityNotFound:
            return None

    def _urls(self) -> list[str]:
        urls = [each["base_url"] for each in self._distributions()]
        for lifecycle in self._lifecycles():
            urls += [stage["base_url"] for stage in lifecycle["stages"]]
        return list(dict.fromkeys(urls))

    def _lifecycle_of_urls(self) -> dict[str, t.Any] | None:
        """Return the lifecycle whose stages are the URLs of the channel, or None.

        It has the name of the channel, or the distribution of this name is one of its stages.
        """
        own = self._entity(self.distribution)
        for lifecycle in self._lifecycles():
            distributions = {stage["distribution"] for stage in lifecycle["stages"]}
            is_stage = own is not None and own["pulp_href"] in distributions
            if is_stage or (own is None and lifecycle["name"] == self.name):
                return lifecycle
        return None

    def _private(self, lifecycles: list[dict[str, t.Any]]) -> bool | None:
        """Return whether the channel, or each of its stages, is private; None if they differ."""
        if own := self._entity(self.distribution):
            return t.cast(bool, own["private"])
        values = {each["private"] for each in lifecycles}
        return values.pop() if len(values) == 1 else None

    def _distributions(self) -> list[dict[str, t.Any]]:
        """Return the distributions of the repository. The one with the same name comes first."""
        query = {"repository": self.repository.pulp_href}
        found = list(PulpCondaDistributionContext(self.pulp_ctx).list_iterator(query))
        return sorted(found, key=lambda each: (each["name"] != self.name, each["name"]))

    def _all_distributions(self) -> list[str]:
        """Return the hrefs of all distributions of the channel, also of those that serve one of its
        versions or publications, as former stages do.
        """
        repository = self.repository.pulp_href
        query = {"repository": repository}
        served = {
            each["pulp_href"]
            for each in PulpCondaPublicationContext(self.pulp_ctx).list_iterator(query)
        }
        own = self._entity(self.distribution)
        return [
            each["pulp_href"]
            for each in PulpCondaDistributionContext(self.pulp_ctx).list_iterator()
            if each["repository"] == repository
            or each["publication"] in served
            or (each["repository_version"] or "").startswith(repository)
            or (own is not None and each["pulp_href"] == own["pulp_href"])
        ]

    def _lifecycles(self) -> list[dict[str, t.Any]]:
        query = {"repository": self.repository.pulp_href}
        return list(PulpCondaLifecycleContext(self.pulp_ctx).list_iterator(query))

    def _others_with(self, remote: str, repository: str) -> bool:
        repositories = PulpCondaRepositoryContext(self.pulp_ctx).list_iterator({"remote": remote})
        return any(each["pulp_href"] != repository for each in repositories)


def find_state(pulp_ctx: PulpContext, text: str) -> str:
    """Return the href of the repository version that a text names.

    Args:
        text: `NAME` for the latest version of a channel, `NAME@NUMBER` for a version, or
            `NAME/STAGE` for what a stage serves now.

    Raises:
        PulpException: there is no such channel, version or stage, or the stage serves nothing.
    """
    name, slash, stage = text.rpartition("/")
    if slash:
        lifecycle_ctx = PulpCondaLifecycleContext(pulp_ctx, entity={"name": name})
        publication = find_stage(lifecycle_ctx, stage)["publication"]
        if publication is None:
            reason = _("Stage '{stage}' of '{name}' serves nothing yet.")
            raise PulpException(reason.format(stage=stage, name=name))
        context = PulpCondaPublicationContext(pulp_ctx, pulp_href=publication)
        return t.cast(str, context.entity["repository_version"])
    name, at, number = text.rpartition("@")
    if at and number.removeprefix("v").isdecimal():
        return Channel(pulp_ctx, name).version(int(number.removeprefix("v"))).pulp_href
    return Channel(pulp_ctx, text).version().pulp_href


def list_channels(pulp_ctx: PulpContext, limit: int, offset: int) -> list[dict[str, t.Any]]:
    """Return the channels by name, with their URLs."""
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


def _named(stages: list[str]) -> list[dict[str, t.Any]]:
    return [{"name": name} for name in stages]


def _given(fields: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in fields.items() if value is not None}


@contextmanager
def _waiting(pulp_ctx: PulpContext) -> Iterator[None]:
    """Wait for tasks even with --background, because the next step needs their results."""
    background = pulp_ctx.background_tasks
    pulp_ctx.background_tasks = False
    try:
        yield
    finally:
        pulp_ctx.background_tasks = background
