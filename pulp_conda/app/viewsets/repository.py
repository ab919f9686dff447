from collections import Counter

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.response import Response

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
from pulp_conda.app.models.patch import diff_patches
from pulp_conda.app.serializers import (
    CondaDiffQuerySerializer,
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
        "name, and the patches that were added and removed.",
        parameters=[CondaDiffQuerySerializer],
        responses={200: CondaVersionDiffSerializer},
    )
    @action(
        detail=True,
        methods=["get"],
        serializer_class=CondaVersionDiffSerializer,
        filter_backends=[],  # they refuse parameters that are not theirs
    )
    def diff(self, request, repository_pk, number, **kwargs):
        query = CondaDiffQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        target = self.get_object()
        base = self._base(target, query.validated_data.get("base"))
        name = query.validated_data.get("name")
        changes = diff_versions(base, target, name)
        first = query.validated_data["offset"]
        shown = list(changes)[first : first + query.validated_data["limit"]]
        counts = Counter(change.kind for of_name in changes.values() for change in of_name)
        answer = {
            "base": base.number,
            "target": target.number,
            "counts": counts,
            "packages": {name: changes[name] for name in shown},
            "patches": diff_patches(base, target, name),
        }
        return Response(self.get_serializer(answer).data)

    def _base(self, target, number):
        """Return the version to compare with: by its number, or the one before that is still there."""
        versions = target.repository.versions.complete()
        if number is not None:
            return get_object_or_404(versions, number=number)
        return versions.filter(number__lt=target.number).order_by("number").last() or target
