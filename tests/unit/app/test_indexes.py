"""The indexes of the tables that grow with the packages: the ones of docs/dev/learn/scale.md, and
that queries use them.
"""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from pulp_conda.app.models import CondaPackage, CondaPackageInfo, PublishedShard
from pulp_conda.app.publishing import channel, shards
from pulp_conda.app.serving import resolve
from pulp_conda.app.sync import batch
from pulp_conda.app.versions import blocked, records

pytestmark = pytest.mark.django_db

SCALE = Path(__file__).parents[3] / "docs/dev/learn/scale.md"

UNUSED = {("conda_publishedshard", "pulp_id")}

# On tables as small as these the planner takes indexes only if it has to.
ONLY_INDEXES = """
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off
"""

KEY = uuid4()
FACTS = {
    "domain": KEY,
    "publication": KEY,
    "repository": KEY,
    "version": KEY,
    "keys": [b"1", b"2"],
    "digests": ["a", "b"],
    "names": ["a", "b"],
    "number": 1,
    "made": timezone.now(),
}

# By table and columns of the index: a query that uses it.
USES = {
    ("conda_condapackage", "content_ptr_id"): (records._ROWS, FACTS),
    ("conda_condapackage", "_pulp_domain_id, subdir, filename, sha256, record_digest"): (
        batch._MATCH,
        FACTS,
    ),
    ("conda_condapackage", "name text_pattern_ops"): CondaPackage.objects.filter(name="a"),
    ("conda_condapackage", "attestations_sha256"): CondaPackage.objects.filter(
        attestations_sha256="a"
    ).exclude(attestations_sha256=""),
    ("conda_condapackage", "lower((sha256)::text)"): (blocked._REPOSITORIES, FACTS),
    ("conda_condapackageinfo", "pulp_id"): (
        "UPDATE conda_condapackageinfo SET read_at = now() WHERE pulp_id = %(domain)s",
        FACTS,
    ),
    ("conda_condapackageinfo", "pulp_domain_id, sha256"): (channel._INFOS, FACTS),
    ("conda_condapackageinfo", "converted_from"): CondaPackageInfo.objects.filter(
        converted_from="a"
    ),
    ("conda_indexedfile", "repository_id, sha256"): (records._ROWS, FACTS),
    ("conda_condashard", "pulp_id"): PublishedShard.objects.filter(publication=KEY).select_related(
        "shard"
    ),
    ("conda_condashard", "pulp_domain_id, key"): (shards._PUBLISH, FACTS),
    ("conda_condashard", "sha256"): (resolve._SHARDS, [KEY, b"1"]),
    ("conda_publishedshard", "shard_id, publication_id"): (resolve._SHARDS, [KEY, b"1"]),
    ("conda_publishedshard", "publication_id"): PublishedShard.objects.filter(publication=KEY),
    ("conda_upstreamsummary", "repository_id, name, since"): (channel._SUMMARIES, FACTS),
}


def test_the_documentation_names_all_indexes():
    documented, table = set(), ""
    for line in SCALE.read_text().splitlines():
        match = re.match(r"\| (?:`(\w+)`)? ?\| `([^`]+)`", line)
        if match:
            table = match[1] or table
            documented.add((table, match[2]))
    tables = {table for table, _ in documented if table.startswith("conda_")}
    assert set(_indexes(tables)) == {each for each in documented if each[0] in tables}
    assert set(USES) | UNUSED == set(_indexes(tables))


@pytest.mark.parametrize(("table", "columns"), USES, ids=lambda text: text.replace(", ", "+"))
def test_a_query_uses_the_index(table, columns):
    use = USES[table, columns]
    statement, parameters = use if isinstance(use, tuple) else use.query.sql_with_params()
    name = _indexes({table})[table, columns]
    with connection.cursor() as cursor:
        cursor.execute(batch.CREATE)
        cursor.execute("CREATE TEMP TABLE conda_member (content uuid, repository uuid)")
        cursor.execute(ONLY_INDEXES)
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f" {name} " in plan, plan


def _indexes(tables):
    """Return the names of indexes by table and columns, as the documentation writes them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)",
            [list(tables)],
        )
        return {
            (table, re.search(r"USING \w+ \((.*?)\)(?: WHERE .*)?$", definition)[1]): name
            for table, name, definition in cursor.fetchall()
        }
