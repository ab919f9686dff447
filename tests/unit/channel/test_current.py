import time

import pytest

from pulp_conda.channel.metadata.current_repodata import select_current


def package(name, version="1.0", build="0", build_number=0, depends=()):
    filename = f"{name}-{version}-{build}.conda"
    return name, version, build, build_number, filename, list(depends)


def selected(*packages):
    """Return the selected file names without the extension."""
    found = select_current(packages)
    assert select_current(reversed(packages)) == found
    return {filename.removesuffix(".conda") for filename in found}


def test_the_newest_version_of_each_name_is_selected():
    found = selected(
        package("a", "1.9"), package("a", "1.10"), package("a", "1.10rc1"), package("b", "0.1")
    )
    assert found == {"a-1.10-0", "b-0.1-0"}


def test_all_builds_with_the_highest_number_are_selected():
    found = selected(
        package("a", build="py311_10", build_number=10),
        package("a", build="py312_10", build_number=10),
        package("a", build="py312_9", build_number=9),
        package("a", "0.9", build="py312_11", build_number=11),
    )
    assert found == {"a-1.0-py311_10", "a-1.0-py312_10"}


def test_versions_that_are_equal_are_one():
    found = selected(package("a", "1.0"), package("a", "1.0.0"), package("a", "0.9"))
    assert found == {"a-1.0-0", "a-1.0.0-0"}


def test_an_older_package_is_selected_if_a_selected_one_needs_it():
    found = selected(
        package("app", depends=["python >=3.11,<3.12.0a0", "lib 1.*", "absent >=1", "__glibc"]),
        package("python", "3.13"),
        package("python", "3.11.9"),
        package("python", "3.11.8"),
        package("python", "3.10", depends=["lib <1"]),
        package("lib", "1.4", build="h1", build_number=2),
        package("lib", "1.4", build="h2", build_number=2),
        package("lib", "1.4", build="h0", build_number=1),
        package("lib", "2.0"),
        package("lib", "0.9"),
    )
    assert found == {
        "app-1.0-0",
        "python-3.13-0",
        "python-3.11.9-0",
        "lib-1.4-h1",
        "lib-1.4-h2",
        "lib-2.0-0",
    }


def test_of_the_newest_builds_only_those_that_match_are_needed():
    found = selected(
        package("app", depends=["python 3.11 *_cpython"]),
        package("python", "3.12"),
        package("python", "3.11", build="0_cpython"),
        package("python", "3.11", build="0_pypy"),
    )
    assert found == {"app-1.0-0", "python-3.12-0", "python-3.11-0_cpython"}


def test_needed_packages_need_others():
    chain = [package(f"a{n}", depends=[f"a{n + 1} <2"]) for n in range(5)]
    newer = [package(f"a{n}", "2.0") for n in range(1, 6)]
    found = selected(*chain, *newer, package("a5", "1.0"))
    assert found == {"a0-1.0-0"} | {f"a{n}-{v}-0" for n in range(1, 6) for v in ("1.0", "2.0")}


def test_what_is_selected_already_is_enough():
    found = selected(
        package("app", depends=["lib >=1"]), package("lib", "1.5"), package("lib", "1.4")
    )
    assert found == {"app-1.0-0", "lib-1.5-0"}


def test_packages_may_need_each_other():
    found = selected(
        package("a", depends=["b <2"]),
        package("b", "1.0", depends=["a"]),
        package("b", "2.0", depends=["b <2"]),
    )
    assert found == {"a-1.0-0", "b-1.0-0", "b-2.0-0"}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param("lib >=", id="no spec"),
        pytest.param("", id="empty"),
        pytest.param("*", id="all names"),
        pytest.param("l* <2", id="glob"),
        # Some thousand of them would crash rattler and the process.
        pytest.param("lib " + "(" * 100_000 + "<2" + ")" * 100_000, id="nested"),
    ],
)
def test_a_dependency_that_is_none_is_passed_over(spec):
    found = selected(package("app", depends=[spec]), package("lib", "2"), package("lib", "1"))
    assert found == {"app-1.0-0", "lib-2-0"}


def test_what_is_no_version_is_the_oldest():
    found = selected(package("a", "???"), package("a", "0.1"), package("b", "!", depends=["a ==7"]))
    assert found == {"a-0.1-0", "b-!-0"}


def test_nothing_comes_of_nothing():
    assert select_current([]) == set()


def test_hostile_channels_end():
    # Without a limit, every spec is compared with every package.
    many = [package("a", f"1.{n}") for n in range(3000)]
    asking = [package("b", build=f"h{n}", depends=[f"a ==2.{n}"]) for n in range(6000)]
    start = time.process_time()
    assert len(select_current(many + asking)) == 6001
    assert time.process_time() - start < 30
