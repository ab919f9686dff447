from collections import Counter

import pytest

from pulp_conda.channel.errors import BadMatchSpec
from pulp_conda.channel.matchspec import (
    Blocklist,
    PackageFilter,
    Queries,
    Query,
    check_matchspec,
    leading_name,
)
from tests.support.builders import make_record

RECORDS = [
    make_record("numpy", "1.26.4"),
    make_record("numpy", "2.1.0"),
    make_record("numpy-base", "1.26.4"),
    make_record("scipy", "1.13.0", license="Apache-2.0"),
    make_record("odd", "not_a_version!!"),
]


def _taken(**specs):
    package_filter = PackageFilter(**specs)
    return [
        f"{record.name} {record.version}"
        for record in RECORDS
        if package_filter.reason_against(record) is None
    ]


def test_everything_is_taken_without_specs():
    assert len(_taken()) == len(RECORDS)


@pytest.mark.parametrize(
    "specs, taken",
    [
        pytest.param({"includes": ["numpy"]}, ["numpy 1.26.4", "numpy 2.1.0"], id="name"),
        pytest.param({"includes": ["numpy <2"]}, ["numpy 1.26.4"], id="version"),
        pytest.param({"includes": ["NumPy >=2"]}, ["numpy 2.1.0"], id="names in any case"),
        pytest.param({"includes": ["*[license=Apache-2.0]"]}, ["scipy 1.13.0"], id="license"),
        pytest.param(
            {"includes": ["num*"], "excludes": ["numpy <2"]},
            ["numpy 2.1.0", "numpy-base 1.26.4"],
            id="excludes come after includes",
        ),
        pytest.param({"includes": ["numpy[subdir=linux-64]"]}, [], id="another subdir"),
        pytest.param({"includes": ["odd"]}, ["odd not_a_version!!"], id="odd version, by name"),
        pytest.param({"includes": ["odd >=1"]}, [], id="odd version, by version"),
        pytest.param(
            {"includes": ["odd * 0"]}, ["odd not_a_version!!"], id="odd version, by build"
        ),
        pytest.param(
            {"includes": ["*[fn='scipy-1.13.0-0.conda']"]}, ["scipy 1.13.0"], id="file name"
        ),
        pytest.param({"includes": ["^(odd|scipy)$ <2"]}, ["scipy 1.13.0"], id="regular expression"),
    ],
)
def test_specs_choose_packages(specs, taken):
    assert _taken(**specs) == taken


def test_reasons_can_be_counted():
    package_filter = PackageFilter(includes=["numpy", "scipy"], excludes=["numpy <2"])
    reasons = Counter(package_filter.reason_against(record) for record in RECORDS)
    assert reasons == {
        None: 2,
        "excluded by 'numpy <2'": 1,
        "matched by none of 'includes'": 2,
    }


@pytest.mark.parametrize(
    "spec, position",
    [
        pytest.param("numpy >=1.26,<<2", "at character 14", id="second constraint"),
        pytest.param("numpy >=", "at character 7", id="nothing behind the operator"),
        pytest.param("", "at character 1", id="empty"),
        pytest.param("numpy[version='>=1'", "at character 1", id="open bracket"),
    ],
)
def test_a_spec_that_does_not_parse_is_refused_with_its_position(spec, position):
    with pytest.raises(BadMatchSpec) as refused:
        check_matchspec(spec)
    assert refused.value.facts["spec"] == spec
    assert refused.value.facts["reason"].endswith(position)


def test_a_spec_with_a_channel_is_refused():
    with pytest.raises(BadMatchSpec, match="names a channel"):
        check_matchspec("conda-forge::numpy")


@pytest.mark.parametrize(
    "spec, key",
    [
        ("numpy[url='https://conda.example.org/noarch/numpy-2.1.0-0.conda']", "url"),
        ("numpy[track_features=debug]", "track_features"),
        ("numpy[when='python >=3.12']", "when"),
        ("numpy[license_family=GPL,version='>=2']", "license_family"),
    ],
)
def test_a_query_for_what_packages_are_not_chosen_by_is_refused(spec, key):
    # For rattler every package would match, or none.
    with pytest.raises(BadMatchSpec, match=f"not chosen by '{key}'"):
        Query(spec)


def test_queries_find_those_that_match():
    queries = Queries(map(Query, ["numpy <2", "num*", "*-base", "scipy", "*"]))
    found = [[query.spec for query in queries.matching(record)] for record in RECORDS]
    assert found == [
        ["numpy <2", "num*", "*"],
        ["num*", "*"],
        ["num*", "*-base", "*"],
        ["scipy", "*"],
        ["*"],
    ]


def test_a_blocklist_gives_the_reason_against_a_package():
    blocklist = Blocklist(
        {RECORDS[0].sha256: "these bytes"}, {f"{RECORDS[3].name} *": "its name", "zz*": "a pattern"}
    )
    reasons = [blocklist.reason_against(record) for record in RECORDS[:4]]
    assert reasons == ["these bytes", None, None, "its name"]
    assert blocklist.reason_against(make_record("zzz")) == "a pattern"
    assert blocklist.exact_names == [RECORDS[3].name]
    assert blocklist.may_match("zzz") and not blocklist.may_match("scikit")
    assert blocklist and not Blocklist()


def test_a_filter_says_first_that_a_package_is_blocked():
    package_filter = PackageFilter(["scipy"], [], Blocklist({}, {"numpy": "malware"}))
    assert package_filter.reason_against(make_record("numpy")) == "blocked: malware"
    assert package_filter.reason_against(make_record("scipy")) is None
    assert package_filter.reason_against(make_record("blas")) == "matched by none of 'includes'"


@pytest.mark.parametrize(
    "spec, position",
    [
        ("certifi *.dev", 9),
        ("certifi[version='1.*.dev']", 1),
        ("numpy >=1.26 <2", 14),
        ("numpy 1.26 py312_0 3", 20),
        ("numpy 1.26 =py312_0", 12),
        ("numpy =1.26 py312_0", 7),
        ("numpy[version='==1.26.*']", 16),
        ("numpy[build='py|0', md5=*]", 1),
        ("numpy >1.26.*", 7),
        ("numpy (>=1.26)", 7),
        ("numpy >=1.26 # comment", 14),
        ("numpy >=1.26 if python", 14),
        ("conda-forge:numpy", 1),
        ("conda-forge::numpy", 1),
        ("-numpy", 1),
        ("Num*", 1),
        ("numpy[version=1.26,version=2]", 20),
        ("numpy[license='^GPL$']", 16),
        ("numpy\t1.26", 6),
        ("numpy[license_family=GPL]", 7),
    ],
)
def test_a_spec_without_a_clear_meaning_is_refused_with_its_position(spec, position):
    with pytest.raises(BadMatchSpec, match=f"at character {position}\\b") as refused:
        Query(spec)
    assert refused.value.facts["spec"] == spec


@pytest.mark.parametrize(
    "spec",
    [
        *("numpy", "NumPy", "lib*", "*", "__glibc >=2.17", "_x", "^(numpy|lib.*)$ <2", " numpy "),
        *("numpy 1.26", "numpy=1.26", "numpy==1.26", "numpy =1.26", "numpy = 1.26", "numpy>=1"),
        *("numpy 1.26.*", "numpy 1.26*", "numpy=1.26.*", "numpy==1.26.*", "numpy *", "numpy=*"),
        *("numpy >= 1.26, <2", "numpy >=1.26 , <2", "numpy 1.2|1.3", "numpy !=1.26.*", "x ~=1.2"),
        *("numpy >=1.26.*", "numpy <2.*", "numpy 1!2.0a1+b.1", "numpy >=2.0.dev0,<3"),
        *("numpy 2.1.0 py312_0", "numpy * *_cpu", "numpy >=1,<2 py*", "numpy 1.26.* ^py.*$"),
        *("numpy=1.26=py312_0", "numpy==1.26=py*", "numpy =1.26.*=py*", "numpy=*=*_cpu"),
        *("numpy ==1.26=py*", "numpy =1.26|>=2", "numpy=1.26|=2.0"),
        *("numpy[version='>=1,<2']", "numpy[version='(1.2|1.3),!=1.3']", 'numpy[build="py*"]'),
        *("numpy 1.26[build=py*, build_number='>=1']", "*[license='GPL*']", "*[subdir=linux-*]"),
        *("*[fn=numpy-1.26-0.conda]", f"*[sha256={'a' * 64}]", f"*[md5={'A' * 32}]"),
        "numpy [build='^(py|cp)3.*$']",
    ],
)
def test_a_clear_spec_is_taken(spec):
    assert Query(spec).spec == spec


def test_what_was_taken_once_keeps_its_meaning_if_it_is_stored():
    query = Query("certifi *.dev", is_stored=True)
    assert query.matches(make_record("certifi", "1.0", build=".dev"))
    assert not query.matches(make_record("certifi", "1.0.dev"))
    assert Blocklist({}, {"certifi *.dev": "old"})


def test_a_filter_names_the_place_of_a_spec_that_it_cannot_read():
    with pytest.raises(BadMatchSpec) as refused:
        PackageFilter(["numpy"], ["scipy", "certifi *.dev"])
    assert refused.value.where == "excludes[1]"


@pytest.mark.parametrize(
    "key, expression, matches",
    [
        ("license", "apache-2.0", True),
        ("license", "Apache*", True),
        ("license", "*-2.0", True),
        ("license", "Apache", False),
        ("license", "MIT", False),
        ("license", "Apache-2?0", False),
        ("subdir", "no*", True),
        ("subdir", "NOARCH", True),
        ("subdir", "linux-*", False),
        ("fn", "scipy-1.13.*", True),
        ("fn", "scipy-*-1.conda", False),
    ],
)
def test_strings_are_compared_as_the_standard_says(key, expression, matches):
    assert Query(f"scipy[{key}='{expression}']").matches(RECORDS[3]) == matches


@pytest.mark.parametrize(
    "spec, name",
    [
        ("zlib", "zlib"),
        ("zlib >=1.2", "zlib"),
        ("zlib>=1.2", "zlib"),
        ("zlib=1.2=0", "zlib"),
        ("zlib[version='>=1']", "zlib"),
        ("conda-forge::zlib", "zlib"),
        ("conda-forge::zlib >=1.2", "zlib"),
        ("conda-forge/linux-64::zlib=1.2", "zlib"),
        ("https://conda.example.org/forge::zlib 1.2", "zlib"),
        ("conda-forge:namespace:zlib", "zlib"),
        (" zlib", "zlib"),
        ("zlib[when='a::b']", "zlib"),
        ("*", ""),
        ("", ""),
    ],
)
def test_a_spec_begins_with_a_name(spec, name):
    assert leading_name(spec) == name


def _warned(records, includes=(), excludes=(), blocklist=None):
    package_filter = PackageFilter(includes, excludes, blocklist)
    for record in records:
        package_filter.reason_against(record)
    return package_filter.warnings()


def test_a_spec_that_matched_nothing_is_named_with_similar_names():
    assert _warned(RECORDS, ["nump >=1.26", "scipy"], ["num*", "scipi", "numpy >=9", "zzz"]) == {
        "includes[0]": "'nump >=1.26' matched none of 5 packages (includes[0]). "
        "Similar names: 'numpy'.",
        "excludes[1]": "'scipi' matched none of 5 packages (excludes[1]). Similar names: 'scipy'.",
        "excludes[2]": "'numpy >=9' matched none of 5 packages (excludes[2]). "
        "There are packages named 'numpy', but none that it chooses.",
        "excludes[3]": "'zzz' matched none of 5 packages (excludes[3]).",
    }


@pytest.mark.parametrize(
    "specs",
    [
        pytest.param({}, id="no specs"),
        pytest.param({"includes": ["numpy", "num*", "numpy <2"]}, id="several match one package"),
        pytest.param({"includes": ["scipy"], "excludes": ["numpy"]}, id="what is not included"),
        pytest.param({"excludes": ["num*", "numpy"]}, id="what is excluded already"),
        pytest.param(
            {"includes": ["numpy", "scipy"], "blocklist": Blocklist({}, {"numpy": "malware"})},
            id="what is blocked",
        ),
    ],
)
def test_a_spec_that_matched_something_is_not_named(specs):
    assert _warned(RECORDS, **specs) == {}


def test_a_filter_that_leaves_nothing_says_so():
    assert _warned(RECORDS, ["numpy"], ["num*"]) == {
        "": "'includes' and 'excludes' take none of 5 packages."
    }
    assert _warned([], ["numpy"]) == {}


def test_of_what_changed_it_is_only_found_what_matches_now():
    package_filter = PackageFilter(["nump", "scipy"])
    before = {"includes[0]": "a sentence", "includes[1]": "another", "": "nothing is taken"}
    assert package_filter.warnings(before) == before
    package_filter.reason_against(RECORDS[3], is_listed=False)
    assert package_filter.warnings(before) == before
    package_filter.reason_against(RECORDS[3])
    assert package_filter.warnings(before) == {"includes[0]": "a sentence"}
