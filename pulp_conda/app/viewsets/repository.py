from collections import Counter

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from pulpcore.plugin.actions import ModifyRepositoryActionMixin
from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.viewsets import (
    OperationPostponedResponse,
    RepositoryVersionViewSet,
    RepositoryViewSet,
    RolesMixin,
)

from pulp_conda.app.access import model_policy, model_roles, statement, version_policy
from pulp_conda.app.models import CondaRepository
from pulp_conda.app.models.content import diff_versions
from pulp_conda.app.serializers import (
    CondaModifySerializer,
    CondaRepositorySerializer,
    CondaSyncSerializer,
    CondaVersionDiffSerializer,
)
from pulp_conda.app.tasks.sync import synchronize

_MAY_SEE_REMOTE = "has_remote_param_model_or_domain_or_obj_perms:conda.view_condaremote"


class CondaRepositoryViewSet(RepositoryViewSet, ModifyRepositoryActionMixin, RolesMixin):
    """A CondaRepository is a channel's changing content: the packages of all its subdirs."""

    endpoint_name = "conda"
    queryset = CondaRepository.objects.exclude(user_hidden=True)
    serializer_class = CondaRepositorySerializer
    queryset_filtering_required_permission = "conda.view_condarepository"

    DEFAULT_ACCESS_POLICY = model_policy(
        "condarepository",
        extra=[
            statement("sync", "condarepository", "sync", _MAY_SEE_REMOTE),
            statement("modify", "condarepository", "modify"),
        ],
        create=[_MAY_SEE_REMOTE],
        update=[_MAY_SEE_REMOTE],
    )
    LOCKED_ROLES = model_roles("condarepository", "modify", "sync", "repair")

    @extend_schema(
        summary="Sync from an upstream channel",
        description="Trigger a task that makes a new version from what the upstream has now, and none if "
        "nothing changed.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaSyncSerializer)
    def sync(self, request, pk, **kwargs):
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
            },
        )
        return OperationPostponedResponse(task, request)

    @extend_schema(
        summary="Add and remove packages",
        description="Trigger a task that makes a new version with packages added, copied from another "
        "repository, or removed.",
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=CondaModifySerializer)
    def modify(self, request, pk, **kwargs):
        return super().modify(request, pk, **kwargs)


class CondaRepositoryVersionViewSet(RepositoryVersionViewSet):
    """A CondaRepositoryVersion is one frozen state of a channel."""

    parent_viewset = CondaRepositoryViewSet

    DEFAULT_ACCESS_POLICY = version_policy("condarepository")

    @extend_schema(
        summary="Compare with another version",
        description="List what was added, removed, replaced and updated between two versions, by package "
        "name. Names come in pages: 'offset' and 'limit' count names.",
        parameters=[
            OpenApiParameter(
                "base",
                int,
                description="The number of the version to compare with. The default is the version before.",
            ),
            OpenApiParameter("name", str, description="Show only the package of this name."),
            OpenApiParameter("offset", int, description="Names to leave out at the start."),
            OpenApiParameter("limit", int, description="Names to show. The default is 100."),
        ],
        responses={200: CondaVersionDiffSerializer},
    )
    @action(
        detail=True,
        methods=["get"],
        serializer_class=CondaVersionDiffSerializer,
        filter_backends=[],  # they refuse parameters that are not theirs
    )
    def diff(self, request, repository_pk, number, **kwargs):
        target = self.get_object()
        base = get_object_or_404(
            target.repository.versions.complete(),
            number=_number(request, "base", max(target.number - 1, 0)),
        )
        changes = diff_versions(base, target, request.query_params.get("name"))
        offset = _number(request, "offset", 0)
        shown = list(changes)[offset : offset + _number(request, "limit", 100)]
        serializer = self.get_serializer(
            {
                "base": base.number,
                "target": target.number,
                "counts": Counter(
                    change.kind for of_name in changes.values() for change in of_name
                ),
                "packages": {name: changes[name] for name in shown},
            }
        )
        return Response(serializer.data)


def _number(request, parameter, default):
    value = request.query_params.get(parameter, default)
    if not str(value).isdecimal():
        raise ValidationError({parameter: f"'{value}' is not a number."})
    return int(value)
