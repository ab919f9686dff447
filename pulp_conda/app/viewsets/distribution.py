from pulpcore.plugin.viewsets import DistributionViewSet, RolesMixin

from pulp_conda.app.access import model_policy, model_roles
from pulp_conda.app.models import CondaDistribution
from pulp_conda.app.serializers import CondaDistributionSerializer
from pulp_conda.app.viewsets.requests import CheckedRequests
from pulp_conda.channel.errors import BadNotice

_MAY_SEE_WHAT_IT_SERVES = [
    "has_repo_or_repo_ver_param_model_or_domain_or_obj_perms:conda.view_condarepository",
    "has_publication_param_model_or_domain_or_obj_perms:conda.view_condapublication",
]


class CondaDistributionViewSet(CheckedRequests, DistributionViewSet, RolesMixin):
    """A CondaDistribution is the URL of a channel."""

    endpoint_name = "conda"
    queryset = CondaDistribution.objects.all()
    serializer_class = CondaDistributionSerializer
    queryset_filtering_required_permission = "conda.view_condadistribution"
    own_errors = {"notices": BadNotice}

    DEFAULT_ACCESS_POLICY = model_policy(
        "condadistribution",
        create=_MAY_SEE_WHAT_IT_SERVES,
        update=_MAY_SEE_WHAT_IT_SERVES,
    )
    LOCKED_ROLES = model_roles("condadistribution")
