"""What a channel serves, and what lies at a path of it, each as one statement to be prepared.

They give what `serving/channel` and `serving/resolve` find by several queries of Django. A test
compares both for every kind of path.

Who asks is a part of the question about the channel, so that all of its answer is of one moment: a
channel never gives what it has now to somebody who could only read what it had before.
"""

from pulp_conda.app.versions.blocked import IS_FREE
from pulp_conda.app.versions.published import NEWEST, TURNS
from pulp_conda.app.versions.sql import is_member_at, join_memberships

# Nobody: there are no credentials, or none that a statement can check.
_NOBODY = """
    SELECT NULL::int AS id, false AS is_superuser, NULL AS password, NULL::uuid AS token,
        false AS has_to_be_noted, false AS is_for_this
"""

# Whom a token stands for, if it is accepted now. `find_token` and `CondaToken.allows` decide the
# same, and `CondaToken.note_use` when its use is noted.
_BY_TOKEN = """
    SELECT owner.id, owner.is_superuser, NULL AS password, token.pulp_id AS token,
        token.last_used IS NULL OR token.last_used < now() - interval '1 minute'
            AS has_to_be_noted,
        token.pulp_domain_id = domain.pulp_id AND 'read' = ANY(token.scopes) AND (
            NOT token.is_limited OR distribution.pulp_id = ANY(token.channels)
            OR stage.lifecycle_id = ANY(token.lifecycles)
        ) AS is_for_this
    FROM conda_condatoken AS token JOIN auth_user AS owner ON owner.id = token.owner_id
    WHERE token.sha256 = %(sha256)s AND token.revoked IS NULL AND owner.is_active
        AND (token.expires IS NULL OR token.expires > now())
"""

# The user of a name with the stored hash of the password, unless somebody at the address may have
# to wait: `FailedLogin.seconds_to_wait` says how long.
_BY_NAME = """
    SELECT named.id, named.is_superuser, named.password, NULL::uuid AS token,
        false AS has_to_be_noted, true AS is_for_this
    FROM auth_user AS named
    WHERE named.username = %(username)s AND named.is_active AND NOT EXISTS (
        SELECT FROM conda_failedlogin AS failed
        WHERE failed.address = %(address)s AND failed.login = %(login)s
            AND failed.count >= %(free)s AND failed.last > now() - interval '5 minutes'
    )
"""

# Whether the visitor has a role by which one may read the channel, see `may_read` of
# `models/content_guard`. The few roles that grant it come first: a user may have a role on each of
# a million tasks. `OFFSET 0` keeps this order.
_HAS_ROLE = """EXISTS (
        SELECT FROM (
            VALUES ('condadistribution', distribution.pulp_id),
                ('condalifecycle', stage.lifecycle_id),
                ('condarepository', CASE WHEN stage.pulp_id IS NULL
                    THEN version.repository_id ELSE lifecycle.repository_id END)
        ) AS sought (model, key)
            JOIN django_content_type AS type
                ON type.app_label = 'conda' AND type.model = sought.model
            JOIN auth_permission AS permission ON permission.content_type_id = type.id
                AND permission.codename = 'read_' || sought.model
            JOIN core_role_permissions AS granted ON granted.permission_id = permission.id
            CROSS JOIN LATERAL (
                SELECT object_id, domain_id FROM core_userrole
                WHERE user_id = visitor.id AND role_id = granted.role_id
                UNION ALL
                SELECT object_id, domain_id
                FROM auth_user_groups AS member
                    JOIN core_grouprole AS of_group ON of_group.group_id = member.group_id
                WHERE member.user_id = visitor.id AND of_group.role_id = granted.role_id
                OFFSET 0
            ) AS held
        WHERE sought.key IS NOT NULL AND (
            held.object_id = sought.key::text
            OR held.object_id IS NULL
                AND (held.domain_id IS NULL OR held.domain_id = domain.pulp_id)
        )
    )"""

# The repository whose latest state the channel follows, and for a virtual channel, those that its
# channels follow. `freshness_of` finds the same.
_PULLED = """
    SELECT repository_id
    FROM (
        SELECT CASE
            WHEN stage.pulp_id IS NULL THEN distribution.repository_id
            WHEN stage.position = 0 THEN lifecycle.repository_id
        END AS repository_id
    ) AS own
    UNION
    SELECT CASE
        WHEN of_member.pulp_id IS NULL THEN member.repository_id
        WHEN of_member.position = 0 THEN lifecycle_of_member.repository_id
    END
    FROM conda_mergedchannel AS part
        JOIN core_distribution AS member ON member.pulp_id = part.distribution_id
        LEFT JOIN conda_condastage AS of_member ON of_member.distribution_id = member.pulp_id
        LEFT JOIN conda_condalifecycle AS lifecycle_of_member
            ON lifecycle_of_member.pulp_id = of_member.lifecycle_id
    WHERE part.repository_id = CASE
        WHEN stage.pulp_id IS NULL THEN distribution.repository_id
        WHEN stage.position = 0 THEN lifecycle.repository_id
    END
"""

# The state of a channel: one row, or none if there is no channel at the path. A publication that is
# chosen and not complete is not served, unless the channel is a stage, which never serves such a
# one. `may_read` is only true if it is certain.
_STATE = f"""
SELECT
    domain.pulp_id AS domain, domain.pulp_last_updated AS domain_changed,
    channel.distribution_ptr_id AS distribution, distribution.pulp_last_updated AS changed,
    distribution.content_guard_id IS NOT NULL AS is_guarded,
    CASE
        WHEN distribution.content_guard_id IS NULL THEN true
        WHEN guard.pulp_type <> 'conda.conda' OR visitor.is_for_this IS NOT TRUE THEN false
        ELSE visitor.is_superuser OR {_HAS_ROLE}
    END AS may_read,
    visitor.password, visitor.token, visitor.has_to_be_noted,
    distribution.checkpoint AS is_checkpoint,
    channel.cors_origins,
    stage.pulp_id AS stage, entry.moved_at,
    EXISTS (
        SELECT FROM conda_historyentry AS before
        WHERE before.stage_id = stage.pulp_id AND before.moved_at < entry.moved_at
            AND before.moved_at >= date_trunc('second', entry.moved_at)
    ) AS moved_twice,
    publication.pulp_id AS publication, publication.pulp_last_updated AS published,
    version.pulp_id AS version, version.repository_id AS repository, version.number,
    ARRAY(SELECT jsonb_object_keys(conda_publication.package_counts)) AS subdirs,
    turns.publications, turns.since,
    EXISTS (SELECT FROM conda_blockedfile WHERE pulp_domain_id = domain.pulp_id) AS has_blocks,
    pulled.is_pulled, pulled.checked_at, pulled.due,
    merged.is_merged, merged.is_closed, merged.is_cold
FROM core_domain AS domain
    JOIN core_distribution AS distribution ON distribution.pulp_domain_id = domain.pulp_id
    JOIN conda_condadistribution AS channel
        ON channel.distribution_ptr_id = distribution.pulp_id
    LEFT JOIN core_contentguard AS guard ON guard.pulp_id = distribution.content_guard_id
    LEFT JOIN conda_condastage AS stage ON stage.distribution_id = distribution.pulp_id
    LEFT JOIN conda_condalifecycle AS lifecycle ON lifecycle.pulp_id = stage.lifecycle_id
    LEFT JOIN LATERAL ({{visitor}}) AS visitor ON true
    LEFT JOIN LATERAL (
        SELECT publication_id, moved_at FROM conda_historyentry
        WHERE stage_id = stage.pulp_id AND moved_at IS NOT NULL
        ORDER BY moved_at DESC LIMIT 1
    ) AS entry ON true
    LEFT JOIN core_publication AS publication ON publication.complete AND publication.pulp_id = CASE
        WHEN stage.pulp_id IS NOT NULL THEN entry.publication_id
        WHEN distribution.publication_id IS NOT NULL THEN distribution.publication_id
        WHEN distribution.repository_version_id IS NOT NULL THEN (
            {NEWEST.format(key="pulp_id", value="distribution.repository_version_id")}
        )
        ELSE ({NEWEST.format(key="repository_id", value="distribution.repository_id")})
    END
    LEFT JOIN conda_condapublication AS conda_publication
        ON conda_publication.publication_ptr_id = publication.pulp_id
    LEFT JOIN core_repositoryversion AS version
        ON version.pulp_id = publication.repository_version_id
    LEFT JOIN LATERAL (
        SELECT count(*) > 0 AS is_merged,
            count(member.content_guard_id) > 0 AND distribution.content_guard_id IS NULL
                AS is_closed,
            count(*) > 0 AND count(part.member_id) = 0 AS is_cold
        FROM conda_mergedversion AS part
            JOIN core_distribution AS member ON member.pulp_id = part.distribution_id
        WHERE part.version_id = version.pulp_id
    ) AS merged ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(publication_id) AS publications, array_agg(pulp_last_updated) AS since
        FROM ({TURNS.format(distribution="distribution.pulp_id")}) AS turn
    ) AS turns ON stage.pulp_id IS NULL
    LEFT JOIN LATERAL (
        SELECT count(*) > 0 AS is_pulled, min(refresh.checked_at) AS checked_at,
            array_agg(refresh.repository_id) FILTER (
                WHERE refresh.stopped IS NULL AND refresh.next_run <= now()
                    AND COALESCE(schedule.next_dispatch <= now(), true)
            ) AS due
        FROM ({_PULLED}) AS pulled
            JOIN conda_condarefresh AS refresh
                ON refresh.repository_id = pulled.repository_id AND refresh.max_age IS NOT NULL
            LEFT JOIN core_taskschedule AS schedule ON schedule.pulp_id = refresh.schedule_id
    ) AS pulled ON true
WHERE domain.name = %(domain)s AND distribution.base_path = %(base_path)s
"""
STATE = _STATE.format(visitor=_NOBODY)
STATE_FOR_TOKEN = _STATE.format(visitor=_BY_TOKEN)
STATE_FOR_USER = _STATE.format(visitor=_BY_NAME)

# Note that a token is used now. The condition again: of requests at the same time, one writes.
NOTE_USE = """
UPDATE conda_condatoken SET last_used = now()
WHERE pulp_id = %(token)s
    AND (last_used IS NULL OR last_used < now() - interval '1 minute')
RETURNING true
"""

# Since when a channel serves, or served last, one of its kept states whose version fulfills a
# condition; and the same for what pulpcore notes.
_KEPT = """
SELECT max(entry.moved_at)
FROM conda_historyentry AS entry
    JOIN conda_condalifecycle AS lifecycle ON lifecycle.pulp_id = entry.lifecycle_id
    JOIN core_publication AS publication ON publication.pulp_id = entry.publication_id
    JOIN core_repositoryversion AS version ON version.pulp_id = publication.repository_version_id
WHERE entry.stage_id = %(stage)s AND entry.moved_at IS NOT NULL
    AND (
        entry.until IS NULL OR lifecycle.retain_days IS NULL OR entry.outcome = 'waiting'
        OR entry.until >= now() - lifecycle.retain_days * interval '1 day'
    )
    AND {condition}
"""
_SUPERSEDED = """
SELECT max(turn.pulp_created)
FROM core_distributedpublication AS turn
    JOIN core_publication AS publication ON publication.pulp_id = turn.publication_id
    JOIN core_repositoryversion AS version ON version.pulp_id = publication.repository_version_id
WHERE turn.distribution_id = %(distribution)s AND turn.expires_at >= now()
    AND {condition}
"""

_HAS_MEMBER = f"version.repository_id = member.repository_id AND {is_member_at('version.number')}"

# Whether a channel ever was a virtual one, as far as anybody knows.
_WAS_VIRTUAL = """EXISTS (
    SELECT FROM core_distributedpublication AS turn
        JOIN core_publication AS publication ON publication.pulp_id = turn.publication_id
        JOIN conda_mergedversion AS part ON part.version_id = publication.repository_version_id
    WHERE turn.distribution_id = %(distribution)s
) OR EXISTS (
    SELECT FROM conda_historyentry AS entry
        JOIN core_publication AS publication ON publication.pulp_id = entry.publication_id
        JOIN conda_mergedversion AS part ON part.version_id = publication.repository_version_id
    WHERE entry.stage_id = %(stage)s
)"""

# The package at a path: that of the state, else that of the newest of the states before. `OFFSET 0`
# keeps PostgreSQL from asking for these for each package that the state has. The state has what the
# versions of some numbers have: one, or those of a virtual channel that own the name.
_PACKAGE = f"""
SELECT found.is_current, found.is_free, found.since, content_artifact.relative_path,
    artifact.file, artifact.size, artifact.sha256
FROM (
    SELECT package.content_ptr_id, content.pulp_created AS since, {IS_FREE} AS is_free, is_current,
        CASE WHEN is_current THEN NULL ELSE ({_KEPT.format(condition=_HAS_MEMBER)}) END AS kept,
        CASE WHEN is_current THEN NULL ELSE (
            {_SUPERSEDED.format(condition=_HAS_MEMBER)}
        ) END AS superseded
    FROM conda_condapackage AS package
        JOIN core_content AS content ON content.pulp_id = package.content_ptr_id
        {join_memberships()}
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT FROM unnest(%(repositories)s::uuid[], %(numbers)s::int[])
                    AS served (repository_id, number)
                WHERE member.repository_id = served.repository_id
                    AND {is_member_at("served.number")}
            ) AS is_current
        ) AS membership
    WHERE package._pulp_domain_id = %(domain)s AND package.subdir = %(subdir)s
        AND package.filename = %(filename)s
    OFFSET 0
) AS found
    JOIN core_contentartifact AS content_artifact
        ON content_artifact.content_id = found.content_ptr_id
    LEFT JOIN core_artifact AS artifact ON artifact.pulp_id = content_artifact.artifact_id
WHERE found.is_current OR found.kept IS NOT NULL OR found.superseded IS NOT NULL
ORDER BY found.is_current DESC, found.kept DESC NULLS LAST, found.superseded DESC NULLS LAST
LIMIT 1
"""

# One row: with the package, if there is one, and whether this statement cannot say what was there
# before, because it does not know what virtual channels had.
PACKAGE = f"""
SELECT CASE WHEN package.is_current THEN false ELSE {_WAS_VIRTUAL} END AS was_virtual, package.*
FROM (SELECT) AS request LEFT JOIN ({_PACKAGE}) AS package ON true
"""

_HAS_SHARD = """EXISTS (
        SELECT FROM conda_publishedshard AS published
        WHERE published.shard_id = shard.pulp_id AND published.publication_id = publication.pulp_id
    ) AND EXISTS (
        SELECT FROM conda_condapublication AS conda_publication
        WHERE conda_publication.publication_ptr_id = publication.pulp_id
            AND conda_publication.package_counts ? %(subdir)s
    )"""

# A shard by its digest, if the state has it, or one of the states before.
SHARD = f"""
SELECT is_current, since, data
FROM (
    SELECT shard.pulp_created AS since, shard.data, is_current,
        is_current OR ({_KEPT.format(condition=_HAS_SHARD)}) IS NOT NULL
            OR ({_SUPERSEDED.format(condition=_HAS_SHARD)}) IS NOT NULL AS is_served
    FROM conda_condashard AS shard
        CROSS JOIN LATERAL (
            SELECT %(has_subdir)s AND EXISTS (
                SELECT FROM conda_publishedshard AS published
                WHERE published.shard_id = shard.pulp_id
                    AND published.publication_id = %(publication)s
            ) AS is_current
        ) AS membership
    WHERE shard.sha256 = %(sha256)s
    OFFSET 0
) AS found
WHERE is_served
ORDER BY is_current DESC LIMIT 1
"""

# A metadata file of the publication.
METADATA = """
SELECT content_artifact.relative_path, artifact.file, artifact.size, artifact.sha256
FROM core_publishedartifact AS published
    JOIN core_contentartifact AS content_artifact
        ON content_artifact.pulp_id = published.content_artifact_id
    JOIN core_artifact AS artifact ON artifact.pulp_id = content_artifact.artifact_id
WHERE published.publication_id = %(publication)s AND published.relative_path = %(path)s
"""

# Whether a file is blocked.
IS_BLOCKED = """
SELECT EXISTS (
    SELECT FROM conda_blockedfile WHERE pulp_domain_id = %(domain)s AND sha256 = %(sha256)s
)
"""

# Whether any channel of the domain ever had a package at a path.
IS_KNOWN = """
SELECT EXISTS (
    SELECT FROM conda_condapackage
    WHERE _pulp_domain_id = %(domain)s AND subdir = %(subdir)s AND filename = %(filename)s
)
"""
