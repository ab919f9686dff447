from datetime import UTC, datetime, timedelta

import pytest

from pulp_conda.channel.errors import BadPolicy
from pulp_conda.channel.policies.rules import MOST_FINDINGS, Finding, evaluate, read_policy
from tests.unit.channel.candidates import make_candidate

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def _evaluate(options, packages, **kwargs):
    return evaluate(read_policy(options, gate="rules"), packages, now=NOW, **kwargs)


def _subjects(options, packages, **kwargs):
    return [finding.subject for finding in _evaluate(options, packages, **kwargs).findings]


def _aged(days, name="numpy", version="2.4.1", **fields):
    return make_candidate(
        name, version, **({"seen_timestamp": _days_ago(days), "is_new": True} | fields)
    )


def _days_ago(days):
    return int((NOW - timedelta(days=days)).timestamp() * 1000)


@pytest.mark.parametrize(
    "package, is_taken",
    [
        pytest.param(_aged(8), True, id="old enough"),
        pytest.param(_aged(7), True, id="exactly old enough"),
        pytest.param(_aged(6.99), False, id="too young"),
        pytest.param(_aged(1, is_new=False), True, id="served already"),
        pytest.param(_aged(1, seen_timestamp=None), False, id="of unknown age"),
        pytest.param(_aged(1, seen_timestamp=2**62), False, id="from the future"),
        pytest.param(_aged(1, indexed_timestamp=1), False, id="old, as the upstream says"),
        pytest.param(_aged(1, believed_timestamp=1), True, id="old by a date that is believed"),
        pytest.param(_aged(1, "openssl"), True, id="exception by name"),
        pytest.param(_aged(1, "ca-certificates", "2026.1"), True, id="exception by version"),
        pytest.param(_aged(1, "ca-certificates", "2025.1"), False, id="older than the exception"),
        pytest.param(_aged(1, "scipy", "1.15"), True, id="waiver that ends today"),
        pytest.param(_aged(1, "pandas", "3.0"), False, id="waiver that ended yesterday"),
    ],
)
def test_new_packages_have_a_minimum_age(package, is_taken):
    options = {
        "days": 7,
        "exceptions": ["openssl", "ca-certificates >=2026"],
        "waivers": [
            {"spec": "scipy 1.15", "until": "2026-12-01", "reason": "CVE-2026-1"},
            {"spec": "pandas 3.0", "until": "2026-11-30", "reason": "CVE-2026-2"},
        ],
    }
    assert _evaluate({"minimum_age": options}, [package]).passed is is_taken


@pytest.mark.parametrize("days", [0.5, 1, 3650])
def test_a_minimum_age_is_a_part_of_a_day_up_to_ten_years(days):
    assert read_policy({"minimum_age": {"days": days}}, gate="rules").minimum_age.days == days


def test_the_finding_says_when_a_package_passes():
    [finding] = _evaluate({"minimum_age": {"days": 7}}, [_aged(2)]).findings
    assert finding == Finding(
        "minimum_age",
        "noarch/numpy-2.4.1-0.conda",
        "this server has it since 2026-11-29 12:00 UTC, and it passes from 2026-12-06 12:00 UTC on",
    )


def test_packages_that_only_a_date_of_the_upstream_makes_old_are_counted():
    packages = [
        _aged(8, believed_timestamp=_days_ago(9)),
        _aged(1, believed_timestamp=_days_ago(9)),
        _aged(1, believed_timestamp=_days_ago(2)),
        _aged(1, believed_timestamp=_days_ago(9), is_new=False),
    ]
    verdict = _evaluate({"minimum_age": {"days": 7}}, packages)
    assert (verdict.old_by_date, verdict.count) == (1, 1)


def test_packages_need_an_allowed_license_unless_they_are_exceptions():
    packages = [
        make_candidate("numpy", license="BSD-3-Clause"),
        make_candidate("ghostscript", license="AGPL-3.0-only"),
        make_candidate("mkl", license="Proprietary"),
        make_candidate("data", license=None),
    ]
    options = {"allowed": ["BSD-*"], "denied": ["AGPL-*"], "exceptions": ["mkl"]}
    verdict = _evaluate({"licenses": options}, packages)
    assert [(finding.subject, finding.text) for finding in verdict.findings] == [
        ("noarch/ghostscript-1.0-0.conda", "its license 'AGPL-3.0-only' is denied"),
        ("noarch/data-1.0-0.conda", "it states no license"),
    ]
    subjects = _subjects({"licenses": options | {"unknown": "allow"}}, packages)
    assert subjects == ["noarch/ghostscript-1.0-0.conda"]


@pytest.mark.parametrize(
    "spec, blocked",
    [
        pytest.param("xz 5.6.0|5.6.1", ["xz 5.6.1"], id="versions"),
        pytest.param("xz", ["xz 5.6.1", "xz 5.8.0"], id="name"),
        pytest.param("*-static", ["xz-static 5.6.1"], id="pattern"),
        pytest.param("*[license=GPL]", ["xz 5.8.0"], id="license"),
        pytest.param("*[subdir=linux-64]", ["xz-static 5.6.1"], id="subdir"),
        pytest.param("*[fn='xz-5.8.0-0.conda']", ["xz 5.8.0"], id="file name"),
        pytest.param(f"*[sha256={'a' * 64}]", ["xz 5.6.1"], id="digest"),
    ],
)
def test_blocked_packages_are_found(spec, blocked):
    packages = [
        make_candidate("xz", "5.6.1", sha256="a" * 64),
        make_candidate("xz", "5.8.0", license="GPL", sha256="b" * 64),
        make_candidate("xz-static", "5.6.1", subdir="linux-64", sha256="c" * 64),
    ]
    options = {"blocked": [{"spec": spec, "reason": "CVE-2024-3094"}]}
    by_path = {package.path: f"{package.name} {package.version}" for package in packages}
    verdict = _evaluate(options, packages)
    assert [by_path[finding.subject] for finding in verdict.findings] == blocked
    assert {finding.text for finding in verdict.findings} == {f"'{spec}' is blocked: CVE-2024-3094"}


def test_each_required_spec_needs_a_package():
    packages = [make_candidate("python", "3.12.1"), make_candidate("odd", "not_a_version!!")]
    options = {"required": ["python >=3.12", "python >=3.13", "perl", "odd", "odd >=1", "py*"]}
    assert _subjects(options, packages) == ["python >=3.13", "perl", "odd >=1"]


def test_an_empty_channel_lacks_what_is_required():
    assert _subjects({"required": ["python"]}, []) == ["python"]


def test_dependencies_are_looked_for_in_the_base_channels_too():
    packages = [make_candidate("app", depends=["python", "perl"]) for _ in range(2)]
    base = [make_candidate("python", subdir="linux-64")]
    [finding] = _evaluate(
        {"dependencies": {"base_channels": ["conda-forge"]}}, packages, base=base
    ).findings
    assert finding == Finding(
        "dependencies",
        "noarch/app-1.0-0.conda",
        "its dependency 'perl' is satisfied by nothing in any subdir, and 1 more packages have it",
    )


def test_the_rule_for_dependencies_can_be_for_new_packages_alone():
    packages = [
        make_candidate("old", depends=["gone"]),
        make_candidate("new", depends=["old", "missing"], is_new=True),
    ]
    assert len(_subjects({"dependencies": True}, packages)) == 2
    options = {"dependencies": {"only_new": True}}
    assert _subjects(options, packages) == ["noarch/new-1.0-0.conda"]


def test_a_policy_names_its_base_channels():
    policy = read_policy({"dependencies": {"base_channels": ["conda-forge"]}}, gate="rules")
    assert policy.dependencies.base_channels == ("conda-forge",)


def test_each_rule_keeps_its_first_findings_and_counts_all():
    packages = (
        make_candidate(f"p{n}", license="GPL" if n < 100_000 else "MIT") for n in range(100_001)
    )
    options = {
        "licenses": {"denied": ["GPL"]},
        "blocked": [{"spec": "p100000", "reason": "it is the last"}],
    }
    verdict = _evaluate(options, packages)
    assert verdict.counts == {"licenses": 100_000, "blocked": 1}
    assert verdict.count == 100_001
    assert len(verdict.findings) == MOST_FINDINGS + 1
    assert verdict.findings[-1].subject == "noarch/p100000-1.0-0.conda"
    assert not verdict.passed


def test_long_texts_of_packages_are_shortened():
    package = make_candidate("app", license="x" * 100_000, depends=["y" * 100_000])
    verdict = _evaluate({"licenses": {"denied": ["x*"]}, "dependencies": True}, [package])
    assert verdict.count == 2
    assert all(len(finding.text) < 500 for finding in verdict.findings)


@pytest.mark.parametrize(
    "options, problem",
    [
        pytest.param({}, "it has no rule", id="nothing"),
        pytest.param([], "'options' is a list, not an object", id="no object"),
        pytest.param({"min_age": {}}, "'options' has no 'min_age'", id="unknown rule"),
        pytest.param({"minimum_age": 7}, "'minimum_age' is 7, not an object", id="number"),
        pytest.param({"minimum_age": {}}, "'minimum_age.days' is missing", id="no days"),
        pytest.param(
            {"minimum_age": {"days": True}}, "'minimum_age.days' is True", id="days that are true"
        ),
        pytest.param(
            {"minimum_age": {"days": float("nan")}}, "'minimum_age.days' is nan", id="not a number"
        ),
        pytest.param({"minimum_age": {"days": -1}}, "'minimum_age.days' is -1", id="negative"),
        pytest.param({"minimum_age": {"days": 0}}, "'minimum_age.days' is 0", id="no day"),
        pytest.param({"minimum_age": {"days": 3651}}, "up to 3650", id="more than ten years"),
        pytest.param(
            {"minimum_age": {"days": "x" * 80}},
            f"'minimum_age.days' is '{'x' * 79}…, not a number",
            id="long text",
        ),
        pytest.param(
            {"minimum_age": {"days": 7, "exceptions": ["a >>1"]}},
            "'minimum_age.exceptions[0]' is 'a >>1', not a match spec",
            id="bad exception",
        ),
        pytest.param(
            {"minimum_age": {"days": 7, "waivers": [{"spec": "a", "until": "soon"}]}},
            "'minimum_age.waivers[0].until' is 'soon', not a date such as '2027-01-31'",
            id="bad date",
        ),
        pytest.param(
            {"minimum_age": {"days": 7, "waivers": [{"spec": "a", "until": "2027-01-31"}]}},
            "'minimum_age.waivers[0].reason' is missing",
            id="waiver without reason",
        ),
        pytest.param({"licenses": {}}, "'licenses' needs one of allowed", id="empty licenses"),
        pytest.param(
            {"licenses": {"allowed": "MIT"}}, "'licenses.allowed' is 'MIT', not a list", id="text"
        ),
        pytest.param(
            {"licenses": {"allowed": ["M" * 201]}}, "'licenses.allowed[0]'", id="long pattern"
        ),
        pytest.param(
            {"licenses": {"unknown": ["deny"]}},
            "'licenses.unknown' is a list, not 'allow' or 'deny'",
            id="unknown as a list",
        ),
        pytest.param({"blocked": []}, "'blocked' has 0 entries", id="empty list"),
        pytest.param({"blocked": ["xz"]}, "'blocked[0]' is 'xz', not an object", id="no reason"),
        pytest.param(
            {"blocked": [{"spec": "*[track_features=x]", "reason": "x"}]},
            "packages are not chosen by 'track_features'",
            id="key that would never match",
        ),
        pytest.param({"required": ["a"] * 1001}, "'required' has 1001 entries", id="many"),
        pytest.param({"required": ["a" * 10_000]}, "it is longer than 1000", id="long spec"),
        pytest.param({"required": [None]}, "'required[0]' is missing", id="null"),
        pytest.param({"dependencies": False}, "'dependencies' is False, not true", id="false"),
        pytest.param(
            {"dependencies": {"base_channels": [1]}},
            "'dependencies.base_channels[0]' is 1",
            id="number as a channel",
        ),
        pytest.param(
            {"dependencies": {"only_new": "yes"}}, "'dependencies.only_new' is 'yes'", id="yes"
        ),
    ],
)
def test_bad_options_are_refused_with_their_place(options, problem):
    with pytest.raises(BadPolicy) as refused:
        read_policy(options, gate="rules")
    assert problem in refused.value.facts["reason"]
    assert refused.value.facts["gate"] == "rules"
    assert len(str(refused.value)) < 2000


def test_an_error_names_all_that_is_wrong():
    options = {"minimum_age": {"days": 0}, "required": ["a >>1"], "licenses": {"unknown": "x"}}
    with pytest.raises(BadPolicy) as refused:
        read_policy(options, gate="rules")
    for place in ("minimum_age.days", "required[0]", "licenses.unknown"):
        assert f"'{place}'" in refused.value.facts["reason"]
