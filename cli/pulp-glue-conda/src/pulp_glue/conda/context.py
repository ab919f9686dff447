"""A context for each resource of the plugin.

The contexts extend those of pulp-glue with the additional calls of the conda API. Each method makes
one call.
"""

import typing as t
from collections.abc import Iterator
from contextlib import contextmanager

from pulp_glue.common.context import (
    BATCH_SIZE,
    EntityDefinition,
    PluginRequirement,
    PreprocessedEntityDefinition,
    PulpContentContext,
    PulpContext,
    PulpDistributionContext,
    PulpEntityContext,
    PulpPublicationContext,
    PulpRemoteContext,
    PulpRepositoryContext,
    PulpRepositoryVersionContext,
    api_spec_quirk,
)
from pulp_glue.common.exceptions import PulpException, PulpHTTPError
from pulp_glue.common.i18n import get_translation
from pulp_glue.common.openapi import OpenAPI
from pulp_glue.conda.names import Named

translation = get_translation(__package__)
_ = translation.gettext

_NEEDS_CONDA = [PluginRequirement("conda", specifier=">=0.1.0.dev0")]


@api_spec_quirk(_NEEDS_CONDA[0])
def _take_dates_as_texts(api_spec: t.Any) -> t.Any:
    """Allow texts as dates, as they are in files and in answers. pulp-glue requires objects."""
    for name, schema in api_spec["components"]["schemas"].items():
        if "Conda" in name:
            for field in schema.get("properties", {}).values():
                if field.get("format") == "date-time":
                    del field["format"]
    return api_spec


class _CheckedByServer(PulpEntityContext):
    """Bodies with objects of several forms, such as gates, are checked by the server alone.

    It says what is wrong and what to do next, with a code. What pulp-glue finds by the description
    of the API is only that no form fits.
    """

    def call(
        self,
        operation: str,
        non_blocking: bool = False,
        parameters: dict[str, t.Any] | None = None,
        body: EntityDefinition | None = None,
        validate_body: bool = False,
    ) -> t.Any:
        return super().call(operation, non_blocking, parameters, body, validate_body)


class _MadeByTask(PulpEntityContext):
    """What a task of the plugin makes. The result of the task says only where it is."""

    def create(
        self,
        body: EntityDefinition,
        parameters: t.Mapping[str, t.Any] | None = None,
        non_blocking: bool = False,
    ) -> t.Any:
        made = super().create(body, parameters=parameters, non_blocking=non_blocking)
        if non_blocking or self.pulp_ctx.fake_mode:
            return made
        self.pulp_href = made["pulp_href"]
        return self.entity


class _CondaContentContext(_MadeByTask, PulpContentContext):
    PLUGIN = "conda"
    NEEDS_PLUGINS = _NEEDS_CONDA

    def __init_subclass__(cls, model: str, folder: str, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        # pulp-glue derives these from the type, but the plugin has other names for them.
        cls.MODEL = model
        cls.HREF_TEMPLATE = f"content/conda/{folder}/{{pulp_id}}/"
        cls.PRN_TYPE_REGISTRY[f"conda:{model}"] = cls


class PulpCondaPackageContext(_CondaContentContext, model="condapackage", folder="packages"):
    RESOURCE_TYPE = "package"
    ENTITY = _("conda package")
    ENTITIES = _("conda packages")
    HREF = "conda_conda_package_href"
    ID_PREFIX = "content_conda_packages"
    CAPABILITIES = {"upload": []}


class PulpCondaPatchContext(
    _CheckedByServer, _CondaContentContext, model="condapatch", folder="patches"
):
    RESOURCE_TYPE = "patch"
    ENTITY = _("repodata patch")
    ENTITIES = _("repodata patches")
    HREF = "conda_conda_patch_href"
    ID_PREFIX = "content_conda_patches"


class PulpCondaEnvironmentContext(
    Named, _CheckedByServer, _CondaContentContext, model="condaenvironment", folder="environments"
):
    RESOURCE_TYPE = "environment"
    ENTITY = _("conda environment")
    ENTITIES = _("conda environments")
    HREF = "conda_conda_environment_href"
    ID_PREFIX = "content_conda_environments"


class PulpCondaRemoteContext(Named, _CheckedByServer, PulpRemoteContext):
    PLUGIN = "conda"
    RESOURCE_TYPE = "conda"
    ENTITY = _("conda remote")
    ENTITIES = _("conda remotes")
    HREF = "conda_conda_remote_href"
    ID_PREFIX = "remotes_conda_conda"
    NULLABLES = PulpRemoteContext.NULLABLES | {"token"}
    CAPABILITIES = {"roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA

    def check(self) -> t.Any:
        """Compare the forms of the upstream's repodata, and return the report."""
        return self.call("check", parameters={self.HREF: self.pulp_href})


class PulpCondaRepositoryVersionContext(PulpRepositoryVersionContext):
    HREF = "conda_conda_repository_version_href"
    ID_PREFIX = "repositories_conda_conda_versions"
    NEEDS_PLUGINS = _NEEDS_CONDA

    def diff(self, **query: t.Any) -> t.Any:
        """Return the differences from the version before, or from the version number `base`.

        Parameters:
            query: Query parameters of the API. With `format="markdown"`, the result is a text for
                people.
        """
        return _call_for_text(self, "diff", query)


class PulpCondaRepositoryContext(Named, _CheckedByServer, PulpRepositoryContext):
    PLUGIN = "conda"
    RESOURCE_TYPE = "conda"
    ENTITY = _("conda repository")
    ENTITIES = _("conda repositories")
    HREF = "conda_conda_repository_href"
    ID_PREFIX = "repositories_conda_conda"
    VERSION_CONTEXT = PulpCondaRepositoryVersionContext
    NULLABLES = PulpRepositoryContext.NULLABLES | {"subdirs", "selection"}
    CAPABILITIES = {"sync": [], "roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA

    def modify(
        self,
        add_content: list[str] | None = None,
        remove_content: list[str] | None = None,
        base_version: str | PulpRepositoryVersionContext | None = None,
        overwrite: bool | None = None,
    ) -> t.Any:
        """Add content to the repository, or remove some.

        Parameters:
            add_content: The hrefs of the content to add.
            remove_content: The hrefs of the content to remove. `["*"]` removes everything.
            base_version: The version to change. The default is the latest.
            overwrite: Whether a package may replace another file with the same name.
        """
        if overwrite is None:
            return super().modify(add_content, remove_content, base_version)
        if self.pulp_ctx.fake_mode:
            return {"state": "completed"}
        body = {
            "add_content_units": add_content,
            "remove_content_units": remove_content,
            "base_version": base_version,
            "overwrite": overwrite,
        }
        return self.call("modify", parameters={self.HREF: self.pulp_href}, body=_given(body))

    def upload(self, files: dict[str, bytes] | None = None, **body: t.Any) -> t.Any:
        """Send package files, and return the report, or what is missing of a batch.

        Parameters:
            files: The bytes of packages by their file names.
            body: batch, complete, known, overwrite, subdir.
        """
        # The description of the API has one field for all files. A request can only have each
        # field once, and the server takes files from all fields, so the body is not validated.
        return self.call(
            "upload",
            parameters={self.HREF: self.pulp_href},
            body={**_given(body), **(files or {})},
            validate_body=False,
        )

    def copy(self, source: str, specs: list[str], **body: t.Any) -> t.Any:
        """Add packages of another repository that match specs, and return the report.

        Parameters:
            source: The href of a repository or of a version of one.
            specs: Match specs of the packages. Empty if `environments` are given.
            body: environments, with_dependencies, newest, virtual_packages, overwrite, dry_run.
        """
        body = {"source": source, "specs": specs, **body}
        return self.call("copy", parameters={self.HREF: self.pulp_href}, body=_given(body))

    def plan(self, **body: t.Any) -> t.Any:
        """Return what a sync of a selection would take, before any package is downloaded.

        Parameters:
            body: remote, selection, why.
        """
        return self.call("plan", parameters={self.HREF: self.pulp_href}, body=_given(body))

    def convert(self, specs: list[str] | None = None, dry_run: bool = False) -> t.Any:
        """Make the `.conda` of packages that are there as `.tar.bz2`, and return the report.

        Its `task` adds the new files to the repository.

        Parameters:
            specs: Match specs of the packages. Without any, all of them.
            dry_run: Report what there is to convert, and change nothing.
        """
        body = {"specs": specs or [], "dry_run": dry_run}
        return self.call("convert", parameters={self.HREF: self.pulp_href}, body=body)

    def status(self) -> t.Any:
        """Return how the channel is: what it serves, how fresh that is, and what is wrong."""
        return self.call("status", parameters={self.HREF: self.pulp_href})

    def statuses(self) -> list[t.Any]:
        """Return how all channels are."""
        found: list[t.Any] = []
        while True:
            page = {"limit": BATCH_SIZE, "offset": len(found)}
            answer = self.call("statuses", parameters=page)
            found += answer["results"]
            if not answer["next"]:
                return found

    def members(self) -> t.Any:
        """Return who has which role in the channel of the repository."""
        return self.call("members", parameters={self.HREF: self.pulp_href})

    def grant(self, role: str, users: list[str], groups: list[str]) -> t.Any:
        """Give a role in the channel, and return who has which role then."""
        return self._set_role("grant", role, users, groups)

    def revoke(self, role: str, users: list[str], groups: list[str]) -> t.Any:
        """Take a role in the channel, and return who has which role then."""
        return self._set_role("revoke", role, users, groups)

    def _set_role(self, action: str, role: str, users: list[str], groups: list[str]) -> t.Any:
        body = {"role": role, "users": users, "groups": groups}
        return self.call(action, parameters={self.HREF: self.pulp_href}, body=body)

    def import_lock_file(
        self,
        lock_file: str,
        sources: list[str] | None = None,
        lock_format: str | None = None,
        dry_run: bool = False,
    ) -> t.Any:
        """Make a version with exactly the packages of a lock file, and return the report.

        Parameters:
            lock_file: The text of the file.
            sources: The hrefs of repositories or versions to take the packages from.
            lock_format: `pixi`, `conda-lock` or `explicit`. By default, the server detects it.
            dry_run: Only report.
        """
        return self._send_lock_file(
            "import_lock_file", lock_file, sources=sources, lock_format=lock_format, dry_run=dry_run
        )

    def find_lock_file(
        self, lock_file: str, version: int | None = None, lock_format: str | None = None
    ) -> t.Any:
        """Return a report of the versions and stages that have the packages of a lock file."""
        return self._send_lock_file(
            "find_lock_file", lock_file, version=version, lock_format=lock_format
        )

    def _send_lock_file(self, action: str, lock_file: str, **body: t.Any) -> t.Any:
        # It is sent as a file, because a server accepts at most 2.5 MB of JSON. The description of
        # the API only has a text here, so the body is not validated.
        body = {"lock_file": lock_file.encode(), **_given(body)}
        parameters = {self.HREF: self.pulp_href}
        return self.call(action, parameters=parameters, body=body, validate_body=False)


class PulpCondaPublicationContext(_MadeByTask, PulpPublicationContext):
    PLUGIN = "conda"
    RESOURCE_TYPE = "conda"
    ENTITY = _("conda publication")
    ENTITIES = _("conda publications")
    HREF = "conda_conda_publication_href"
    ID_PREFIX = "publications_conda_conda"
    CAPABILITIES = {"roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA

    def preprocess_entity(self, body: EntityDefinition, partial: bool = False) -> EntityDefinition:
        body = super().preprocess_entity(body, partial=partial)
        version = body.pop("version", None)
        if version is not None:
            body["repository_version"] = f"{body.pop('repository')}versions/{version}/"
        return body


class PulpCondaDistributionContext(Named, PulpDistributionContext):
    PLUGIN = "conda"
    RESOURCE_TYPE = "conda"
    ENTITY = _("conda distribution")
    ENTITIES = _("conda distributions")
    HREF = "conda_conda_distribution_href"
    ID_PREFIX = "distributions_conda_conda"
    NULLABLES = PulpDistributionContext.NULLABLES | {"upload_alias"}
    CAPABILITIES = {"roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA

    def preprocess_entity(self, body: EntityDefinition, partial: bool = False) -> EntityDefinition:
        """Replace the number of a version by its href.

        The server clears other fields that say what to serve.
        """
        body = super().preprocess_entity(body, partial=partial)
        version = body.pop("version", None)
        if version is not None:
            repository = body.pop("repository", None) or (partial and self._served_repository())
            if not repository:
                raise PulpException(_("A version needs a repository. Name the repository, too."))
            body["repository_version"] = f"{repository}versions/{version}/"
        return body

    def _served_repository(self) -> str | None:
        version: str | None = self.entity.get("repository_version")
        repository: str | None = self.entity.get("repository")
        return version.rpartition("versions/")[0] if version else repository


class PulpCondaLifecycleContext(Named, _CheckedByServer, PulpEntityContext):
    """The stages of a channel.

    The methods that move a stage return the report of the server, which has an `outcome`. Their
    body is that of the API. With `dry_run`, the server only reports.
    """

    PLUGIN = "conda"
    RESOURCE_TYPE = "lifecycle"
    MODEL = "condalifecycle"
    ENTITY = _("conda lifecycle")
    ENTITIES = _("conda lifecycles")
    HREF = "conda_conda_lifecycle_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>lifecycle)s/"
    HREF_TEMPLATE = "conda/lifecycles/{pulp_id}/"
    ID_PREFIX = "conda_lifecycles"
    NULLABLES = {"retain_days", "webhook_url", "webhook_secret"}
    CAPABILITIES = {"roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA

    def promote(self, stage: str, **body: t.Any) -> t.Any:
        """Let a stage serve what the stage before it serves.

        Body: source, state, overrides, reason, dry_run.
        """
        with _reasons(self.pulp_ctx.api):
            return self._post("promote", stage=stage, **body)

    def promote_packages(self, stage: str, specs: list[str], **body: t.Any) -> t.Any:
        """Add packages to what a stage serves.

        Body: source, overrides, reason, dry_run, with_dependencies, newest, virtual_packages.
        """
        with _reasons(self.pulp_ctx.api):
            return self._post("promote_packages", stage=stage, specs=specs, **body)

    def rollback(self, stage: str, **body: t.Any) -> t.Any:
        """Let a stage serve an earlier state again. Body: entry, reason, dry_run."""
        return self._post("rollback", stage=stage, **body)

    def solve(self, stage: str, **body: t.Any) -> t.Any:
        """Start to solve environments, and return the group of tasks.

        Body: state, channels, environments, platforms.
        """
        parameters = {self.HREF: self.pulp_href}
        body = _given({"stage": stage, **body})
        # If pulp-glue waits for the group, it does not return the group.
        return self.call("solve", non_blocking=True, parameters=parameters, body=body)

    def lock(self, stage: str, environment: str, lock_format: str, **query: t.Any) -> str:
        """Return the text of a lock file. Query: state, channels, platform, digest."""
        query = {"stage": stage, "environment": environment, "lock_format": lock_format, **query}
        return t.cast(str, _call_for_text(self, "lock", query))

    def diff(self, base: str, target: str, **query: t.Any) -> t.Any:
        """Return the differences between two states.

        With `format="markdown"`, the result is a text for people.
        """
        return _call_for_text(self, "diff", {"base": base, "target": target, **query})

    def _post(self, action: str, **body: t.Any) -> t.Any:
        return self.call(action, parameters={self.HREF: self.pulp_href}, body=_given(body))


class PulpCondaActContext(PulpEntityContext):
    """Acts: who did what to which object, and when. Nobody can change one."""

    PLUGIN = "conda"
    RESOURCE_TYPE = "act"
    MODEL = "condaact"
    ENTITY = _("conda act")
    ENTITIES = _("conda acts")
    HREF = "conda_conda_act_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>act)s/"
    HREF_TEMPLATE = "conda/acts/{pulp_id}/"
    ID_PREFIX = "conda_acts"
    NEEDS_PLUGINS = _NEEDS_CONDA

    def export(self, parameters: dict[str, t.Any]) -> Iterator[t.Any]:
        """Yield all acts that match, the oldest first, with one page of them in memory."""
        query = {**parameters, "ordering": ["pulp_id"]}
        while page := self.list(limit=BATCH_SIZE, offset=0, parameters=query):
            yield from page
            query["after"] = page[-1]["prn"].rpartition(":")[2]


class PulpCondaBlockContext(PulpEntityContext):
    """Blocks: packages that cannot be downloaded from any channel of the domain."""

    PLUGIN = "conda"
    RESOURCE_TYPE = "block"
    MODEL = "condablock"
    ENTITY = _("conda block")
    ENTITIES = _("conda blocks")
    HREF = "conda_conda_block_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>block)s/"
    HREF_TEMPLATE = "conda/blocks/{pulp_id}/"
    ID_PREFIX = "conda_blocks"
    CAPABILITIES = {"roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA

    def create(
        self,
        body: EntityDefinition,
        parameters: t.Mapping[str, t.Any] | None = None,
        non_blocking: bool = False,
    ) -> t.Any:
        """Block packages, and wait until the channels are published again.

        Returns:
            The block, with `touched`: what has or had the packages.
        """
        block = super().create(body, parameters=parameters, non_blocking=non_blocking)
        if not (self.pulp_ctx.fake_mode or non_blocking):
            group = {"task_group_href": block["task_group"]}
            self.pulp_ctx.wait_for_task_group(
                self.pulp_ctx.api.call("task_groups_read", parameters=group)
            )
        return block

    def publish(self) -> t.Any:
        """Publish the channels again that still list the packages, and return the group of
        tasks.
        """
        return self.call("publish", parameters={self.HREF: self.pulp_href})

    def touched(self) -> t.Any:
        """Return what has or had the packages: channels, stages, environments, lock files, URLs."""
        return self.call("touched", parameters={self.HREF: self.pulp_href})


class PulpCondaRobotContext(PulpEntityContext):
    """Robots: users without a password, which act by tokens."""

    PLUGIN = "conda"
    RESOURCE_TYPE = "robot"
    MODEL = "condarobot"
    ENTITY = _("conda robot")
    ENTITIES = _("conda robots")
    HREF = "conda_conda_robot_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>robot)s/"
    HREF_TEMPLATE = "conda/robots/{pulp_id}/"
    ID_PREFIX = "conda_robots"
    CAPABILITIES = {"roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA


class PulpCondaTokenContext(PulpEntityContext):
    """Tokens: secrets by which programs act as a user."""

    PLUGIN = "conda"
    RESOURCE_TYPE = "token"
    MODEL = "condatoken"
    ENTITY = _("conda token")
    ENTITIES = _("conda tokens")
    HREF = "conda_conda_token_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>token)s/"
    HREF_TEMPLATE = "conda/tokens/{pulp_id}/"
    ID_PREFIX = "conda_tokens"
    CAPABILITIES = {"roles": []}
    NEEDS_PLUGINS = _NEEDS_CONDA

    def update(
        self,
        body: EntityDefinition | None = None,
        parameters: t.Mapping[str, t.Any] | None = None,
        non_blocking: bool = False,
    ) -> t.Any:
        """Change fields of the token. None means no limit, or no end."""
        # Otherwise the glue leaves out what is None.
        whole = PreprocessedEntityDefinition(body or {}, _partial=True)
        return super().update(whole, parameters=parameters, non_blocking=non_blocking)

    def rotate(self, body: EntityDefinition) -> t.Any:
        """Give the token a new secret, and return the token with the secret in `token`.

        Args:
            body: `expires`, if that changes; None for never.
        """
        whole = PreprocessedEntityDefinition(body, _partial=False)
        return self.call("rotate", parameters={self.HREF: self.pulp_href}, body=whole)

    def revoke(self) -> t.Any:
        """Refuse the token from now on, and return it."""
        return self.call("revoke", parameters={self.HREF: self.pulp_href})


class PulpCondaPublisherContext(Named, PulpEntityContext):
    """Publishers: workflows of CI services that may upload to a channel."""

    PLUGIN = "conda"
    RESOURCE_TYPE = "publisher"
    MODEL = "condapublisher"
    ENTITY = _("conda publisher")
    ENTITIES = _("conda publishers")
    HREF = "conda_conda_publisher_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>publisher)s/"
    HREF_TEMPLATE = "conda/publishers/{pulp_id}/"
    ID_PREFIX = "conda_publishers"
    NEEDS_PLUGINS = _NEEDS_CONDA


class PulpCondaRefreshContext(PulpEntityContext):
    """When a repository is synced, without anybody asking. Its key is the repository."""

    PLUGIN = "conda"
    RESOURCE_TYPE = "refresh"
    MODEL = "condarefresh"
    ENTITY = _("conda refresh")
    ENTITIES = _("conda refreshes")
    HREF = "conda_conda_refresh_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>refresh)es/"
    HREF_TEMPLATE = "conda/refreshes/{pulp_id}/"
    ID_PREFIX = "conda_refreshes"
    NULLABLES = {"interval", "max_age", "lifecycle"}
    NEEDS_PLUGINS = _NEEDS_CONDA


class PulpCondaRefreshRunContext(PulpEntityContext):
    """How it went when a repository was due to be synced."""

    PLUGIN = "conda"
    RESOURCE_TYPE = "refresh_run"
    MODEL = "condarefreshrun"
    ENTITY = _("run of a refresh")
    ENTITIES = _("runs of refreshes")
    HREF = "conda_conda_refresh_run_href"
    HREF_PATTERN = r"(?P<plugin>conda)/(?P<resource_type>refresh_run)s/"
    HREF_TEMPLATE = "conda/refresh_runs/{pulp_id}/"
    ID_PREFIX = "conda_refresh_runs"
    NEEDS_PLUGINS = _NEEDS_CONDA


class _LifecyclePartContext(PulpEntityContext):
    """A resource that belongs to a lifecycle."""

    NEEDS_PLUGINS = _NEEDS_CONDA

    def __init__(
        self,
        pulp_ctx: PulpContext,
        lifecycle_ctx: PulpCondaLifecycleContext,
        pulp_href: str | None = None,
        entity: EntityDefinition | None = None,
    ) -> None:
        super().__init__(pulp_ctx, pulp_href=pulp_href, entity=entity)
        self.lifecycle_ctx = lifecycle_ctx

    @property
    def scope(self) -> dict[str, t.Any]:
        return {self.lifecycle_ctx.HREF: self.lifecycle_ctx.pulp_href}


class PulpCondaHistoryContext(_LifecyclePartContext):
    ENTITY = _("history entry")
    ENTITIES = _("history entries")
    HREF = "conda_conda_lifecycles_history_entry_href"
    ID_PREFIX = "conda_lifecycles_history"

    def approve(self, reason: str | None = None) -> t.Any:
        """Approve the promotion, run the gates again, and return the report."""
        return self._answer("approve", reason)

    def reject(self, reason: str | None = None) -> t.Any:
        """Reject the promotion, and return the entry."""
        return self._answer("reject", reason)

    def _answer(self, action: str, reason: str | None) -> t.Any:
        body = _given({"reason": reason})
        return self.call(action, parameters={self.HREF: self.pulp_href}, body=body)


class PulpCondaDeliveryContext(_LifecyclePartContext):
    ENTITY = _("webhook delivery")
    ENTITIES = _("webhook deliveries")
    HREF = "conda_conda_lifecycles_webhook_delivery_href"
    ID_PREFIX = "conda_lifecycles_deliveries"

    def redeliver(self) -> t.Any:
        """Send the message once more, and return the task."""
        return self.call("redeliver", parameters={self.HREF: self.pulp_href})


def _given(values: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in values.items() if value is not None}


def _call_for_text(ctx: PulpEntityContext, action: str, query: dict[str, t.Any]) -> t.Any:
    parameters = {ctx.HREF: ctx.pulp_href, **_given(query)}
    with _texts(ctx.pulp_ctx.api):
        return ctx.call(action, parameters=parameters)


@contextmanager
def _reasons(api: OpenAPI) -> Iterator[None]:
    """Raise `PulpHTTPError` with the server's reason where an answer 403 has one of our codes.
    pulp-glue leaves the reason out.
    """
    parse = api._parse_response

    def parse_reason(operation: t.Any, response: t.Any) -> t.Any:
        if response.status_code == 403 and b"[CND" in response.body:
            raise PulpHTTPError(response.body.decode(), 403)
        return parse(operation, response)

    api._parse_response = parse_reason  # type: ignore
    try:
        yield
    finally:
        api._parse_response = parse  # type: ignore


@contextmanager
def _texts(api: OpenAPI) -> Iterator[None]:
    """Return answers that are not JSON as texts. pulp-glue returns nothing for them."""
    parse, accept = api._parse_response, api._headers["Accept"]

    def parse_text(operation: t.Any, response: t.Any) -> t.Any:
        answer = parse(operation, response)
        return response.body.decode() if answer is None else answer

    api._parse_response = parse_text  # type: ignore
    api._headers["Accept"] = "*/*"
    try:
        yield
    finally:
        api._parse_response = parse  # type: ignore
        api._headers["Accept"] = accept
