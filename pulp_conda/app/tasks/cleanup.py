"""What Pulp's orphan cleanup does for channels: it takes away what nothing needs any more."""

import logging
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from pulpcore.plugin.models import Domain

from pulp_conda.app.attestations import remove_unused_sidecars
from pulp_conda.app.models import CondaAct
from pulp_conda.app.monitoring.sizes import measure_again
from pulp_conda.app.publishing.shards import remove_unused_shards

log = logging.getLogger(__name__)

# What is known of a file is noted before its package is. An upload does not take that long.
_KNOWN_FOR = timedelta(hours=1)

# They are removed when they are this part of all. After each removal, the channels of a domain are
# published in full once, so it must not come every day.
_UNUSED_PART = 0.1

# Looks up each file by itself, whatever the statistics of the tables say.
_REMOVE_INFOS = """
WITH unused AS MATERIALIZED (
    SELECT pulp_id FROM conda_condapackageinfo AS info
    WHERE pulp_domain_id = %(domain)s AND coalesce(pulp_last_updated, pulp_created) < %(before)s
        AND (
            SELECT true FROM conda_condapackage AS package
            WHERE lower(package.sha256) = info.sha256 AND package._pulp_domain_id = %(domain)s
            LIMIT 1
        ) IS NULL
)
DELETE FROM conda_condapackageinfo AS info USING unused
WHERE info.pulp_id = unused.pulp_id AND (SELECT count(*) FROM unused) >= %(part)s * (
    SELECT count(*) FROM conda_condapackageinfo WHERE pulp_domain_id = %(domain)s
)
"""


def clean_up(domain: Domain) -> None:
    """Remove what has lost its last user in a domain, and what the settings keep for a while only.

    Shards and acts are those of the whole server: Pulp's own schedule cleans the default domain
    only. Sizes of channels are counted again, because packages came from upstreams on demand.
    """
    remove_unused_shards()
    sidecars = remove_unused_sidecars()
    infos = _remove_unused_infos(domain)
    acts = CondaAct.purge()
    measure_again(domain.pk)
    log.info("Removed %s sidecars, %s facts about files, and %s acts", sidecars, infos, acts)


def _remove_unused_infos(domain: Domain) -> int:
    """Delete what is known of files that no package of a domain has, if these are many, and return
    of how many it was deleted.

    Channels of the domain are then published in full once: what is known is not what it was.
    """
    before = timezone.now() - _KNOWN_FOR
    facts = {"domain": domain.pk, "before": before, "part": _UNUSED_PART}
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE_INFOS, facts)
        return cursor.rowcount
