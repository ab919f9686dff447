from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.tasking import dispatch
from pulpcore.plugin.viewsets import OperationPostponedResponse, RemoteViewSet

from pulp_conda.app.access import model_policy, model_roles, statement
from pulp_conda.app.models import CondaRemote
from pulp_conda.app.serializers import CondaRemoteSerializer
from pulp_conda.app.tasks.check import check_remote
from pulp_conda.app.viewsets.noted import NotedLabels, NotedRoles
from pulp_conda.app.viewsets.requests import CheckedRequests


class CondaRemoteViewSet(CheckedRequests, NotedRoles, NotedLabels, RemoteViewSet):
    """A CondaRemote is an upstream channel, and which of its packages to take."""

    endpoint_name = "conda"
    queryset = CondaRemote.objects.all()
    serializer_class = CondaRemoteSerializer
    queryset_filtering_required_permission = "conda.view_condaremote"

    DEFAULT_ACCESS_POLICY = model_policy(
        "condaremote", extra=[statement("check", "condaremote", "change")]
    )
    LOCKED_ROLES = model_roles("condaremote")

    @extend_schema(
        summary="Compare the forms of an upstream",
        description="Trigger a task that reads the packages that the remote takes from the shards, "
        "from 'repodata.json.zst' and from 'repodata.json' of each subdir, and says what differs. "
        "The result of the task is a report. No version is made.",
        request=None,
        responses={202: AsyncOperationResponseSerializer},
    )
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str, **kwargs: Any) -> Response:
        remote = self.get_object()
        task = dispatch(
            check_remote, shared_resources=[remote], kwargs={"remote_pk": str(remote.pk)}
        )
        return OperationPostponedResponse(task, request)
