"""Packages are selected by match specs, alone or with what they need."""

import json
import random

import pytest

from pulp_conda.channel.errors import (
    BadMatchSpec,
    NothingToPromote,
    NotInstallable,
    NotProven,
    SolverGaveUp,
    TooManyRoots,
)
from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.selection.closure import (
    Answer,
    Bounds,
    Case,
    Question,
    select_closure,
)
from pulp_conda.channel.selection.matching import select
from pulp_conda.channel.selection.pool import Package, Pool
from pulp_conda.channel.selection.survey import expand
from tests.support.trying import solve_by_trying
from tests.unit.channel.candidates import make_candidate


class _Channel:
    """Gives packages by name, and notes for which names it was asked."""

    def __init__(self, *packages):
        self.packages = packages
        self.asked = []

    def __call__(self, names):
        self.asked += names
        return [package for package in self.packages if package.name in names]

    def names(self):
        return {package.name for package in self.packages}


def _selected(specs, source, target=()):
    source, target = _Channel(*source), _Channel(*target)
    rows = select(specs, source=source, target=target, names=source.names)
    return [row.filename.removesuffix(".conda") for row in rows]


OPENSSL = [make_candidate("openssl", version) for version in ("3.5.0", "3.5.1", "4.0.0")]


@pytest.mark.parametrize(
    "specs, selected",
    [
        pytest.param(["openssl"], ["openssl-3.5.1-0", "openssl-4.0.0-0"], id="name"),
        pytest.param(["openssl 3.*"], ["openssl-3.5.1-0"], id="version"),
        pytest.param(["openssl 3.5.0"], [], id="there already"),
        pytest.param(["open*", "openssl >=4"], ["openssl-3.5.1-0", "openssl-4.0.0-0"], id="glob"),
    ],
)
def test_specs_select_what_the_target_does_not_have(specs, selected):
    assert _selected(specs, OPENSSL, OPENSSL[:1]) == selected


def test_names_are_asked_for_and_not_the_whole_channel():
    source, target = _Channel(*OPENSSL), _Channel(*OPENSSL)
    select(["openssl >=4"], source=source, target=target, names=None)
    assert source.asked == target.asked == ["openssl"]


def test_other_bytes_and_other_records_of_a_file_are_selected():
    package = OPENSSL[0]._replace(key=1)
    assert _selected(["openssl"], [package], [package]) == []
    assert _selected(["openssl"], [package], [package._replace(sha256="f" * 64)])
    assert _selected(["openssl"], [package], [package._replace(key=2)])


def test_specs_that_match_nothing_are_refused_with_their_names():
    with pytest.raises(NothingToPromote) as refused:
        _selected(["openssl", "openssl >=5", "perl", "no-*"], OPENSSL)
    assert refused.value.facts["specs"] == "'openssl >=5', 'perl', 'no-*'"


@pytest.mark.parametrize(
    "spec", [pytest.param("a >>1", id="parse"), pytest.param("a" * 10_000, id="long")]
)
def test_specs_that_do_not_parse_are_refused(spec):
    with pytest.raises(BadMatchSpec):
        _selected([spec], OPENSSL)


def test_a_spec_for_a_whole_channel_is_refused():
    packages = [make_candidate(f"p{n}") for n in range(10_001)]
    with pytest.raises(BadMatchSpec, match="more than 10000 packages"):
        _selected(["*"], packages)


def package(name, version="1.0", build="0", *, subdir="linux-64", size=1, **fields):
    """Return a package as the source of a selection has it."""
    in_record = {key: fields.pop(key) for key in ("constrains", "track_features") if key in fields}
    candidate = make_candidate(name, version, build, subdir=subdir, **fields)
    record = {"depends": candidate.depends, "size": size, **in_record}
    return Package.read(candidate, json.dumps(record).encode())


def close(specs, source, target=(), bounds=Bounds(), solve=solve_by_trying):
    specs = [specs] if isinstance(specs, str) else specs
    queries = [Query(spec) for spec in specs]
    asked = []

    def lookup(packages):
        def look(names):
            asked.extend(names)
            return [one for one in packages if one.candidate.name in names]

        return look

    pool = Pool(
        lookup(source), lookup(target), lambda one: any(query.matches(one) for query in queries)
    )
    roots = list(expand(queries, lambda: {one.candidate.name for one in source}))
    closed = select_closure(roots, pool, bounds, solve)
    assert len(asked) <= 2 * len(set(asked))  # of the source and of the target, each name once
    return closed


def stems(closed):
    return [one.path.removesuffix(".conda") for one in closed.packages]


def names(specs, source, target=(), **options):
    """Return the name, version and build of what is selected."""
    return sorted(stem.partition("/")[2] for stem in stems(close(specs, source, target, **options)))


LIB = [package("lib", version) for version in ("1.1", "1.2", "1.3", "1.9", "1.10")]


@pytest.mark.parametrize(
    ("depends", "source", "target", "added"),
    [
        pytest.param(["lib"], LIB, [], ["lib-1.10-0", "lib-1.9-0"], id="the newest two"),
        pytest.param(["lib <1.2"], LIB, [], ["lib-1.1-0"], id="the only one, however old"),
        pytest.param(["lib"], LIB, LIB[:1], [], id="satisfied by the target"),
        pytest.param(
            ["lib >=1.9"], LIB, LIB[:1], ["lib-1.10-0", "lib-1.9-0"], id="too old in the target"
        ),
        pytest.param(
            ["lib"],
            [package("lib", "2", f"h{n:07x}_{n}", build_number=n) for n in (9, 10, 1)],
            [],
            ["lib-2-h000000a_10"],
            id="the newest build",
        ),
        pytest.param(
            ["lib"],
            [
                package("lib", "2", build, build_number=int(build.partition("_")[0]))
                for build in ("9_h1234567_mkl", "8_h1234567_mkl", "7_h7654321_openblas")
            ],
            [],
            ["lib-2-7_h7654321_openblas", "lib-2-9_h1234567_mkl"],
            id="the newest build of each variant",
        ),
        pytest.param(
            ["lib"],
            [package("lib", v) for v in ("1.0", "1.1", "2.0a1", "2.0rc1")],
            [],
            ["lib-1.0-0", "lib-1.1-0", "lib-2.0rc1-0"],
            id="a prerelease only if the solver takes it",
        ),
        pytest.param(
            ["lib >=2.0rc1"],
            [package("lib", v) for v in ("1.0", "1.1", "2.0rc1")],
            [],
            ["lib-2.0rc1-0"],
            id="a prerelease if nothing else will do",
        ),
        pytest.param(
            ["lib"],
            [package("lib", "1.0"), package("lib", "2.0", track_features="debug")],
            [],
            ["lib-1.0-0"],
            id="no features",
        ),
        pytest.param(
            ["lib"],
            [
                package("lib", "2", subdir="win-64"),
                package("lib", "1"),
                package("lib", "3", subdir="noarch"),
            ],
            [],
            ["lib-1-0", "lib-3-0"],
            id="for the platform and for all",
        ),
        pytest.param(
            ["lib"],
            [package("lib", "2", filename=f"lib-2-0{end}") for end in (".conda", ".tar.bz2")],
            [],
            ["lib-2-0"],
            id="one of both formats",
        ),
        pytest.param(
            ["lib"],
            [package("lib", "2", f"py{n}_0", depends=[f"python 3.{n}.*"]) for n in (11, 12, 13)]
            + [package("python", "3.13.1")],
            [package("python", "3.11.1"), package("python", "3.12.1")],
            ["lib-2-py11_0", "lib-2-py12_0"],
            id="no builds for another Python than those of the target",
        ),
        pytest.param(
            ["lib", "gone"],
            [
                package("lib", "1"),
                package("lib", "2", depends=["broken"]),
                package("broken", depends=["lib 7"]),
            ],
            [],
            ["lib-1-0"],
            id="nothing that cannot be installed",
        ),
    ],
)
def test_what_packages_need_goes_along(depends, source, target, added):
    app = package("app", depends=[*depends, "__glibc >=2.17"])
    assert names("app", [app, *source], target) == ["app-1.0-0", *added]


@pytest.mark.parametrize(
    ("newest", "count"),
    [pytest.param(1, 1, id="one"), pytest.param(3, 3, id="three"), pytest.param(0, 5, id="all")],
)
def test_the_number_of_releases_can_be_chosen(newest, count):
    app = package("app", depends=["lib"])
    bounds = Bounds(newest)
    assert len(names("app", [app, *LIB], bounds=bounds)) == 1 + count
    assert len(names("lib", LIB, bounds=bounds)) == count


def test_an_old_release_comes_if_only_that_goes_with_the_rest():
    # The newest two releases of both satisfy each dependency, and no two of them go together.
    source = [
        package("app", depends=["left", "right"]),
        *(
            package("left", str(n), depends=["middle 1" if n < 5 else "middle 2"])
            for n in (4, 5, 6)
        ),
        *(package("right", str(n), depends=["middle 1"]) for n in (1, 2)),
        package("middle", "1"),
        package("middle", "2"),
    ]
    assert "left-4-0" in names("app", source)


def test_a_build_that_replaced_another_does_not_keep_it_out():
    # The newest build of `lib` does not go with what `app` needs. The one before does.
    source = [
        package("app", depends=["lib", "tool 1"]),
        package("lib", "1", "h1111111_0", build_number=0, depends=["tool"]),
        package("lib", "1", "h2222222_1", build_number=1, depends=["tool >=2"]),
        package("tool", "1"),
        package("tool", "2"),
    ]
    assert "lib-1-h1111111_0" in names("app", source)


def test_the_specs_of_one_request_go_together():
    source = [package("app", "1", f"py{n}", depends=[f"python 3.{n}.*"]) for n in (11, 12, 13)] + [
        package("python", f"3.{n}.1") for n in (11, 12, 13)
    ]
    assert names(["python 3.12.*", "app"], source) == ["app-1-py12", "python-3.12.1-0"]
    # Several specs for one name are alternatives, and each is complete.
    assert names(["python 3.12.*", "python 3.13.*", "app"], source) == [
        "app-1-py12",
        "app-1-py13",
        "python-3.12.1-0",
        "python-3.13.1-0",
    ]


def test_python_comes_with_pip_because_clients_add_it():
    source = [
        package("python", depends=["lib"]),
        package("lib"),
        package("pip", subdir="noarch", depends=["python"]),
    ]
    assert names("python", source) == ["lib-1.0-0", "pip-1.0-0", "python-1.0-0"]
    # Without it, Python is as good as before.
    assert names("python", source[:2]) == ["lib-1.0-0", "python-1.0-0"]


def test_each_platform_gets_what_it_needs():
    app = package("app", subdir="noarch", depends=["lib"])
    source = [
        app,
        package("lib", "1", subdir="linux-64"),
        package("lib", "2", subdir="linux-64"),
        package("lib", "1", subdir="win-64"),
        package("lib", "1", subdir="win-64", build="broken", depends=["__linux"]),
    ]
    assert stems(close("app", source)) == [
        "linux-64/lib-1-0",
        "linux-64/lib-2-0",
        "noarch/app-1.0-0",
        "win-64/lib-1-0",
    ]


def test_a_platform_where_a_package_cannot_be_installed_is_reported():
    source = [
        package("app", subdir="linux-64", depends=["lib"]),
        package("app", subdir="win-64", depends=["lib"]),
        package("lib", subdir="linux-64"),
    ]
    closed = close("app", source)
    assert stems(closed) == ["linux-64/app-1.0-0", "linux-64/lib-1.0-0"]
    assert closed.not_installable == [
        "on win-64, win-64/app-1.0-0.conda needs 'lib', which nothing in win-64 or noarch satisfies"
    ]


def test_dependencies_on_names_that_nobody_has_are_left_to_other_channels():
    source = [package("app", depends=["lib", "tzdata >=2024"]), package("lib", depends=["tzdata"])]
    closed = close("app", source)
    assert stems(closed) == ["linux-64/app-1.0-0", "linux-64/lib-1.0-0"]
    assert [unmet.depends for unmet in closed.unmet] == ["tzdata", "tzdata >=2024"]


def test_the_bytes_are_counted():
    assert close("app", [package("app", size=3, depends=["lib"]), package("lib", size=4)]).size == 7


@pytest.mark.parametrize(
    ("specs", "source", "reason"),
    [
        pytest.param(
            "app",
            [package("app", depends=["lib"]), package("lib", depends=["tool 2"]), package("tool")],
            "linux-64/app-1.0-0.conda needs 'lib', and linux-64/lib-1.0-0.conda needs 'tool 2', "
            "which nothing in linux-64 or noarch satisfies",
            id="a dependency of a dependency",
        ),
        pytest.param(
            "app",
            [package("app", depends=["__cuda >=12"])],
            "needs '__cuda >=12', which the machine does not have",
            id="machine",
        ),
        pytest.param(
            "app",
            [package("app", constrains=["__glibc >=2.34"])],
            "does not go with the machine: it allows only '__glibc >=2.34'",
            id="a constraint on the machine",
        ),
        pytest.param(
            "app", [package("app", depends=["a >>1"])], "which is not a match spec", id="odd text"
        ),
        pytest.param(
            ["python 3.12.*", "app"],
            [
                package("app", depends=["python 3.11.*"]),
                package("python", "3.11"),
                package("python", "3.12"),
            ],
            "needs 'python 3.11.*', which the other specs do not allow",
            id="specs against each other",
        ),
        pytest.param(
            ["left", "right"],
            [
                package("left", depends=["lib 1"]),
                package("right", depends=["lib 2"]),
                package("lib", "1"),
                package("lib", "2"),
            ],
            "left, right cannot be installed",
            id="not together",
        ),
        pytest.param(
            "app",
            [
                package("app", depends=["lib", "tool"]),
                package("lib", constrains=["tool 2"]),
                package("tool", "1"),
            ],
            "app cannot be installed",
            id="only the solver knows",
        ),
    ],
)
def test_what_cannot_be_installed_is_refused_with_the_reason(specs, source, reason):
    with pytest.raises(NotInstallable) as refused:
        close(specs, source)
    assert reason in refused.value.facts["reason"]


def test_the_machine_can_be_described():
    app = package("app", depends=["__cuda >=12"])
    bounds = Bounds(virtual_packages={"__cuda": "12.9"})
    assert names("app", [app], bounds=bounds) == ["app-1.0-0"]


@pytest.mark.parametrize(
    "specs",
    [
        pytest.param(["p*"], id="names"),
        pytest.param([f"p{n} {v}" for n in range(3) for v in (1, 2, 3)], id="combinations"),
    ],
)
def test_too_many_specs_are_refused_before_anything_is_solved(specs):
    source = [package(f"p{n}", str(v)) for n in range(201) for v in (1, 2, 3)]
    with pytest.raises(TooManyRoots):
        close(specs, source, solve=None)


def test_packages_of_a_pattern_need_not_go_together():
    source = [
        package("lib-a", depends=["tool 1"]),
        package("lib-b", depends=["tool 2"]),
        package("tool", "1"),
        package("tool", "2"),
    ]
    assert len(names("lib-*", source)) == 4
    broken = package("lib-c", depends=["tool 3"])
    closed = close("lib-*", [broken, *source])
    assert len(closed.packages) == 4
    assert closed.not_installable == [
        "on linux-64, linux-64/lib-c-1.0-0.conda needs 'tool 3', "
        "which nothing in linux-64 or noarch satisfies"
    ]
    with pytest.raises(NotInstallable, match="needs 'tool 3'"):
        close("lib-*", [broken, *source[2:]])


def test_all_names_of_a_pattern_are_solved_at_once():
    calls = []

    def count(case):
        calls.append(case)
        return solve_by_trying(case)

    source = [package(f"lib-{n}", depends=["tool"]) for n in range(50)] + [package("tool")]
    assert len(names("lib-*", source, solve=count)) == 51
    assert len(calls) == 1


def test_a_solver_without_an_answer_ends_the_selection():
    def give_up(case):
        return {question: Answer(None, "too slow", is_final=False) for question in case.questions}

    with pytest.raises(SolverGaveUp, match="too slow"):
        close("app", [package("app")], solve=give_up)


def test_a_result_that_is_worse_than_the_source_is_refused():
    calls = []

    def lose(case):
        calls.append(case)
        if len(calls) == 1:
            return solve_by_trying(case)
        return {question: Answer(None, "lost") for question in case.questions}

    with pytest.raises(NotProven, match="lost"):
        close("lib", LIB, solve=lose)


def test_the_older_format_comes_if_it_is_asked_for():
    both = [package("lib", "2", filename=f"lib-2-0{end}") for end in (".conda", ".tar.bz2")]
    assert names("lib", both) == ["lib-2-0"]
    assert names("lib[fn=lib-2-0.tar.bz2]", both) == ["lib-2-0.tar.bz2"]


def test_another_file_of_a_wanted_name_replaces_that_of_the_target():
    there = package("app")
    other = package("app", sha256="f" * 64)
    assert names("app", [other], [there]) == ["app-1.0-0"]
    # What is only needed stays as it is.
    assert names("tool", [other, package("tool", depends=["app"])], [there]) == ["tool-1.0-0"]


def test_the_result_does_not_depend_on_the_order_of_rows():
    source = [
        package(f"p{n % 10}", f"1.{n}", depends=[f"p{n % 9} >=1", f"p{n % 7}"]) for n in range(60)
    ]
    app = package("app", depends=[f"p{n}" for n in range(10)])
    assert close("app", [app, *source]) == close("app", [*source[::-1], app])


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_source_can_give_the_selection_can_give(seed):
    chance = random.Random(seed)
    known = [f"p{n}" for n in range(6)]

    def constraint():
        return chance.choice(["", "", " >={}", " <{}", " {}"]).format(chance.randint(1, 4))

    def channel(most, key):
        return [
            package(
                name,
                str(version),
                f"h{build:07x}_{build}",
                build_number=build,
                subdir=chance.choice(["linux-64", "noarch"]),
                depends=[p + constraint() for p in chance.sample(known, chance.randint(0, 3))],
                constrains=[p + constraint() for p in chance.sample(known, chance.randint(0, 1))],
                track_features=chance.choice(["", "", "x"]),
                key=key,
            )
            for name in known
            for version in chance.sample(range(1, 5), chance.randint(1, most))
            for build in range(chance.randint(1, 2))
        ]

    source = channel(4, "source")
    target = channel(2, "target") if seed % 3 == 0 else []
    offered = chance.sample(source, chance.randint(1, 2))
    specs = sorted({f"{one.candidate.name} >={one.candidate.version}" for one in offered})
    queries = [Query(spec) for spec in specs]
    roots = [one for one in source if any(query.matches(one.candidate) for query in queries)]
    # What is wanted comes from the source. For the rest, the target has the last word.
    others = {one.candidate.path: one for one in (*source, *target)}
    for query in queries:
        others = {p: one for p, one in others.items() if one.candidate.name != query.exact_name}
    before = [*others.values(), *roots]
    newest = chance.choice([1, 2, 3, 0])
    try:
        closed = close(specs, source, target, Bounds(newest))
    except NotInstallable:
        assert not _is_possible(specs, before)
        return
    assert _is_possible(specs, before)
    added = {one.path: one for one in closed.packages}
    assert all(one.key == "source" for one in added.values())
    after = [one for one in source if one.candidate.path in added]
    after += [one for one in target if one.candidate.path not in added]
    for name in {one.candidate.name for one in roots}:
        versions = {one.candidate.version for one in roots if one.candidate.name == name}
        for version in sorted(versions, reverse=True)[: newest or 2]:
            exactly = [*specs, f"{name} =={version}"]
            assert _is_possible(exactly, before) <= _is_possible(exactly, after)
    for spec in specs:
        assert _is_possible([spec], after)


def _is_possible(specs, packages):
    question = Question(tuple(specs))
    case = Case("linux-64", Bounds().machine("linux-64"), packages, frozenset(), [question])
    return solve_by_trying(case)[question].paths is not None
