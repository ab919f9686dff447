from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from pulpcore.plugin.serializers import (
    AsyncOperationResponseSerializer,
    TaskGroupOperationResponseSerializer,
)
from pulpcore.plugin.tasking import dispatch, general_create, general_delete
from pulpcore.plugin.viewsets import (
    NAME_FILTER_OPTIONS,
    AsyncUpdateMixin,
    BaseFilterSet,
    LabelFilter,
    NamedModelViewSet,
    OperationPostponedResponse,
    TaskGroupOperationResponse,
)

from pulp_conda.app.access import (
    model_policy,
    model_roles,
    reader_role,
    statement,
    visible,
)
from pulp_conda.app.authentication import TokenScopes, check_token
from pulp_conda.app.errors import BadGate, NotSolved, UnknownEnvironment
from pulp_conda.app.models import CondaLifecycle, CondaPublication, CondaToken
from pulp_conda.app.models.lifecycle import with_stages
from pulp_conda.app.models.virtual import state_of
from pulp_conda.app.serializers import (
    CondaLifecycleDiffQuerySerializer,
    CondaLifecycleDiffSerializer,
    CondaLifecycleSerializer,
    CondaLockQuerySerializer,
    CondaPromotePackagesSerializer,
    CondaPromoteSerializer,
    CondaRollbackSerializer,
    CondaSolveSerializer,
)
from pulp_conda.app.serializers.bounds import DependencyBoundsSerializer
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.lock import find_environments
from pulp_conda.app.solving.lock_files import (
    CONTENT_TYPES,
    filename_of,
    solved_environment,
    write_lock,
)
from pulp_conda.app.tasks.moves import promote, roll_back
from pulp_conda.app.tasks.packages import promote_packages
from pulp_conda.app.tasks.solve import dispatch_solving
from pulp_conda.app.team import OWNER_PERMISSIONS
from pulp_conda.app.viewsets.diff import answer_diff
from pulp_conda.app.viewsets.noted import NotedLabels, NotedRoles
from pulp_conda.app.viewsets.references import VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.renderers import WITH_MARKDOWN
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.app.vocabulary import TokenScope
from pulp_conda.channel.errors import ChannelError, MissingHash
from pulp_conda.channel.moments import spell_reference
from pulp_conda.channel.storable import Unstorable

_MODEL = "condalifecycle"


class CondaLifecycleFilter(VisibleReferencesFilterMixin, BaseFilterSet):
    pulp_label_select = LabelFilter()

    class Meta:
        model = CondaLifecycle
        fields = {"name": NAME_FILTER_OPTIONS, "repository": ["exact", "in"]}


class CondaLifecycleViewSet(
    CheckedRequests,
    NamedModelViewSet,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    AsyncUpdateMixin,
    NotedRoles,
    NotedLabels,
):
    """A CondaLifecycle has the stages of a channel in their order. Each stage has its own URL."""

    endpoint_name = "conda/lifecycles"
    router_lookup = "lifecycle"
    queryset = CondaLifecycle.objects.all()
    serializer_class = CondaLifecycleSerializer
    filterset_class = CondaLifecycleFilter
    queryset_filtering_required_permission = "conda.view_condalifecycle"
    # Who promotes has to find the lifecycle, and to see what came of it.
    token_scopes: ClassVar[TokenScopes] = {
        "list": TokenScope.PROMOTE,
        "retrieve": TokenScope.PROMOTE,
        "promote": TokenScope.PROMOTE,
        "promote_packages": TokenScope.PROMOTE,
    }

    DEFAULT_ACCESS_POLICY = model_policy(
        _MODEL,
        extra=[
            statement("promote", _MODEL, "promote", "may_jump_if_asked", "may_override_if_asked"),
            statement("diff", _MODEL, "view", view=False),
            statement("promote_packages", _MODEL, "promote_packages", "may_override_if_asked"),
            statement("rollback", _MODEL, "rollback"),
            # Users who may promote can start the solver anyway, by a gate.
            statement("solve", _MODEL, "promote"),
            statement("lock", _MODEL, "view", view=False),
        ],
        create=[
            # Not only to view it: while there is a lifecycle, its repository and some of the
            # versions cannot be deleted.
            "has_repo_or_repo_ver_param_model_or_domain_or_obj_perms:conda.modify_condarepository",
            "may_use_distributions_if_asked",
        ],
        update=["may_use_distributions_if_asked"],
    )
    LOCKED_ROLES = {
        **model_roles(_MODEL, *OWNER_PERMISSIONS[_MODEL]),
        **reader_role(_MODEL),
        "conda.condalifecycle_promoter": [
            f"conda.{permission}_{_MODEL}"
            for permission in ("view", "promote", "promote_packages", "rollback")
        ],
        "conda.condalifecycle_approver": [f"conda.view_{_MODEL}", f"conda.approve_{_MODEL}"],
    }

    def get_queryset(self) -> QuerySet:
        lifecycles = super().get_queryset()
        token = getattr(self.request, "auth", None)
        if isinstance(token, CondaToken):
            lifecycles = token.lifecycles_in(lifecycles)
        return with_stages(lifecycles) if self.action in ("list", "retrieve") else lifecycles

    def error_for(self, found: Unstorable, values: Mapping[str, Any]) -> ChannelError:
        match found.path:
            case ("stages", int(stage), "gates", int(gate), *rest):
                in_gate = Unstorable(tuple(rest), found.reason)
                name = values["stages"][stage].get("name")
                reason = f"'{in_gate.place}' {in_gate.reason}"
                return BadGate(gate=gate + 1, stage=name, reason=reason)
        return super().error_for(found, values)

    def async_reserved_resources(
        self, instance: CondaLifecycle, **kwargs: Any
    ) -> list[str | CondaLifecycle]:
        # pulpcore locks this name while it creates a distribution. The paths must not overlap, so
        # no distribution may be created at the same time.
        return ["/api/v3/distributions/", instance]

    @extend_schema(
        summary="Create a lifecycle",
        description="Trigger a task that makes the stages and the distributions that are not "
        "given.",
        responses={202: AsyncOperationResponseSerializer},
    )
    def create(self, request: Request, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        task = dispatch(
            general_create,
            # Also the repository: a publication that is made at the same time would not find the
            # stage that has to follow it.
            exclusive_resources=[
                "/api/v3/distributions/",
                serializer.validated_data["repository"],
            ],
            args=("conda", serializer.__class__.__name__),
            kwargs={"data": request.data},
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Delete a lifecycle",
        description="Trigger a task that deletes the stages and their history. The distributions "
        "stay, and serve the same as before.",
        responses={202: AsyncOperationResponseSerializer},
    )
    def destroy(self, request: Request, pk: str, **kwargs: Any) -> Response:
        lifecycle = self.get_object()
        task = dispatch(
            general_delete,
            exclusive_resources=[lifecycle],
            args=(pk, "conda", CondaLifecycleSerializer.__name__),
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Promote to a stage",
        description="Trigger a task that lets a stage serve what the stage before it serves, if "
        "its gates allow that. The result of the task is the report. If a gate holds the "
        "promotion, the task does not fail: see 'outcome'.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaPromoteSerializer)
    def promote(self, request: Request, pk: str, **kwargs: Any) -> Response:
        data = self.validated()
        return self._dispatch(
            promote,
            data,
            source_pk=str(data["source"].pk),
            state=data.get("state"),
            overrides=data["overrides"],
        )

    @extend_schema(
        summary="Promote single packages to a stage",
        description="Trigger a task that puts packages on top of what a stage serves, which "
        "otherwise stays as it is. The result of the task is the report, as for a promotion.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaPromotePackagesSerializer)
    def promote_packages(self, request: Request, pk: str, **kwargs: Any) -> Response:
        data = self.validated()
        return self._dispatch(
            promote_packages,
            data,
            source_pk=str(data["source"].pk),
            specs=data["specs"],
            **DependencyBoundsSerializer.arguments(data),
            overrides=data["overrides"],
        )

    @extend_schema(
        summary="Roll a stage back",
        description="Trigger a task that lets a stage serve what it served before, whatever its "
        "gates say. The result of the task is the report.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaRollbackSerializer)
    def rollback(self, request: Request, pk: str, **kwargs: Any) -> Response:
        data = self.validated()
        return self._dispatch(roll_back, data, number=data.get("entry"))

    @extend_schema(
        summary="Solve environments",
        description="Trigger tasks that solve environments of what a stage serves, each some of "
        "them, and store the solutions: for lock files, and for the gates of a later promotion. "
        "The result of each task is a list of what the solver said.",
        responses={202: TaskGroupOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaSolveSerializer)
    def solve(self, request: Request, pk: str, **kwargs: Any) -> Response:
        data = self.validated()
        asked = data["asked"]
        group = dispatch_solving(
            asked.basis.publication, data["environments"], asked.channels, data["platforms"]
        )
        return TaskGroupOperationResponse(group, request)

    @extend_schema(
        summary="Write a lock file",
        description="Answer with the lock file of an environment, from the stored solution on what "
        "a stage serves. Its URLs are those of the stage, which serves the packages of its kept "
        "history.",
        parameters=[CondaLockQuerySerializer],
        responses={
            (200, content_type): OpenApiTypes.STR for content_type in CONTENT_TYPES.values()
        },
    )
    @action(
        detail=True,
        methods=["get"],
        serializer_class=CondaLockQuerySerializer,
        filter_backends=[],  # they refuse parameters that are not theirs
    )
    def lock(self, request: Request, pk: str, **kwargs: Any) -> HttpResponse:
        context = {**self.get_serializer_context(), "lifecycle": self.get_object()}
        serializer = self.serializer_class(data=request.query_params, context=context)
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        asked, lock_format = query["asked"], query["lock_format"]
        url = request.build_absolute_uri(asked.stage.distribution.url)
        try:
            (environment,) = find_environments(asked, [query["environment"]])
            platforms = serializer.platforms_of(environment)
            solved = solved_environment(asked, environment, platforms, url)
            text = write_lock(lock_format, solved, query["digest"])
        except (NotSolved, UnknownEnvironment, MissingHash) as error:
            raise NotFound(str(error), code=error.code) from None
        name = filename_of(lock_format, environment, platforms)
        return HttpResponse(
            text,
            content_type=f"{CONTENT_TYPES[lock_format]}; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    @extend_schema(
        summary="Compare two states",
        description="List what differs between two states of the stages or of the channel, by "
        "package name. With 'Accept: text/markdown' or 'format=markdown', write it as a changelog "
        "for people.",
        parameters=[CondaLifecycleDiffQuerySerializer],
        responses={200: CondaLifecycleDiffSerializer},
    )
    @action(
        detail=True,
        methods=["get"],
        serializer_class=CondaLifecycleDiffSerializer,
        filter_backends=[],  # they refuse parameters that are not theirs
        renderer_classes=WITH_MARKDOWN,
    )
    def diff(self, request: Request, pk: str, **kwargs: Any) -> Response:
        lifecycle = self.get_object()
        serializer = CondaLifecycleDiffQuerySerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        names = query.pop("base"), query.pop("target")
        with channel_errors_as_validation():
            publications = visible(request, CondaPublication)
            base, target = (state_of(lifecycle.find_version(name, publications)) for name in names)
        spelled = spell_reference(names[0]), spell_reference(names[1])
        return answer_diff(self, base, target, query, spelled, f"{lifecycle.name}: {{}} → {{}}")

    def validated(self) -> dict[str, Any]:
        """Return the validated body of a request about a stage.

        The conditions of our access policies call this as well.
        """
        lifecycle = self.get_object()
        context = {**self.get_serializer_context(), "lifecycle": lifecycle}
        serializer = self.serializer_class(data=self.request.data, context=context)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def _dispatch(
        self, task: Callable[..., Any], data: dict[str, Any], **arguments: Any
    ) -> Response:
        """Dispatch a task that moves a stage. A lifecycle has one such task at a time."""
        check_token(self.request, TokenScope.PROMOTE, data["stage"].distribution)
        token = self.request.auth
        if isinstance(token, CondaToken):
            arguments["token_name"] = token.name
        own_repository = data["stage"].repository
        dispatched = dispatch(
            task,
            exclusive_resources=[
                self.get_object(),
                *([own_repository] if own_repository else []),
            ],
            kwargs={
                "stage_pk": str(data["stage"].pk),
                "requester_pk": self.request.user.pk,
                "reason": data["reason"],
                "dry_run": data["dry_run"],
                **arguments,
            },
        )
        return OperationPostponedResponse(dispatched, self.request)
