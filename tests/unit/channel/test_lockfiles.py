import orjson
import pytest
import rattler
from hypothesis import given
from hypothesis import strategies as st

from pulp_conda.channel.errors import BadLockFile
from pulp_conda.channel.lockfiles.model import LockFile, without_secrets
from pulp_conda.channel.lockfiles.read import (
    LARGEST,
    LockFormat,
    compare,
    read_lock_file,
)
from tests.support.builders import make_record

FORGE = "https://conda.example.org/forge"

MD5 = "0123456789" * 3 + "01"
SHA256 = "0123456789" * 6 + "0123"

PIXI_4 = f"""\
version: 4
environments:
  default:
    channels:
    - url: {FORGE}/
    packages:
      linux-64:
      - conda: {FORGE}/linux-64/zlib-1.3-h1_0.conda
      - pypi: https://files.example.org/idna-3.7-py3-none-any.whl
      osx-64:
      - conda: {FORGE}/noarch/tzdata-2024a-0.tar.bz2
  test:
    channels:
    - url: https://conda.example.org/test
    packages:
      linux-64:
      - conda: {FORGE}/linux-64/zlib-1.3-h1_0.conda
packages:
- kind: conda
  name: zlib
  version: 1.3
  build: h1_0
  subdir: linux-64
  url: {FORGE}/linux-64/zlib-1.3-h1_0.conda
  sha256: {SHA256}
  md5: {MD5}
  size: 122325
- kind: pypi
  name: idna
  version: 3.7
  url: https://files.example.org/idna-3.7-py3-none-any.whl
  sha256: {SHA256}
- kind: conda
  name: tzdata
  version: 2024a
  url: {FORGE}/noarch/tzdata-2024a-0.tar.bz2
  md5: {MD5}
"""

PIXI_6 = f"""\
version: 6
environments:
  default:
    channels:
    - url: {FORGE}/
    packages:
      linux-64:
      - conda: {FORGE}/linux-64/zlib-1.3-h1_0.conda
      - conda: ../my-package
      - pypi: ./other
packages:
- conda: {FORGE}/linux-64/zlib-1.3-h1_0.conda
  sha256: {SHA256}
- conda: ../my-package
  name: my-package
- pypi: ./other
  name: other
"""

PIXI_7 = f"""\
version: 7
platforms:
- name: gpu
  subdir: linux-64
  virtual-packages:
  - __cuda=12.0
environments:
  default:
    channels:
    - url: {FORGE}/
    packages:
      gpu:
      - conda: {FORGE}/linux-64/zlib-1.3-h1_0.conda
      - conda_source: my-package[12345678] @ git+https://token@example.org/my-package?rev=1
packages:
- conda: {FORGE}/linux-64/zlib-1.3-h1_0.conda
  sha256: {SHA256}
- conda_source: my-package[12345678] @ git+https://token@example.org/my-package?rev=1
  host_packages:
  - conda: {FORGE}/linux-64/cmake-3.30-h1_0.conda
- conda: {FORGE}/linux-64/cmake-3.30-h1_0.conda
  sha256: {SHA256}
"""

# After the example in CEP 37.
LOCK_1 = f"""\
version: 1
metadata:
  content_hash:
    linux-64: {SHA256}
  channels:
  - url: conda-forge
    used_env_vars: []
  platforms:
  - linux-64
  - osx-64
  sources:
  - environment.yml
package:
- name: ca-certificates
  version: 2025.10.5
  manager: conda
  platform: linux-64
  dependencies:
    __unix: ''
  url: {FORGE}/noarch/ca-certificates-2025.10.5-hbd8a1cb_0.conda
  hash:
    md5: {MD5}
    sha256: {SHA256}
  category: main
  optional: false
- name: ca-certificates
  version: 2025.10.5
  manager: conda
  platform: osx-64
  dependencies:
    __unix: ''
  url: {FORGE}/noarch/ca-certificates-2025.10.5-hbd8a1cb_0.conda
  hash:
    md5: {MD5}
    sha256: {SHA256}
  category: dev
  optional: true
- name: idna
  version: '3.7'
  manager: pip
  platform: linux-64
  dependencies: {{}}
  url: https://files.example.org/idna-3.7-py3-none-any.whl
  hash:
    sha256: {SHA256}
  category: main
  optional: false
"""

# After the example in CEP 23.
LIST = f"""\
# This file may be used to create an environment using:
# $ conda create --name <env> --file <this file>
# platform: osx-arm64
@EXPLICIT
{FORGE}/osx-arm64/bzip2-1.0.8-h93a5062_5.conda#{MD5}

   {FORGE}/noarch/tzdata-2024a-h0c530f3_0.conda#{SHA256}
{FORGE}/noarch/setuptools-69.5.1-pyhd8ed1ab_0.conda#sha256:{SHA256}
# Note how hashes are optional
{FORGE}/noarch/wheel-0.43.0-pyhd8ed1ab_1.tar.bz2
"""


def _summary(lock):
    return [(package.subdir, package.filename, package.uses) for package in lock.packages]


def _explicit(*lines):
    return "\n".join(["@EXPLICIT", *lines])


def _pixi(*packages):
    """A lock file of version 6 with packages that no environment uses."""
    return "version: 6\nenvironments: {}\npackages:\n" + "".join(packages)


def test_a_pixi_lock_of_version_4_says_which_environment_needs_what():
    lock = read_lock_file(PIXI_4)
    assert lock.format == LockFormat.PIXI
    assert _summary(lock) == [
        (
            "linux-64",
            "zlib-1.3-h1_0.conda",
            (("default", "linux-64"), ("test", "linux-64")),
        ),
        ("noarch", "tzdata-2024a-0.tar.bz2", (("default", "osx-64"),)),
    ]
    zlib, tzdata = lock.packages
    assert (zlib.sha256, zlib.md5, zlib.size) == (SHA256, MD5, 122325)
    assert (tzdata.sha256, tzdata.md5, tzdata.size) == (None, MD5, None)
    assert lock.channels == (f"{FORGE}/", "https://conda.example.org/test")
    assert lock.environments == ("default", "test")
    assert lock.platforms == ("linux-64", "osx-64")
    assert lock.pip == ("idna==3.7",)


def test_version_5_is_read_like_version_4():
    assert read_lock_file(PIXI_4.replace("version: 4", "version: 5", 1)) == read_lock_file(PIXI_4)


def test_packages_from_paths_and_sources_are_only_reported():
    lock = read_lock_file(PIXI_6)
    assert [package.filename for package in lock.packages] == ["zlib-1.3-h1_0.conda"]
    assert lock.local == ("../my-package",)
    assert lock.pip == ("./other",)


def test_a_platform_of_version_7_stands_for_its_subdir():
    lock = read_lock_file(PIXI_7)
    assert _summary(lock) == [
        ("linux-64", "zlib-1.3-h1_0.conda", (("default", "linux-64"),)),
        # Only the build of a source package needs it, so no environment has it.
        ("linux-64", "cmake-3.30-h1_0.conda", ()),
    ]
    assert lock.platforms == ("linux-64",)
    assert lock.local == ("my-package[12345678] @ git+https://example.org/my-package",)


def test_a_conda_lock_has_its_categories_as_environments():
    lock = read_lock_file(LOCK_1)
    assert lock.format == LockFormat.CONDA_LOCK
    assert _summary(lock) == [
        (
            "noarch",
            "ca-certificates-2025.10.5-hbd8a1cb_0.conda",
            (("main", "linux-64"), ("dev", "osx-64")),
        )
    ]
    assert (lock.packages[0].sha256, lock.packages[0].md5) == (SHA256, MD5)
    assert lock.channels == ("conda-forge",)
    assert lock.environments == ("main", "dev")
    assert lock.platforms == ("linux-64", "osx-64")
    assert lock.pip == ("idna==3.7",)


def test_a_pixi_lock_of_version_3_is_read_like_a_conda_lock():
    # In version 3 the dependencies are a list, and the manager is called pypi.
    text = LOCK_1.replace("version: 1", "version: 3", 1).replace("manager: pip", "manager: pypi")
    text = text.replace("{}", "[]").replace("\n    __unix: ''", "\n  - __unix")
    assert read_lock_file(text) == read_lock_file(LOCK_1)


def test_an_explicit_list_has_hashes_of_three_forms_or_none():
    lock = read_lock_file(LIST)
    assert lock.format == LockFormat.EXPLICIT
    assert [(package.sha256, package.md5) for package in lock.packages] == [
        (None, MD5),
        (SHA256, None),
        (SHA256, None),
        (None, None),
    ]
    assert lock.platforms == ("osx-arm64",)
    assert {package.uses for package in lock.packages} == {((None, "osx-arm64"),)}
    assert lock.packages[-1].filename == "wheel-0.43.0-pyhd8ed1ab_1.tar.bz2"


@pytest.mark.parametrize("text", [PIXI_4, PIXI_6, PIXI_7, LOCK_1, LIST])
def test_line_ends_and_marks_of_windows_change_nothing(text):
    assert read_lock_file("\ufeff" + text.replace("\n", "\r\n")) == read_lock_file(text)


def test_a_url_may_be_of_any_host_and_escaped():
    text = _explicit(
        "http://10.0.0.1:8080/a/b/noarch/x264-1%21161.3030-h_0.conda",
        "file:///srv/channel/win-64/m2w64-gcc-5.3.0-6.tar.bz2",
    )
    assert [package.path for package in read_lock_file(text).packages] == [
        ("noarch", "x264-1!161.3030-h_0.conda"),
        ("win-64", "m2w64-gcc-5.3.0-6.tar.bz2"),
    ]


def test_a_file_on_disk_is_only_reported():
    lock = read_lock_file(_explicit("./hello-1.0-0.conda", r"C:\pkgs\hello-1.0-0.conda"))
    assert lock.packages == ()
    assert lock.local == ("./hello-1.0-0.conda", r"C:\pkgs\hello-1.0-0.conda")


def test_a_package_that_is_listed_twice_is_one_with_all_its_hashes():
    url = f"{FORGE}/noarch/hello-1.0-0.conda"
    (package,) = read_lock_file(_explicit(f"{url}#{MD5}", url, f"{url}#{SHA256}")).packages
    assert (package.sha256, package.md5) == (SHA256, MD5)


def test_a_package_that_is_listed_with_two_hashes_is_refused():
    url = f"{FORGE}/noarch/hello-1.0-0.conda"
    with pytest.raises(BadLockFile) as error:
        read_lock_file(_explicit(f"{url}#{MD5}", f"{url}#{'0' * 32}"))
    assert error.value.facts["reason"] == f"line 3: '{url}' is listed before with another md5"


def test_hashes_of_digits_keep_their_zeros_and_letters_become_small():
    text = _pixi(
        f"- conda: {FORGE}/noarch/a-1-0.conda\n  md5: {'0' * 32}\n",
        f"- conda: {FORGE}/noarch/b-1-0.conda\n  sha256: {'1' * 64}\n",
        f"- conda: {FORGE}/noarch/c-1-0.conda\n  md5: {'A' * 32}\n",
    )
    first, second, third = read_lock_file(text).packages
    assert (first.md5, second.sha256, third.md5) == ("0" * 32, "1" * 64, "a" * 32)


@pytest.mark.parametrize(
    "url, bare",
    [
        ("https://user:secret@h/c/noarch", "https://h/c/noarch"),
        ("https://secret@h:80/c", "https://h:80/c"),
        ("https://h/t/secret/c/noarch", "https://h/c/noarch"),
        ("https://h/t/secret", "https://h"),
        ("https://u:p@ss@h/x/t/secret/c?key=secret#secret", "https://h/x/c"),
        ("https://h?secret", "https://h"),
        ("https://user:sec#ret@h/c", "https://h/c"),
        ("https://user:sec/ret@h/c", "https://***"),
        ("https://[::1]:80/c", "https://[::1]:80/c"),
        ("https://h/stable@2026-03-03/noarch", "https://h/stable@2026-03-03/noarch"),
        ("x @ git+ssh://secret@h/r and https://secret@h", "x @ git+ssh://h/r and https://h"),
        ("conda-forge", "conda-forge"),
    ],
)
def test_secrets_are_taken_out_of_urls(url, bare):
    assert without_secrets(url) == bare


@pytest.mark.parametrize("text", [PIXI_4, PIXI_6, PIXI_7, LOCK_1, LIST])
def test_no_part_of_a_lock_file_keeps_a_secret(text):
    text = text.replace("https://", "https://me:secret@").replace("/forge", "/t/secret/forge")
    lock = read_lock_file(text)
    assert lock.packages
    assert "secret" not in repr(lock)
    assert all(package.url.startswith(f"{FORGE}/") for package in lock.packages)


@pytest.mark.parametrize("url", ["https://me:secret@h/x", "https://h/t/secret/noarch/x.conda"])
def test_no_message_has_a_secret(url):
    for text in (_explicit(url), _pixi(f"- conda: {url}\n"), _pixi(f"- conda: '{url} '\n")):
        with pytest.raises(BadLockFile) as error:
            read_lock_file(text)
        assert "secret" not in str(error.value)
        assert "is not" in str(error.value)


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param("", "it has neither 'environments'", id="empty"),
        pytest.param("numpy\nscipy", "it has neither 'environments'", id="list of specs"),
        pytest.param("[]", "it has neither 'environments'", id="list"),
        pytest.param("name: x\ndependencies: []", "it has neither", id="environment.yml"),
        pytest.param("a: [", "line 2: it is not YAML: did not find", id="no YAML"),
        pytest.param("environments: {}", "its version is missing", id="no version"),
        pytest.param("version: 8\nenvironments: {}", "its version is '8'", id="future"),
        pytest.param("version: [4]\nenvironments: {}", "its version is a list", id="odd version"),
        pytest.param("version: 4\npackage: []", "its version is '4', and 1 to 3", id="mixed"),
        pytest.param("version: 6\nenvironments: x", "environments is 'x', not a mapping", id="e"),
        pytest.param(
            "version: 6\nenvironments: {e: {packages: {linux-64: {}}}}",
            "environments.e.packages.linux-64 is a mapping, not a list",
            id="selectors",
        ),
        pytest.param(
            "version: 6\nenvironments: {e: {packages: {linux-64: [x]}}}",
            "an entry of environments.e.packages.linux-64 is 'x', not a mapping",
            id="selector",
        ),
        pytest.param(
            "version: 6\nenvironments: {e: {channels: [{}]}}",
            "a channel of environments.e is missing",
            id="channel",
        ),
        pytest.param(
            f"version: 6\nenvironments: {{e: {{packages: {{linux-64: [conda: {FORGE}/x]}}}}}}",
            f"environments.e.packages.linux-64: '{FORGE}/x' is not in 'packages'",
            id="package that is not there",
        ),
        pytest.param(
            "version: 7\nplatforms: [{}]\nenvironments: {}", "platforms[0].name is missing", id="p"
        ),
        pytest.param(_pixi("- x\n"), "packages[0] is 'x', not a mapping", id="package"),
        pytest.param(_pixi("- {}\n"), "packages[0]: it is neither a conda", id="no kind"),
        pytest.param(_pixi("- conda: [x]\n"), "packages[0] is a list, not a text", id="location"),
        pytest.param(_pixi('- conda: "a\\nb"\n'), "not a text of one line", id="two lines"),
        pytest.param("package: [{manager: pip}]", "package[0].url is missing", id="pip"),
        pytest.param(_pixi("- pypi:\n"), "packages[0] is missing, not a text", id="pypi"),
        pytest.param(
            _pixi(f"- conda: {FORGE}/noarch/x-1-0.conda\n  md5: {SHA256}\n"),
            f"packages[0]: md5 is '{SHA256}', not 32 hexadecimal digits",
            id="md5",
        ),
        pytest.param(
            _pixi(f"- conda: {FORGE}/noarch/x-1-0.conda\n  sha256: {{a: b}}\n"),
            "packages[0]: sha256 is a mapping, not 64 hexadecimal digits",
            id="sha256",
        ),
        pytest.param(
            _pixi(f"- conda: {FORGE}/noarch/x-1-0.conda\n  size: -1\n"),
            "packages[0]: size is '-1', not a number of bytes",
            id="size",
        ),
        pytest.param("package: [{manager: apt}]", "package[0]: manager is 'apt'", id="manager"),
        pytest.param("package: [{manager: conda}]", "package[0].platform is missing", id="pl"),
        pytest.param(
            "package: [{manager: conda, platform: linux-64}]", "package[0].url is missing", id="url"
        ),
        pytest.param(
            "package: [{manager: conda, platform: linux-64, url: x, hash: y}]",
            "package[0].hash is 'y', not a mapping",
            id="hash",
        ),
        pytest.param("package: []\nmetadata: []", "metadata is a list, not a mapping", id="meta"),
        pytest.param(_explicit("numpy >=1"), "line 2: 'numpy >=1' is not a package file", id="s"),
        pytest.param(
            _explicit(f"{FORGE}/noarch/x-1-0.conda#sha512:00"),
            "line 2: 'sha512:00' is neither an md5 nor a sha256",
            id="other hash",
        ),
        pytest.param(
            _explicit(f"{FORGE}/noarch/x-1-0.conda  # a comment"), "is neither an md5", id="comment"
        ),
        pytest.param(_explicit("a\0.conda"), "line 2 is 'a\\x00.conda', not a text", id="NUL"),
        pytest.param(
            _pixi("- conda: https://h/noarch/x-1-0.conda\n  md5: &a 1\n  x: *a\n"),
            "it uses a YAML alias",
            id="alias",
        ),
    ],
)
def test_a_wrong_lock_file_is_refused_with_the_place(text, reason):
    with pytest.raises(BadLockFile) as error:
        read_lock_file(text)
    assert reason in error.value.facts["reason"]


@pytest.mark.parametrize(
    "url",
    [
        f"{FORGE}/noarch/x.conda",
        f"{FORGE}/noarch/x-1-0.zip",
        f"{FORGE}/noarch/x-1-.conda",
        f"{FORGE}/x-1-0.conda",
        f"{FORGE}/Linux/x-1-0.conda",
        f"{FORGE}/noarch/a%2Fx-1-0.conda",
        f"{FORGE}/noarch/x-1-0%00.conda",
        f"{FORGE}/noarch/x y-1-0.conda",
        f"{FORGE}/noarch/{'x' * 300}-1-0.conda",
        "https://noarch/x-1-0.conda",
        "https://h:secret/c/noarch/x-1-0.conda",
    ],
)
def test_a_url_of_no_package_is_refused(url):
    with pytest.raises(BadLockFile, match="line 2: .* is not the URL of a conda package"):
        read_lock_file(_explicit(url))


def test_an_error_names_ten_problems_and_counts_the_others():
    with pytest.raises(BadLockFile) as error:
        read_lock_file(_explicit(*["https://h/x"] * 100_000))
    reason = error.value.facts["reason"]
    assert reason.startswith("line 2: ")
    assert reason.count("is not the URL") == 10
    assert reason.endswith("and 99,990 more")


def test_a_file_of_another_format_than_the_given_one_is_refused():
    with pytest.raises(BadLockFile, match="it has no line '@EXPLICIT'"):
        read_lock_file(PIXI_4, format=LockFormat.EXPLICIT)
    with pytest.raises(BadLockFile, match="its version is '4', and 1 to 3 can be read"):
        read_lock_file(PIXI_4, format=LockFormat.CONDA_LOCK)
    with pytest.raises(BadLockFile) as error:
        read_lock_file(LIST, format=LockFormat.PIXI)
    assert error.value.facts["format"] == LockFormat.PIXI


def test_a_lock_file_may_have_no_packages():
    assert read_lock_file("@EXPLICIT") == LockFile(LockFormat.EXPLICIT, ())
    assert read_lock_file("version: 7\nplatforms: []\nenvironments: {}\npackages: []\n") == (
        LockFile(LockFormat.PIXI, ())
    )
    assert read_lock_file("package: []") == LockFile(LockFormat.CONDA_LOCK, ())


def test_a_lock_file_has_a_largest_size():
    with pytest.raises(BadLockFile, match="33554433 characters, and 33554432 are allowed"):
        read_lock_file("#" * (LARGEST + 1))


def test_100_000_packages_are_read_and_one_more_is_not():
    lines = [f"{FORGE}/noarch/x-{number}-0.conda#{MD5}" for number in range(100_001)]
    assert len(read_lock_file(_explicit(*lines[:-1])).packages) == 100_000
    with pytest.raises(BadLockFile, match="more than 100000 packages"):
        read_lock_file(_explicit(*lines))


def test_lines_and_texts_have_limits():
    with pytest.raises(BadLockFile, match="more than 500000 lines"):
        read_lock_file(_explicit(*["#"] * 500_001))
    for text in (_explicit(f"{FORGE}/{'x' * 4096}"), _pixi(f"- pypi: {'x' * 4097}\n")):
        with pytest.raises(BadLockFile, match="is longer than 4096 characters"):
            read_lock_file(text)


@given(
    st.recursive(
        st.sampled_from(["4", "6", "7", "conda", "pypi", "x", f"{FORGE}/noarch/x-1-0.conda", None]),
        lambda children: (
            st.lists(children, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    "version environments packages platforms channels package metadata conda pypi "
                    "kind url name subdir hash md5 sha256 size manager platform category".split()
                ),
                children,
                max_size=6,
            )
        ),
        max_leaves=30,
    ),
    st.sampled_from([None, LockFormat.PIXI, LockFormat.CONDA_LOCK]),
)
def test_wrong_types_anywhere_are_refused_or_harmless(document, format):
    if isinstance(document, dict):
        document.setdefault("version", "6")
    try:
        lock = read_lock_file(orjson.dumps(document).decode(), format=format)
    except BadLockFile as error:
        assert str(error)
    else:
        assert lock.format in list(LockFormat)


def test_what_rattler_writes_is_read(tmp_path):
    platforms = [rattler.LockPlatform("linux-64"), rattler.LockPlatform("osx-arm64")]
    records = [
        make_record("python", "3.12.0", "h1_0_cpython", subdir="linux-64", depends=["zlib >=1.2"]),
        make_record("zlib", "1!1.3+x", "h1_3", subdir="linux-64", extension=".tar.bz2"),
        make_record("tzdata", "2024a", "0"),
    ]
    lock = rattler.LockFile(platforms)
    lock.set_channels("default", [rattler.LockChannel(f"{FORGE}/")])
    for platform in platforms:
        for record in records:
            if record.subdir in ("noarch", platform.name):
                lock.add_conda_package("default", platform, _as_rattler(record))
    lock.add_pypi_package("default", platforms[0], "idna", "3.7", "https://h/idna-3.7.tar.gz")
    lock.to_path(tmp_path / "pixi.lock")

    read = read_lock_file((tmp_path / "pixi.lock").read_text())

    assert {(p.path, p.sha256, p.md5, p.size) for p in read.packages} == {
        ((r.subdir, r.filename), r.fields["sha256"], r.fields["md5"], r.fields["size"])
        for r in records
    }
    assert {p.filename: p.uses for p in read.packages}["tzdata-2024a-0.conda"] == (
        ("default", "linux-64"),
        ("default", "osx-arm64"),
    )
    assert read.channels == (f"{FORGE}/",)
    assert read.pip == ("idna==3.7",)


def _as_rattler(record):
    fields = record.fields
    package_record = rattler.PackageRecord(
        name=fields["name"],
        version=fields["version"],
        build=rattler.BuildString(fields["build"]),
        build_number=fields["build_number"],
        subdir=record.subdir,
        depends=fields["depends"],
        sha256=bytes.fromhex(fields["sha256"]),
        md5=bytes.fromhex(fields["md5"]),
        size=fields["size"],
    )
    url = f"{FORGE}/{record.subdir}/{record.filename}"
    return rattler.RepoDataRecord(package_record, record.filename, url, FORGE)


def test_a_comparison_puts_each_package_in_one_place():
    names = ["same", "same-md5", "other", "other-md5", "gone", "free", "unknown"]
    urls = {name: f"{FORGE}/noarch/{name}-1-0.conda" for name in names}
    hashes = {
        "same": SHA256,
        "same-md5": MD5,
        "other": SHA256,
        "other-md5": MD5,
        "gone": MD5,
        "unknown": MD5,
    }
    lock = read_lock_file(
        _explicit(*(f"{urls[name]}#{hashes.get(name, '')}".removesuffix("#") for name in names))
    )
    found = {
        ("noarch", f"{name}-1-0.conda"): stored
        for name, stored in {
            "same": (SHA256, None),
            "same-md5": ("0" * 64, MD5),
            "other": ("0" * 64, MD5),
            "other-md5": (SHA256, "0" * 32),
            "free": (SHA256, MD5),
            "unknown": (SHA256, None),
            "more": (SHA256, MD5),
        }.items()
    }
    result = compare(lock, found)
    assert {
        place: [package.filename.removesuffix("-1-0.conda") for package in packages]
        for place, packages in vars(result).items()
    } == {
        "present": ["same", "same-md5"],
        "missing": ["gone"],
        "differing": ["other", "other-md5"],
        "unproven": ["free", "unknown"],
    }
