import pytest

from pulp_conda.channel.changelog import escape, render_markdown, summary_line
from pulp_conda.channel.diff import Change, NameChange
from tests.support.builders import make_record


def _change(name, summary, from_version="1.0", to_version="2.0", subdirs=("linux-64",), **facts):
    facts = {"counts": {"added": 1}} | facts
    return NameChange(name, summary, from_version, to_version, subdirs, **facts)


def test_one_line_says_what_happened_and_leaves_out_what_did_not():
    counts = {"gone": 1, "new": 3, "upgraded": 1200, "rebuilt": 0}
    assert summary_line(counts) == "1,200 upgraded, 3 new, 1 gone"
    assert summary_line({}) == "nothing changed"


def test_every_summary_has_its_section():
    hotfix = Change("updated", make_record("fixed"), ("depends", "license"))
    names = [
        _change("old", "gone", "1.0", None),
        _change("numpy", "upgraded", "1.26.4", "2.0.0", ("linux-64", "osx-arm64")),
        _change("scipy", "downgraded", "2.0", "1.9"),
        _change("fresh", "new", None, "0.1", ("noarch",)),
        _change("again", "rebuilt", "2.0", "2.0"),
        _change("bytes", "rebuilt", "2.0", "2.0", counts={"added": 2, "replaced": 1}),
        _change("fixed", "changed", "2.0", "2.0", counts={"updated": 1}, changes=(hotfix,)),
        _change("pruned", "changed", "2.0", "2.0", counts={"removed": 4, "updated": 1}),
    ]
    counts = {name.summary: 1 for name in names} | {"upgraded": 313, "rebuilt": 2, "changed": 2}
    assert render_markdown("testing: v41 → v42", counts, names) == (
        """\
# testing\\: v41 → v42

313 upgraded, 1 downgraded, 1 new, 1 gone, 2 rebuilt, 2 changed.

## Upgraded

- numpy 1.26.4 → 2.0.0 (linux-64, osx-arm64)
- and 312 more

## Downgraded

- scipy 2.0 → 1.9 (linux-64)

## New

- fresh 0.1 (noarch)

## Gone

- old 1.0 (linux-64)

## Rebuilt

- again 2.0 (linux-64)
- bytes 2.0: 1 replaced (linux-64)

## Other changes

- fixed 2.0: depends, license (linux-64)
- pruned 2.0: 4 removed, 1 updated (linux-64)
"""
    )


def test_nothing_is_said_of_nothing():
    assert render_markdown("testing", {}, []) == "# testing\n\nNothing changed.\n"


def test_what_is_not_listed_at_all_is_counted():
    assert "- 1,000 not listed" in render_markdown("testing", {"new": 1000}, [])


def test_many_subdirs_are_cut():
    subdirs = tuple(f"linux-{number}" for number in range(100, 130))
    text = render_markdown("t", {"new": 1}, [_change("a", "new", None, "1", subdirs)])
    assert "linux-107, and 22 more)" in text
    assert "linux-108" not in text


@pytest.mark.parametrize(
    "text, escaped",
    [
        pytest.param("_libgcc_mutex", r"\_libgcc\_mutex", id="emphasis"),
        pytest.param("1.26.4", "1.26.4", id="version"),
        pytest.param("1!2.0+cuda", r"1\!2.0+cuda", id="epoch and local version"),
        pytest.param("<img src=x>", r"\<img src=x\>", id="HTML"),
        pytest.param("[a](b)", r"\[a\](b)", id="link"),
        pytest.param("https://evil.example", r"https\://evil.example", id="URL"),
        pytest.param("www.evil.example", r"www\.evil.example", id="host"),
        pytest.param("@team", r"\@team", id="mention"),
        pytest.param("a\n# b", r"a\\n\# b", id="line break"),
        pytest.param("1. one", r"1\. one", id="numbered list"),
        pytest.param("- one", r"\- one", id="list"),
        pytest.param("a\x1b[0m\u202eb", r"a\\x1b\[0m\\u202eb", id="control characters"),
        pytest.param("x" * 10_000, "x" * 200 + "…", id="long"),
    ],
)
def test_texts_from_others_are_shown_as_they_are(text, escaped):
    assert escape(text) == escaped
