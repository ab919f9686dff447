import json

import pytest

from pulp_conda.channel.metadata.names import (
    MatchKind,
    NameFacts,
    Names,
    SubdirFacts,
    decode_block,
    decode_facts,
    decode_lines,
    dependencies_line,
    dependents_of,
    encode_block,
    encode_facts,
    encode_lines,
    search,
    searched_line,
)


def facts(name, summary="", depends=()):
    return NameFacts(name, "1.0", summary, *[""] * 4, (), 0, False, {}, depends)


def taken(summary, *subdirs):
    """Return the facts of a name that was gathered from subdirs: their facts and records."""
    names = Names()
    for subdir, found, record in subdirs:
        names.add(subdir, "numpy", found, json.dumps(record))
    return names.take("numpy", {"version": "2.0", "run_exports": {}} | summary)


def test_dependencies_are_those_of_the_newest_version_in_each_subdir():
    found = taken(
        {},
        ("linux-64", SubdirFacts("2.0", 0, 1, 1, 5), {"depends": ["libgcc >=13", "PYTHON"]}),
        ("win-64", SubdirFacts("2.0.0", 0, 1, 1, 9), {"depends": ["defaults::ucrt[build=0]"]}),
        ("osx-64", SubdirFacts("1.9", 0, 1, 1, 7), {"depends": ["old"]}),
        ("noarch", SubdirFacts("2.0", 0, 1, 1, 0), {"depends": None}),
    )
    assert found.depends == ("libgcc", "python", "ucrt")
    assert list(found.subdirs) == ["linux-64", "noarch", "osx-64", "win-64"]
    assert found.timestamp == 9


def test_a_summary_is_one_line_and_no_text_is_endless():
    summary = {
        "summary": "  Arrays\n\tfor " + "x" * 5000,
        "home": "https://numpy.org",
        "dev_url": "https://" + "x" * 5000,
        "source_url": ["https://a", "x" * 5000],
        "run_exports": {"2.0": {"weak": ["numpy"]}},
    }
    found = taken(summary, ("noarch", SubdirFacts("2.0", 0, 1, 1, 0), {}))
    assert found.summary.startswith("Arrays for xxx")
    assert len(found.summary) == 2000
    assert (found.home, found.dev_url, found.source_urls) == (
        "https://numpy.org",
        "",
        ("https://a",),
    )
    assert found.has_run_exports


def test_facts_are_stored_and_read():
    found = taken(
        {"source_url": "https://a", "license": "MIT"},
        ("noarch", SubdirFacts("2.0", 3, 2, 2**40, 1), {"depends": ["a"]}),
    )
    assert decode_facts(encode_facts(found)) == found
    assert decode_block(encode_block({"ünï": b"\0"})) == {"ünï": b"\0"}
    for lines in ([], ["a\n", "ünï\nb"]):
        assert decode_lines(encode_lines(lines)) == lines


LINES = [
    searched_line(each)
    for each in [
        facts("apytorch"),
        facts("numpy", "Arrays for TORCH users"),
        facts("pytorch", "Tensors"),
        facts("scikit-learn", "Machine learning in Python"),
        facts("torch"),
        facts("torchvision", "Straße"),
    ]
]


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            "Torch ",
            "exact torch, prefix torchvision, name apytorch, name pytorch, summary numpy",
        ),
        ("scikit", "prefix scikit-learn"),
        ("learn scikit", "name scikit-learn"),
        ("machine  scikit", "summary scikit-learn"),
        ("STRASSE", "summary torchvision"),
        ("%", ""),
        ("torch nothing", ""),
    ],
)
def test_names_are_found_in_this_order(text, expected):
    found = [f"{kind} {name}" for kind, names in search(LINES, text).items() for name in names]
    assert ", ".join(found) == expected


def test_a_text_without_words_finds_all_names():
    for text in ("", " "):
        assert len(search(LINES, text)[MatchKind.PREFIX]) == len(LINES)


def test_dependents_have_the_whole_name():
    lines = [
        dependencies_line(each)
        for each in [
            facts("a", depends=("numpy", "x")),
            facts("b", depends=("numpy",)),
            facts("c", depends=("numpy-base",)),
            facts("d"),
        ]
    ]
    assert dependents_of(lines, "NumPy") == ["a", "b"]
    for no_name in ("", " ", "numpy x", "d\n"):
        assert dependents_of(lines, no_name) == []
