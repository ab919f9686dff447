import io
import time

import pytest

from pulp_conda.channel.package.info import read_info
from tests.support.builders import make_package

A, B, C = "https://a.example.org/a.tar.gz", "https://b.example.org/b.zip", "ftp://c.example.org/c"

CONDA_BUILD = """\
# This file created by conda-build 3.21.7
package:
  name: hello
source:
{source}
build:
  script: !cannot "be: read
  source:
    url: https://wrong.example.org
"""
RATTLER_BUILD = """\
recipe:
  package:
    name: hello
  source:
  - url: {a}
    sha256: 00
build_configuration:
  variant: *none
finalized_sources:
{finalized}
"""


def source_urls(**recipes):
    """Return the source URLs of a package with such files in `info/`."""
    info = {name: text.encode() for name, text in recipes.items()}
    package = make_package(info=info)
    data = package.data
    return read_info(io.BytesIO(data), filename=package.filename, size=len(data)).source_urls


def of_conda_build(source, name="recipe/meta.yaml"):
    return source_urls(**{name: CONDA_BUILD.format(source=source)})


@pytest.mark.parametrize("name", ["recipe/meta.yaml", "recipe/meta.yaml.rendered", "meta.yaml"])
def test_conda_build_says_its_source(name):
    assert of_conda_build(f"    sha256: 00\n    url: {A}", name) == (A,)


@pytest.mark.parametrize(
    "source, expected",
    [
        pytest.param(f"  - url: {A}\n    folder: x\n  - url: {B}", (A, B), id="list"),
        pytest.param(f"- url: {A}\n- url: {B}", (A, B), id="list without indent"),
        pytest.param(f"  url:\n    - {A}\n    - {C}", (A, C), id="mirrors"),
        pytest.param(f"  - url: {A}\n  - url: {A}", (A,), id="twice"),
        pytest.param("  git_url: https://git.example.org/x.git\n  git_rev: main", (), id="git"),
        pytest.param("  path: ../src", (), id="path"),
        pytest.param("  url: file:///home/ada/src.tar.gz", (), id="file"),
        pytest.param("  url: ../src.tar.gz", (), id="relative"),
        pytest.param("  url: https://[a/", (), id="no URL"),
        pytest.param("  url: [1, null, {a: b}]", (), id="other types"),
        pytest.param("  url: {", (), id="no YAML"),
        pytest.param("  url: *alias", (), id="alias"),
        pytest.param("", (), id="nothing"),
        pytest.param("  " + "[" * 100_000, (), id="deep"),
        pytest.param(f"  url: https://a.example.org/{'a' * 5000}", (), id="long"),
        pytest.param(f"  - url: {A}\n\n  # why\n\n  - url: {B}", (A, B), id="comments"),
    ],
)
def test_what_is_a_source_is_taken(source, expected):
    assert of_conda_build(source) == expected


def test_secrets_are_left_out():
    source = "  url: https://ada:pw@a.example.org/t/tk-1/a.tar.gz?sig=abc#x"
    (url,) = of_conda_build(source)
    assert url == "https://a.example.org/a.tar.gz"


@pytest.mark.parametrize(
    "finalized, expected",
    [
        pytest.param(f"- url: {B}\n  sha256: 00", (B,), id="finalized"),
        pytest.param("- git: https://git.example.org\n  rev: main", (A,), id="git"),
        pytest.param("", (A,), id="none"),
    ],
)
def test_rattler_build_says_its_source(finalized, expected):
    text = RATTLER_BUILD.format(a=A, finalized=finalized)
    both = {"recipe/rendered_recipe.yaml": text, "recipe/meta.yaml": "source:\n  url: https://x.y"}
    assert source_urls(**both) == expected


def test_a_package_without_a_recipe_says_none():
    assert source_urls() == ()


def test_a_recipe_of_a_megabyte_takes_no_time():
    text = "build:\n" + "  - a: b\n" * 100_000 + f"source:\n  url: {A}\n"
    start = time.process_time()
    assert source_urls(**{"recipe/meta.yaml": text}) == (A,)
    assert time.process_time() - start < 1
