from pulpcore.plugin.viewsets import DistributionFilter, DistributionViewSet

from pulp_conda.app.access import model_policy, model_roles, reader_role
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.serializers import CondaDistributionSerializer
from pulp_conda.app.team import OWNER_PERMISSIONS
from pulp_conda.app.viewsets.noted import NotedLabels, NotedRoles
from pulp_conda.app.viewsets.references import VisibleReferencesFilterMixin
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.channel.errors import BadNotice


class CondaDistributionFilter(VisibleReferencesFilterMixin, DistributionFilter):
    pass


class CondaDistributionViewSet(CheckedRequests, NotedRoles, NotedLabels, DistributionViewSet):
    """A CondaDistribution is the URL of a channel."""

    endpoint_name = "conda"
    queryset = CondaDistribution.objects.all()
    serializer_class = CondaDistributionSerializer
    filterset_class = CondaDistributionFilter
    queryset_filtering_required_permission = "conda.view_condadistribution"
    own_errors = {"notices": BadNotice}

    DEFAULT_ACCESS_POLICY = model_policy("condadistribution")
    LOCKED_ROLES = {
        **model_roles("condadistribution", *OWNER_PERMISSIONS["condadistribution"]),
        **reader_role("condadistribution"),
    }
