import pytest

from pulp_conda.channel.errors import BadMatchSpec, NothingToPromote
from pulp_conda.channel.policies.closure import closure, select
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


def _closed(wanted, source, target=()):
    return closure([wanted], source=_Channel(wanted, *source), target=_Channel(*target))


def _paths(wanted, source, target=()):
    paths = [row.path.removesuffix(".conda") for row in _closed(wanted, source, target).packages]
    return [path for path in paths if not path.startswith(wanted.path.removesuffix(".conda"))]


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


APP = make_candidate("app", subdir="linux-64", depends=["lib >=1.2", "__glibc >=2.17"])


@pytest.mark.parametrize(
    "source, target, added",
    [
        pytest.param(
            [make_candidate("lib", "1.3")], [make_candidate("lib", "1.2")], [], id="satisfied"
        ),
        pytest.param(
            [make_candidate("lib", "1.3")],
            [make_candidate("lib", "1.1")],
            ["noarch/lib-1.3-0"],
            id="too old in the target",
        ),
        pytest.param(
            [make_candidate("lib", version) for version in ("1.9", "1.10", "1.3")],
            [],
            ["noarch/lib-1.10-0"],
            id="the highest version",
        ),
        pytest.param(
            [make_candidate("lib", "2", str(n), build_number=n) for n in (9, 10, 1)],
            [],
            ["noarch/lib-2-10"],
            id="the highest build number",
        ),
        pytest.param(
            [make_candidate("lib", "2", subdir=subdir) for subdir in ("linux-64", "win-64")],
            [],
            ["linux-64/lib-2-0"],
            id="the platform's own",
        ),
        pytest.param(
            [make_candidate("lib", "2", subdir="linux-64"), make_candidate("lib", "3")],
            [make_candidate("lib", "2", subdir="win-64")],
            ["noarch/lib-3-0"],
            id="another platform's does not count",
        ),
        pytest.param(
            [make_candidate("lib", "2", build) for build in ("py312_0", "py313_0")],
            [],
            ["noarch/lib-2-py312_0", "noarch/lib-2-py313_0"],
            id="all builds that need nothing more",
        ),
        pytest.param(
            [
                make_candidate("lib", "2", f"py{n}_0", depends=[f"python 3.{n}.*"])
                for n in (11, 12, 13)
            ]
            + [make_candidate("python", "3.13.1")],
            [make_candidate("python", "3.11.1"), make_candidate("python", "3.12.1")],
            ["noarch/lib-2-py11_0", "noarch/lib-2-py12_0"],
            id="no builds for another Python",
        ),
        pytest.param(
            [
                make_candidate("lib", "2", f"py{n}_0", depends=["python"], indexed_timestamp=n)
                for n in (13, 12)
            ]
            + [make_candidate("python", "3.13.1")],
            [],
            ["noarch/lib-2-py13_0", "noarch/python-3.13.1-0"],
            id="the last build if all need more",
        ),
        pytest.param(
            [
                make_candidate("lib", "2", filename=f"lib-2-0{extension}")
                for extension in (".conda", ".tar.bz2")
            ],
            [],
            ["noarch/lib-2-0"],
            id="one of both formats",
        ),
    ],
)
def test_what_packages_need_goes_along(source, target, added):
    assert _paths(APP, source, target) == added


def test_a_noarch_package_gets_what_it_needs_on_each_platform():
    app = make_candidate("app", depends=["lib"])
    source = [
        make_candidate("lib", "1", subdir="linux-64"),
        make_candidate("lib", "2", subdir="linux-64"),
        make_candidate("lib", "1", subdir="win-64"),
    ]
    assert _paths(app, source) == ["linux-64/lib-2-0", "win-64/lib-1-0"]
    source.append(make_candidate("lib", "1.5"))
    assert _paths(app, source) == ["linux-64/lib-2-0", "noarch/lib-1.5-0"]


def test_dependencies_of_dependencies_go_along_and_circles_end():
    source = [
        make_candidate("lib", "2", depends=["chicken", "lib"]),
        make_candidate("chicken", depends=["egg"]),
        make_candidate("egg", depends=["chicken", "lib"]),
    ]
    assert _paths(APP, source) == ["noarch/chicken-1.0-0", "noarch/egg-1.0-0", "noarch/lib-2-0"]


def test_each_text_of_a_dependency_is_satisfied():
    app = make_candidate("app", depends=["lib <2", "lib >=2"])
    source = [make_candidate("lib", version) for version in ("1", "2", "3")]
    assert _paths(app, source) == ["noarch/lib-1-0", "noarch/lib-3-0"]


def test_a_dependency_that_neither_side_has_is_unmet():
    source = [make_candidate("lib", "2", depends=["gone"])]
    app = APP._replace(depends=["lib", "a >>1", "missing[when='python']"])
    closed = _closed(app, source, [make_candidate("gone", subdir="win-64", version="1")])
    assert [(unmet.path, unmet.depends) for unmet in closed.unmet] == [(app.path, "a >>1")]
    closed = _closed(app, source)
    assert [unmet.depends for unmet in closed.unmet] == ["a >>1", "gone"]


def test_texts_that_are_no_versions_are_the_last_choice():
    source = [make_candidate("lib", version) for version in ("not_a_version!!", "0.1")]
    app = make_candidate("app", depends=["lib"])
    assert _paths(app, source) == ["noarch/lib-0.1-0"]
    assert _paths(app, source[:1]) == ["noarch/lib-not_a_version!!-0"]


def test_the_result_does_not_depend_on_the_order_of_rows():
    source = [
        make_candidate(f"p{n % 10}", f"1.{n}", depends=[f"p{n % 9} >=1", f"p{n % 7}"])
        for n in range(60)
    ]
    app = make_candidate("app", depends=[f"p{n}" for n in range(10)])
    assert _closed(app, source) == _closed(app, source[::-1])
    assert len(_closed(app, source).packages) == 11


def test_no_name_is_asked_for_twice_in_the_target():
    target = _Channel(make_candidate("lib"))
    chain = [make_candidate(f"p{n}", depends=[f"p{n + 1}", "lib"]) for n in range(300)]
    closed = closure(chain[:1], source=_Channel(*chain), target=target)
    assert len(closed.packages) == 300
    assert len(target.asked) == len(set(target.asked))


def test_a_name_with_too_many_packages_and_specs_is_given_up(monkeypatch):
    monkeypatch.setattr("pulp_conda.channel.policies.closure._MOST_COMPARISONS", 1000)
    source = [make_candidate("lib", f"{n}") for n in range(100)]
    app = make_candidate("app", depends=[f"lib =={n}" for n in range(100)])
    closed = _closed(app, source)
    assert len(closed.packages) == 11
    assert len(closed.unmet) == 90
