"""What is true of the tables of a Pulp, whatever happened to it."""

# Each asks for rows that must not be there.
INVARIANTS = {
    "content and package are two halves of one": """
        SELECT FROM (SELECT pulp_id FROM core_content WHERE pulp_type = 'conda.package') AS content
            FULL JOIN conda_condapackage ON content_ptr_id = pulp_id
        WHERE pulp_id IS NULL OR content_ptr_id IS NULL
    """,
    "a package has one file, which is here or has a place to come from": """
        SELECT FROM conda_condapackage
            LEFT JOIN core_contentartifact AS file ON file.content_id = content_ptr_id
        GROUP BY content_ptr_id
        HAVING count(file.pulp_id) <> 1 OR NOT bool_and(file.artifact_id IS NOT NULL OR EXISTS (
            SELECT FROM core_remoteartifact AS place WHERE place.content_artifact_id = file.pulp_id
        ))
    """,
    "a complete version has the keys of its members": """
        SELECT FROM core_repositoryversion AS version WHERE complete AND ARRAY(
            SELECT key FROM unnest(content_ids) AS key ORDER BY key
        ) <> ARRAY(
            SELECT content_id
            FROM core_repositorycontent AS member
                JOIN core_repositoryversion AS added ON added.pulp_id = version_added_id
                LEFT JOIN core_repositoryversion AS removed ON removed.pulp_id = version_removed_id
            WHERE member.repository_id = version.repository_id AND added.number <= version.number
                AND (removed.number IS NULL OR removed.number > version.number)
            ORDER BY content_id
        )
    """,
    "a complete version counts what it has": """
        SELECT FROM core_repositoryversion AS version
        WHERE complete AND cardinality(content_ids) <> (
            SELECT coalesce(sum(count), 0) FROM core_repositoryversioncontentdetails
            WHERE repository_version_id = version.pulp_id AND count_type = 'P'
        )
    """,
    "a complete version has one package of a path": """
        SELECT FROM core_repositoryversion, unnest(content_ids) AS key
            JOIN conda_condapackage ON content_ptr_id = key
        WHERE complete GROUP BY pulp_id, subdir, filename HAVING count(*) > 1
    """,
}


def check_invariants(stack):
    """Look for rows that break an invariant."""
    with stack.connect() as database:
        for invariant, query in INVARIANTS.items():
            assert database.execute(query).fetchall() == [], invariant
