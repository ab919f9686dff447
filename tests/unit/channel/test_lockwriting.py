from dataclasses import replace

import pytest
import rattler
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pulp_conda.channel.errors import MissingHash
from pulp_conda.channel.lockfiles.read import read_lock_file
from pulp_conda.channel.lockfiles.write import (
    SolvedEnvironment,
    in_install_order,
    write_conda_lock,
    write_explicit,
    write_pixi_lock,
)
from tests.support.builders import make_record

STABLE = "https://pulp.example.org/content/stable@2026-03-03"


def _solved(name="numpy", version="1.0", build="0", **fields):
    """A record as a solver gives it."""
    record = make_record(name, version, build, **fields)
    url = f"{STABLE}/{record.subdir}/{record.filename}"
    return record.fields | {"filename": record.filename, "url": url}


PYTHON = _solved(
    "python",
    "3.12.0",
    "h1_0_cpython",
    subdir="linux-64",
    depends=["__glibc >=2.17,<3.0.a0", "pip", "zlib >=1.2", "zlib <2.0a0"],
    constrains=["python_abi 3.12.* *_cp312"],
    license_family="PSF",
    track_features="mkl, nomkl",
    python_site_packages_path="lib/python3.12/site-packages",
)
PIP = _solved("pip", "24.0", "pyhd8ed1ab_0", depends=["python >=3.8,<3.13.0a0"], noarch="python")
ZLIB = _solved("zlib", "1!1.3+x", "h1_3", subdir="linux-64", build_number=7, extension=".tar.bz2")
TZDATA = _solved("tzdata", "2024a", "h0c530f3_0")


def _environment(name="default", **platforms):
    platforms = platforms or {"linux-64": [PYTHON, PIP, ZLIB, TZDATA], "osx-64": [TZDATA]}
    return SolvedEnvironment(name, [STABLE, "https://conda.example.org/forge"], platforms)


def _names(records):
    return [record["name"] for record in records]


def _read_with_rattler(text, tmp_path):
    path = tmp_path / "pixi.lock"
    path.write_text(text)
    return rattler.LockFile.from_path(path)


def _packages(environment, platform):
    # rattler takes only platform objects that come from this file.
    (platform,) = (known for known in environment.platforms() if known.name == platform)
    return environment.packages(platform)


def test_rattler_reads_from_a_pixi_lock_what_the_solver_gave(tmp_path):
    lock = _read_with_rattler(write_pixi_lock([_environment()]), tmp_path)
    environment = lock.default_environment()
    assert [str(channel) for channel in environment.channels()] == [
        f"{STABLE}/",
        "https://conda.example.org/forge/",
    ]
    assert sorted(known.name for known in environment.platforms()) == ["linux-64", "osx-64"]
    locked = {package.name: package for package in _packages(environment, "linux-64")}
    assert locked.keys() == {"python", "pip", "zlib", "tzdata"}
    for solved in (PYTHON, PIP, ZLIB, TZDATA):
        package = locked[solved["name"]]
        record = package.package_record
        assert package.location == solved["url"]
        assert str(record.version) == solved["version"]
        assert str(record.build) == solved["build"]
        assert record.build_number == solved["build_number"]
        assert str(record.subdir) == solved["subdir"]
        assert record.sha256.hex() == solved["sha256"]
        assert record.md5.hex() == solved["md5"]
        assert record.size == solved["size"]
        assert record.depends == solved["depends"]
        assert record.constrains == solved.get("constrains", [])
        assert record.license == solved["license"]
        assert record.timestamp.timestamp() * 1000 == solved["timestamp"]
    assert locked["pip"].package_record.noarch.python
    assert locked["tzdata"].package_record.noarch.generic
    assert locked["zlib"].package_record.noarch.none
    assert locked["python"].package_record.track_features == ["mkl", "nomkl"]
    assert locked["python"].package_record.license_family == "PSF"


def test_a_pixi_lock_has_each_package_once_and_every_environment(tmp_path):
    text = write_pixi_lock([_environment("test", **{"osx-64": [TZDATA]}), _environment()])
    assert text.count(f"- conda: {TZDATA['url']}\n") == 4
    assert text.count(f"\n- conda: {TZDATA['url']}\n") == 1
    lock = _read_with_rattler(text, tmp_path)
    assert sorted(name for name, environment in lock.environments()) == ["default", "test"]
    assert read_lock_file(text).environments == ("default", "test")


@pytest.mark.parametrize(
    "digest",
    [
        pytest.param("1" * 32, id="digits"),
        pytest.param("0" * 32, id="octal"),
        pytest.param("12345e78901234567890123456789012", id="exponent"),
        pytest.param("0" * 8 + "e" + "1" * 23, id="zero with exponent"),
    ],
)
def test_hashes_that_look_like_numbers_stay_texts_for_every_reader(digest, tmp_path):
    # YAML 1.1 (PyYAML) and 1.2 (pixi, mamba) do not agree about what is a number.
    solved = TZDATA | {"md5": digest, "sha256": digest * 2, "version": "1e5"}
    solved["url"] = f"{STABLE}/noarch/tzdata-1e5-0.conda"
    environment = _environment(**{"linux-64": [solved]})
    text = write_pixi_lock([environment])
    lock = _read_with_rattler(text, tmp_path)
    (package,) = _packages(lock.default_environment(), "linux-64")
    assert package.package_record.md5.hex() == digest
    text = write_conda_lock(environment)
    (entry,) = yaml.safe_load(text)["package"]
    assert entry["hash"] == {"md5": digest, "sha256": digest * 2}
    assert "version: '1e5'" in text


def test_a_conda_lock_has_what_cep_37_wants():
    lock = yaml.safe_load(write_conda_lock(_environment()))
    assert lock.keys() == {"version", "metadata", "package"}
    assert lock["version"] == 1
    assert lock["metadata"].keys() == {"content_hash", "channels", "platforms", "sources"}
    assert lock["metadata"]["platforms"] == ["linux-64", "osx-64"]
    assert lock["metadata"]["sources"] == ["environment.yml"]
    assert lock["metadata"]["channels"] == [
        {"url": STABLE, "used_env_vars": []},
        {"url": "https://conda.example.org/forge", "used_env_vars": []},
    ]
    assert lock["metadata"]["content_hash"].keys() == {"linux-64", "osx-64"}
    assert [(entry["platform"], entry["name"]) for entry in lock["package"]] == [
        ("linux-64", "zlib"),
        ("linux-64", "python"),
        ("linux-64", "pip"),
        ("linux-64", "tzdata"),
        ("osx-64", "tzdata"),
    ]
    assert lock["package"][1] == {
        "name": "python",
        "version": "3.12.0",
        "manager": "conda",
        "platform": "linux-64",
        "dependencies": {"__glibc": ">=2.17,<3.0.a0", "pip": "", "zlib": ">=1.2,<2.0a0"},
        "url": PYTHON["url"],
        "hash": {"md5": PYTHON["md5"], "sha256": PYTHON["sha256"]},
        "category": "main",
        "optional": False,
    }


def _without(digest, record):
    return {key: value for key, value in record.items() if key != digest}


@pytest.mark.parametrize(
    "digest, write, lock_format",
    [
        pytest.param("md5", write_conda_lock, "conda-lock", id="conda-lock"),
        pytest.param(
            "md5", lambda given: write_explicit(given, "linux-64", "md5"), "explicit", id="md5"
        ),
        pytest.param(
            "sha256", lambda given: write_explicit(given, "linux-64"), "explicit", id="sha256"
        ),
    ],
)
@pytest.mark.parametrize("lack", [_without, lambda digest, record: record | {digest: None}])
def test_no_package_is_written_with_another_hash_than_the_one_that_is_needed(
    digest, write, lock_format, lack
):
    packages = [PYTHON, lack(digest, ZLIB), lack(digest, TZDATA)]
    with pytest.raises(MissingHash) as refused:
        write(_environment(**{"linux-64": packages}))
    assert refused.value.facts == {
        "format": lock_format,
        "digest": digest,
        "packages": "'tzdata-2024a-h0c530f3_0.conda', 'zlib-1!1.3+x-h1_3.tar.bz2'",
    }
    # A pixi.lock takes a package with either hash.
    assert ZLIB["url"] in write_pixi_lock([_environment(**{"linux-64": packages})])


def test_the_content_hash_of_a_platform_changes_with_its_packages_alone():
    def hashes(**platforms):
        lock = yaml.safe_load(write_conda_lock(_environment(**platforms)))
        return lock["metadata"]["content_hash"]

    before = hashes(**{"linux-64": [ZLIB, TZDATA], "osx-64": [TZDATA]})
    after = hashes(**{"linux-64": [ZLIB, TZDATA | {"sha256": "0" * 64}], "osx-64": [TZDATA]})
    assert before["linux-64"] != after["linux-64"]
    assert before["osx-64"] == after["osx-64"]


def test_a_conda_lock_joins_two_constraints_on_the_version():
    solved = TZDATA | {"depends": ["a >=1", "a", "b 1.0 py_0", "b <2", "c[version='>=1']"]}
    (entry,) = yaml.safe_load(write_conda_lock(_environment(noarch=[solved])))["package"]
    assert entry["dependencies"] == {"a": ">=1", "b": "<2", "c": "[version='>=1']"}


def test_an_explicit_list_is_for_one_platform_and_in_the_order_of_installation():
    text = write_explicit(_environment(), "linux-64")
    lines = text.splitlines()
    assert lines[2:4] == ["# platform: linux-64", "@EXPLICIT"]
    assert lines[4:] == [
        f"{solved['url']}#sha256:{solved['sha256']}" for solved in (ZLIB, PYTHON, PIP, TZDATA)
    ]
    # rattler would read an empty line as a URL.
    assert all(lines) and text.endswith("\n")


def test_an_explicit_list_has_md5_for_older_clients():
    environment = _environment(noarch=[TZDATA, ZLIB | {"sha256": None}])
    lines = write_explicit(environment, "noarch", digest="md5").splitlines()
    assert lines[-2] == f"{TZDATA['url']}#{TZDATA['md5']}"
    assert lines[-1] == f"{ZLIB['url']}#{ZLIB['md5']}"


def test_a_pixi_lock_lists_a_package_without_hashes():
    solved = TZDATA | {"md5": None, "sha256": None}
    text = write_pixi_lock([_environment(noarch=[solved])])
    assert [(p.sha256, p.md5) for p in read_lock_file(text).packages] == [(None, None)]


def test_no_lock_file_holds_a_secret():
    url = (
        PIP["url"].replace("https://", "https://me:secret@").replace("/stable", "/t/secret/stable")
    )
    environment = SolvedEnvironment("default", [f"{url}/x"], {"noarch": [PIP | {"url": url}]})
    for text in (
        write_pixi_lock([environment]),
        write_conda_lock(environment),
        write_explicit(environment, "noarch"),
    ):
        assert "secret" not in text
        assert PIP["url"] in text


@pytest.mark.parametrize(
    "depends, ordered",
    [
        pytest.param({"a": [], "b": [], "c": []}, "abc", id="none"),
        pytest.param({"a": ["b"], "b": ["c >=1"], "c": []}, "cba", id="chain"),
        pytest.param({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, "dbca", id="diamond"),
        pytest.param({"a": ["__glibc", "x"], "b": []}, "ab", id="what is not there"),
        pytest.param({"a": ["b"], "b": ["a"], "c": ["a"]}, "bac", id="circle"),
        pytest.param({"a": ["a"]}, "a", id="itself"),
    ],
)
def test_each_package_comes_after_those_that_it_needs(depends, ordered):
    records = [_solved(name, depends=needed) for name, needed in depends.items()]
    assert _names(in_install_order(records)) == list(ordered)
    assert _names(in_install_order(records[::-1])) == list(ordered)


def test_python_comes_before_pip_which_it_needs():
    records = [PIP, PYTHON | {"depends": ["pip"]}, _solved("app", depends=["python"])]
    assert _names(in_install_order(records)) == ["python", "app", "pip"]


@pytest.mark.parametrize("of_last", [[], ["p00000"]], ids=["chain", "circle"])
def test_50_000_packages_that_need_each_other_are_ordered(of_last):
    records = [
        {"name": f"p{number:05}", "depends": [f"p{number + 1:05}"]} for number in range(50_000)
    ]
    records[-1]["depends"] = of_last
    assert _names(in_install_order(records)) == _names(reversed(records))


_record = st.builds(
    lambda name, version, build, subdir, extension, number: _solved(
        name, version, build, subdir=subdir, extension=extension, build_number=number
    ),
    st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"([1-9]!)?[0-9]{1,3}(\.[0-9]{1,3}|e[0-9])?(\+[0-9a-z])?", fullmatch=True),
    st.from_regex(r"[a-z0-9_]{0,5}[0-9]", fullmatch=True),
    st.sampled_from(["noarch", "linux-64"]),
    st.sampled_from([".conda", ".tar.bz2"]),
    st.integers(0, 9),
)


@given(st.lists(_record, max_size=6, unique_by=lambda record: record["name"]))
def test_what_is_written_is_read_and_does_not_depend_on_the_order(records):
    environment = _environment(**{"linux-64": records})
    turned = replace(environment, platforms={"linux-64": records[::-1]})
    for write in (
        lambda environment: write_pixi_lock([environment]),
        write_conda_lock,
        lambda environment: write_explicit(environment, "linux-64"),
    ):
        text = write(environment)
        assert write(turned) == text
        lock = read_lock_file(text)
        assert {(package.url, *package.path, package.sha256) for package in lock.packages} == {
            (record["url"], record["subdir"], record["filename"], record["sha256"])
            for record in records
        }
        assert {use[1] for package in lock.packages for use in package.uses} <= {"linux-64"}
        assert lock.platforms == ("linux-64",)
