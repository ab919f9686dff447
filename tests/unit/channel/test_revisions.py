import pytest
from rattler import MatchSpec

from pulp_conda.channel.metadata.v3 import RevisionCounter, as_v3, declares_v3


@pytest.mark.parametrize(
    "fields, declared",
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"schema_version": 2}, False, id="schema of today"),
        pytest.param({"schema_version": 3}, True, id="schema 3"),
        pytest.param({"schema_version": 4}, True, id="schema of the future"),
        pytest.param({"schema_version": "3"}, False, id="text"),
        pytest.param({"repodata_revision": 3}, True, id="rattler's word"),
        pytest.param({"depends": ['a[when="__unix"]']}, True, id="condition"),
        pytest.param({"depends": ['a >=1[version="<2", when="b"]']}, True, id="second field"),
        pytest.param({"constrains": ["a[extras=[x]]"]}, True, id="extras of another"),
        pytest.param({"depends": ["a[flags=[cuda]]"]}, True, id="flags of another"),
        pytest.param({"extra_depends": {"x": ['a[ when ="b"]']}}, True, id="in a group"),
        pytest.param({"depends": ["a[version='>=1']"]}, False, id="brackets of old"),
        pytest.param({"depends": ["when >=1", "flags=1"]}, False, id="name of a package"),
        # Old clients install these packages. An upstream that does not want it says so.
        pytest.param({"extra_depends": {"x": ["a"]}, "flags": ["b"]}, False, id="new fields"),
        pytest.param(
            {"depends": None, "constrains": None, "extra_depends": None}, False, id="null"
        ),
    ],
)
def test_a_record_declares_v3_in_words_or_by_its_specs(fields, declared):
    assert declares_v3(fields) is declared


@pytest.mark.parametrize(
    "spec, in_v3",
    [
        pytest.param("pip", "pip", id="name"),
        pytest.param("pip[]", "pip", id="empty brackets"),
        pytest.param("__glibc >=2.17,<3.0.a0", '__glibc[version=">=2.17,<3.0.a0"]', id="version"),
        pytest.param("numpy 1.* *_cpu", 'numpy[version="1.*",build="*_cpu"]', id="build"),
        pytest.param("numpy 1.2", 'numpy[version="==1.2"]', id="exactly"),
        pytest.param("numpy=1.2", 'numpy[version="1.2.*"]', id="about"),
        pytest.param("blas * mkl", 'blas[version="*",build="mkl"]', id="any version"),
        pytest.param(
            'numpy >=2[when="python >=3.10"]',
            'numpy[version=">=2",when="python>=3.10"]',
            id="condition behind a version",
        ),
        pytest.param(
            "package[version=2,build_number=0,when=__unix]",
            "package[version=2,build_number=0,when=__unix]",
            id="CEP 48's own example",
        ),
        pytest.param("conda-forge::a >=1", "conda-forge::a >=1", id="channel"),
        pytest.param("a >=1[md5=" + "0" * 32 + "]", "a >=1[md5=" + "0" * 32 + "]", id="checksum"),
        pytest.param("a >=1,<<2", "a >=1,<<2", id="no spec"),
        pytest.param("a " + "(" * 100_000, "a " + "(" * 100_000, id="a spec after our stack"),
    ],
)
def test_specs_get_the_form_of_v3(spec, in_v3):
    fields = {"depends": [spec], "constrains": [spec], "extra_depends": {"x": [spec]}, "other": 1}
    written = as_v3(fields)
    assert written == {
        "depends": [in_v3],
        "constrains": [in_v3],
        "extra_depends": {"x": [in_v3]},
        "other": 1,
    }
    assert as_v3(written) == written
    assert fields["depends"] == [spec]


@pytest.mark.parametrize(
    "spec",
    [
        "python >=3.6,<3.7.0a0",
        "python 3.6*",
        "numpy >=1,<2|3",
        "numpy 1.5 py27_0|py36_1",
        "a ~=1.2 h*_3",
        'a >=1[build_number=">=2", flags=[x, "y:*"]]',
        "a >=1[when=\"(b>=2 or c[build='x*']) and d\"]",
    ],
)
def test_a_converted_spec_says_the_same(spec):
    (converted,) = as_v3({"depends": [spec]})["depends"]
    assert converted != spec
    assert MatchSpec(converted).to_canonical_string() == MatchSpec(spec).to_canonical_string()


@pytest.mark.parametrize(
    "timestamps, info",
    [
        pytest.param([], {}, id="no records"),
        pytest.param([None], {"v3": {"n_packages": 1}}, id="nobody knows when"),
        pytest.param(
            [None, 5, 0, 9], {"v3": {"n_packages": 4, "newest": 9, "oldest": 0}}, id="some"
        ),
    ],
)
def test_a_revision_tells_how_many_records_and_of_when(timestamps, info):
    counter = RevisionCounter()
    for timestamp in timestamps:
        counter.add({} if timestamp is None else {"indexed_timestamp": timestamp})
    assert counter.as_info() == info
