"""The selection of a curated mirror."""

from gettext import gettext as _
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from pulp_conda.app.models import CondaRepository
from pulp_conda.app.serializers.errors import channel_errors_as_validation
from pulp_conda.app.serializers.references import visible_channels
from pulp_conda.app.serializers.strict import StrictFields
from pulp_conda.app.serializers.virtual_packages import VirtualPackagesField
from pulp_conda.app.solving.bases import check_bases
from pulp_conda.channel.environments.virtual_packages import check_virtual_packages
from pulp_conda.channel.errors import BadLockFile
from pulp_conda.channel.lockfiles.read import read_lock_file
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.selection.closure import MOST_NAMES
from pulp_conda.channel.selection.rules import ALL, IF_NEEDED, NEVER, NEWEST

_MOST_GROUPS = 50
_MOST_ALTERNATIVES = 10
_MOST_DAYS = 36_500
_MOST_RELEASES = 1000
_LONGEST_LOCK_FILE = 2**22
_LARGEST = 2**63 - 1


def _preference(help_text: str) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        choices=[IF_NEEDED, ALL, NEVER], default=IF_NEEDED, help_text=help_text
    )


class _Specs(serializers.ListField):
    """A list of match specs without a channel."""

    child = serializers.CharField(max_length=1000)

    def run_validation(self, data: Any = serializers.empty) -> list[str]:
        specs: list[str] = super().run_validation(data)
        with channel_errors_as_validation():
            for spec in specs:
                Query(spec)
        return list(dict.fromkeys(specs))


class CondaRootGroupSerializer(StrictFields, serializers.Serializer):
    """Packages that are wanted together."""

    specs = _Specs(
        help_text=_(
            "Match specs of packages that are installed together, for example ['numpy >=2', "
            "'pandas']. Several specs for one name have to hold together. A name with a pattern, "
            "for example 'jupyter*', takes each of these packages by itself."
        ),
        default=list,
        max_length=MOST_NAMES,
    )
    environments = serializers.ListField(
        child=serializers.CharField(max_length=255),
        help_text=_(
            "Names of environments that the repository holds. Each is wanted on its own platforms "
            "and machines."
        ),
        default=list,
        max_length=MOST_NAMES,
    )
    lock_files = serializers.ListField(
        child=serializers.CharField(max_length=_LONGEST_LOCK_FILE, trim_whitespace=False),
        help_text=_(
            "Lock files, as text, of which the packages are taken as they are: 'pixi.lock', "
            "'conda-lock.yml' or explicit files."
        ),
        default=list,
        max_length=_MOST_GROUPS,
    )

    def validate_lock_files(self, texts: list[str]) -> list[str]:
        with channel_errors_as_validation():
            for text in texts:
                lock = read_lock_file(text)
                if not lock.packages:
                    raise BadLockFile(format=lock.format, reason="it names no package of a channel")
        return texts

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if not any(data.values()):
            raise serializers.ValidationError(
                _("A group has at least one of 'specs', 'environments' and 'lock_files'.")
            )
        return data


class CondaSelectionSerializer(StrictFields, serializers.Serializer):
    """What a mirror takes from its upstream."""

    groups = CondaRootGroupSerializer(
        many=True,
        allow_empty=False,
        max_length=_MOST_GROUPS,
        help_text=_("Groups of packages that are wanted, for example [{'specs': ['numpy']}]."),
    )
    with_dependencies = serializers.BooleanField(
        help_text=_(
            "Take what the groups need as well, so that each can be installed from the mirror in "
            "the same versions as from the upstream. If false, only packages that match the specs "
            "are taken, and nothing is solved. The default is false."
        ),
        default=False,
    )
    newest = serializers.IntegerField(
        help_text=_(
            "How many releases to take for each spec and each dependency, the newest ones that it "
            "allows. 0 takes all. An older release is taken as well if the solver needs it. The "
            "default is 2."
        ),
        default=2,
        min_value=0,
        max_value=_MOST_RELEASES,
    )
    for_each = _Specs(
        help_text=_(
            "Match specs of which each is wanted with each group in turn, for example "
            "['python 3.12.*', 'python 3.13.*']: the mirror is complete for both. Environments and "
            "lock files are taken as they are. The default is none."
        ),
        default=list,
        max_length=_MOST_ALTERNATIVES,
    )
    base_channels = serializers.ListField(
        child=serializers.CharField(max_length=255),
        help_text=_(
            "Other channels of this server, by their base path, that users have beside this one, "
            "for example ['conda-forge']. All packages of a name come from the first that has it, "
            "and are not mirrored, unless a spec names it. The default is none."
        ),
        default=list,
        max_length=_MOST_ALTERNATIVES,
    )
    machines = serializers.ListField(
        child=VirtualPackagesField(),
        help_text=_(
            "What the machines have that no channel brings, as versions by name (CEP 30), for "
            "example [{'__glibc': '2.17'}, {'__cuda': '12.9'}]: the mirror is complete for each. "
            "null says that they do not have it. The default is one machine of each platform "
            "without a GPU, with glibc 2.28 or macOS 13."
        ),
        default=lambda: [{}],
        min_length=1,
        max_length=_MOST_ALTERNATIVES,
    )
    builds = serializers.ChoiceField(
        choices=[NEWEST, ALL],
        help_text=_(
            "'newest' takes the highest build number of each variant of a release, 'all' takes "
            "each build. The default is 'newest'."
        ),
        default=NEWEST,
    )
    prereleases = _preference(
        _(
            "Take prereleases 'if_needed', when nothing else satisfies a dependency, 'all' like "
            "other releases, or 'never'. The default is 'if_needed'."
        )
    )
    track_features = _preference(
        _(
            "Take packages with 'track_features', which clients avoid, 'if_needed', 'all' or "
            "'never'. The default is 'if_needed'."
        )
    )
    min_age_days = serializers.IntegerField(
        help_text=_(
            "Never take packages that are younger, by the date of the upstream's index or else of "
            "their build. The default is 0."
        ),
        default=0,
        min_value=0,
        max_value=_MOST_DAYS,
    )
    max_age_days = serializers.IntegerField(
        help_text=_(
            "Take packages that are older only if nothing else satisfies a dependency. The "
            "default, null, has no limit."
        ),
        default=None,
        allow_null=True,
        min_value=1,
        max_value=_MOST_DAYS,
    )
    keep_days = serializers.IntegerField(
        help_text=_(
            "How long a package stays in the mirror after it fell out of the selection, so that "
            "lock files keep working. It stays longer while a stage, its history or an environment "
            "needs it. A sync without 'mirror' removes nothing at all. The default is 90."
        ),
        default=90,
        min_value=0,
        max_value=_MOST_DAYS,
    )
    max_packages = serializers.IntegerField(
        help_text=_(
            "Fail before anything is downloaded if more packages are selected. The default, null, "
            "has no limit."
        ),
        default=None,
        allow_null=True,
        min_value=1,
        max_value=_LARGEST,
    )
    max_bytes = serializers.IntegerField(
        help_text=_(
            "Fail before anything is downloaded if the selected packages have more bytes. The "
            "default, null, has no limit."
        ),
        default=None,
        allow_null=True,
        min_value=1,
        max_value=_LARGEST,
    )

    def validate_base_channels(self, base_paths: list[str]) -> list[str]:
        base_paths = list(dict.fromkeys(base_paths))
        repository = self.context.get("selecting")
        with channel_errors_as_validation():
            check_bases(repository, base_paths, visible_channels(self.context.get("request")))
        return base_paths

    def validate_machines(self, machines: list[Any]) -> list[dict[str, str | None]]:
        with channel_errors_as_validation():
            return [check_virtual_packages(machine) for machine in machines]


@extend_schema_field(CondaSelectionSerializer)
class SelectionField(serializers.JSONField):
    """A selection as one value: it is replaced as a whole, and stored with its defaults."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        context = {**self.context, "selecting": self._repository()}
        serializer = CondaSelectionSerializer(data=data, context=context)
        serializer.is_valid(raise_exception=True)
        selection = dict(serializer.validated_data)
        return selection | {"groups": [dict(group) for group in selection["groups"]]}

    def _repository(self) -> CondaRepository | None:
        """Return the repository that the selection is for, if there is one yet."""
        if key := self.context.get("repository_pk"):
            return CondaRepository.objects.filter(pk=key).first()
        instance = self.parent and self.parent.instance
        return instance if isinstance(instance, CondaRepository) else None
