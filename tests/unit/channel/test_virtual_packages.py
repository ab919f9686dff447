import pytest

from pulp_conda.channel.environments.virtual_packages import (
    can_have,
    check_virtual_packages,
    default_virtual_packages,
    merge_virtual_packages,
)
from pulp_conda.channel.errors import BadEnvironment


@pytest.mark.parametrize(
    "subdir, packages",
    [
        (
            "linux-64",
            {"__archspec": "x86_64", "__unix": "0", "__linux": "4.18", "__glibc": "2.28"},
        ),
        (
            "linux-ppc64le",
            {"__archspec": "ppc64le", "__unix": "0", "__linux": "4.18", "__glibc": "2.28"},
        ),
        ("osx-arm64", {"__archspec": "aarch64", "__unix": "0", "__osx": "13.0"}),
        ("win-64", {"__archspec": "x86_64", "__win": "10.0.17763"}),
        ("emscripten-wasm32", {"__archspec": "wasm32", "__unix": "0"}),
        ("wasi-wasm32", {"__archspec": "wasm32"}),
        ("noarch", {}),
    ],
)
def test_platforms_have_what_their_oldest_systems_have(subdir, packages):
    assert default_virtual_packages(subdir) == packages
    assert check_virtual_packages(packages) == packages
    assert all(can_have(subdir, name) for name in packages)


def test_changes_replace_the_defaults_of_a_platform():
    merged = merge_virtual_packages("osx-64", {"__osx": "14.0", "__cuda": "12"}, {"__cuda": None})
    assert merged == {"__archspec": "x86_64", "__osx": "14.0", "__unix": "0"}


def test_absent_packages_and_whole_numbers_have_one_form():
    given = {"__cuda": False, "__glibc": None, "__osx": 14, "__archspec": "x86_64_v3"}
    assert check_virtual_packages(given) == {
        "__cuda": None,
        "__glibc": None,
        "__osx": "14",
        "__archspec": "x86_64_v3",
    }


@pytest.mark.parametrize(
    "mapping, reason",
    [
        pytest.param(["__cuda"], "the virtual packages are not a mapping", id="a list"),
        pytest.param({"cuda": "12"}, "'cuda' is not the name of a virtual package", id="name"),
        pytest.param({1: "12"}, "'1' is not the name of a virtual package", id="number as name"),
        pytest.param({"__cuda": True}, "'__cuda' is no version", id="true"),
        pytest.param(
            {"__glibc": 2.10}, "'__glibc' is the number 2.1: write it in quotes", id="2.1"
        ),
        pytest.param({"__glibc": "2 17"}, "'__glibc' is '2 17', which is no version", id="space"),
        pytest.param({"__glibc": ""}, "'__glibc' is '', which is no version", id="empty"),
        pytest.param({"__glibc": "1" * 65}, "'__glibc' is no version", id="long"),
        pytest.param({"__archspec": "a b"}, "which is no microarchitecture", id="archspec"),
        pytest.param({f"__a{n}": "1" for n in range(51)}, "there are more than 50", id="many"),
        pytest.param(
            {"__cuda": [], "x": "1"},
            "'__cuda' is no version; 'x' is not the name of a virtual package",
            id="all at once",
        ),
    ],
)
def test_wrong_virtual_packages_are_refused_with_a_reason(mapping, reason):
    with pytest.raises(BadEnvironment) as refused:
        check_virtual_packages(mapping)
    assert (
        refused.value.facts["reason"].startswith(reason) or reason in refused.value.facts["reason"]
    )
