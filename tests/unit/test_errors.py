import re
from pathlib import Path

import pytest

from pulp_conda.app import errors as errors_of_pulp
from pulp_conda.channel import errors as errors_of_channels
from pulp_conda.channel.errors import (
    ChannelError,
    UpstreamStatus,
    UpstreamUnreachable,
    WrongSubdir,
)

MODULES = [errors_of_channels, errors_of_pulp]
REFERENCE = Path(__file__).parents[2] / "docs/user/reference/errors.md"


def _classes(base=ChannelError):
    for cls in base.__subclasses__():
        yield from _classes(cls)
        if cls.code:
            yield cls


def test_no_code_is_used_twice():
    codes = [cls.code for cls in _classes()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_tree_on_top_of_the_module_shows_every_error_in_the_order_of_the_module(module):
    tree = re.findall(r"── (\w+) +(CND\d+)", module.__doc__)
    in_module = [cls for cls in vars(module).values() if getattr(cls, "code", None)]
    assert tree == [(cls.__name__, cls.code) for cls in in_module]


def test_both_modules_together_have_all_errors():
    assert {cls.__module__ for cls in _classes()} == {module.__name__ for module in MODULES}


def test_the_codes_of_a_branch_ascend():
    for branch in ChannelError.__subclasses__():
        codes = [cls.code for cls in branch.__subclasses__()]
        assert codes == sorted(codes), branch


@pytest.mark.parametrize("cls", list(_classes()), ids=lambda cls: cls.code)
def test_every_code_has_its_paragraph_in_the_reference(cls):
    paragraph = REFERENCE.read_text().partition(f"\n## {cls.code}\n")[2].partition("\n## ")[0]
    assert len(paragraph.split()) > 20


def test_an_error_says_code_place_and_words():
    error = UpstreamStatus("https://conda.example.org/t/secret/x", 404).at("Remote 'forge'")
    assert str(error).startswith(
        "[CND0004] Remote 'forge': 'https://conda.example.org/t/***/x' answered 404. Give the URL"
    )


def test_no_error_has_a_secret():
    error = UpstreamUnreachable(url="https://me:secret@h/c?sig=secret", reason="'https://secret@h'")
    assert "secret" not in repr(error) + str(error)


def test_a_fact_of_any_kind_is_shown_in_a_reasonable_length():
    error = WrongSubdir(url="https://example.org", found=list(range(100_000)), subdir="noarch")
    assert len(str(error)) < 2000


def test_of_a_long_fact_the_first_1000_characters_are_shown():
    error = WrongSubdir(url="https://example.org", found="x" * 1001, subdir="noarch")
    assert f"{'x' * 1000}…" in str(error)
