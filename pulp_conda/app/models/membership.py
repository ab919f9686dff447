"""Which content a repository version has, changed in bulk.

pulpcore's `add_content` and `remove_content` take every key through Python, and its check for duplicates asks for a
thousand of them at once. Here PostgreSQL moves sets; the rows are the same, which tests compare.
"""

from django.db import connection, models, transaction

# Content that was added in this version and goes again was never there.
_REMOVE = (
    """
    DELETE FROM core_repositorycontent
    WHERE repository_id = %(repository)s AND version_added_id = %(version)s
        AND version_removed_id IS NULL AND content_id IN ({contents})
    """,
    """
    UPDATE core_repositorycontent SET version_removed_id = %(version)s, pulp_last_updated = now()
    WHERE repository_id = %(repository)s AND version_removed_id IS NULL AND content_id IN ({contents})
    """,
    """
    UPDATE core_repositoryversion SET pulp_last_updated = now(), content_ids = ARRAY(
        SELECT unnest(content_ids) EXCEPT ({contents})
    )
    WHERE pulp_id = %(version)s
    """,
)

# Content that was removed in this version and comes back was always there.
_ADD = (
    """
    UPDATE core_repositorycontent SET version_removed_id = NULL, pulp_last_updated = now()
    WHERE repository_id = %(repository)s AND version_removed_id = %(version)s
        AND content_id IN ({contents})
    """,
    """
    INSERT INTO core_repositorycontent
        (pulp_id, pulp_created, pulp_last_updated, repository_id, content_id, version_added_id)
    SELECT gen_random_uuid(), now(), now(), %(repository)s, content, %(version)s
    FROM ({contents}) AS added (content)
    WHERE NOT EXISTS (
        SELECT FROM core_repositorycontent AS member
        WHERE member.repository_id = %(repository)s AND member.content_id = added.content
            AND member.version_removed_id IS NULL
    )
    """,
    """
    UPDATE core_repositoryversion SET pulp_last_updated = now(), content_ids = ARRAY(
        SELECT unnest(content_ids) UNION ({contents})
    )
    WHERE pulp_id = %(version)s
    """,
)

# The members whose path a package has that was added in this version.
_REPLACED = """
    SELECT member.content_id
    FROM core_repositorycontent AS new
        JOIN conda_condapackage AS package ON package.content_ptr_id = new.content_id
        JOIN conda_condapackage AS same_path ON same_path._pulp_domain_id = package._pulp_domain_id
            AND same_path.subdir = package.subdir AND same_path.filename = package.filename
        JOIN core_repositorycontent AS member ON member.content_id = same_path.content_ptr_id
    WHERE new.repository_id = %(repository)s AND new.version_added_id = %(version)s
        AND new.version_removed_id IS NULL AND member.repository_id = %(repository)s
        AND member.version_added_id <> %(version)s AND member.version_removed_id IS NULL
"""


def add_contents(version, contents):
    """Add content to a version that is being made; `contents` is a query in SQL that gives their keys."""
    _execute(version, _ADD, contents)


def remove_contents(version, contents):
    """Remove content from a version that is being made; `contents` is a query in SQL that gives their keys.

    It is asked more than once, so what it gives must not depend on who is a member now.
    """
    _execute(version, _REMOVE, contents)


def remove_replaced(version):
    """Remove the packages that have the path of a package that this version added."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE conda_replaced (content uuid)")
        try:
            cursor.execute(f"INSERT INTO conda_replaced {_REPLACED}", _facts(version))
            if cursor.rowcount:
                remove_contents(version, "SELECT content FROM conda_replaced")
        finally:
            cursor.execute("DROP TABLE conda_replaced")


def ask_for_existence(version):
    """Let pulpcore, which asks whether anything was added or removed, not load all of it for an answer."""
    for method in ("added", "removed"):
        setattr(version, method, _existence(getattr(version, method)))


class _Existence(models.QuerySet):
    def __bool__(self):
        return self.exists()


def _existence(method):
    def ask(*arguments, **options):
        contents = method(*arguments, **options)
        contents.__class__ = _Existence
        return contents

    return ask


def _execute(version, statements, contents):
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(contents=contents), _facts(version))
    # Sixteen megabytes for a million packages: loaded again if somebody asks.
    version.__dict__.pop("content_ids", None)


def _facts(version):
    return {"repository": version.repository_id, "version": version.pk}
