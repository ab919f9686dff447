from pulpcore.plugin.viewsets import RemoteViewSet, RolesMixin

from pulp_conda.app.access import model_policy, model_roles
from pulp_conda.app.models import CondaRemote
from pulp_conda.app.serializers import CondaRemoteSerializer
from pulp_conda.app.viewsets.requests import CheckedRequests


class CondaRemoteViewSet(CheckedRequests, RemoteViewSet, RolesMixin):
    """A CondaRemote is an upstream channel, and which of its packages to take."""

    endpoint_name = "conda"
    queryset = CondaRemote.objects.all()
    serializer_class = CondaRemoteSerializer
    queryset_filtering_required_permission = "conda.view_condaremote"

    DEFAULT_ACCESS_POLICY = model_policy("condaremote")
    LOCKED_ROLES = model_roles("condaremote")
