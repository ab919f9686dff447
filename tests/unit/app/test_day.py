"""A publication that takes over what did not change is the same as one that is written in full."""

import hashlib
import logging
import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import zstandard
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pulpcore.app.contexts import with_task_context  # noqa: TID251  workers have no other way
from pulpcore.plugin.models import (
    Artifact,
    Content,
    ProgressReport,
    PublishedArtifact,
    Task,
)

from pulp_conda.app.checks import check_zstd_level
from pulp_conda.app.models import (
    BlockedFile,
    CondaBlock,
    CondaPackage,
    CondaPackageInfo,
    CondaPatch,
    CondaPublication,
    CondaRepository,
    NameBlock,
    PublicationLayout,
    PublicationNames,
    PublishedShard,
    UpstreamSummary,
)
from pulp_conda.app.publishing import base, names
from pulp_conda.app.publishing.channel import publish_version, write_files
from pulp_conda.app.publishing.shards import remove_unused_shards
from pulp_conda.app.versions.state import VersionState
from pulp_conda.channel.metadata.names import decode_block, decode_facts, decode_lines, name_of
from pulp_conda.channel.package.info import TRAITS, PackageInfo
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db

# More sequences take longer, and find rarer faults: set DAY_SEQUENCES to 200.
SEQUENCES = int(os.environ.get("DAY_SEQUENCES", "2"))
STEPS = 8

# One is the beginning of another, and the characters sort otherwise in most locales.
NAMES = ["a", "a-b", "a.b", "a_b", "ab", "b", "_x", "1"]
SUBDIRS = ["noarch", "linux-64", "osx-arm64"]
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_a_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = Task.objects.create(name="publish", state="running", logging_cid="")
    with with_task_context(task):
        yield


class _Channel:
    """A channel that changes at random, and is published after each change in both ways."""

    def __init__(self, seed, settings):
        self.random = random.Random(seed)
        self.settings = settings
        self.repository = CondaRepository.objects.create(name=f"team-{seed}")
        self.moment = MOMENT
        self.serial = count()
        self.compared_bytes = 0
        self.checked = set()
        self.change([self.saved(self.record()) for _ in range(25)])

    def step(self):
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 4])):
            self.random.choice(
                [self.add] * 4
                + [self.remove, self.replace_record, self.yank, self.yank, self.patch, self.patch]
                + [self.unpatch, self.expire, self.block, self.unblock, self.learn, self.learn]
                + [self.learn_late, self.summarize, self.relate, self.compress, self.delete]
                + [self.lose_subdir, self.switch_shards]
            )()

    def latest(self):
        return self.repository.latest_version()

    def packages(self):
        return list(self.latest().get_content(CondaPackage.objects.order_by("pk")))

    def change(self, added=(), removed=()):
        with self.repository.new_version() as version:
            version.remove_content(Content.objects.filter(pk__in=[unit.pk for unit in removed]))
            version.add_content(Content.objects.filter(pk__in=[unit.pk for unit in added]))

    def record(self, name=None):
        subdir = self.random.choice(SUBDIRS)
        fields = {
            "depends": self.random.choice([[], ["b >=1", "ünï <2"]]),
            "license": self.random.choice(["MIT", "}},{", ""]),
            "version": f"{self.random.randrange(3)}.{self.random.randrange(3)}",
        }
        if subdir == "noarch" and self.random.random() < 0.1:
            fields["noarch"] = "perl"  # no client could read it
        version = fields.pop("version")
        record = make_record(
            name or self.random.choice(NAMES),
            version,
            str(next(self.serial)),
            subdir=subdir,
            extension=self.random.choice([".conda", ".conda", ".tar.bz2"]),
            **fields,
        )
        if "noarch" in record.fields and record.fields["noarch"] != "generic":
            return record
        in_v3 = self.random.random() < 0.15
        return replace(record, in_v3=in_v3, corrections=self.random.choice([None, ()]))

    def saved(self, record):
        package = CondaPackage.from_record(record)
        package.save()
        return package

    def add(self):
        added = [self.saved(self.record()) for _ in range(self.random.randrange(1, 5))]
        self.change(added)

    def remove(self):
        if packages := self.packages():
            self.change(removed=self.random.sample(packages, min(2, len(packages))))

    def lose_subdir(self):
        subdir = self.random.choice(SUBDIRS)
        if packages := [package for package in self.packages() if package.subdir == subdir]:
            self.change(removed=packages)

    def replace_record(self):
        blocked = set(BlockedFile.objects.values_list("sha256", flat=True))
        if packages := [each for each in self.packages() if each.sha256 not in blocked]:
            old = self.random.choice(packages).as_record()
            fields = {**old.fields, "depends": [f"x =={next(self.serial)}"]}
            self.change([self.saved(replace(old, fields=fields))])

    def path(self):
        """Return the subdir and the file name of a package, or None if there is none."""
        packages = self.packages()
        if not packages:
            return None
        package = self.random.choice(packages)
        return package.subdir, package.filename

    def make_patch(self, subdir, document, author="ada", expires_at=None):
        columns = CondaPatch.columns(subdir, document, author, str(next(self.serial)), expires_at)
        self.change([CondaPatch.objects.create(**columns)])

    def patch(self):
        if not (path := self.path()):
            return
        subdir, filename = path
        section = "packages.conda" if filename.endswith(".conda") else "packages"
        changes = self.random.choice(
            [{"license": f"L{next(self.serial)}"}, {"depends": None}, {"schema_version": 3}]
        )
        expires_at = self.random.choice([None, self.moment + timedelta(days=2)])
        self.make_patch(subdir, {section: {filename: changes}}, expires_at=expires_at)

    def yank(self):
        if not (path := self.path()):
            return
        subdir, filename = path
        key, author = self.random.choice([("remove", "ada"), ("revoke", "ada"), ("removed", "")])
        more = ["gone-1.0-0.conda"] if self.random.random() < 0.3 else []
        self.make_patch(subdir, {key: [filename, *more]}, author)

    def unpatch(self):
        if patches := list(self.latest().get_content(CondaPatch.objects.order_by("pk"))):
            self.change(removed=[self.random.choice(patches)])

    def expire(self):
        self.moment += timedelta(days=1)

    def block(self):
        if packages := self.packages():
            digest = self.random.choice(packages).sha256
            CondaBlock.objects.get_or_create(sha256=digest, public_reason="x")[0].match()

    def unblock(self):
        if block := CondaBlock.objects.order_by("pk").first():
            block.delete()

    def learn(self):
        if packages := self.packages():
            weak = [f"r{next(self.serial)}"]
            info = PackageInfo(
                run_exports={"weak": weak},
                about={"summary": f"S{next(self.serial)}"},
                link=None,
                licenses=(),
                traits={trait: self.random.random() < 0.5 for trait in TRAITS},
            )
            CondaPackageInfo.remember(self.random.choice(packages).sha256, info)

    def learn_late(self):
        """Commit something that was noted before the latest publication looked."""
        self.learn()
        rows = CondaPackageInfo.objects.order_by("-pulp_created")[:1]
        early = self.latest().pulp_created - timedelta(minutes=1)
        for row in rows:
            CondaPackageInfo.objects.filter(pk=row.pk).update(
                run_exports_known_at=early, read_at=early
            )

    def summarize(self):
        UpstreamSummary.objects.get_or_create(
            repository=self.repository,
            name=self.random.choice(NAMES),
            since=self.latest().number + self.random.choice([0, 1]),
            defaults={"summary": {"home": f"https://{next(self.serial)}"}},
        )

    def relate(self):
        self.set(channel_relations=self.random.choice([{}, {"base": "../forge"}]))

    def switch_shards(self):
        self.set(shards=not self.repository.shards)

    def set(self, **values):
        CondaRepository.objects.filter(pk=self.repository.pk).update(**values)
        self.repository.refresh_from_db()

    def compress(self):
        self.settings.CONDA_ZSTD_LEVEL = self.random.choice(["fast", "small", 3])

    def delete(self):
        if publication := CondaPublication.objects.order_by("-pulp_created").first():
            publication.delete()

    def publish(self):
        """Publish a version in both ways, and compare."""
        versions = list(self.repository.versions.complete().order_by("number"))
        version = versions[-1] if self.random.random() < 0.8 else self.random.choice(versions)
        day, report_of_day = _publish(version, self.moment)
        full, report = _publish(version, self.moment, in_full=True)
        found, expected = _files(day), _files(full)
        assert {path: a.sha256 for path, a in found.items()} == {
            path: a.sha256 for path, a in expected.items()
        }
        assert day.package_counts == full.package_counts
        assert day.withheld == full.withheld
        assert report_of_day == report
        assert _shards(day) == _shards(full)
        assert _layout(day) == _layout(full)
        assert _names(day) == _names(full)
        self.compared_bytes += sum(artifact.size for artifact in expected.values())
        self.check_digests(found)
        full.delete()

    def check_digests(self, files):
        for path, artifact in files.items():
            if artifact.pk in self.checked:
                continue
            self.checked.add(artifact.pk)
            data = _read(artifact)
            assert artifact.size == len(data)
            for name in Artifact.DIGEST_FIELDS:
                assert getattr(artifact, name) == hashlib.new(name, data).hexdigest()
            if path.endswith("json.zst"):
                plain = files[path.removesuffix(".zst")]
                assert zstandard.decompress(data) == _read(plain)
                assert zstandard.frame_content_size(data) == plain.size


def _publish(version, moment=None, in_full=False):
    ProgressReport.objects.all().delete()
    with (
        TemporaryDirectory(dir=Path.cwd()) as folder,
        CondaPublication.create(version, pass_through=True) as publication,
        ProgressReport(message="Publishing packages", code="publish.packages") as progress,
    ):
        progress.total = version.count(content_type="conda.package")
        write_files(
            publication, VersionState(version), Path(folder), progress, moment, in_full=in_full
        )
    remove_unused_shards()
    reports = ProgressReport.objects.order_by("message", "pk")
    return publication, list(reports.values_list("message", "done", "total"))


def _files(publication):
    return {
        each.relative_path: each.content_artifact.artifact
        for each in PublishedArtifact.objects.filter(publication=publication)
    }


def _read(artifact):
    with artifact.file.open("rb") as file:
        return file.read()


def _shards(publication):
    published = PublishedShard.objects.filter(publication=publication)
    return sorted(bytes(digest) for digest in published.values_list("shard__sha256", flat=True))


def _names(publication):
    """Return all that is kept of names, wherever the blocks of names begin."""
    kept = PublicationNames.objects.get(publication=publication)
    searched, depends = decode_lines(kept.searched), decode_lines(kept.depends)
    facts = {}
    blocks = NameBlock.objects.filter(publication=publication).order_by("first")
    for block in blocks:
        of_block = decode_block(block.data)
        assert block.first == min(of_block)
        facts |= {name: decode_facts(data) for name, data in of_block.items()}
    assert kept.count == len(facts)
    for lines in (searched, depends):
        assert [name_of(line) for line in lines] == list(facts) == sorted(facts)
    return searched, depends, facts


def _layout(publication):
    if found := PublicationLayout.objects.filter(publication=publication).first():
        return found.writer, found.facts, base.Places.decode(bytes(found.data))
    return None


def _damage(publication, path):
    artifact = _files(publication)[path]
    data = bytearray(_read(artifact))
    data[len(data) // 2] ^= 1
    storage = artifact.file.storage
    storage.delete(artifact.file.name)
    storage.save(artifact.file.name, ContentFile(bytes(data)))


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_random_changes_give_the_bytes_of_a_full_pass(seed, settings, caplog, monkeypatch):
    # So few that blocks of names begin, grow, are split and end.
    monkeypatch.setattr(names, "_BLOCK", 2)
    caplog.set_level(logging.INFO, "pulp_conda.app.publishing.channel")
    channel = _Channel(seed, settings)
    for _ in range(STEPS):
        channel.step()
        channel.publish()
    taken_over = [each for each in caplog.messages if "taken over" in each]
    assert taken_over
    print(f"{STEPS} publications, {len(taken_over)} taken over, {channel.compared_bytes} bytes")


@pytest.fixture
def two_days(settings):
    """A repository whose second version has one package more, and only its first version is
    published.
    """
    settings.CONDA_ZSTD_LEVEL = "fast"
    repository = CondaRepository.objects.create(name="team")
    # No other test has these bytes, which some tests damage: the files of the storage stay.
    license = uuid4().hex
    records = [
        make_record(name, subdir=subdir, license=license)
        for name in ("a", "b")
        for subdir in SUBDIRS[:2]
    ]
    _add(repository, *records)
    first, _ = _publish(repository.latest_version())
    _add(repository, make_record("a", "2.0"))
    return repository, first


def _add(repository, *records):
    packages = [CondaPackage.from_record(record) for record in records]
    for package in packages:
        package.save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.filter(pk__in=[each.pk for each in packages]))


def _published_again(repository, caplog):
    """Publish the latest version in both ways, and say whether the first took something over."""
    caplog.set_level(logging.INFO, "pulp_conda.app.publishing.channel")
    caplog.clear()
    day, _ = _publish(repository.latest_version())
    is_taken_over = any("taken over" in message for message in caplog.messages)
    full, _ = _publish(repository.latest_version(), in_full=True)
    found, expected = _files(day), _files(full)
    assert {path: a.sha256 for path, a in found.items()} == {
        path: a.sha256 for path, a in expected.items()
    }
    assert _shards(day) == _shards(full)
    return is_taken_over


def test_a_day_takes_over_what_did_not_change(two_days, caplog):
    repository, first = two_days
    with CaptureQueriesContext(connection) as queries:
        assert _published_again(repository, caplog)
    named = [query["sql"] for query in queries if "AS wanted CROSS JOIN LATERAL" in query["sql"]]
    assert any("ARRAY['a']" in statement or "'{a}'" in statement for statement in named)
    day = CondaPublication.objects.order_by("pulp_created")[1]
    before, after = _files(first), _files(day)
    same = {path for path in before if before[path].pk == after[path].pk}
    # An index of shards names the second in which its version was made.
    assert {path for path in same if "shards" not in path} == {
        "linux-64/repodata.json",
        "linux-64/repodata.json.zst",
        "linux-64/run_exports.json",
        "linux-64/run_exports.json.zst",
        "noarch/run_exports.json",
        "noarch/run_exports.json.zst",
    }


def test_a_version_that_is_published_again_reads_no_package(two_days, caplog):
    repository, _ = two_days
    _publish(repository.latest_version())
    with CaptureQueriesContext(connection) as queries:
        _publish(repository.latest_version())
    assert not [query for query in queries if "package.record" in query["sql"]]
    last, again = CondaPublication.objects.order_by("-pulp_created")[:2]
    assert {path: a.pk for path, a in _files(last).items()} == {
        path: a.pk for path, a in _files(again).items()
    }


def _lose(repository, publication):
    artifact = _files(publication)["noarch/repodata.json"]
    artifact.file.storage.delete(artifact.file.name)


def _cut(repository, publication):
    artifact = _files(publication)["channeldata.json"]
    data = _read(artifact)[:-1]
    artifact.file.storage.delete(artifact.file.name)
    artifact.file.storage.save(artifact.file.name, ContentFile(data))


def _learn_late(repository, publication):
    early = publication.repository_version.pulp_created - timedelta(minutes=1)
    package = CondaPackage.objects.get(name="b", subdir="noarch")
    CondaPackageInfo.objects.create(
        sha256=package.sha256, run_exports="{}", run_exports_known_at=early
    )


def _summarize_late(repository, publication):
    UpstreamSummary.objects.create(
        repository=repository, name="b", since=1, summary={"home": "https://b"}
    )


def _patch(repository, publication):
    document = {"packages.conda": {"b-1.0-0.conda": {"license": "MIT"}}}
    columns = CondaPatch.columns("noarch", document, "ada", "its first patch")
    patch = CondaPatch.objects.create(**columns)
    with repository.new_version() as version:
        version.add_content(CondaPatch.objects.filter(pk=patch.pk))


def _update_layout(**values):
    return lambda *_: PublicationLayout.objects.update(**values)


def _set(**values):
    return lambda *_: CondaRepository.objects.update(**values)


@pytest.mark.parametrize(
    "doubt",
    [
        pytest.param(_lose, id="a file is lost"),
        pytest.param(_cut, id="a file is cut short"),
        pytest.param(_learn_late, id="run_exports were committed late"),
        pytest.param(_summarize_late, id="a summary was committed late"),
        pytest.param(_patch, id="the first patch of a subdir"),
        pytest.param(_update_layout(writer="0" * 64), id="another writer"),
        pytest.param(lambda *_: PublicationLayout.objects.all().delete(), id="an old publication"),
        pytest.param(_set(channel_relations={"base": "../x"}), id="another relation"),
        pytest.param(_set(shards=False), id="no shards any more"),
        pytest.param(_set(legacy_metadata=True), id="legacy files"),
        pytest.param(lambda *_: CondaPublication.objects.all().delete(), id="no publication"),
        pytest.param(lambda *_: PublicationNames.objects.all().delete(), id="no names"),
    ],
)
def test_in_doubt_all_is_written_in_full(doubt, two_days, caplog):
    repository, first = two_days
    doubt(repository, first)
    repository.refresh_from_db()
    assert not _published_again(repository, caplog)


def test_another_level_takes_one_full_pass(two_days, settings, caplog):
    repository, _ = two_days
    settings.CONDA_ZSTD_LEVEL = {"repodata": "small"}
    assert not _published_again(repository, caplog)
    _add(repository, make_record("c"))
    assert _published_again(repository, caplog)


def test_a_large_change_is_written_in_full(two_days, monkeypatch, caplog):
    repository, _ = two_days
    monkeypatch.setattr(base, "_SMALL", 0)
    assert not _published_again(repository, caplog)


def test_a_damaged_file_is_not_copied_from(two_days, caplog):
    repository, first = two_days
    _damage(first, "noarch/repodata.json")
    assert not _published_again(repository, caplog)
    day = CondaPublication.objects.order_by("pulp_created")[1]
    for artifact in _files(day).values():
        assert hashlib.sha256(_read(artifact)).hexdigest() == artifact.sha256


def test_what_is_published_again_because_of_a_block_is_taken_over(two_days, caplog):
    caplog.set_level(logging.INFO, "pulp_conda.app.publishing.channel")
    _, first = two_days
    package = CondaPackage.objects.get(name="b", subdir="noarch")
    CondaBlock.objects.create(sha256=package.sha256, public_reason="x").match()
    again = publish_version(first.repository_version, replaces=first)
    assert any("taken over" in message for message in caplog.messages)
    assert again.package_counts == {"linux-64": 2, "noarch": 1}
    full, _ = _publish(first.repository_version, in_full=True)
    assert {path: a.sha256 for path, a in _files(again).items()} == {
        path: a.sha256 for path, a in _files(full).items()
    }


@pytest.mark.parametrize(
    "level, found",
    [
        ("fast", []),
        ({"repodata": "small", "shards": 3}, []),
        (1, []),
        (12, ["conda.W003"]),
        ("tiny", ["conda.E001"]),
    ],
)
def test_the_check_of_the_server_advises_named_levels(level, found, settings):
    settings.CONDA_ZSTD_LEVEL = level
    assert [message.id for message in check_zstd_level(None)] == found
