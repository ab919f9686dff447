"""Blocks: packages that cannot be downloaded from any channel."""

from collections.abc import Collection, Iterable

from django.conf import settings
from django.db import models

from pulpcore.plugin.models import AutoAddObjPermsMixin, BaseModel
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.models.act import Audited
from pulp_conda.app.models.package_info import CondaPackageInfo
from pulp_conda.app.versions.blocked import names_of_domain, packages_named
from pulp_conda.channel.errors import BadMatchSpec
from pulp_conda.channel.matchspec import Blocklist, Query
from pulp_conda.channel.policies.satisfaction import Candidate

# A block is carried out while somebody waits. A spec that matches more is most likely a mistake.
MOST_PACKAGES = 10_000

_NAMES_AT_ONCE = 500


class CondaBlock(Audited, BaseModel, AutoAddObjPermsMixin):
    """A block of packages in all channels of a domain.

    The packages are given either by the sha256 of a file or by a MatchSpec.

    Fields:
        sha256 (str): The digest of the file, in hex. Empty if there is a spec.
        spec (str): The MatchSpec. Empty if there is a digest.
        public_reason (str): Shown in the answer to every request for such a package.
        internal_note (str): Shown only to users who may see the block.
        author (User), author_name (str): Who made it. The name stays when the user goes.
    """

    sha256 = models.CharField(max_length=64, default="")
    spec = models.TextField(default="")
    public_reason = models.TextField()
    internal_note = models.TextField(default="")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    author_name = models.TextField(default="")
    pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("pulp_domain", "sha256", "spec")
        permissions = [("manage_roles_condablock", "Can manage roles on conda blocks")]

    @property
    def act_name(self) -> str:
        return self.spec or self.sha256

    def match(self) -> None:
        """Block the bytes of all packages of the domain that the block is about now.

        Call it again after the transaction that made the block. A package that enters at the same
        time is then found here, or the task that adds it finds the block.

        Raises:
            BadMatchSpec: the spec matches more than `MOST_PACKAGES` packages.
        """
        digests = sorted(self._given() if self.sha256 else self._matches())
        BlockedFile.objects.bulk_create(
            [BlockedFile(block=self, sha256=digest) for digest in digests], ignore_conflicts=True
        )

    def _given(self) -> set[str]:
        """Return the digest of the file, and those of what this server made of it."""
        made = CondaPackageInfo.objects.filter(
            pulp_domain=get_domain_pk(), converted_from=self.sha256
        )
        return {self.sha256, *made.values_list("sha256", flat=True)}

    def _matches(self) -> set[str]:
        """Return the sha256 of all packages of the domain that the spec matches."""
        query = Query(self.spec, is_stored=True)
        digests: set[str] = set()
        for package in _packages_that_may_match(query):
            if query.matches(package):
                digests.add(package.sha256)
                if len(digests) > MOST_PACKAGES:
                    reason = f"it matches more than {MOST_PACKAGES} packages"
                    raise BadMatchSpec(spec=self.spec, reason=reason)
        return digests


class BlockedFile(BaseModel):
    """A file that cannot be downloaded from any channel of a domain.

    Fields:
        block (CondaBlock): Because of which block.
        sha256 (str): The digest of the file, in hex.
    """

    block = models.ForeignKey(CondaBlock, on_delete=models.CASCADE, related_name="files")
    sha256 = models.CharField(max_length=64)
    # No index of its own: that of the unique key begins with it.
    pulp_domain = models.ForeignKey(
        "core.Domain", default=get_domain_pk, on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        # In this order the index behind it also says whether a file is blocked.
        unique_together = ("pulp_domain", "sha256", "block")

    @classmethod
    def reason_of(cls, sha256: str) -> str:
        """Return the public reason of the oldest block of a file. Empty if it was just lifted."""
        blocks = CondaBlock.objects.filter(pulp_domain=get_domain_pk(), files__sha256=sha256)
        oldest = blocks.order_by("pulp_created").first()
        return oldest.public_reason if oldest else ""

    @classmethod
    def are_any_blocked(cls, digests: Collection[str]) -> bool:
        """Say whether a file with one of these sha256 is blocked now."""
        return cls.objects.filter(pulp_domain=get_domain_pk(), sha256__in=digests).exists()


def current_blocklist() -> Blocklist:
    """Return what is blocked in the domain now."""
    domain = get_domain_pk()
    # The oldest block comes last, and its reason is the one that stays, as for downloads.
    files = BlockedFile.objects.filter(pulp_domain=domain).order_by("-block__pulp_created")
    specs = CondaBlock.objects.filter(pulp_domain=domain).exclude(spec="")
    return Blocklist(
        dict(files.values_list("sha256", "block__public_reason")),
        dict(specs.values_list("spec", "public_reason")),
    )


def _packages_that_may_match(query: Query) -> Iterable[Candidate]:
    if query.exact_name is not None:
        yield from packages_named([query.exact_name])
        return
    names = list(filter(query.may_match, names_of_domain()))
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield from packages_named(names[start : start + _NAMES_AT_ONCE])
