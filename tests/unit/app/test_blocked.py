"""What is blocked, and what it costs to know that."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulpcore.plugin.models import Domain

from pulp_conda.app.exceptions import CondaError
from pulp_conda.app.models import BlockedFile, CondaBlock, CondaPackage, CondaRepository
from pulp_conda.app.models.block import current_blocklist
from pulp_conda.app.versions.blocked import blocked_packages
from pulp_conda.app.versions.state import VersionState
from pulp_conda.channel.errors import BadMatchSpec
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def repository():
    return CondaRepository.objects.create(name="team")


def add(repository, *records):
    packages = [CondaPackage.from_record(record) for record in records]
    for package in packages:
        package.save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.filter(pk__in=[p.pk for p in packages]))
    return version


def block(reason="malware", **what):
    made = CondaBlock.objects.create(public_reason=reason, **what)
    made.match()
    return made


def is_free(version, record):
    return CondaPackage.at_path([version], record.subdir, record.filename).is_free


def test_a_request_asks_in_the_statement_that_finds_the_package(repository):
    bad, good = make_record("bad"), make_record("good")
    version = add(repository, bad, good)
    block(sha256=bad.sha256)
    with CaptureQueriesContext(connection) as queries:
        assert (is_free(version, bad), is_free(version, good)) == (False, True)
    assert len([query for query in queries if "conda_" in query["sql"]]) == 2


def test_the_oldest_of_two_blocks_gives_the_reason(repository):
    bad = make_record("bad")
    version = add(repository, bad)
    first = block("first", spec="bad 1.*")
    block("second", sha256=bad.sha256)
    assert BlockedFile.reason_of(bad.sha256) == "first"
    assert current_blocklist().reason_against(bad) == "first"
    first.delete()
    assert BlockedFile.reason_of(bad.sha256) == "second"
    assert not is_free(version, bad)
    assert [package.reason for package in blocked_packages(VersionState(version))] == ["second"]


def test_a_spec_blocks_all_packages_that_match_wherever_they_are(repository):
    matching = [make_record("bad", "1.0"), make_record("bad", "1.1", subdir="linux-64")]
    version = add(repository, *matching, make_record("bad", "2.0"), make_record("bad-base"))
    made = block(spec="bad <2")
    assert {file.sha256 for file in made.files.all()} == {record.sha256 for record in matching}
    assert [package.filename for package in blocked_packages(VersionState(version))] == [
        record.filename for record in sorted(matching, key=lambda record: record.subdir)
    ]
    made.match()
    assert made.files.count() == 2
    assert block(spec="bad-*").files.count() == 1


def test_a_block_in_another_domain_means_nothing_here(repository):
    bad = make_record("bad")
    version = add(repository, bad)
    other = Domain.objects.create(name="other", storage_class="x", storage_settings={})
    made = CondaBlock.objects.create(public_reason="x", spec="bad", pulp_domain=other)
    BlockedFile.objects.create(block=made, sha256=bad.sha256, pulp_domain=other)
    assert is_free(version, bad)
    assert blocked_packages(VersionState(version)) == []
    assert not current_blocklist()


def test_a_spec_that_matches_a_channel_as_a_whole_is_refused(repository, monkeypatch):
    monkeypatch.setattr("pulp_conda.app.models.block.MOST_PACKAGES", 1)
    add(repository, make_record("a"), make_record("b"))
    with pytest.raises(BadMatchSpec, match="more than 1 packages"):
        block(spec="*")


def test_a_version_takes_no_blocked_package_and_keeps_what_it_has(repository):
    bad = make_record("bad")
    add(repository, bad)
    block(spec="b*d")
    assert add(repository, make_record("good")).complete
    for name in ("bad", "bid"):
        with pytest.raises(CondaError, match="CND0070"):
            add(repository, make_record(name, "2.0"))


def test_a_version_asks_once_if_nothing_is_blocked(repository):
    with CaptureQueriesContext(connection) as queries:
        add(repository, make_record("good"))
    asked = [query for query in queries if "conda_blockedfile" in query["sql"]]
    assert len(asked) == 1
