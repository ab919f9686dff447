"""Two workers take the same packages at the same moment."""

import json

import pytest

from tests.builders import make_record
from tests.functional.conda import CondaPulp
from tests.stack import running_stack

RECORDS = [make_record(f"p{number}") for number in range(6000)]


@pytest.fixture(scope="module")
def busy():
    with running_stack(workers=2) as stack:
        yield CondaPulp(stack.api_url, "admin", stack.password)


def _write(upstream, records):
    (upstream.folder / "noarch").mkdir()
    repodata = {"packages.conda": {record.filename: record.fields for record in records}}
    (upstream.folder / "noarch/repodata.json").write_text(json.dumps(repodata))


def test_two_syncs_of_the_same_packages_do_not_get_in_each_other_s_way(busy, make_upstream):
    repositories = []
    for name, records in (("forward", RECORDS), ("backward", RECORDS[::-1])):
        upstream = make_upstream()
        _write(upstream, records)
        remote = busy.post("remotes/conda/conda/", name=name, url=upstream.url, subdirs=["noarch"])[
            "pulp_href"
        ]
        body = {"name": name, "remote": remote}
        repositories.append(busy.post("repositories/conda/conda/", **body)["pulp_href"])
    for options in ({}, {"optimize": False}):
        tasks = [busy.start_sync(repository, **options) for repository in repositories]
        for task in tasks:
            busy.wait(task)
    for repository in repositories:
        version = busy.get(busy.get(repository)["latest_version_href"])
        assert version["number"] == 1
        assert version["content_summary"]["present"]["conda.package"]["count"] == len(RECORDS)
    assert busy.get("content/conda/packages/")["count"] == len(RECORDS)
