"""How old packages are by the clock of this server."""

from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import connection

from pulpcore.plugin.util import get_domain_pk

from pulp_conda.channel.policies.satisfaction import Candidate

_BATCH = 2000

# By the index of paths, whatever the statistics say: see `sql.BY_INDEX`.
_FIRST_SEEN = """
SELECT wanted.place, first.moment
FROM unnest(%(subdirs)s::text[], %(filenames)s::text[], %(digests)s::text[])
        WITH ORDINALITY AS wanted (subdir, filename, sha256, place)
    CROSS JOIN LATERAL (
        SELECT floor(extract(epoch FROM min(content.pulp_created)) * 1000)::bigint AS moment
        FROM (
            SELECT content_ptr_id FROM conda_condapackage
            WHERE _pulp_domain_id = %(domain)s AND subdir = wanted.subdir
                AND filename = wanted.filename AND sha256 = wanted.sha256
            OFFSET 0
        ) AS package JOIN core_content AS content ON content.pulp_id = package.content_ptr_id
    ) AS first
WHERE first.moment IS NOT NULL
"""


def first_seen(packages: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield packages; of those that are new, `seen_timestamp` is the moment when this server first
    had the file.

    That is when the first package of the domain with this path and these bytes was made, whoever
    made it: neither a copy nor a correction of the record is a new file. Where that package is
    gone, it is when the repository of the candidate first had it.

    Args:
        packages: With the `seen_timestamp` that their repository knows.
    """
    packages = iter(packages)
    while batch := list(islice(packages, _BATCH)):
        new = [place for place, package in enumerate(batch) if package.is_new]
        if new:
            for place, moment in _moments([batch[place] for place in new]):
                package = batch[new[place]]
                known = package.seen_timestamp
                seen = moment if known is None else min(known, moment)
                batch[new[place]] = package._replace(seen_timestamp=seen)
        yield from batch


def _moments(packages: list[Candidate]) -> list[tuple[int, int]]:
    """Return the place of each package, and when the server first had it, for all that it has."""
    facts = {
        "domain": get_domain_pk(),
        "subdirs": [package.subdir for package in packages],
        "filenames": [package.filename for package in packages],
        "digests": [package.sha256 for package in packages],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_SEEN, facts)
        return [(place - 1, moment) for place, moment in cursor.fetchall()]
