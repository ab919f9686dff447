import orjson
from django_filters import CharFilter
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import JSONParser

from pulpcore.plugin.serializers import AsyncOperationResponseSerializer
from pulpcore.plugin.viewsets import ContentFilter, NoArtifactContentViewSet

from pulp_conda.app.access import content_policy
from pulp_conda.app.models import CondaPatch
from pulp_conda.app.serializers import CondaPatchSerializer, CondaPatchSummarySerializer


class CondaPatchFilter(ContentFilter):
    filename = CharFilter(
        method="filter_filename",
        help_text="Patches that name this file, for example 'numpy-2.0.0-0.conda'.",
    )

    def filter_filename(self, queryset, name, value):
        # As it stands in JSON, where nothing but a file name ends like one.
        return queryset.filter(instructions__contains=orjson.dumps(value).decode())

    class Meta:
        model = CondaPatch
        fields = {
            "subdir": ["exact", "in"],
            "author": ["exact", "in"],
            "reason": ["icontains"],
            "expires_at": ["lt", "lte", "gt", "gte", "range", "isnull"],
        }


class CondaPatchViewSet(NoArtifactContentViewSet):
    """A CondaPatch corrects records of packages, and leaves the packages as they are."""

    endpoint_name = "patches"
    queryset = CondaPatch.objects.all()
    serializer_class = CondaPatchSerializer
    filterset_class = CondaPatchFilter
    parser_classes = [JSONParser]

    DEFAULT_ACCESS_POLICY = content_policy("condarepository")

    def get_queryset(self):
        queryset = super().get_queryset()
        return queryset.defer("instructions") if self.action == "list" else queryset

    def get_serializer_class(self):
        return CondaPatchSummarySerializer if self.action == "list" else CondaPatchSerializer

    def get_deferred_context(self, request):
        return {"author": request.user.get_username()}

    @extend_schema(
        summary="Make a repodata patch",
        description="Trigger a task that makes a patch and, with 'repository', a new version that has it.",
        responses={202: AsyncOperationResponseSerializer},
    )
    def create(self, request, **kwargs):
        return super().create(request, **kwargs)
