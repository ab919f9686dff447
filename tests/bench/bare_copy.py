"""The cheapest way to fill the five tables of a package.

This is `COPY` of rows that another database has, without any check.
"""

from contextlib import ExitStack, contextmanager

from pulp_conda.quickstart.postgres import Postgres
from tests.bench.processes import Used, own_work
from tests.support.stack import running_database

BATCH = 10_000

# By table, its rows in the order of the content that they are of.
_ROWS = {
    "core_content": "SELECT * FROM core_content WHERE pulp_type = 'conda.package' ORDER BY pulp_id",
    "conda_condapackage": "SELECT * FROM conda_condapackage ORDER BY content_ptr_id",
    "core_contentartifact": "SELECT * FROM core_contentartifact ORDER BY content_id",
    "core_remoteartifact": (
        "SELECT remote.* FROM core_remoteartifact AS remote"
        " JOIN core_contentartifact AS artifact ON artifact.pulp_id = remote.content_artifact_id"
        " ORDER BY artifact.content_id"
    ),
    "core_repositorycontent": "SELECT * FROM core_repositorycontent ORDER BY content_id",
}

# What those rows point to.
_PARENTS = ("core_remote", "core_repository", "core_repositoryversion")


def copy_rows(source):
    """Copy the packages of a database into an empty one, which has all indexes and foreign keys.

    Args:
        source: A connection to a database that has one repository's packages and nothing else.

    Returns:
        The number of rows by table, and a `Used`.
    """
    used = Used()
    with ExitStack() as stack:
        state = stack.enter_context(running_database())
        target, postgres = stack.enter_context(connected(state))
        target.execute("ALTER SYSTEM SET autovacuum = off")
        target.execute("SELECT pg_reload_conf()")
        for table in _PARENTS:
            _copy_table(source, target, table)
        cursors = {}
        for table, query in _ROWS.items():
            cursors[table] = stack.enter_context(source.cursor(f"rows_of_{table}"))
            cursors[table].itersize = BATCH
            cursors[table].execute(query)
        while batch := {table: cursor.fetchmany(BATCH) for table, cursor in cursors.items()}:
            if not any(batch.values()):
                break
            with own_work(used, postgres), target.transaction():
                for table, rows in batch.items():
                    with target.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                        for row in rows:
                            copy.write_row(row)
        counts = {
            table: target.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _ROWS
        }
    return counts, used


@contextmanager
def connected(state):
    """Yield a connection to the database of a state folder, and the process id of its server."""
    server = Postgres(state.folder / "postgres", state.log("postgres"))
    with server.connect() as connection:
        connection.autocommit = True
        yield connection, server.find().pid


def _copy_table(source, target, table):
    with (
        source.cursor() as out,
        target.cursor() as into,
        out.copy(f"COPY {table} TO STDOUT") as rows,
        into.copy(f"COPY {table} FROM STDIN") as copy,
    ):
        for block in rows:
            copy.write(block)
