"""What a channel serves at one moment: a state.

Today a state is one repository version. A channel that merges others will have a state of several
versions, with a rule which version a package comes from. So whoever needs the packages of a state
asks this module and its neighbours, and never joins memberships itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import models
from django.db.models import Exists, OuterRef

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
        return contents.filter(Exists(memberships))


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
