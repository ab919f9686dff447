from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from pulpcore.plugin.serializers import DetailRelatedField, IdentityField, ModelSerializer
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models import CondaDistribution, CondaPublisher
from pulp_conda.app.oidc.claims import check_claims
from pulp_conda.app.oidc.providers import providers
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import VisibleReferencesMixin
from pulp_conda.app.uploading import repository_of


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class _ClaimsField(serializers.JSONField):
    """Takes any JSON, so that `check_claims` says what is wrong."""


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Trust a workflow of GitHub Actions",
            value={
                "name": "hello-release",
                "distribution": (
                    "/pulp/api/v3/distributions/conda/conda/01924e1b-3e7f-7d22-b1f6-e1a2c9c4da31/"
                ),
                "provider": "github",
                "claims": {
                    "repository_id": "583231",
                    "repository_owner_id": "9919",
                    "workflow_file": ".github/workflows/release.yml",
                    "environment": "release",
                },
            },
            request_only=True,
        )
    ]
)
class CondaPublisherSerializer(VisibleReferencesMixin, ModelSerializer):
    """A workflow of a CI service that may upload to a channel without a stored secret."""

    pulp_href = IdentityField(view_name="conda/publishers-detail")
    name = serializers.CharField(
        help_text=_("A name, unique in the domain, for example 'hello-release'."), max_length=100
    )
    distribution = DetailRelatedField(
        help_text=_(
            "The channel to which the workflow uploads: one that serves a repository, or the first "
            "stage of a lifecycle. It cannot be changed."
        ),
        queryset=CondaDistribution.objects.all(),
        view_name="distributions-conda/conda-detail",
    )
    provider = serializers.CharField(
        help_text=_(
            "The name of the CI service in the setting WORKLOAD_IDENTITY of the server, for "
            "example 'github'."
        )
    )
    claims = _ClaimsField(
        help_text=_(
            "What the service has to say of the workflow, as texts by the name of the claim. All "
            "are compared exactly. GitHub needs 'repository_id', 'repository_owner_id' and "
            "'workflow_file'; GitLab needs 'project_id', 'namespace_id' and 'ci_config_file'."
        )
    )

    def validate_provider(self, name: str) -> str:
        names = [each.name for each in providers()]
        if name not in names:
            known = ", ".join(f"'{each}'" for each in sorted(names)) or _("none")
            text = _("This server has no provider '{name}' in WORKLOAD_IDENTITY, but {known}.")
            raise serializers.ValidationError(text.format(name=name, known=known))
        return name

    def validate_distribution(self, distribution: CondaDistribution) -> CondaDistribution:
        if self.instance and self.instance.distribution_id != distribution.pk:
            text = _("A publisher stays with its channel. Make another one for another channel.")
            raise serializers.ValidationError(text)
        with channel_errors_as_validation():
            repository_of(distribution)
        return distribution

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        publishers = CondaPublisher.objects.filter(pulp_domain=get_domain_pk())
        if self.instance:
            publishers = publishers.exclude(pk=self.instance.pk)
        if "name" in data and publishers.filter(name=data["name"]).exists():
            raise serializers.ValidationError({"name": [_("This field must be unique.")]})
        if {"claims", "provider"} & data.keys():
            provider, claims = (
                data.get(field, getattr(self.instance, field, None))
                for field in ("provider", "claims")
            )
            issuer = next(each.issuer for each in providers() if each.name == provider)
            try:
                with channel_errors_as_validation():
                    data["claims"] = check_claims(claims, issuer)
            except serializers.ValidationError as error:
                raise serializers.ValidationError({"claims": error.detail}) from None
        return data

    class Meta:
        model = CondaPublisher
        fields = ModelSerializer.Meta.fields + ("name", "distribution", "provider", "claims")
