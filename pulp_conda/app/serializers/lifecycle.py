from collections.abc import Iterable, Sequence
from gettext import gettext as _
from typing import Any, TypedDict

from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request

from pulpcore.plugin.models import ContentGuard, Distribution
from pulpcore.plugin.serializers import (
    DetailRelatedField,
    HiddenFieldsMixin,
    IdentityField,
    ModelSerializer,
    pulp_labels_validator,
)
from pulpcore.plugin.util import get_domain, get_domain_pk

from pulp_conda.app.errors import BadLifecycle, NotPrivateTogether
from pulp_conda.app.lifecycle.gates import check_gates
from pulp_conda.app.models import (
    CondaDistribution,
    CondaLifecycle,
    CondaRepository,
    CondaStage,
)
from pulp_conda.app.models.content_guard import is_private_guard, private_guard
from pulp_conda.app.models.publication import served_state
from pulp_conda.app.serializers.distribution import CondaDistributionSerializer, public_stage
from pulp_conda.app.serializers.errors import ChannelErrors, channel_errors_as_validation
from pulp_conda.app.serializers.gate import GatesField
from pulp_conda.app.serializers.references import VisibleReferencesMixin, visible_channels
from pulp_conda.app.serializers.secrets import MaskedUrlField
from pulp_conda.app.serializers.strict import SavedAsWhole, StrictFields
from pulp_conda.app.versions.comparison import count_changes
from pulp_conda.channel.layout import check_channel_name
from pulp_conda.channel.moments import is_like_moment
from pulp_conda.channel.webhooks import check_secret, check_url

_STAGES = ("unstable", "testing", "stable")
_MOST_STAGES = 20

# The name is a part of URLs, and of references such as `testing/at/v42`.
_STAGE_NAME = r"^[a-z][a-z0-9_.-]{0,63}$"


class CondaStageSerializer(VisibleReferencesMixin, serializers.ModelSerializer):
    """One stage of a lifecycle: a URL, and the gates before it."""

    name = serializers.RegexField(
        _STAGE_NAME,
        help_text=_("Its name, for example 'testing': lower case letters, digits, '_', '.', '-'."),
    )
    distribution = DetailRelatedField(
        help_text=_(
            "The distribution that serves it. The default is a new one at "
            "'<base_path of the lifecycle>/<name>'. The first stage of a new lifecycle takes the "
            "channel that follows the repository there, or at the base_path, as it is."
        ),
        required=False,
        queryset=CondaDistribution.objects.all(),
        view_name_pattern=r"distributions(-.*/.*)?-detail",
    )
    content_guard = DetailRelatedField(
        help_text=_(
            "The content guard of the distribution. A new stage has that of the stages before it, "
            "and without one of those, that of a stage behind it, or the default of the domain. "
            "Null makes it public: say so if another stage has a guard. To change that of a stage "
            "that exists, change its distribution."
        ),
        required=False,
        allow_null=True,
        queryset=ContentGuard.objects.all(),
        view_name_pattern=r"contentguards(-.*/.*)?-detail",
    )
    base_url = serializers.SerializerMethodField(help_text=_("The URL that clients use."))
    gates = GatesField(
        help_text=_(
            "What must hold before the stage moves: a list of objects with 'name', 'kind' "
            "('environments', 'policy' or 'approval'), 'action' ('block' or 'warn') and the "
            "options of the kind. The default is an empty list; in a change, the gates that are "
            "there."
        ),
        required=False,
    )
    state = serializers.SerializerMethodField(
        help_text=_(
            "What it serves: a version of the repository, 'v42', or 'v42.1' with single packages "
            "on top of it."
        )
    )
    publication = DetailRelatedField(
        source="distribution.publication",
        help_text=_("The publication that it serves. Null if it serves nothing yet."),
        read_only=True,
        allow_null=True,
        view_name_pattern=r"publications(-.*/.*)?-detail",
    )
    since = serializers.SerializerMethodField(help_text=_("Since when it serves that."))
    package_counts = serializers.SerializerMethodField(
        help_text=_("How many packages it has, by subdir.")
    )

    behind = serializers.SerializerMethodField(
        help_text=_(
            "How many files differ between the stage before and this one. Null for the first "
            "stage, and in lists."
        )
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        # If 'gates' is misspelled, the stage would have no gate, and let everything pass.
        unknown = sorted(set(data) - self.fields.keys()) if isinstance(data, dict) else ()
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, [_("Unexpected field")]))
        return super().to_internal_value(data)

    def instances(self) -> Iterable[CondaStage]:
        lifecycle = self.root.instance
        return lifecycle.stages.all() if isinstance(lifecycle, CondaLifecycle) else ()

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        # A change needs the name as well: it finds the stage by its name.
        if "name" not in data:
            raise serializers.ValidationError({"name": [_("This field is required.")]})
        return data

    def get_base_url(self, stage: CondaStage) -> str:
        return f"{stage.distribution.url}/"

    def get_state(self, stage: CondaStage) -> str | None:
        entry = stage.current
        return entry and entry.label

    def get_since(self, stage: CondaStage) -> str | None:
        entry = stage.current
        return entry and serializers.DateTimeField().to_representation(entry.moved_at)

    def get_package_counts(self, stage: CondaStage) -> dict[str, int]:
        publication = stage.publication
        return publication.package_counts if publication else {}

    def get_behind(self, stage: CondaStage) -> int | None:
        is_one = getattr(self.context.get("view"), "action", None) == "retrieve"
        before = stage.before if is_one else None
        ahead = before and before.publication
        if ahead is None:
            return None
        publication = stage.publication
        return count_changes(publication and served_state(publication), served_state(ahead))

    class Meta:
        fields = (
            "name",
            "distribution",
            "content_guard",
            "base_url",
            "gates",
            "state",
            "publication",
            "since",
            "package_counts",
            "behind",
        )
        model = CondaStage


class HiddenField(TypedDict):
    """Whether a field that is never shown has a value."""

    name: str
    is_set: bool


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Three stages for a team",
            value={
                "name": "team",
                "repository": (
                    "/pulp/api/v3/repositories/conda/conda/01924e1b-1c4d-7b11-a0e5-d0f1b8b3c920/"
                ),
                "stages": [
                    {"name": "unstable"},
                    {
                        "name": "testing",
                        "gates": [{"name": "environments", "kind": "environments"}],
                    },
                    {"name": "stable", "gates": [{"name": "yes", "kind": "approval"}]},
                ],
            },
            request_only=True,
        )
    ]
)
class CondaLifecycleSerializer(
    StrictFields, SavedAsWhole, VisibleReferencesMixin, HiddenFieldsMixin, ModelSerializer
):
    """The stages through which a channel moves. What one serves is promoted to the next."""

    pulp_href = IdentityField(view_name="conda/lifecycles-detail")
    name = serializers.CharField(
        help_text=_("A unique name, for example 'team'."),
        max_length=128,
    )
    repository = DetailRelatedField(
        help_text=_("The repository that the first stage follows."),
        queryset=CondaRepository.objects.all(),
        view_name_pattern=r"repositories(-.*/.*)?-detail",
    )
    base_path = serializers.CharField(
        help_text=_(
            "Where new distributions go: the stage 'testing' to '<base_path>/testing', or to "
            "'<base_path>-testing' if another stage is at the base_path itself. "
            "The default is the name."
        ),
        required=False,
        write_only=True,
    )
    stages = CondaStageSerializer(
        help_text=_(
            "The stages in their order. The default is 'unstable', 'testing' and 'stable' without "
            "gates. In a change, name all that are there, in their order; new ones go to the end."
        ),
        many=True,
        required=False,
        # If there are more, they are not validated one by one.
        max_length=_MOST_STAGES,
        error_messages={
            "max_length": _("There have to be 2 to {max_length} stages. Leave some out.")
        },
    )
    private = serializers.BooleanField(
        help_text=_(
            "Whether not everybody may read the stages: null if that differs between them, and in "
            "a request, if nothing changes. true sets a content guard on each stage without one, "
            "which lets those users read it who have the role of a reader, on the stage's "
            "distribution, the lifecycle, the repository or the domain. false takes that guard "
            "away from all stages. A content guard that was chosen stays, and then a stage is "
            "private. By default, nothing changes, and a new lifecycle is not private unless its "
            "domain has a default content guard."
        ),
        required=False,
        allow_null=True,
    )
    pulp_labels = serializers.HStoreField(
        help_text=_("What people wrote on it: values by key."),
        required=False,
        validators=[pulp_labels_validator],
    )
    retain_days = serializers.IntegerField(
        help_text=_(
            "For how many days what a stage served stays installable: its versions and "
            "publications are not removed. The default, null, is as long as the lifecycle exists."
        ),
        min_value=0,
        max_value=36500,
        allow_null=True,
        required=False,
    )
    announce = serializers.BooleanField(
        help_text=_("Tell the users of a stage what moved, in its notices. The default is false."),
        default=False,
        required=False,
    )
    webhook_url = MaskedUrlField(
        help_text=_(
            "Where to POST what happens, for example 'https://ci.example.com/hook'. '***' stands "
            "for secrets in its query, and can be given back as it is shown. "
            "The default, null, is nowhere."
        ),
        allow_null=True,
        required=False,
    )
    webhook_secret = serializers.CharField(
        help_text=_(
            "The secret that signs messages: 'whsec_' and 24 to 64 random bytes in base64. "
            "The default, null, is not to sign them."
        ),
        allow_null=True,
        required=False,
        write_only=True,
    )

    warnings = serializers.SerializerMethodField(
        help_text=_("What is allowed, and may be a mistake: stages without the guard of others.")
    )

    def get_hidden_fields(self, lifecycle: CondaLifecycle) -> list[HiddenField]:
        # Not as pulpcore has it: lifecycles do not keep 'base_path', which is write-only, too.
        return [{"name": "webhook_secret", "is_set": bool(lifecycle.webhook_secret)}]

    def get_warnings(self, lifecycle: CondaLifecycle) -> list[str]:
        return [public_stage(name, lifecycle.name) for name in lifecycle.public_stages]

    def validate_name(self, name: str) -> str:
        others = CondaLifecycle.objects.filter(name=name, pulp_domain=get_domain_pk())
        if others.exclude(pk=self.instance and self.instance.pk).exists():
            raise serializers.ValidationError(_("Another lifecycle has this name."))
        return name

    def validate_repository(self, repository: CondaRepository) -> CondaRepository:
        if self.instance and self.instance.repository != repository:
            raise serializers.ValidationError(
                _("A lifecycle keeps its repository. Make another lifecycle for another one.")
            )
        return repository

    def validate_webhook_url(self, url: str | None) -> str | None:
        with channel_errors_as_validation():
            return url and check_url(url)

    def validate_webhook_secret(self, secret: str | None) -> str | None:
        with channel_errors_as_validation():
            return secret and check_secret(secret)

    def validate_stages(self, stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        old = {stage.name: stage.gates for stage in self._old_stages()}
        channels = visible_channels(self.context.get("request"))
        with channel_errors_as_validation() as errors:
            with errors.at(None):
                _check_names(stages, list(old))
            for position, stage in enumerate(stages):
                with errors.at(None):
                    gates = old.get(stage["name"], [])
                    if "gates" in stage:
                        gates = check_gates(stage["gates"], stage["name"], gates, channels)
                    stage["gates"] = gates
                    if position == 0 and stage["gates"]:
                        raise BadLifecycle(
                            reason="the first one follows the repository, so no gate can hold it"
                        )
        return stages

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        data = super().validate(data)
        base_path = data.pop("base_path", None) or data.get("name") or self.instance.name
        if not self.instance:
            data.setdefault("stages", [{"name": name, "gates": []} for name in _STAGES])
        repository = data.get("repository") or self.instance.repository
        old = {stage.name: stage for stage in self._old_stages()}
        stages = data.get("stages", ())
        if not self.instance and "distribution" not in stages[0]:
            # The URL that clients use already stays, and is the first stage from now on.
            request = self.context.get("request")
            if channel := _find_follower(repository, base_path, stages[0]["name"], request):
                stages[0]["distribution"] = channel
        used = {stage.distribution.base_path for stage in old.values()}
        used |= {stage["distribution"].base_path for stage in stages if stage.get("distribution")}
        # pulpcore lets no channel lie in another one.
        between = "-" if base_path in used else "/"
        adopted: set[CondaDistribution] = set()
        with channel_errors_as_validation() as errors:
            for stage in stages:
                with errors.at(f"Stage '{stage['name']}'"):
                    distribution = stage.get("distribution")
                    if stage["name"] in old:
                        _check_same(distribution, old[stage["name"]])
                    elif distribution:
                        _check_adoptable(distribution, repository, adopted)
                        adopted.add(distribution)
                    else:
                        stage["base_path"] = f"{base_path}{between}{stage['name']}"
                        check_channel_name(stage["base_path"])
                        name = data.get("name") or self.instance.name
                        _check_free(f"{name}-{stage['name']}", stage["base_path"])
            private = data.get("private")
            with errors.at(None):
                _check_private(private, stages, old)
            _settle_guards(stages, old, private, errors)
        return data

    def create(self, validated_data: dict[str, Any]) -> CondaLifecycle:
        stages = validated_data.pop("stages")
        private = validated_data.pop("private", None)
        with transaction.atomic():
            lifecycle = super().create(validated_data)
            _set_guards(stages, private)
            lifecycle.add_stages(stages)
        return lifecycle

    def update(self, lifecycle: CondaLifecycle, validated_data: dict[str, Any]) -> CondaLifecycle:
        stages = validated_data.pop("stages", [])
        private = validated_data.pop("private", None)
        with transaction.atomic():
            lifecycle = super().update(lifecycle, validated_data)
            old = {stage.name: stage for stage in lifecycle.stages.all()}
            for stage in stages:
                if stage["name"] in old:
                    old[stage["name"]].gates = stage["gates"]
                    old[stage["name"]].save()
            for distribution in lifecycle.distributions_unless(private):
                distribution.content_guard = private_guard() if private else None
                distribution.save()
            new = [stage for stage in stages if stage["name"] not in old]
            _set_guards(new, private)
            lifecycle.add_stages(new)
        return lifecycle

    def _old_stages(self) -> Iterable[CondaStage]:
        return self.instance.stages.all() if self.instance else ()

    class Meta:
        fields = ModelSerializer.Meta.fields + (
            "name",
            "repository",
            "base_path",
            "stages",
            "private",
            "retain_days",
            "announce",
            "webhook_url",
            "webhook_secret",
            "pulp_labels",
            "hidden_fields",
            "warnings",
        )
        model = CondaLifecycle


def _check_names(stages: list[dict[str, Any]], old: list[str]) -> None:
    names = [stage["name"] for stage in stages]
    if not 1 < len(names) <= _MOST_STAGES:
        raise BadLifecycle(reason=f"there have to be 2 to {_MOST_STAGES} of them")
    if twice := [name for name in names if names.count(name) > 1]:
        raise BadLifecycle(reason=f"two have the name '{twice[0]}'")
    for name in names:
        if is_like_moment(name):
            raise BadLifecycle(reason=f"'{name}' is the name of a state")
    if names[: len(old)] != old:
        reason = "{} are there and stay, in this order; new ones go to the end".format(
            ", ".join(f"'{name}'" for name in old)
        )
        raise BadLifecycle(reason=reason)


def _check_same(distribution: CondaDistribution | None, stage: CondaStage) -> None:
    if distribution and distribution != stage.distribution:
        raise BadLifecycle(reason="it keeps its distribution")


def _check_private(
    private: bool | None, stages: Sequence[dict[str, Any]], old: dict[str, CondaStage]
) -> None:
    """Refuse to change who may read the stages by `private`, if a content guard says it.

    Args:
        stages: The validated data of the stages that a request names.
        old: The stages that exist, by name.

    Raises:
        NotPrivateTogether: with the stages and their content guards.
    """
    if private is None:
        return
    named = {stage["name"]: stage for stage in stages}
    wrong = []
    for name in dict.fromkeys([*old, *named]):
        stage = named.get(name, {})
        distribution = old[name].distribution if name in old else stage.get("distribution")
        is_chosen = "content_guard" in stage
        guard = distribution.content_guard if distribution else get_domain().default_content_guard
        if is_chosen:
            guard = stage["content_guard"]
        if not private and guard and (is_chosen or not is_private_guard(guard)):
            wrong.append(f"'{name}' ('{guard.name}')")
        elif private and is_chosen and guard is None:
            wrong.append(f"'{name}' (null)")
    if wrong:
        raise NotPrivateTogether(private=str(private).lower(), stages=", ".join(wrong))


def _set_guards(stages: Sequence[dict[str, Any]], private: bool | None) -> None:
    """Set the `content_guard` of new stages as `private` says it for all.

    Args:
        stages: The validated data of the new stages.
    """
    if private is None:
        return
    for stage in stages:
        distribution = stage.get("distribution")
        own = distribution.content_guard if distribution else get_domain().default_content_guard
        guard = stage.get("content_guard") or own or private_guard()
        stage["content_guard"] = guard if private else None


def _settle_guards(
    stages: Sequence[dict[str, Any]],
    old: dict[str, CondaStage],
    private: bool | None,
    errors: ChannelErrors,
) -> None:
    """Set the `content_guard` of new stages, so that none is public by mistake.

    Args:
        stages: The validated data of all stages.
        old: The stages that exist, by name.
        private: Whether all stages become private or public; None if that is not said.
    """
    distributions = [
        old[stage["name"]].distribution if stage["name"] in old else stage.get("distribution")
        for stage in stages
    ]
    guards = [
        stage.get("content_guard", distribution and distribution.content_guard)
        for stage, distribution in zip(stages, distributions, strict=True)
    ]
    for position, (stage, distribution) in enumerate(zip(stages, distributions, strict=True)):
        nearest = [*reversed(guards[:position]), *guards[position + 1 :]]
        guard = next(filter(None, nearest), None)
        with errors.at(f"Stage '{stage['name']}'"):
            if stage["name"] in old:
                _check_same_guard(stage, old[stage["name"]].distribution)
            elif "content_guard" in stage:
                continue
            elif distribution is None:
                # Without one, the new distribution has the default of the domain.
                if guard:
                    stage["content_guard"] = guard
            elif private is None and guard and not distribution.content_guard:
                raise BadLifecycle(
                    reason=f"distribution '{distribution.name}' has no content guard, and another "
                    f"stage has '{guard.name}'; give 'content_guard', which is null for a stage "
                    "that everybody may read, or 'private' for all stages"
                )


def _check_same_guard(stage: dict[str, Any], distribution: CondaDistribution) -> None:
    guard = stage.get("content_guard", distribution.content_guard)
    if (guard and guard.pk) != distribution.content_guard_id:
        raise BadLifecycle(
            reason="it keeps its content guard; change that of its distribution "
            f"'{distribution.name}'"
        )


def _find_follower(
    repository: CondaRepository, base_path: str, first: str, request: Request | None
) -> CondaDistribution | None:
    """Return the channel that becomes the first stage of a new lifecycle by default, or None.

    It follows the repository, as the first stage does, so nothing changes for its clients. It is in
    the way of the new channels: it has their common path, or that of the first stage.

    Args:
        first: The name of the first stage.
        request: Only what its user may see is found. In a task, all is.
    """
    channels = visible_channels(request).filter(
        base_path__in=[base_path, f"{base_path}/{first}"],
        pulp_domain=get_domain_pk(),
        repository=repository,
        stage=None,
        checkpoint=False,
    )
    return channels.first()


def _check_free(name: str, base_path: str) -> None:
    """Check that there is no distribution with this name, or with an overlapping path."""
    if Distribution.objects.filter(name=name, pulp_domain=get_domain_pk()).exists():
        raise BadLifecycle(
            reason=f"there is a distribution '{name}' already; give it as the stage's "
            "'distribution', or choose another name for the lifecycle"
        )
    try:
        CondaDistributionSerializer().validate_base_path(base_path)
    except serializers.ValidationError:
        raise BadLifecycle(
            reason=f"its path '{base_path}' overlaps with that of another distribution; give that "
            "as the stage's 'distribution', or choose another 'base_path'"
        ) from None


def _check_adoptable(
    distribution: CondaDistribution, repository: CondaRepository, adopted: set[CondaDistribution]
) -> None:
    """Check that a distribution can become a stage of a repository.

    Args:
        adopted: The distributions that become stages by the same request.
    """
    name = distribution.name
    if distribution in adopted or hasattr(distribution, "stage"):
        raise BadLifecycle(reason=f"distribution '{name}' is a stage already")
    if distribution.checkpoint:
        raise BadLifecycle(reason=f"distribution '{name}' serves checkpoints, not one publication")
    served = distribution.get_repository_publication_and_version()[0]
    if served and served != repository:
        raise BadLifecycle(
            reason=f"distribution '{name}' serves repository '{served.name}', "
            f"not '{repository.name}'"
        )
