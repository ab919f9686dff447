"""The packages of a state in the form `.tar.bz2`, and whether the state has them as `.conda`."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db import connection

from pulp_conda.app.versions.blocked import IS_FREE
from pulp_conda.app.versions.state import State
from pulp_conda.channel.policies.satisfaction import Candidate

_BATCH = 2000

_OLD = f"""
WITH member AS MATERIALIZED ({{members}})
SELECT package.subdir, package.filename, package.name, package.version, package.build,
    package.build_number, package.license, NULL, package.sha256, package.md5, NULL, false,
    package.content_ptr_id, package.size,
    EXISTS (
        SELECT FROM core_contentartifact AS file
        WHERE file.content_id = package.content_ptr_id AND file.artifact_id IS NOT NULL
    ),
    twin.sha256 IS NOT NULL, info.converted_from
FROM member JOIN conda_condapackage AS package ON package.content_ptr_id = member.content
    LEFT JOIN (
        SELECT other.subdir, other.filename, other.sha256, other._pulp_domain_id
        FROM member JOIN conda_condapackage AS other ON other.content_ptr_id = member.content
        WHERE other.filename LIKE '%%.conda'
    ) AS twin ON twin.subdir = package.subdir
        AND twin.filename = left(package.filename, -length('.tar.bz2')) || '.conda'
    LEFT JOIN conda_condapackageinfo AS info ON info.pulp_domain_id = twin._pulp_domain_id
        AND info.sha256 = twin.sha256
WHERE package.filename LIKE '%%.tar.bz2' AND {IS_FREE}
ORDER BY package.subdir COLLATE "C", package.filename COLLATE "C"
"""


class OldForm(NamedTuple):
    """A package in the form `.tar.bz2`.

    Fields:
        candidate: The package. Its key is that of the unit.
        size: The bytes of the file, or None if they are not known.
        is_here: This server has the file.
        has_twin: The state has the same name as `.conda`.
        twin_made_of: The sha256 of the `.tar.bz2` of which this server made that `.conda`, or None
            if it came from elsewhere.
    """

    candidate: Candidate
    size: int | None
    is_here: bool
    has_twin: bool
    twin_made_of: str | None

    @property
    def needs_conversion(self) -> bool:
        """Whether there is no `.conda`, or one that was made of an earlier `.tar.bz2`."""
        return not self.has_twin or self.twin_made_of not in (None, self.candidate.sha256)


def packages_in_old_form(state: State) -> Iterator[OldForm]:
    """Yield all packages in the form `.tar.bz2` that are not blocked, in the order of their paths.

    The cost is that of the whole state.
    """
    with connection.chunked_cursor() as cursor:
        cursor.itersize = _BATCH
        cursor.execute(_OLD.format(members=state.members("state")), state.facts("state"))
        columns = len(Candidate._fields) - 2
        for row in cursor:
            yield OldForm(Candidate._make((*row[:columns], None, None)), *row[columns:])
