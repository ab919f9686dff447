"""A selection has what its roots need, and says why."""

import random

import pytest

from pulp_conda.channel.errors import (
    BoundLeavesNothing,
    ContradictorySpecs,
    LockedFilesMissing,
    NotInstallable,
    RootMatchesNothing,
    SelectionTooLarge,
)
from pulp_conda.channel.lockfiles.model import LockedPackage
from pulp_conda.channel.selection.closure import Case, Question
from pulp_conda.channel.selection.curation import LockedRoots, RootGroup, curate
from pulp_conda.channel.selection.pool import Machine
from pulp_conda.channel.selection.rules import Offer, SelectionBounds
from tests.support.trying import solve_by_trying
from tests.unit.channel.test_selection import package

DAY = 24 * 60 * 60 * 1000
NOW = 1000 * DAY


def aged(name, version, days, **fields):
    return package(name, version, indexed_timestamp=NOW - days * DAY, **fields)


def select(*groups, source, base=(), locked=(), reason_against=lambda package: None, **bounds):
    """Select from packages; a group is its specs, or a `RootGroup`."""
    made = [
        group if isinstance(group, RootGroup) else RootGroup(f"group {n}", tuple(group))
        for n, group in enumerate(groups, 1)
    ]
    offer = Offer(
        _lookup(source),
        _lookup(base),
        lambda: {one.candidate.name for one in source},
        reason_against,
        frozenset({"linux-64", "noarch"}),
        NOW,
    )
    bounds = SelectionBounds(**{"with_dependencies": True, **bounds})
    return curate(made, locked, bounds, offer, solve_by_trying)


def _lookup(packages):
    return lambda names: [one for one in packages if one.candidate.name in names]


def stems(selected):
    return [path.rpartition("/")[2].removesuffix("-0.conda") for path in selected.packages]


CHANNEL = [
    package("app", "1.0", depends=["lib >=1"], size=10),
    package("app", "0.9", depends=["lib >=1"], size=10),
    package("app", "0.8", depends=["lib"], size=10),
    package("lib", "1.0", depends=["core"], subdir="noarch", size=5),
    package("lib", "0.1", size=5),
    package("core", "1.0", size=1),
    package("other", "1.0", depends=["lib"], size=1),
    package("bad", "1.0", depends=["core >=3"]),
]


def test_a_report_counts_per_platform_and_per_root():
    report = select(["app"], ["other", "core"], source=CHANNEL).report()
    assert (report["count"], report["size"]) == (6, 32)
    assert report["platforms"] == {
        "linux-64": {"count": 5, "size": 27},
        "noarch": {"count": 1, "size": 5},
    }
    assert report["roots"] == [
        {"group": "group 1", "spec": "app", "count": 4, "size": 26},
        {"group": "group 2", "spec": "other", "count": 4, "size": 12},
        {"group": "group 2", "spec": "core", "count": 1, "size": 1},
    ]


def test_each_alternative_is_complete():
    source = [
        *(package("python", version) for version in ("3.11", "3.12", "3.13")),
        *(package("np", "1.0", f"py{n}", depends=[f"python 3.{n}"]) for n in (11, 12)),
        package("np", "2.0", "py13", depends=["python 3.13"]),
    ]
    selected = select(["np"], source=source, newest=1, for_each=("python 3.11", "python 3.13"))
    assert {path.rpartition("/")[2] for path in selected.packages} == {
        "np-1.0-py11.conda",
        "np-2.0-py13.conda",
        "python-3.11-0.conda",
        "python-3.13-0.conda",
    }


def test_each_machine_is_served():
    source = [
        package("app", "2.0", depends=["__glibc >=2.28"]),
        package("app", "1.0", depends=["__glibc >=2.17"]),
    ]
    machines = ({"__glibc": "2.17"}, {"__glibc": "2.39"})
    assert stems(select(["app"], source=source, newest=1)) == ["app-2.0"]
    assert stems(select(["app"], source=source, newest=1, machines=machines)) == [
        "app-1.0",
        "app-2.0",
    ]


def test_what_a_base_channel_has_is_not_mirrored():
    base = [package("lib", "1.5"), package("core", "7")]
    selected = select(["app"], source=CHANNEL, base=base)
    assert stems(selected) == ["app-0.9", "app-1.0"]
    assert selected.why("lib")["reasons"] == [
        "A base channel has 'lib', so that it is not mirrored."
    ]


def test_a_base_channel_that_lacks_a_version_is_no_help():
    with pytest.raises(NotInstallable, match="lib >=1"):
        select(["app >=0.9"], source=CHANNEL, base=[package("lib", "0.5")])


def test_a_root_comes_from_the_upstream_even_if_a_base_channel_has_it():
    assert stems(select(["lib"], source=CHANNEL, base=[package("lib", "3"), CHANNEL[5]])) == [
        "lib-0.1",
        "lib-1.0",
    ]


def test_a_lock_file_is_taken_as_it_is():
    files = [(one, locked_file(one)) for one in (CHANNEL[2], CHANNEL[5])]
    lock = LockedRoots("lock file 1 of group 1", tuple(file for _, file in files))
    selected = select(source=CHANNEL, locked=[lock])
    assert stems(selected) == ["app-0.8", "core-1.0"]
    assert selected.why("app")["way"] == ["lock file 1 of group 1 names linux-64/app-0.8-0.conda"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param([], "the upstream has no linux-64/app-0.8-0.conda", id="absent"),
        pytest.param(
            [package("app", "0.8", sha256="f" * 64)], "is another file", id="another file"
        ),
    ],
)
def test_a_lock_file_that_is_not_whole_is_an_error(source, words):
    lock = LockedRoots("lock file 1 of group 1", (locked_file(CHANNEL[2]),))
    with pytest.raises(LockedFilesMissing, match=words):
        select(source=source, locked=[lock])


def locked_file(one):
    candidate = one.candidate
    url = f"https://example.org/{candidate.path}"
    return LockedPackage(url, candidate.subdir, candidate.filename, sha256=candidate.sha256)


WITH_BOUNDS = [
    *CHANNEL,
    aged("fresh", "2", 3, depends=["young"]),
    aged("young", "1", 3),
    package("beta", "1.0rc1"),
    package("odd", "1", track_features="odd"),
]


@pytest.mark.parametrize(
    ("specs", "bounds", "error", "words"),
    [
        pytest.param(["ap"], {}, RootMatchesNothing, "Similar names: 'app'", id="no name"),
        pytest.param(["app >=2"], {}, RootMatchesNothing, "none that the spec", id="no version"),
        pytest.param(["x*"], {}, RootMatchesNothing, "x", id="no name like this"),
        pytest.param(
            ["app >=1", "app <1"], {}, ContradictorySpecs, "'app >=1', 'app <1'", id="contradiction"
        ),
        pytest.param(["bad"], {}, NotInstallable, "core >=3", id="cannot be installed"),
        pytest.param(["app"], {"max_packages": 3}, SelectionTooLarge, "4 packages", id="many"),
        pytest.param(["app"], {"max_bytes": 25}, SelectionTooLarge, "'max_bytes' 25", id="large"),
        pytest.param(
            ["fresh"], {"min_age_days": 100}, BoundLeavesNothing, "'min_age_days' 3.$", id="young"
        ),
        pytest.param(
            ["beta"], {"prereleases": "never"}, BoundLeavesNothing, "'if_needed'", id="beta"
        ),
        pytest.param(
            ["odd"], {"track_features": "never"}, BoundLeavesNothing, "'if_needed'", id="features"
        ),
        pytest.param(
            ["app >=0.9"],
            {"reason_against": lambda one: "blocked: bad" if one.name == "core" else None},
            BoundLeavesNothing,
            "blocks",
            id="blocked",
        ),
    ],
)
def test_what_cannot_be_selected_says_why_and_what_would_do(specs, bounds, error, words):
    with pytest.raises(error, match=words):
        select(specs, source=WITH_BOUNDS, **bounds)


def test_a_soft_bound_gives_way():
    source = [aged("app", "3.0", 1), aged("app", "2.0rc1", 5), aged("app", "1.0", 900)]
    assert stems(select(["app"], source=source, newest=2)) == ["app-1.0", "app-3.0"]
    assert stems(select(["app"], source=source, max_age_days=30, newest=2)) == ["app-3.0"]
    assert stems(select(["app <3"], source=source, prereleases="all", newest=1)) == ["app-2.0rc1"]
    assert stems(select(["app <1.5"], source=source, max_age_days=30)) == ["app-1.0"]
    builds = [package("app", "1", "0"), package("app", "1", "1", build_number=1)]
    assert len(select(["app"], source=builds).packages) == 1
    assert len(select(["app"], source=builds, builds="all").packages) == 2


def test_why_says_what_keeps_a_package_out():
    source = [
        *CHANNEL,
        package("app", "2.0", depends=["lib >=9"]),
        aged("core", "2.0", 1),
    ]
    selected = select(["app"], source=source, min_age_days=5, newest=1)
    assert selected.why("linux-64/core-2.0-0.conda")["reasons"] == [
        "linux-64/core-2.0-0.conda is left out: younger than 5 days ('min_age_days')"
    ]
    assert selected.why("other")["reasons"] == ["No root leads to this name."]
    assert "newer ones" in selected.why("app-0.8-0.conda")["reasons"][0]
    assert selected.report()["left_out"] == [
        {"rule": "younger than 5 days ('min_age_days')", "count": 1}
    ]


def test_an_environment_is_wanted_on_its_own_platform():
    group = RootGroup("environment 'e'", ("app",), "linux-64", {}, own=False)
    assert "app-1.0" in stems(select(group, source=CHANNEL))
    only_windows = [package("app", "1", subdir="win-64")]
    with pytest.raises(NotInstallable, match="linux-64"):
        select(group, source=only_windows)


@pytest.mark.parametrize("seed", range(40))
def test_what_the_whole_channel_can_install_the_selection_can(seed):
    chance = random.Random(seed)
    source = list(_random_channel(chance))
    names = sorted({one.candidate.name for one in source})
    specs = chance.sample(names, chance.randint(1, 3))
    bounds = {"newest": chance.choice([0, 1, 2]), "builds": chance.choice(["newest", "all"])}
    possible = _answer(source, specs)
    try:
        selected = select(specs, source=source, **bounds)
    except NotInstallable:
        assert possible.paths is None
        return
    assert possible.paths is not None
    packages = list(selected.packages.values())
    assert set(possible.paths) <= selected.packages.keys()
    for some in ([spec] for spec in specs):
        assert _answer(packages, some).paths == _answer(source, some).paths


def _random_channel(chance):
    for name in "abcdef":
        for version in range(1, chance.randint(2, 4)):
            for build in range(chance.randint(1, 2)):
                others = chance.sample("abcdef", chance.randint(0, 2))
                depends = [
                    f"{other} {chance.choice(['>=1', '<=1', '>=2', '==1', '<=2'])}"
                    for other in others
                    if other > name
                ]
                yield package(name, f"{version}", f"{build}", build_number=build, depends=depends)


def _answer(packages, specs):
    question = Question(tuple(specs))
    case = Case("linux-64", Machine({}), packages, frozenset(), [question])
    return solve_by_trying(case)[question]


def test_a_pattern_takes_each_package_by_itself():
    source = [
        *CHANNEL[:7],
        package("lib-a", "1", depends=["core <1"]),
        package("lib-b", "1", depends=["core >=1"]),
        package("core", "0.5"),
    ]
    selected = select(["lib-*"], source=source)
    assert stems(selected) == ["core-0.5", "core-1.0", "lib-a-1", "lib-b-1"]
    assert selected.why("core")["way"][0].startswith("'lib-*' of group 1: ")
