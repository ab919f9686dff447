"""Whoever asks about a state does not care whether it is one version or two.

The state of two versions stands here in the place of what a channel that merges others will have: a
package name belongs to the first version that has it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from pulpcore.app.contexts import with_task_context  # noqa: TID251  workers have no other way
from pulpcore.plugin.models import ProgressReport, PublishedMetadata, Task

from pulp_conda.app.lifecycle.gates import judge
from pulp_conda.app.lifecycle.gates.case import Case
from pulp_conda.app.models import (
    CondaEnvironment,
    CondaPackage,
    CondaPatch,
    CondaPublication,
    CondaRepository,
    IndexedFile,
)
from pulp_conda.app.models.patch import diff_patches
from pulp_conda.app.publishing.channel import write_files
from pulp_conda.app.solving.selection import choose_packages
from pulp_conda.app.solving.solutions import environments_of
from pulp_conda.app.versions.candidates import candidates, candidates_named, names_of
from pulp_conda.app.versions.comparison import compare, count_changes
from pulp_conda.app.versions.records import package_rows
from pulp_conda.app.versions.state import NOTHING, VersionState
from pulp_conda.channel.selection.closure import Bounds
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class _TwoVersions:
    first: VersionState
    second: VersionState

    made = datetime(2100, 1, 1, tzinfo=UTC)

    def members(self, prefix):
        first, second = self.first.members(f"{prefix}_1"), self.second.members(f"{prefix}_2")
        return f"""
        SELECT * FROM ({first}) AS first
        UNION ALL
        SELECT second.* FROM ({second}) AS second
            LEFT JOIN conda_condapackage AS candidate ON candidate.content_ptr_id = second.content
        WHERE second.content NOT IN (SELECT content FROM ({first}) AS first)
            AND (candidate.name IS NULL OR {self._is_free("candidate.name", prefix)})
        """

    def origin(self, content, prefix):
        first = self.first.origin(content, f"{prefix}_1")
        second = self.second.origin(content, f"{prefix}_2")
        name = f"(SELECT name FROM conda_condapackage WHERE content_ptr_id = {content})"
        return f"""
        SELECT * FROM ({first}) AS first
        UNION ALL
        SELECT * FROM ({second}) AS second
        WHERE NOT EXISTS ({first}) AND {self._is_free(name, prefix)}
        """

    def facts(self, prefix):
        return self.first.facts(f"{prefix}_1") | self.second.facts(f"{prefix}_2")

    def having(self, contents):
        first = self.first.having(contents)
        second = self.second.having(contents)
        if contents.model is CondaPackage:
            owned = self.first.having(CondaPackage.objects.all()).filter(name=OuterRef("name"))
            second = second.exclude(Exists(owned))
        return contents.filter(Q(pk__in=first.values("pk")) | Q(pk__in=second.values("pk")))

    def _is_free(self, name, prefix):
        return f"""{name} NOT IN (
            SELECT owned.name FROM ({self.first.members(f"{prefix}_1")}) AS first
                JOIN conda_condapackage AS owned ON owned.content_ptr_id = first.content
        )"""


def _state(name, *units):
    repository = CondaRepository.objects.create(name=name)
    with repository.new_version() as version:
        for unit in units:
            version.add_content(type(unit).objects.filter(pk=unit.pk))
    return VersionState(version)


@pytest.fixture
def states():
    """A state of two versions, one of a version with the same content, and one to compare with."""
    units = {
        "own": CondaPackage.from_record(make_record("numpy", "1.0", depends=["shared"])),
        "hidden": CondaPackage.from_record(make_record("numpy", "2.0")),
        "shared": CondaPackage.from_record(make_record("shared", "1.0")),
        "other": CondaPackage.from_record(
            make_record("scipy", "1.0", subdir="linux-64", depends=["numpy"], license="AGPL-3.0")
        ),
        "old": CondaPackage.from_record(make_record("scipy", "0.9", subdir="linux-64")),
        "web": CondaEnvironment(
            name="web", digest="w", platforms=["linux-64"], requirements={"linux-64": ["numpy"]}
        ),
        "patch": CondaPatch(
            **CondaPatch.columns(
                "noarch",
                {"packages.conda": {"numpy-1.0-0.conda": {"license": "MIT"}}},
                author="ana",
                reason="It is MIT.",
            )
        ),
    }
    for unit in units.values():
        unit.save()
    first = _state("first", units["own"], units["shared"], units["patch"])
    second = _state("second", units["hidden"], units["shared"], units["other"], units["web"])
    merged = (units[name] for name in ("own", "shared", "other", "web", "patch"))
    one = _state("one", *merged)
    # A channel of its own would have first offered these files at another moment.
    IndexedFile.objects.update(indexed_timestamp=1)
    return SimpleNamespace(
        two=_TwoVersions(first, second),
        one=one,
        before=_state("before", units["old"], units["shared"]),
    )


def _same(states, ask):
    """Return the answer about the version, which has to be that about the two versions."""
    answer = ask(states.one)
    assert ask(states.two) == answer
    return answer


def _paths(packages):
    return [package.path for package in packages]


def test_rules_see_the_packages_of_both_versions(states):
    paths = _same(states, lambda state: _paths(candidates(state)))
    assert paths == [
        "linux-64/scipy-1.0-0.conda",
        "noarch/numpy-1.0-0.conda",
        "noarch/shared-1.0-0.conda",
    ]
    new = _same(
        states,
        lambda state: [package.is_new for package in candidates(state, states.before)],
    )
    assert new == [True, True, False]
    # And the other way round: what is new since the two versions.
    new = _same(
        states,
        lambda state: [package.is_new for package in candidates(states.before, state)],
    )
    assert new == [True, False]


def test_packages_are_found_by_name(states):
    names = ["numpy", "scipy"]
    assert len(_same(states, lambda state: _paths(candidates_named(state, names)))) == 2
    assert _same(states, lambda state: sorted(names_of(state))) == ["numpy", "scipy", "shared"]


def test_packages_are_chosen_with_what_they_need(states):
    def choose(state):
        found = choose_packages(["scipy"], state, NOTHING, Bounds())
        return sorted(_paths(found.packages)), found.unmet

    assert len(_same(states, choose)[0]) == 3
    into = _same(
        states,
        lambda state: _paths(choose_packages(["scipy"], states.before, state, None).packages),
    )
    assert into == ["linux-64/scipy-0.9-0.conda"]


def test_differences_are_those_of_the_content(states):
    def told(base, target):
        with compare(base, target) as changes:
            page = [(name.name, name.summary, dict(name.counts)) for name in changes.page()]
            assert count_changes(base, target) == sum(changes.counts().values())
        return page

    forward = _same(states, lambda state: told(states.before, state))
    assert forward == [("numpy", "new", {"added": 1}), ("scipy", "upgraded", forward[1][2])]
    assert len(_same(states, lambda state: told(state, states.before))) == 2
    assert told(states.one, states.two) == told(states.two, states.one) == []
    patches = _same(states, lambda state: diff_patches(states.before, state))
    assert len(patches["added"]) == 1


def test_environments_and_patches_come_from_both_versions(states):
    assert len(_same(states, environments_of)) == 1
    patches = _same(
        states, lambda state: CondaPatch.active(state, timezone.now())["noarch"].document()
    )
    assert "numpy-1.0-0.conda" in json.dumps(patches)


def test_a_gate_judges_what_the_state_has(states):
    gate = {"name": "l", "kind": "policy", "action": "block", "licenses": {"denied": ["AGPL-*"]}}

    def ask(state):
        case = _Case(None, None, None, None, state=state, state_before=states.before)
        ((_gate, verdict),) = judge([gate], case)
        return verdict

    assert [finding["rule"] for finding in _same(states, ask).findings] == ["licenses"]


@dataclass(frozen=True)
class _Case(Case):
    state: object = None
    state_before: object = None


def test_the_publisher_writes_the_same_files(states, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with package_rows(states.one) as rows:
        expected = [row.filename for row in rows]
    with package_rows(states.two) as rows:
        assert [row.filename for row in rows] == expected

    def files(state):
        folder = Path(tmp_path, type(state).__name__)
        folder.mkdir()
        task = Task.objects.create(name="publish", state="running", logging_cid="")
        version = states.one.version
        with with_task_context(task), CondaPublication.create(version) as publication:
            write_files(publication, state, folder, ProgressReport(message="", code=""))
        written = PublishedMetadata.objects.filter(publication=publication)
        return {
            metadata.relative_path: metadata.contentartifact_set.get().artifact.sha256
            for metadata in written
        }

    assert "noarch/repodata_shards.msgpack.zst" in _same(states, files)
