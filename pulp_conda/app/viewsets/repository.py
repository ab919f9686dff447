from functools import partial
from typing import Any, ClassVar

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_200_OK, HTTP_201_CREATED

from pulpcore.plugin.models import PulpTemporaryFile, RepositoryVersion
from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.util import get_objects_for_user
from pulpcore.plugin.viewsets import (
    OperationPostponedResponse,
    RepositoryVersionViewSet,
    RepositoryViewSet,
)

from pulp_conda.app import team
from pulp_conda.app.access import model_policy, model_roles, reader_role, statement, version_policy
from pulp_conda.app.authentication import TokenScopes
from pulp_conda.app.errors import NoSelection, NotAllManaged, TakesNoContent, UnknownFile
from pulp_conda.app.models import CondaLifecycle, CondaRepository, CondaToken
from pulp_conda.app.models.virtual import state_of
from pulp_conda.app.monitoring.conditions import channels, conditions_of
from pulp_conda.app.serializers import (
    CondaChannelRoleSerializer,
    CondaChannelStatusSerializer,
    CondaConvertSerializer,
    CondaCopySerializer,
    CondaDiffQuerySerializer,
    CondaFindLockSerializer,
    CondaImportLockSerializer,
    CondaMemberSerializer,
    CondaModifySerializer,
    CondaPlanSerializer,
    CondaRepositorySerializer,
    CondaSyncSerializer,
    CondaUploadAnswerSerializer,
    CondaUploadSerializer,
    CondaVersionDiffSerializer,
)
from pulp_conda.app.serializers.bounds import DependencyBoundsSerializer
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.lock import Source
from pulp_conda.app.tasks.conversions import convert_packages
from pulp_conda.app.tasks.copy import copy_packages
from pulp_conda.app.tasks.locks import find_lock_file, import_lock_file
from pulp_conda.app.tasks.modify import modify
from pulp_conda.app.tasks.plan import plan
from pulp_conda.app.tasks.sync import synchronize
from pulp_conda.app.uploading.batches import Batch
from pulp_conda.app.uploading.dispatching import conversion_resource
from pulp_conda.app.viewsets.diff import answer_diff
from pulp_conda.app.viewsets.noted import NotedLabels, NotedRoles
from pulp_conda.app.viewsets.references import VisibleParentMixin, VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.renderers import WITH_MARKDOWN
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.app.vocabulary import TokenScope
from pulp_conda.channel.errors import BadChannelRelations, BadLockFile

# The actions that make a version with other content.
_CHANGES_OF_CONTENT = frozenset(
    {"sync", "plan", "convert", "modify", "copy", "upload", "import_lock_file"}
)


class CondaRepositoryFilter(VisibleReferencesFilterMixin, RepositoryViewSet.filterset_class):
    pass


class CondaRepositoryViewSet(CheckedRequests, NotedRoles, NotedLabels, RepositoryViewSet):
    """A CondaRepository is a channel's changing content: the packages of all its subdirs."""

    endpoint_name = "conda"
    queryset = CondaRepository.objects.exclude(user_hidden=True).prefetch_related(
        "merged_channels__distribution"
    )
    serializer_class = CondaRepositorySerializer
    filterset_class = CondaRepositoryFilter
    queryset_filtering_required_permission = "conda.view_condarepository"
    # Those that the token is for: `get_queryset` says which.
    token_scopes: ClassVar[TokenScopes] = {
        "list": TokenScope.UPLOAD,
        "upload": TokenScope.UPLOAD,
    }
    own_errors = {
        "channel_relations": BadChannelRelations,
        "lock_file": partial(BadLockFile, format="of unknown format"),
    }

    DEFAULT_ACCESS_POLICY = model_policy(
        "condarepository",
        read=["statuses", "status"],
        extra=[
            statement("sync", "condarepository", "sync"),
            statement(
                ["modify", "convert", "copy", "upload", "import_lock_file"],
                "condarepository",
                "modify",
            ),
            # Who may add packages only, does not replace one.
            statement("upload", "condarepository", "upload", "replaces_nothing"),
            statement("find_lock_file", "condarepository", "view", view=False),
            statement("plan", "condarepository", "sync"),
            statement(["grant", "revoke", "members"], "condarepository", "manage_roles"),
        ],
    )
    LOCKED_ROLES = {
        **model_roles("condarepository", *team.OWNER_PERMISSIONS["condarepository"]),
        **team.LOCKED_ROLES,
        **reader_role("condarepository"),
    }

    def get_queryset(self) -> QuerySet:
        repositories = super().get_queryset()
        token = getattr(self.request, "auth", None)
        return (
            token.repositories_in(repositories) if isinstance(token, CondaToken) else repositories
        )

    @extend_schema(
        summary="Sync from an upstream channel",
        description="Trigger a task that makes a new version from what the upstream has now, and "
        "none if nothing changed.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaSyncSerializer)
    def sync(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository = self.get_object()
        serializer = CondaSyncSerializer(
            data=request.data, context={"request": request, "repository_pk": pk}
        )
        serializer.is_valid(raise_exception=True)
        remote = serializer.validated_data.get("remote", repository.remote)
        task = dispatch(
            synchronize,
            exclusive_resources=[repository],
            shared_resources=[remote],
            kwargs={
                "remote_pk": str(remote.pk),
                "repository_pk": str(repository.pk),
                "mirror": serializer.validated_data["mirror"],
                "optimize": serializer.validated_data["optimize"],
                "allow_mass_removal": serializer.validated_data["allow_mass_removal"],
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Plan a selection",
        description="Trigger a task that says what a sync of a selection would take from the "
        "upstream, before any package is downloaded: packages and bytes in all, per platform and "
        "per root, what is left out and by which rule, and what stays unmet. The result of the "
        "task is the report. Nothing is changed.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaPlanSerializer)
    def plan(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository = self.get_object()
        serializer = CondaPlanSerializer(
            data=request.data, context={"request": request, "repository_pk": pk}
        )
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        remote = data.get("remote", repository.remote)
        selection = data.get("selection", repository.selection)
        if selection is None:
            with channel_errors_as_validation():
                raise NoSelection(repository=repository.name)
        task = dispatch(
            plan,
            shared_resources=[repository, remote],
            kwargs={
                "remote_pk": str(remote.pk),
                "repository_pk": str(repository.pk),
                "selection": selection,
                "why": data["why"],
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Add and remove packages",
        description="Trigger a task that makes a new version with packages added, copied from "
        "another repository, or removed.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaModifySerializer)
    def modify(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository, data = self._validated()
        base = data.get("base_version")
        task = dispatch(
            modify,
            exclusive_resources=[repository],
            kwargs={
                "repository_pk": str(repository.pk),
                "base_version_pk": base and str(base.pk),
                "add_content_units": data.get("add_content_units", []),
                "remove_content_units": data.get("remove_content_units", []),
                "overwrite": data["overwrite"],
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Upload packages",
        description="Send package files, and trigger a task that adds all of them in one new "
        "version. A file that is refused keeps no other one away: the result of the task says what "
        "became of each. Many files are sent in several requests with the same 'batch', of which "
        "the last one has 'complete'; the others answer at once.",
        responses={202: AsyncOperationResponseSerializer, 201: CondaUploadAnswerSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaUploadSerializer)
    def upload(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository = self.get_object()
        fields = {key: each for key, each in request.data.items() if key not in request.FILES}
        if request.FILES:
            fields["file"] = [file for _key, files in request.FILES.lists() for file in files]
        context = {**self.get_serializer_context(), "repository": repository}
        serializer = CondaUploadSerializer(data=fields, context=context)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        batch = Batch(
            repository,
            request.user,
            data.get("batch"),
            data.get("subdir"),
            data["overwrite"],
            request.auth,
        )
        with transaction.atomic(), channel_errors_as_validation() as errors:
            missing = batch.add_known(data.get("known", ()))
            if data["complete"]:
                errors += [
                    UnknownFile(filename=each.filename, sha256=each.sha256) for each in missing
                ]
            if not errors:
                batch.add(data.get("file", ()))
        if not data["complete"]:
            answer = CondaUploadAnswerSerializer({"missing": [file.sha256 for file in missing]})
            return Response(answer.data, status=HTTP_201_CREATED)
        return OperationPostponedResponse(batch.complete(), request)

    @extend_schema(
        summary="Copy packages from another channel",
        description="Trigger a task that makes a new version with packages of another repository "
        "on top, found by match specs, and what they depend on. The result of the task is a "
        "report.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaCopySerializer)
    def copy(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository, data = self._validated()
        source, number = data["source"]
        others = [source] if source.pk != repository.pk else []
        exclusive, shared = ([], [repository]) if data["dry_run"] else ([repository], [])
        task = dispatch(
            copy_packages,
            exclusive_resources=exclusive,
            shared_resources=shared + others,
            kwargs={
                "repository_pk": str(repository.pk),
                "source_pk": str(source.pk),
                "source_number": number,
                "specs": data["specs"],
                "environments": data["environments"],
                **DependencyBoundsSerializer.arguments(data),
                "overwrite": data["overwrite"],
                "dry_run": data["dry_run"],
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Convert packages",
        description="Trigger a task that makes the '.conda' of packages that the latest version "
        "has as '.tar.bz2' only. The result of the task is a report. Another task, 'task' in the "
        "report, adds the new files in one version; uploads and all else go on meanwhile. The "
        "'.tar.bz2' stays, and so does a '.conda' that is there already.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaConvertSerializer)
    def convert(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository, data = self._validated()
        resource = conversion_resource(repository)
        task = dispatch(
            convert_packages,
            exclusive_resources=[] if data["dry_run"] else [resource],
            shared_resources=[repository] if data["dry_run"] else [],
            kwargs={
                "repository_pk": str(repository.pk),
                "specs": data["specs"],
                "dry_run": data["dry_run"],
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Import a lock file",
        description="Trigger a task that makes a new version with exactly the packages of a lock "
        "file, found by their hashes in repositories of this server. The result of the task is a "
        "report. If something is missing, no version is made, but the task does not fail: see "
        "'outcome'.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaImportLockSerializer)
    def import_lock_file(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository, data = self._validated()
        sources = data["sources"] or [Source(repository, None)]
        others = [source for source, _number in sources if source.pk != repository.pk]
        exclusive, shared = ([], [repository]) if data["dry_run"] else ([repository], [])
        task = dispatch(
            import_lock_file,
            exclusive_resources=exclusive,
            shared_resources=shared + others,
            kwargs={
                "file_pk": _keep(data["lock_file"]),
                "repository_pk": str(repository.pk),
                "sources": [(str(source.pk), number) for source, number in sources],
                "lock_format": data.get("lock_format"),
                "dry_run": data["dry_run"],
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Find the versions that serve a lock file",
        description="Trigger a task that says which versions have all packages of a lock file, by "
        "their hashes, and which stages of lifecycles serve such a version or did so in their kept "
        "history.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaFindLockSerializer)
    def find_lock_file(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository, data = self._validated()
        lifecycles = get_objects_for_user(
            request.user,
            "conda.view_condalifecycle",
            CondaLifecycle.objects.filter(repository=repository),
        )
        task = dispatch(
            find_lock_file,
            shared_resources=[repository],
            kwargs={
                "file_pk": _keep(data["lock_file"]),
                "repository_pk": str(repository.pk),
                "lifecycle_pks": [str(lifecycle.pk) for lifecycle in lifecycles],
                "number": data.get("version"),
                "lock_format": data.get("lock_format"),
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Show how all channels are",
        description="Show for each channel what it serves, how fresh that is, and what is wrong. "
        "The number of queries does not grow with the number of channels.",
        responses={200: CondaChannelStatusSerializer(many=True)},
    )
    @action(detail=False, methods=["get"], serializer_class=CondaChannelStatusSerializer)
    def statuses(self, request: Request, **kwargs: Any) -> Response:
        found = channels(self.filter_queryset(self.get_queryset()))
        page = self.paginate_queryset(found)
        shown = CondaChannelStatusSerializer(
            conditions_of(page, request.user), many=True, context=self.get_serializer_context()
        )
        return self.get_paginated_response(shown.data)

    @extend_schema(
        summary="Show how a channel is",
        description="Show what a channel serves, how fresh that is, and what is wrong.",
        responses={200: CondaChannelStatusSerializer},
    )
    @action(
        detail=True,
        methods=["get"],
        serializer_class=CondaChannelStatusSerializer,
        filter_backends=[],
    )
    def status(self, request: Request, pk: str, **kwargs: Any) -> Response:
        found = channels(self.get_queryset())
        condition = conditions_of([get_object_or_404(found, pk=pk)], request.user)[0]
        context = self.get_serializer_context()
        return Response(CondaChannelStatusSerializer(condition, context=context).data)

    @extend_schema(
        summary="List the roles in the channel",
        description="List who reads, uploads, promotes, approves and owns: by a role in the "
        "channel, or by other roles that allow the same. Administrators are left out. It needs "
        "the permission to manage the roles of all parts of the channel.",
        responses={200: CondaMemberSerializer(many=True)},
    )
    @action(detail=True, methods=["get"], filter_backends=[], pagination_class=None)
    def members(self, request: Request, pk: str, **kwargs: Any) -> Response:
        return self._answer_members(self._manageable())

    @extend_schema(
        summary="Give a role in the channel",
        description="Give a role of a team on all parts of the channel at once: its repository, "
        "the distributions that serve it, and its lifecycles. It needs the permission to manage "
        "the roles of each. Parts that come later need the role again. The answer is who has "
        "which role then.",
        responses={201: CondaMemberSerializer(many=True)},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaChannelRoleSerializer)
    def grant(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository = self._manageable()
        with channel_errors_as_validation():
            team.grant(repository, **self._asked_role(request))
        return self._answer_members(repository, HTTP_201_CREATED)

    @extend_schema(
        summary="Take a role in the channel",
        description="Take a role of a team from all parts of the channel at once. Roles that were "
        "given in another way stay. The answer is who has which role then.",
        responses={201: CondaMemberSerializer(many=True)},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaChannelRoleSerializer)
    def revoke(self, request: Request, pk: str, **kwargs: Any) -> Response:
        repository = self._manageable()
        team.revoke(repository, **self._asked_role(request))
        return self._answer_members(repository, HTTP_201_CREATED)

    def get_object(self) -> CondaRepository:
        repository: CondaRepository = super().get_object()
        if self.action in _CHANGES_OF_CONTENT and repository.is_virtual:
            error = TakesNoContent(name=repository.name)
            raise ValidationError([str(error)], code=error.code)
        return repository

    def _manageable(self) -> CondaRepository:
        """Return the repository, if the user may manage the roles of all parts of its channel."""
        repository: CondaRepository = self.get_object()
        try:
            team.check_manageable(self.request.user, repository)
        except NotAllManaged as error:
            raise PermissionDenied(str(error), code=error.code) from None
        return repository

    def _asked_role(self, request: Request) -> dict[str, Any]:
        serializer = CondaChannelRoleSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def _answer_members(
        self, repository: CondaRepository, status_code: int = HTTP_200_OK
    ) -> Response:
        found = CondaMemberSerializer(team.members(repository), many=True)
        return Response(found.data, status=status_code)

    def _validated(self) -> tuple[CondaRepository, dict[str, Any]]:
        """Return the repository and the validated body of a request about it."""
        repository = self.get_object()
        context = {**self.get_serializer_context(), "repository": repository}
        serializer = self.serializer_class(data=self.request.data, context=context)
        serializer.is_valid(raise_exception=True)
        return repository, serializer.validated_data


def _keep(text: str) -> str:
    """Store a lock file until a task has read it, and return the key of the temporary file."""
    file = PulpTemporaryFile(file=ContentFile(text.encode(), name="lock"))
    file.save()
    return str(file.pk)


class CondaRepositoryVersionFilter(
    VisibleReferencesFilterMixin, RepositoryVersionViewSet.filterset_class
):
    pass


class CondaRepositoryVersionViewSet(CheckedRequests, VisibleParentMixin, RepositoryVersionViewSet):
    """A CondaRepositoryVersion is one frozen state of a channel."""

    parent_viewset = CondaRepositoryViewSet
    filterset_class = CondaRepositoryVersionFilter

    DEFAULT_ACCESS_POLICY = version_policy("condarepository")

    def get_object(self) -> RepositoryVersion:
        version = super().get_object()
        # Our model of the repository knows which versions stages need; that of pulpcore does not.
        version.repository = version.repository.cast()
        return version

    @extend_schema(
        summary="Compare with another version",
        description="List what was added, removed, replaced and updated between two versions, by "
        "package name, and the patches that were added and removed. With 'Accept: text/markdown' "
        "or 'format=markdown', write it as a changelog for people, with up to 'limit' names in "
        "each section.",
        parameters=[CondaDiffQuerySerializer],
        responses={200: CondaVersionDiffSerializer},
    )
    @action(
        detail=True,
        methods=["get"],
        serializer_class=CondaVersionDiffSerializer,
        filter_backends=[],  # they refuse parameters that are not theirs
        renderer_classes=WITH_MARKDOWN,
    )
    def diff(self, request: Request, repository_pk: str, number: str, **kwargs: Any) -> Response:
        serializer = CondaDiffQuerySerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        target = self.get_object()
        base = self._base(target, query.pop("base", None))
        title = f"{target.repository.name}: version {{}} → {{}}"
        states = state_of(base), state_of(target)
        return answer_diff(self, *states, query, (base.number, target.number), title)

    def _base(self, target: RepositoryVersion, number: int | None) -> RepositoryVersion:
        """Return the version with a number, or the newest version before that is not deleted."""
        versions = target.repository.versions.complete()
        if number is not None:
            return get_object_or_404(versions, number=number)
        return versions.filter(number__lt=target.number).order_by("number").last() or target
