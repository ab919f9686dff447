"""What a channel serves at one moment: a state.

A state is one repository version, or several: those of the channels that a virtual channel merges,
with the names that each of them does not own. So whoever needs the packages of a state asks this
module and its neighbours, and never joins memberships itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import models
from django.db.models import OuterRef, Subquery

from pulpcore.plugin.models import RepositoryContent, RepositoryVersion

from pulp_conda.app.versions.sql import is_member_at


class State(Protocol):
    """What a channel serves at one moment.

    Its parts of SQL statements have parameters whose names begin with a prefix. So one statement
    can ask about two states.
    """

    @property
    def made(self) -> datetime:
        """When it was made. Its metadata files leave out what became known later."""
        ...

    def members(self, prefix: str) -> str:
        """Return a query for all content of the state.

        Its columns are `content`, a key, and `repository`, the key of the repository that the
        content comes from. The cost is that of the whole state.
        """
        ...

    def origin(self, content: str, prefix: str) -> str:
        """Return a query for the repository that one content of the state comes from.

        It has one column, `repository`, and no row if the state does not have the content. The cost
        does not depend on the size of the state.

        Args:
            content: The key, as an expression in SQL.
        """
        ...

    def facts(self, prefix: str) -> dict[str, Any]:
        """Return the parameters of `members` and `origin`."""
        ...

    def having(self, contents: models.QuerySet) -> models.QuerySet:
        """Return those of a few content units that the state has."""
        ...


@dataclass(frozen=True)
class VersionState:
    """One repository version as a state."""

    version: RepositoryVersion

    @property
    def made(self) -> datetime:
        return self.version.pulp_created

    @property
    def repository(self) -> UUID:
        return self.version.repository_id

    def members(self, prefix: str) -> str:
        return f"""
        SELECT unnest(content_ids) AS content, repository_id AS repository
        FROM core_repositoryversion WHERE pulp_id = %({prefix}_version)s
        """

    def origin(self, content: str, prefix: str) -> str:
        return f"""
        SELECT member.repository_id AS repository
        FROM core_repositorycontent AS member
            JOIN core_repositoryversion AS added ON added.pulp_id = member.version_added_id
            LEFT JOIN core_repositoryversion AS removed
                ON removed.pulp_id = member.version_removed_id
        WHERE member.content_id = {content} AND member.repository_id = %({prefix}_repository)s
            AND {is_member_at(f"%({prefix}_number)s")}
        """

    def facts(self, prefix: str) -> dict[str, Any]:
        return {
            f"{prefix}_version": self.version.pk,
            f"{prefix}_number": self.version.number,
            f"{prefix}_repository": self.version.repository_id,
        }

    def having(self, contents: models.QuerySet) -> models.QuerySet:
        # By the memberships of these units. `get_content` of a version reads the keys of all.
        memberships = RepositoryContent.objects.filter(
            content=OuterRef("pk"),
            repository=self.version.repository_id,
            version_added__number__lte=self.version.number,
        ).exclude(version_removed__number__lte=self.version.number)
        # Not `EXISTS`: without statistics, PostgreSQL would begin with all memberships.
        membership = Subquery(memberships.values("pk")[:1])
        return contents.alias(membership=membership).filter(membership__isnull=False)


@dataclass(frozen=True)
class Part:
    """One of the versions of a `MergedState`.

    Attributes:
        version: What a channel served.
        hidden: The names that it has and does not own.
    """

    version: RepositoryVersion
    hidden: Sequence[str]


@dataclass(frozen=True)
class MergedState:
    """The state of a virtual channel: versions of other channels, in their order.

    Each package name comes from one of them. Other content, for example an environment, comes from
    the first that has it.

    Attributes:
        version: The version of the virtual channel, which has no content itself.
    """

    version: RepositoryVersion
    parts: Sequence[Part]

    @property
    def made(self) -> datetime:
        return self.version.pulp_created

    def members(self, prefix: str) -> str:
        queries = [
            f"""
            SELECT merged_part.content, merged_part.repository
            FROM ({state.members(own)}) AS merged_part
                LEFT JOIN conda_condapackage AS merged_package
                    ON merged_package.content_ptr_id = merged_part.content
            WHERE {self._is_owned("merged_package.name", "merged_part.content", place, prefix)}
            """
            for place, own, state in self._states(prefix)
        ]
        return " UNION ALL ".join(queries) or NOTHING.members(prefix)

    def origin(self, content: str, prefix: str) -> str:
        name = f"(SELECT name FROM conda_condapackage WHERE content_ptr_id = {content})"
        queries = [
            f"""
            SELECT repository FROM ({state.origin(content, own)}) AS merged_part
            WHERE {self._is_owned(name, content, place, prefix)}
            """
            for place, own, state in self._states(prefix)
        ]
        return " UNION ALL ".join(queries) or NOTHING.origin(content, prefix)

    def facts(self, prefix: str) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for place, own, state in self._states(prefix):
            facts |= {**state.facts(own), f"{own}_hidden": list(self.parts[place].hidden)}
        return facts

    def having(self, contents: models.QuerySet) -> models.QuerySet:
        found = models.Q(pk__in=())
        for part in self.parts:
            of_part = VersionState(part.version).having(contents)
            if any(field.name == "filename" for field in contents.model._meta.fields):
                of_part = of_part.exclude(name__in=part.hidden)
            found |= models.Q(pk__in=of_part.values("pk"))
        return contents.filter(found)

    def _states(self, prefix: str) -> Iterator[tuple[int, str, VersionState]]:
        for place, part in enumerate(self.parts):
            yield place, f"{prefix}_{place}", VersionState(part.version)

    def _is_owned(self, name: str, content: str, place: int, prefix: str) -> str:
        """Return the condition that a content of a part is what the state has from there."""
        before = [
            f"NOT EXISTS ({state.origin(content, own)})"
            for earlier, own, state in self._states(prefix)
            if earlier < place
        ]
        # What is no package has no name.
        return f"""CASE WHEN {name} IS NULL THEN {" AND ".join(before) or "true"}
            ELSE {name} <> ALL(%({prefix}_{place}_hidden)s::text[]) END"""


class _Nothing:
    """The state of a channel that serves nothing yet."""

    made = datetime.min

    def members(self, prefix: str) -> str:
        return "SELECT NULL::uuid AS content, NULL::uuid AS repository WHERE false"

    def origin(self, content: str, prefix: str) -> str:
        return "SELECT NULL::uuid AS repository WHERE false"

    def facts(self, prefix: str) -> dict[str, Any]:
        return {}

    def having(self, contents: models.QuerySet) -> models.QuerySet:
        return contents.none()


NOTHING: State = _Nothing()
