import pytest

from pulp_conda.channel.policies.licenses import LicenseRule


def _is_taken(text, **patterns):
    return LicenseRule(**patterns).reason_against(text) is None


@pytest.mark.parametrize(
    "text, is_taken",
    [
        pytest.param("MIT", True, id="one license"),
        pytest.param("mit", True, id="in any case"),
        pytest.param("BSD-3-Clause", True, id="pattern"),
        pytest.param("GPL-3.0-only", False, id="another license"),
        pytest.param("MIT OR GPL-3.0-only", True, id="or: one is enough"),
        pytest.param("MIT AND GPL-3.0-only", False, id="and: all are needed"),
        pytest.param("MIT OR GPL-2.0-only AND GPL-3.0-only", True, id="and binds before or"),
        pytest.param("(MIT OR GPL-2.0-only) AND GPL-3.0-only", False, id="parentheses"),
        pytest.param("MIT or BSD-2-Clause", True, id="operators in lower case"),
        pytest.param("MIT WITH some-exception", True, id="exceptions only add permissions"),
        pytest.param("Apache 2.0", True, id="several words"),
        pytest.param("Apache 2.0 and MIT", True, id="several words in an expression"),
        pytest.param("MIT (see the file)", False, id="free text is compared as a whole"),
        pytest.param("MIT or later", False, id="'later' is no license"),
        pytest.param("MIT AND", False, id="cut short"),
        pytest.param("( )", False, id="nothing in parentheses"),
        pytest.param("MIT) OR (GPL", False, id="parentheses the wrong way"),
        pytest.param("", False, id="none"),
        pytest.param("None", False, id="none, in a word"),
    ],
)
def test_allowed_licenses_are_taken(text, is_taken):
    assert _is_taken(text, allowed=["MIT", "BSD-*", "Apache 2.0"]) is is_taken


@pytest.mark.parametrize(
    "text, is_taken",
    [
        pytest.param("MIT", True, id="any other license"),
        pytest.param("AGPL-3.0-only", False, id="pattern"),
        pytest.param("MIT AND AGPL-3.0-only", False, id="and"),
        pytest.param("MIT OR AGPL-3.0-only", True, id="or"),
        pytest.param("AGPL-3.0-only OR AGPL-1.0-only", False, id="no way around"),
        pytest.param("AGPLv3 or later", False, id="free text of one license"),
        pytest.param("AGPL v3 or any later version", False, id="free text of many words"),
        pytest.param("AGPL-3.0-only WITH x", False, id="exception"),
    ],
)
def test_denied_licenses_are_left_out(text, is_taken):
    assert _is_taken(text, denied=["AGPL*"]) is is_taken


@pytest.mark.parametrize(
    "text, is_taken",
    [
        pytest.param("GPL-3.0-only WITH GCC-exception-3.1", True, id="allowed exception"),
        pytest.param("GPL-3.0-only", False, id="without it"),
        pytest.param("GPL-3.0-only WITH Autoconf-exception", False, id="another exception"),
        pytest.param("MIT WITH GCC-exception-2.0", False, id="denied exception"),
    ],
)
def test_patterns_with_an_exception_come_first(text, is_taken):
    rule = {"allowed": ["MIT", "GPL-* WITH GCC-*"], "denied": ["GPL-*", "* WITH GCC-exception-2.0"]}
    assert _is_taken(text, **rule) is is_taken


@pytest.mark.parametrize(
    "text, is_taken",
    [
        pytest.param("(" * 20 + "MIT" + ")" * 20, True, id="20 levels"),
        pytest.param("(" * 21 + "MIT" + ")" * 21, False, id="21 levels"),
        pytest.param("MIT AND" + " " * 990 + "MIT", True, id="1000 characters"),
        pytest.param("MIT AND" + " " * 991 + "MIT", False, id="1001 characters"),
    ],
)
def test_a_text_beyond_the_limits_is_no_expression(text, is_taken):
    assert _is_taken(text, allowed=["MIT"]) is is_taken


def test_what_is_denied_is_not_allowed_by_another_pattern():
    assert not _is_taken("GPL-3.0-only", allowed=["GPL-*"], denied=["GPL-3.0-*"])


def test_packages_without_a_license_can_be_taken():
    for text in ("", "  ", "Unknown", "NOASSERTION"):
        assert _is_taken(text, allowed=["MIT"], allow_unknown=True)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("GPL", "its license 'GPL' is not allowed"),
        ("MIT AND GPL", "its license is 'MIT AND GPL', and 'GPL' is not allowed"),
        ("AGPL OR GPL", "its license is 'AGPL OR GPL', and 'AGPL' is denied"),
        ("", "it states no license"),
    ],
)
def test_the_reason_names_the_license_at_fault(text, reason):
    assert LicenseRule(["MIT"], ["AGPL"]).reason_against(text) == reason


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 499 + "MIT" + ")" * 498, id="nested deeply"),
        pytest.param("MIT AND " * 100_000, id="long"),
        pytest.param("(MIT OR " * 60 + "MIT" + ")" * 60, id="alternating"),
        pytest.param("\0\u2028" * 100, id="unprintable"),
    ],
)
def test_a_text_that_nobody_would_write_is_compared_as_a_whole(text):
    reason = LicenseRule(["MIT"]).reason_against(text)
    assert reason.endswith("is not allowed")
    assert reason.isprintable() and len(reason) < 2000
