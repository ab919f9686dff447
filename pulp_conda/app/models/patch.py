"""A repodata patch: a correction of records, as content of the channel."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
from django.db import models
from django.db.models import Q

from pulpcore.plugin.models import Content
from pulpcore.plugin.util import get_domain_pk

from pulp_conda.app.versions.state import State
from pulp_conda.channel.metadata.patches import Patches, merge, upstream_document

# One may be some megabytes.
_BATCH = 10


class CondaPatch(Content):
    """Instructions that change the records of a subdir when the channel is published.

    The packages stay as they are, so a patch that leaves the channel is gone from it. Of two
    patches of one record, the one that was made later wins.

    Fields:
        subdir (str): The platform folder whose records it changes.
        instructions (str): Canonical JSON in the form of `patch_instructions.json` (CEP 36, CEP
            21).
        digest (str): The sha256 of all that the other fields say, in hex.
        author (str): The name of the user who made it; empty for an upstream's own list of removed
            packages.
        credit (str): Whom else to thank or ask, in the words of the author; nobody checks it.
        reason (str): Why.
        expires_at (datetime): Publications after this moment leave it out.
    """

    TYPE = "patch"
    repo_key_fields = ()

    subdir = models.TextField()
    instructions = models.TextField()
    digest = models.CharField(max_length=64)
    author = models.TextField()
    credit = models.TextField(default="")
    reason = models.TextField()
    expires_at = models.DateTimeField(null=True)

    _pulp_domain = models.ForeignKey("core.Domain", default=get_domain_pk, on_delete=models.PROTECT)

    class Meta:
        default_related_name = "%(app_label)s_%(model_name)s"
        unique_together = ("_pulp_domain", "subdir", "digest")

    @staticmethod
    def columns(
        subdir: str,
        document: dict[str, Any],
        author: str,
        reason: str,
        expires_at: datetime | None = None,
        credit: str = "",
    ) -> dict[str, Any]:
        """Return the values of a patch's columns, by field name; the document is a checked one."""
        facts = {
            "subdir": subdir,
            "instructions": document,
            "author": author,
            "reason": reason,
            "expires_at": expires_at and expires_at.astimezone(UTC).isoformat(),
        }
        if credit:  # Patches without one keep the digests that they had before there was any.
            facts["credit"] = credit
        return {
            **facts,
            "instructions": _canonical(document).decode(),
            "expires_at": expires_at,
            "credit": credit,
            "digest": sha256(_canonical(facts)).hexdigest(),
        }

    @cached_property
    def filenames(self) -> list[str]:
        """The names of the files that the instructions mention, sorted."""
        return self.as_patches().filenames()

    def as_patches(self) -> Patches:
        """Return the instructions as `pulp_conda.channel.metadata.patches.Patches`."""
        return merge([orjson.loads(self.instructions)])

    @classmethod
    def active(cls, state: State, now: datetime) -> dict[str, Patches]:
        """Return {subdir: `Patches`} of all that a state has and that has not expired at a
        moment.
        """
        return cls.merged(cls.active_keys(state, now))

    @classmethod
    def active_keys(cls, state: State, now: datetime) -> list[str]:
        """Return the primary keys of these patches, sorted."""
        patches = state.having(cls.objects.all()).filter(Q(expires_at=None) | Q(expires_at__gt=now))
        return sorted(map(str, patches.values_list("pk", flat=True)))

    @classmethod
    def merged(cls, keys: Collection[str]) -> dict[str, Patches]:
        """Return {subdir: `Patches`} of patches."""
        rows = (
            cls.objects.filter(pk__in=keys)
            .order_by("subdir", "pulp_created", "pk")
            .values_list("subdir", "instructions")
        )
        return {
            subdir: merge(orjson.loads(instructions) for _, instructions in of_subdir)
            for subdir, of_subdir in groupby(rows.iterator(chunk_size=_BATCH), key=itemgetter(0))
        }

    @classmethod
    def for_upstream(cls, subdir: str, removed_filenames: Iterable[str]) -> "CondaPatch | None":
        """Return the stored patch that says what an upstream removed, or None if that names no
        package.
        """
        document = upstream_document(removed_filenames)
        if document is None:
            return None
        columns = cls.columns(subdir, document, author="", reason="removed by the upstream")
        patch, is_new = cls.objects.get_or_create(
            _pulp_domain_id=get_domain_pk(),
            subdir=subdir,
            digest=columns["digest"],
            defaults=columns,
        )
        if not is_new:
            patch.touch()  # Else it may be cleaned up as an orphan before it is in a version.
        return patch

    @classmethod
    def of_upstream(cls, state: State) -> models.QuerySet:
        """Return the patches of a state that say what its upstream removed."""
        return state.having(cls.objects.filter(author=""))


def diff_patches(
    base: State, target: State, name: str | None = None
) -> dict[str, list[CondaPatch]]:
    """Return the patches that only one of two states has, in the order they were made.

    Args:
        name: Look at patches that name a file of this package only.
    """

    def only_in(state: State, other: State) -> list[CondaPatch]:
        patches = state.having(CondaPatch.objects.all())
        patches = patches.exclude(pk__in=other.having(CondaPatch.objects.all()).values("pk"))
        if name:
            # Narrows down what is parsed: of 'foo', files of 'foo-bar' are found as well.
            patches = patches.filter(instructions__contains=f'"{name}-')
        patches = patches.order_by("pulp_created", "pk").iterator(chunk_size=_BATCH)
        return [patch for patch in patches if not name or _is_about(patch, name)]

    return {"added": only_in(target, base), "removed": only_in(base, target)}


def _is_about(patch: CondaPatch, name: str) -> bool:
    return any(filename.rsplit("-", 2)[0] == name for filename in patch.filenames)


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
