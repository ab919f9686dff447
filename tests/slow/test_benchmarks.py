"""Every benchmark on a tiny channel: it runs, and what it measures does the right thing.

Times are not tested.
"""

import re
from pathlib import Path

import orjson
import pytest

from tests.bench import stock
from tests.bench.__main__ import figures
from tests.bench.bare_copy import connected
from tests.bench.channel import SUBDIRS
from tests.bench.subjects import Subjects
from tests.support.conda import CondaPulp, without_indexed
from tests.support.stack import running_database

SIZE = 600
REFERENCE = Path(__file__).parents[2] / "docs" / "dev" / "reference" / "benchmarks.md"

# What a package is in the database, without keys and times.
_PACKAGES = """
SELECT package.subdir, package.filename, package.sha256, package.record_digest, package.record,
    package.name, package.version, package.build, package.build_number, package.md5, package.size,
    package.license, package.noarch, package.depends, package.timestamp,
    package.indexed_timestamp, package.in_v3,
    content.pulp_type, content.pulp_labels::text, content.upstream_id,
    file.relative_path, file.artifact_id, remote.size, remote.sha256, remote.md5, remote.failed_at,
    regexp_replace(remote.url, '^https?://[^/]*', ''), member.version_removed_id
FROM conda_condapackage AS package
    JOIN core_content AS content ON content.pulp_id = package.content_ptr_id
    JOIN core_contentartifact AS file ON file.content_id = content.pulp_id
    JOIN core_remoteartifact AS remote ON remote.content_artifact_id = file.pulp_id
    JOIN core_repositorycontent AS member ON member.content_id = content.pulp_id
    JOIN core_repositoryversion AS version ON version.pulp_id = member.version_added_id
WHERE version.number = 1 AND version.complete AND content.pulp_id = ANY(version.content_ids)
ORDER BY package.subdir, package.filename
"""


@pytest.fixture(scope="module")
def subjects():
    with Subjects(SIZE) as subjects:
        yield subjects


def test_a_sync_writes_the_rows_that_pulpcores_pipeline_writes(subjects):
    with running_database() as state, connected(state) as (connection, postgres):
        stock.run(state, postgres, "sync", str(subjects.main.folder))
        expected = connection.execute(_PACKAGES).fetchall()
    with subjects.main.pulp.stack.connect() as connection:
        found = connection.execute(_PACKAGES).fetchall()
    assert len(found) == SIZE
    assert found == expected


def test_every_benchmark_runs_and_is_documented(subjects):
    measured = list(figures(subjects))
    table = REFERENCE.read_text().partition("## The figures")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)
    assert sorted(figure.bench for figure in measured) == sorted(documented)
    for found in measured:
        assert set(orjson.loads(found.as_json())) >= {
            "bench",
            "records",
            "ratio",
            "target",
            "holds",
        }
        assert found.seconds > 0
    # What is counted, and not timed, is the same for every size.
    (shards,) = (found for found in measured if found.bench == "publish_changed_shards")
    assert shards.holds


def test_what_was_measured_serves_what_the_upstream_has(subjects):
    pulp = CondaPulp("", None)
    for subdir in SUBDIRS:
        upstream = orjson.loads((subjects.main.folder / subdir / "repodata.json").read_bytes())
        served = pulp.fetch(subjects.main.url, f"{subdir}/repodata.json").json()
        for section in ("packages", "packages.conda"):
            assert without_indexed(served[section]) == upstream[section]
