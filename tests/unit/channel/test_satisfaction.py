import pytest

from pulp_conda.channel.policies.satisfaction import Demands, Offers, read_dependency
from tests.unit.channel.candidates import make_candidate

OFFERED = [
    make_candidate("python", "3.12.1", "h1_cpython", subdir="linux-64"),
    make_candidate("python", "3.12.1", "h2_cpython", subdir="linux-64", build_number=2),
    make_candidate("python", "3.13.0", "h1_cpython", subdir="win-64"),
    make_candidate("tzdata", "2026a"),
    make_candidate("odd", "not_a_version!!"),
]


def _unmet(*packages, offered=OFFERED):
    return list(Demands(packages).unmet(Offers([*offered, *packages])))


@pytest.mark.parametrize(
    "text, subdir, is_satisfied",
    [
        pytest.param("python", "linux-64", True, id="name"),
        pytest.param("Python", "linux-64", True, id="name in any case"),
        pytest.param("perl", "linux-64", False, id="another name"),
        pytest.param("python >=3.12,<3.13.0a0", "linux-64", True, id="version"),
        pytest.param("python >=3.13", "linux-64", False, id="version of another platform"),
        pytest.param("python >=3.13", "noarch", True, id="noarch takes any platform"),
        pytest.param("tzdata", "linux-64", True, id="a platform has noarch"),
        pytest.param("tzdata >=2027", "linux-64", False, id="a platform has noarch, by version"),
        pytest.param("python 3.12.* *_cpython", "linux-64", True, id="build"),
        pytest.param("python 3.12.1 h2_cpython", "linux-64", True, id="exact build"),
        pytest.param("python 3.12.1 h3_cpython", "linux-64", False, id="another build"),
        pytest.param("python[build_number='>=2']", "linux-64", True, id="build number"),
        pytest.param("python 3.13.* *[build_number='>=2']", "win-64", False, id="no build number"),
        pytest.param("python[license=GPL,subdir=osx-64]", "linux-64", True, id="other keys"),
        pytest.param("conda-forge::python", "linux-64", True, id="channel"),
        pytest.param("odd", "linux-64", True, id="no version, by name"),
        pytest.param("odd * 0", "linux-64", True, id="no version, by build"),
        pytest.param("odd >=1", "linux-64", False, id="no version, by version"),
        pytest.param("__glibc >=2.17", "linux-64", True, id="virtual package"),
    ],
)
def test_dependencies_are_satisfied_by_name_version_and_build(text, subdir, is_satisfied):
    assert Offers(OFFERED).satisfy(read_dependency(text), subdir) is is_satisfied
    unmet = _unmet(make_candidate("app", depends=[text], subdir=subdir))
    assert [dependency.depends for dependency in unmet] == ([] if is_satisfied else [text])


def test_an_unmet_dependency_is_reported_once_for_each_subdir():
    packages = [
        make_candidate("app", str(n), subdir=subdir, depends=["perl"])
        for subdir in ("linux-64", "noarch")
        for n in range(3)
    ]
    assert [(unmet.subdir, unmet.path, unmet.count) for unmet in _unmet(*packages)] == [
        ("linux-64", "linux-64/app-0-0.conda", 3),
        ("noarch", "noarch/app-0-0.conda", 3),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a >=", id="cut short"),
        pytest.param("a" * 10_000, id="long"),
        pytest.param("a (" + "(" * 9_000, id="nested deeply"),
        pytest.param("", id="empty"),
        pytest.param("\0", id="unprintable"),
    ],
)
def test_a_dependency_that_nobody_can_read_is_unmet(text):
    [unmet] = _unmet(make_candidate("app", depends=[text]))
    assert unmet.reason == "is not a match spec"


def test_a_dependency_with_a_condition_is_never_unmet():
    assert _unmet(make_candidate("app", depends=["perl[when='python >=3.13']"])) == []


def test_packages_satisfy_themselves_and_each_other():
    packages = [
        make_candidate("chicken", depends=["egg", "chicken"]),
        make_candidate("egg", depends=["chicken 1.0"]),
    ]
    assert _unmet(*packages) == []


def test_packages_that_are_added_later_count():
    offers = Offers(OFFERED)
    dependency = read_dependency("tzdata 2027a")
    assert not offers.satisfy(dependency, "noarch")
    offers.add(make_candidate("tzdata", "2027a"))
    assert offers.satisfy(dependency, "noarch")


def test_answers_do_not_depend_on_the_order_of_packages():
    packages = [make_candidate(f"p{n}", depends=[f"q{n % 7} >={n}"]) for n in range(50)]
    texts = [unmet.depends for unmet in _unmet(*packages)]
    assert texts == [unmet.depends for unmet in _unmet(*reversed(packages))]
    assert len(texts) == 50


def test_names_with_too_many_packages_and_specs_are_given_up(monkeypatch):
    monkeypatch.setattr("pulp_conda.channel.policies.satisfaction._MOST_COMPARISONS", 1000)
    offered = [make_candidate("many", f"1.{n}") for n in range(100)]
    packages = [make_candidate(f"p{n}", depends=[f"many >={n + 2}"]) for n in range(100)]
    reasons = [unmet.reason for unmet in _unmet(*packages, offered=offered)]
    assert reasons[0] == "is satisfied by nothing in any subdir"
    assert reasons[-1].startswith("was not looked for")
