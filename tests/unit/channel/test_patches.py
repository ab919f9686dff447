import io
import json
import subprocess
import sys

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_conda.channel.errors import BadPatch, PackageError, PackageTooLarge
from pulp_conda.channel.metadata.patch_instructions import (
    MAX_SIZE,
    check_instructions,
    read_patches_package,
)
from pulp_conda.channel.metadata.patches import merge, upstream_document
from pulp_conda.channel.package.archive import Limits
from tests.support.builders import make_member, make_package, make_record

CONDA = "numpy-1.0-0.conda"
OLD = "numpy-1.0-0.tar.bz2"


def _patched(record, *documents):
    """Return the fields of a record after these instructions."""
    patches = merge(check_instructions(document) for document in documents)
    return orjson.loads(patches.apply(record.filename, record.canonical))


def _conda(**changes):
    return {"packages.conda": {CONDA: changes}}


@pytest.mark.parametrize(
    "key, value",
    [
        pytest.param(
            "depends", ["python >=3.12", "__glibc >=2.17", "blas * openblas"], id="depends"
        ),
        pytest.param("depends", ['scipy[version=">=1", when="python <3.13"]'], id="when"),
        pytest.param("depends", [], id="no depends"),
        pytest.param("constrains", ["scipy <2"], id="constrains"),
        pytest.param("license", "MIT", id="license"),
        pytest.param("license_family", "MIT", id="license family"),
        pytest.param("track_features", "pypy", id="track features"),
        pytest.param("features", "vc9", id="features"),
        pytest.param("purls", ["pkg:pypi/numpy"], id="purls"),
        pytest.param("flags", ["cuda", "blas:mkl"], id="flags"),
        pytest.param("extra_depends", {"test": ["pytest >=8"]}, id="extras"),
    ],
)
def test_a_patch_changes_one_key_and_nothing_else(key, value):
    record = make_record("numpy", unknown={"kept": 1})
    assert _patched(record, _conda(**{key: value})) == {**record.fields, key: value}


@pytest.mark.parametrize(
    "key", ["features", "license", "license_family", "purls", "track_features"]
)
def test_null_takes_a_key_out_of_the_record(key):
    record = make_record("numpy", **{key: "something"})
    assert key not in _patched(record, _conda(**{key: None}))
    without = make_record("scipy", license=None)
    del without.fields["license"]
    patches = merge([{"packages.conda": {without.filename: {key: None}}}])
    assert patches.apply(without.filename, without.canonical) is without.canonical


def test_a_record_that_does_not_change_is_handed_back_as_it_is():
    record = make_record("numpy", depends=["python"])
    other = make_record("scipy")
    patches = merge([check_instructions(_conda(depends=["python"]))])
    assert patches.apply(record.filename, record.canonical) is record.canonical
    assert patches.apply(other.filename, other.canonical) is other.canonical


def test_a_patched_record_is_in_canonical_form():
    record = make_record("numpy")
    patches = merge([check_instructions(_conda(depends=["python"], constrains=["b"]))])
    patched = patches.apply(record.filename, record.canonical)
    assert patched == orjson.dumps(orjson.loads(patched), option=orjson.OPT_SORT_KEYS)


def test_a_patch_of_a_tar_bz2_holds_for_its_conda_where_that_has_none_of_its_own():
    document = {
        "packages": {OLD: {"depends": ["old"], "license": "MIT"}},
        "packages.conda": {CONDA: {"depends": ["new"]}},
    }
    old, conda = make_record("numpy", extension=".tar.bz2"), make_record("numpy")
    assert _patched(old, document)["depends"] == ["old"]
    assert _patched(conda, document)["depends"] == ["new"]
    assert _patched(conda, document)["license"] == "MIT"
    assert _patched(old, _conda(depends=["new"])) == old.fields


def test_of_two_patches_the_later_wins_key_by_key():
    record = make_record("numpy")
    first = _conda(depends=["a"], license="A")
    assert _patched(record, first, _conda(depends=["b"]))["depends"] == ["b"]
    assert _patched(record, first, _conda(depends=["b"]))["license"] == "A"
    # Instructions for the .tar.bz2 are for both formats, and win over earlier ones of the .conda.
    later = {"packages": {OLD: {"depends": ["c"]}}}
    assert _patched(record, first, later)["depends"] == ["c"]
    assert _patched(record, later, first)["depends"] == ["a"]


_CHANGES = st.dictionaries(
    st.sampled_from(["license", "features"]), st.sampled_from(["a", "b", None]), min_size=1
)
_DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "packages": st.dictionaries(st.just(OLD), _CHANGES),
            "packages.conda": st.dictionaries(st.just(CONDA), _CHANGES),
        },
    ),
    max_size=4,
)


@given(_DOCUMENTS, st.sampled_from([".conda", ".tar.bz2"]))
def test_merged_patches_do_what_they_do_one_after_the_other(documents, extension):
    record = make_record("numpy", extension=extension, features="x")
    expected = record.canonical
    for document in documents:
        expected = merge([document]).apply(record.filename, expected)
    merged = merge(documents)
    assert merged.apply(record.filename, record.canonical) == expected
    published = merge([merged.document()])
    assert published.apply(record.filename, record.canonical) == expected


def test_a_revoked_package_stays_and_can_not_be_installed():
    document = {"revoke": [OLD], **_conda(depends=["python"])}
    for extension in (".conda", ".tar.bz2"):
        record = make_record("numpy", extension=extension)
        fields = _patched(record, document)
        assert fields["revoked"] is True
        assert fields["depends"][-1] == "package_has_been_revoked"
    assert _patched(make_record("numpy"), document)["depends"][0] == "python"
    assert not merge([document]).is_removed(OLD)


def test_a_record_that_was_revoked_before_is_revoked_once():
    record = make_record("numpy", depends=["package_has_been_revoked"], revoked=True)
    assert _patched(record, {"revoke": [CONDA]}) == record.fields


def test_removing_a_tar_bz2_removes_its_conda_and_not_the_other_way():
    patches = merge([check_instructions({"remove": [OLD]})])
    assert patches.is_removed(OLD) and patches.is_removed(CONDA)
    assert patches.removed == [CONDA, OLD]
    patches = merge([check_instructions({"remove": [CONDA]})])
    assert patches.is_removed(CONDA) and not patches.is_removed(OLD)
    assert patches.removed == [CONDA]


def test_what_an_upstream_removed_is_taken_by_the_letter():
    # An upstream can remove a .tar.bz2 and still have its .conda.
    patches = merge([upstream_document([OLD, "lammps-2018.03.16-.tar.bz2", "../x", 3])])
    assert patches.removed == [OLD]
    assert patches.is_removed(OLD) and not patches.is_removed(CONDA)
    assert patches and not patches.has_instructions
    assert upstream_document(["lammps-2018.03.16-.tar.bz2"]) is None


def test_run_exports_are_no_part_of_the_record():
    document = check_instructions({"packages": {OLD: {"run_exports": {"weak": ["numpy >=1"]}}}})
    patches = merge([document])
    record = make_record("numpy")
    assert patches.apply(CONDA, record.canonical) is record.canonical
    assert patches.run_exports(CONDA) == patches.run_exports(OLD) == {"weak": ["numpy >=1"]}
    assert patches.run_exports("scipy-1.0-0.conda") is None
    assert document["patch_instructions_version"] == 2


def test_the_names_of_the_files_are_listed():
    document = {**_conda(license="MIT"), "remove": ["b-1-0.tar.bz2"], "revoke": ["a-1-0.conda"]}
    patches = merge([check_instructions(document)])
    assert patches.filenames() == ["a-1-0.conda", "b-1-0.tar.bz2", CONDA]
    assert patches.targets() == {"a-1-0.conda", "b-1-0.conda", "b-1-0.tar.bz2", CONDA}
    assert not merge([])


def test_the_same_instructions_have_one_canonical_form():
    expected = {
        "packages": {},
        "packages.conda": {CONDA: {"depends": [], "license": "MIT"}},
        "patch_instructions_version": 1,
        "remove": ["a-1-0.conda", "b-1-0.conda"],
        "revoke": [],
    }
    document = {
        "remove": ["b-1-0.conda", "a-1-0.conda", "b-1-0.conda"],
        "patch_instructions_version": 2,
        "packages": {OLD: {}},
        "packages.conda": {CONDA: {"license": "MIT", "depends": []}},
    }
    assert json.dumps(check_instructions(document)) == json.dumps(expected)
    assert check_instructions(expected) == expected


@pytest.mark.parametrize(
    "document, reason",
    [
        pytest.param([], "it is not an object", id="list"),
        pytest.param({}, "it changes nothing", id="empty"),
        pytest.param({"packages": {OLD: {}}, "remove": []}, "it changes nothing", id="empty patch"),
        pytest.param({"removed": [CONDA]}, "'removed' is no section", id="unknown section"),
        pytest.param({"v3": {}}, "name those packages by their files", id="v3"),
        pytest.param({"patch_instructions_version": 3}, "is not 1 or 2", id="version 3"),
        pytest.param({"patch_instructions_version": True}, "is not 1 or 2", id="version true"),
        pytest.param({"remove": CONDA}, "'remove' is not a list", id="remove a text"),
        pytest.param({"revoke": [1]}, "in 'revoke', there is something else", id="revoke a number"),
        pytest.param({"remove": ["numpy"]}, "'numpy' is not a package's file name", id="no file"),
        pytest.param({"remove": ["../x-1-0.conda"]}, "'../x-1-0.conda' is not a", id="path"),
        pytest.param({"packages": []}, "'packages' is not an object", id="section is a list"),
        pytest.param(
            {"packages": {CONDA: {"license": ""}}}, "where '.tar.bz2' files do", id="section"
        ),
        pytest.param({"packages": {OLD: None}}, "has is not an object", id="patch is null"),
        pytest.param(_conda(depend=[]), "'depend' of 'numpy-1.0-0.conda' is no key", id="typo"),
        pytest.param(_conda(noarch="python"), "is no key that a patch changes", id="noarch"),
        pytest.param(_conda(sha256="0" * 64), "is a fact about the file", id="sha256"),
        pytest.param(
            _conda(indexed_timestamp=1), "is a fact about the file", id="indexed_timestamp"
        ),
        pytest.param(_conda(attestations_sha256=None), "is a fact about", id="attestations_sha256"),
        pytest.param(_conda(depends=None), "is not a list of match specs", id="depends null"),
        pytest.param(_conda(depends="python"), "is not a list of match specs", id="depends text"),
        pytest.param(
            _conda(depends=[["python"]]), "is not a list of match specs", id="nested list"
        ),
        pytest.param(_conda(depends=["x >=1,<<2"]), "'x >=1,<<2', which is not a match", id="spec"),
        pytest.param(_conda(depends=["x", "y >"]), "'y >', which is not a", id="second spec"),
        pytest.param(_conda(constrains=["nump*"]), "does not name one package", id="glob"),
        pytest.param(_conda(depends=["forge::x"]), "it names a channel", id="channel"),
        pytest.param(_conda(depends=["https://h/x-1-0.conda"]), "names a URL", id="url"),
        pytest.param(
            _conda(depends=['x[url="https://h/x-1-0.conda"]']), "names a URL", id="url key"
        ),
        pytest.param(
            _conda(depends=["x " + "(" * 10**5]), "more than 1000 characters", id="parens"
        ),
        pytest.param(_conda(license=["MIT"]), "is neither null nor a text", id="license list"),
        pytest.param(_conda(license="x" * 1001), "is neither null nor a text", id="license long"),
        pytest.param(_conda(flags=["A b"]), "is not a list of flags", id="flags"),
        pytest.param(_conda(purls=["numpy"]), "is not a list of package URLs", id="purls"),
        pytest.param(_conda(purls=["pkg:pypi/"]), "is no package URL", id="half a purl"),
        pytest.param(_conda(extra_depends=["x"]), "is not an object", id="extras list"),
        pytest.param(
            _conda(extra_depends={"A!": []}), "which is no name of an extra", id="extra name"
        ),
        pytest.param(
            _conda(run_exports={"week": []}), "'week', which is none of", id="run_exports"
        ),
        pytest.param(
            {"patch_instructions_version": 1, **_conda(run_exports={})},
            "needs 'patch_instructions_version' 2",
            id="run_exports in version 1",
        ),
        pytest.param(_conda(license="\ud800"), ".license' holds half", id="half surrogate"),
        *(
            pytest.param(_conda(**{key: value}), "holds a NUL", id=f"NUL in {key}")
            for key, value in (
                ("license", "\0"),
                ("license_family", "\0"),
                ("track_features", "\0"),
                ("features", "\0"),
                ("purls", ["pkg:\0"]),
                ("depends", ["a \0"]),
                ("\0", 1),
            )
        ),
        pytest.param({"remove": [2**70]}, "it cannot be written as JSON", id="huge number"),
        pytest.param(_conda(license="x" * MAX_SIZE), "it is larger than", id="too large"),
    ],
)
def test_instructions_that_nobody_could_follow_are_refused(document, reason):
    with pytest.raises(BadPatch) as refused:
        check_instructions(document)
    assert reason in refused.value.facts["reason"]


def test_all_problems_are_told_at_once_up_to_ten():
    with pytest.raises(BadPatch) as refused:
        check_instructions({"remove": ["x"], "revoke": 1, **_conda(md5="", depends=["("])})
    assert refused.value.facts["reason"].count("; ") == 3
    with pytest.raises(BadPatch) as refused:
        check_instructions({"remove": [f"x{number}" for number in range(1000)]})
    assert refused.value.facts["reason"].count("; ") == 10
    assert refused.value.facts["reason"].endswith("; and more")


# Packages of patches


def _package(documents, name="team-repodata-patches", **options):
    files = {
        f"{subdir}/patch_instructions.json": orjson.dumps(document)
        if isinstance(document, dict)
        else document
        for subdir, document in documents.items()
    }
    return make_package(name, files=files, **options)


def _read(package, **options):
    return read_patches_package(
        io.BytesIO(package.data), filename=package.filename, size=len(package.data), **options
    )


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_a_package_of_patches_has_a_document_for_each_subdir(extension):
    package = _package(
        {
            "noarch": _conda(depends=["python"]),
            # conda-forge has both: a subdir without patches, and a name that CEP 26 forbids.
            "linux-64": {
                "patch_instructions_version": 1,
                "packages": {},
                "remove": [],
                "revoke": [],
            },
            "osx-64": {"remove": ["lammps-2018.03.16-.tar.bz2", OLD]},
        },
        extension=extension,
    )
    documents = _read(package)
    assert documents["noarch"] == check_instructions(_conda(depends=["python"]))
    assert documents["osx-64"]["remove"] == [OLD]
    assert documents.keys() == {"noarch", "osx-64"}
    assert _read(package, subdirs=["osx-64"]).keys() == {"osx-64"}


@pytest.mark.parametrize(
    "document, reason",
    [
        pytest.param(b"{", "it is no JSON", id="cut short"),
        pytest.param(b"[]", "it is not an object", id="list"),
        pytest.param(_conda(sha256=""), "is a fact about the file", id="sha256"),
        pytest.param({"remove": [1]}, "in 'remove', there is something else", id="number"),
    ],
)
def test_a_bad_document_in_a_package_is_refused_and_named(document, reason):
    with pytest.raises(BadPatch) as refused:
        _read(_package({"noarch": document}))
    assert reason in refused.value.facts["reason"]
    assert "'noarch/patch_instructions.json' of 'team-repodata-patches-1.0-0.conda'" in str(
        refused.value
    )


def test_a_package_of_patches_has_limits():
    package = _package({"noarch": {"remove": [f"x{number}-1-0.conda" for number in range(999)]}})
    with pytest.raises(PackageTooLarge) as refused:
        _read(package, limits=Limits(info_member_size=1000))
    assert refused.value.facts["setting"] == "CONDA_PACKAGE_LIMITS.info_member_size"


def test_a_package_that_is_damaged_or_hostile_gives_no_patches():
    package = _package({"noarch": _conda(depends=["python"])})
    with pytest.raises(PackageError):
        read_patches_package(
            io.BytesIO(package.data[:-50]), filename=package.filename, size=len(package.data)
        )
    link = make_member("noarch/patch_instructions.json", b"2", target="/etc/passwd")
    with pytest.raises(PackageError):
        _read(make_package("team-repodata-patches", members=[link]))


_INDEX = """
import asyncio, os, sys
from rattler import index
options = {"repodata_patch": sys.argv[2], "write_zst": False, "write_shards": False}
asyncio.run(index.index_fs(sys.argv[1], **options))
os._exit(0)  # A normal exit after py-rattler sometimes crashes.
"""


def test_rattler_patches_the_same_records_in_the_same_way(tmp_path):
    # py-rattler cannot make `PatchInstructions`, but its indexer reads a package of patches.
    packages = [
        make_package(name, subdir="linux-64", extension=extension, depends=["a"], index=index)
        for name, extension, index in (
            ("both", ".conda", {}),
            ("both", ".tar.bz2", {}),
            ("nulls", ".conda", {"features": "x", "license_family": "MIT", "track_features": "y"}),
            ("other", ".conda", {}),
        )
    ]
    document = {
        "patch_instructions_version": 1,
        "packages": {
            "both-1.0-0.tar.bz2": {"depends": ["old"], "license": "Zlib"},
            "missing-1.0-0.tar.bz2": {"depends": ["x"]},
        },
        "packages.conda": {
            "both-1.0-0.conda": {"depends": ["new"], "constrains": ["c <2"]},
            "nulls-1.0-0.conda": {
                "features": None,
                "license": None,
                "license_family": None,
                "track_features": None,
                "purls": ["pkg:pypi/nulls"],
            },
        },
        "remove": ["other-1.0-0.conda"],
        "revoke": [],
    }
    patches_package = _package({"linux-64": document})
    for package in (*packages, patches_package):
        (tmp_path / package.subdir).mkdir(exist_ok=True)
        (tmp_path / package.subdir / package.filename).write_bytes(package.data)
    command = [sys.executable, "-c", _INDEX, str(tmp_path), patches_package.filename]
    subprocess.run(command, check=True, timeout=60)

    def load(filename):
        repodata = orjson.loads((tmp_path / "linux-64" / filename).read_bytes())
        return repodata["packages"] | repodata["packages.conda"], set(repodata.get("removed", ()))

    patches = merge([_read(patches_package)["linux-64"]])
    unpatched, _ = load("repodata_from_packages.json")
    expected, removed = load("repodata.json")
    assert len(unpatched) == 4
    # rattler keeps the records of removed packages in the index. conda-index and pulp_conda do not.
    assert removed == set(patches.removed) == {"other-1.0-0.conda"}
    for filename, fields in unpatched.items():
        patched = patches.apply(filename, orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
        assert orjson.loads(patched) == expected[filename]
