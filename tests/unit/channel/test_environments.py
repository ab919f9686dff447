import json
from textwrap import dedent

import pytest

from pulp_conda.channel.environments.specs import LARGEST, EnvironmentFormat, read_environment
from pulp_conda.channel.errors import BadEnvironment

WORKSPACE = """
    [workspace]
    channels = ["conda-forge"]
    platforms = ["linux-64", "osx-arm64", "win-64"]
"""


def _read(text, format="environment.yml", **more):
    return read_environment(dedent(text), format=format, **more)


def _pixi(text, **more):
    return _read(WORKSPACE + text, "pixi.toml", **more)


def _reason(text, format="environment.yml", **more):
    with pytest.raises(BadEnvironment) as refused:
        _read(text, format, **more)
    return refused.value.facts["reason"]


def test_an_environment_file_is_read():
    environment = _read("""
        name: science
        channels:
          - conda-forge
          - nodefaults
        dependencies:
          - python=3.10
          - numpy >=1.26,<3
          - bioconda::samtools
          - pip:
            - requests >=2
        platforms: [linux-64, osx-arm64]
        category: test
        variables: {A: b}
    """)
    specs = ("python=3.10", "numpy >=1.26,<3", "samtools")
    assert environment.platforms == ("linux-64", "osx-arm64")
    assert environment.requirements == {"linux-64": specs, "osx-arm64": specs}
    assert environment.channels == ("conda-forge", "bioconda")
    assert environment.pip == ("requests >=2",)
    assert environment.virtual_packages == {}


def test_without_platforms_the_specs_are_for_any_platform():
    environment = _read("dependencies: [numpy]")
    assert environment.platforms == ()
    assert environment.requirements == {"": ("numpy",)}


def test_the_caller_may_say_for_which_platforms():
    environment = _read("{dependencies: [numpy], platforms: [osx-64]}", platforms=["linux-64"])
    assert environment.requirements == {"linux-64": ("numpy",)}


@pytest.mark.parametrize("break_", ["\n", "\r\n"], ids=["unix", "windows"])
def test_selectors_of_comments_choose_lines(break_):
    text = """
        dependencies:
          - python  # an ordinary comment
          - pywin32  # [win]
          - glib  #[linux and (x86_64 or aarch64)]
          - libx # [osx64 or linux64]
          # [win]
          - foo  # [not unix]
    """
    environment = _read(text.replace("\n", break_), platforms=["linux-64", "osx-arm64", "win-64"])
    assert environment.requirements == {
        "linux-64": ("python", "glib", "libx"),
        "osx-arm64": ("python",),
        "win-64": ("python", "pywin32", "foo"),
    }


def test_selectors_of_dictionaries_choose_entries():
    text = "dependencies: [python, {sel(win): pywin32}, {sel(unix): 'conda-forge::bash'}]"
    environment = _read(text, platforms=["linux-64", "win-64"])
    assert environment.requirements == {
        "linux-64": ("python", "bash"),
        "win-64": ("python", "pywin32"),
    }
    assert environment.channels == ("conda-forge",)


def test_a_list_has_one_spec_per_line():
    text = """
        # what we need
        numpy >=1.26   # for everybody
        conda-forge::python 3.12.*

        numpy >=1.26
    """
    environment = _read(text, "specs", platforms=["linux-64"])
    assert environment.requirements == {"linux-64": ("numpy >=1.26", "python 3.12.*")}
    assert environment.channels == ("conda-forge",)


def test_a_manifest_is_read():
    environment = _pixi("""
        [dependencies]
        python = "3.12.*"
        numpy = { version = ">=1.26", build-number = 1, channel = "bioconda" }
        blas = { build = "*mkl", md5 = "d41d8cd98f00b204e9800998ecf8427e" }
        any = "*"
        dask = { extras = ["complete"] }

        [pypi-dependencies]
        fastapi = "*"
        pandas = { version = ">=2", extras = ["sql"] }
        flask = { git = "https://example.org/flask" }
    """)
    assert environment.platforms == ("linux-64", "osx-arm64", "win-64")
    assert environment.requirements["linux-64"] == (
        "python 3.12.*",
        'numpy[version=">=1.26",build_number="1"]',
        'blas[build="*mkl",md5="d41d8cd98f00b204e9800998ecf8427e"]',
        "any *",
        "dask[extras=[complete]]",
    )
    assert environment.channels == ("conda-forge", "bioconda")
    assert environment.pip == ("fastapi", "pandas[sql]>=2", "flask @ https://example.org/flask")


def test_targets_replace_dependencies_and_the_later_wins():
    environment = _pixi("""
        [dependencies]
        python = "3.12.*"
        [target.unix.dependencies]
        bash = "*"
        python = "3.11.*"
        [target.linux-64.dependencies]
        python = "3.10.*"
        [target.win.dependencies]
        pywin32 = "*"
    """)
    assert environment.requirements == {
        "linux-64": ("python 3.10.*", "bash *"),
        "osx-arm64": ("python 3.11.*", "bash *"),
        "win-64": ("python 3.12.*", "pywin32 *"),
    }


FEATURES = """
    [dependencies]
    python = ">=3.10"
    [feature.py312.dependencies]
    python = "3.12.*"
    [feature.test]
    platforms = ["linux-64", "win-64"]
    channels = ["ours", {channel = "first", priority = 1}]
    [feature.test.dependencies]
    pytest = "*"
    [feature.test.target.win.dependencies]
    colorama = "*"
    [environments]
    test = ["test", "py312"]
    alone = { features = ["test"], no-default-feature = true, solve-group = "x" }
"""


@pytest.mark.parametrize(
    "section, linux, platforms",
    [
        pytest.param(
            "default", ("python >=3.10",), ("linux-64", "osx-arm64", "win-64"), id="default"
        ),
        pytest.param(
            "test",
            ("pytest *", "python 3.12.*", "python >=3.10"),
            ("linux-64", "win-64"),
            id="features add up",
        ),
        pytest.param("alone", ("pytest *",), ("linux-64", "win-64"), id="without the default"),
    ],
)
def test_environments_are_made_of_features(section, linux, platforms):
    environment = _pixi(FEATURES, section=section)
    assert environment.requirements["linux-64"] == linux
    assert environment.platforms == platforms


def test_features_bring_targets_and_channels_by_priority():
    environment = _pixi(FEATURES, section="test")
    assert environment.requirements["win-64"][:2] == ("pytest *", "colorama *")
    assert environment.channels == ("first", "ours", "conda-forge")


def test_a_constraint_holds_only_if_something_else_wants_the_package():
    environment = _pixi("""
        [dependencies]
        requests = "*"
        [constraints]
        openssl = ">=3"
    """)
    assert environment.requirements["linux-64"] == (
        "requests *",
        'openssl[version=">=3",when="openssl"]',
    )


def test_platforms_of_manifests_can_have_names_and_virtual_packages():
    text = """
        [workspace]
        channels = []
        platforms = [
          { name = "gpu-linux", platform = "linux-64", cuda = { driver = "12.0", arch = "8.6" } },
          { platform = "osx-arm64", macos = "14.0" },
          { platform = "linux-aarch64", __musl = "1.2" },
          "linux-64",
        ]
        [dependencies]
        python = "*"
        [target."gpu-*".dependencies]
        pytorch-gpu = "*"
        [target.linux.dependencies]
        glib = "*"
        [feature.plain]
        platforms = ["linux-64", "osx-arm64-osx-14-0"]
        [environments]
        plain = ["plain"]
    """
    environment = _read(text, "pixi.toml")
    assert environment.platforms == ("linux-64", "osx-arm64", "linux-aarch64")
    assert environment.virtual_packages == {
        "linux-64": {"__cuda": "12.0", "__cuda_arch": "8.6"},
        "osx-arm64": {"__osx": "14.0"},
        "linux-aarch64": {"__musl": "1.2"},
    }
    assert environment.requirements["linux-64"] == ("python *", "pytorch-gpu *", "glib *")
    plain = _read(text, "pixi.toml", section="plain")
    assert plain.platforms == ("linux-64", "osx-arm64")
    assert plain.virtual_packages == {"osx-arm64": {"__osx": "14.0"}}
    assert plain.requirements["linux-64"] == ("python *", "glib *")


@pytest.mark.parametrize(
    "pattern, matches",
    [
        ("gpu-*", True),
        ("*-linux", True),
        ("*u-l*", True),
        ("g**x", True),
        ("*", True),
        ("gpu*gpu-linux", False),
        ("cpu-*", False),
        ("*-lin", False),
        ("g*z*x", False),
    ],
)
def test_stars_in_targets_stand_for_any_text(pattern, matches):
    text = f"""
        [workspace]
        platforms = [{{ name = "gpu-linux", platform = "linux-64" }}]
        [dependencies]
        python = "*"
        [target."{pattern}".dependencies]
        bash = "*"
    """
    assert ("bash *" in _read(text, "pixi.toml").requirements["linux-64"]) is matches


def test_system_requirements_are_virtual_packages_where_they_can_be():
    environment = _pixi(
        """
        [dependencies]
        python = "*"
        [system-requirements]
        linux = "5.10"
        macos = "13.0"
        cuda = "12"
        libc = { family = "glibc", version = "2.31" }
        [feature.new.system-requirements]
        libc = "2.39"
        [environments]
        new = ["new"]
    """,
        section="new",
    )
    assert environment.virtual_packages == {
        "linux-64": {"__linux": "5.10", "__cuda": "12", "__glibc": "2.39"},
        "osx-arm64": {"__osx": "13.0", "__cuda": "12"},
        "win-64": {"__cuda": "12"},
    }


def test_a_pyproject_adds_its_python_and_its_packages():
    text = """
        [project]
        name = "tool"
        requires-python = ">=3.11"
        dependencies = ["requests >=2"]
        [project.optional-dependencies]
        plot = ["matplotlib"]
        [tool.pixi.workspace]
        channels = ["conda-forge"]
        platforms = ["linux-64"]
        [tool.pixi.dependencies]
        numpy = "*"
        [tool.pixi.environments]
        plot = ["plot"]
    """
    environment = _read(text, "pyproject.toml")
    assert environment.requirements == {"linux-64": ("python >=3.11", "numpy *")}
    assert environment.pip == ("requests >=2",)
    plot = _read(text, "pyproject.toml", section="plot")
    assert plot.requirements == environment.requirements


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param("dependencies: [", "line 2: it is not YAML: did not", id="cut short"),
        pytest.param("just a text", "it is not a mapping with 'dependencies'", id="a text"),
        pytest.param("", "it is not a mapping with 'dependencies'", id="empty"),
        pytest.param("name: x", "it has no 'dependencies'", id="no dependencies"),
        pytest.param("dependencies: []", "it asks for no package", id="empty list"),
        pytest.param("dependencies: numpy", "'dependencies' is not a list", id="a text for a list"),
        pytest.param(
            "dependencies:\n- numpy\n- numpy: 2\n",
            "'dependencies[1]' has the section 'numpy', and only 'pip' is known",
            id="a colon in a spec",
        ),
        pytest.param(
            "dependencies: [[numpy]]", "'dependencies[0]' is neither a spec nor", id="nested list"
        ),
        pytest.param("dependencies: [{pip: requests}]", "'dependencies[0].pip' is not", id="pip"),
        pytest.param(
            "dependencies: [{pip: [requests]}]",
            "it asks for no package, so there is nothing to solve",
            id="pip alone",
        ),
        pytest.param(
            "dependencies: ['numpy >=2', 'numpy <<2', '', 'lib*']",
            "'dependencies[1]': 'numpy <<2' is not a match spec: invalid operator '<<', "
            "at character 7; 'dependencies[2]': '' is not a match spec: missing package name, "
            "at character 1; "
            "'dependencies[3]': 'lib*' needs the name of one package, 'lib*' is none",
            id="every bad spec is named",
        ),
        pytest.param(
            "dependencies: ['https://example.org/linux-64/numpy-1.0-0.conda']",
            "is no package of a channel",
            id="a URL",
        ),
        pytest.param(
            "dependencies: ['numpy[channel=a]']", "names a channel behind", id="channel behind"
        ),
        pytest.param(
            "dependencies: ['a/linux-64::numpy']", "has a subdir in front", id="channel and subdir"
        ),
        pytest.param(
            '{dependencies: [x], channels: ["a\\e[2J"]}',
            "a character that cannot be printed",
            id="escape",
        ),
        pytest.param(
            "a: 1\ndependencies: [x]\na: 2", "line 3: the key 'a' is there twice", id="twice"
        ),
        pytest.param("? [a]\n: 1", "line 1: a key is not a text", id="odd key"),
        pytest.param("a: &a [x]\ndependencies: *a", "line 2: it uses a YAML alias", id="alias"),
        pytest.param("[" * 5000, "nested more than 30 levels", id="deep"),
        pytest.param("a: !!python/name:os.system\n", "line 1: it uses a YAML tag", id="python tag"),
        pytest.param("a\x00b", "holds a character that no text has", id="nul"),
        pytest.param("#\ud800", "holds a character that no text has", id="half a character"),
        pytest.param("#" * (LARGEST + 1), f"longer than {LARGEST} characters", id="large"),
        pytest.param(
            "{dependencies: [x], platforms: [noarch]}",
            "'platforms[0]' is 'noarch', which is no platform such as 'linux-64'",
            id="noarch",
        ),
        pytest.param(
            "{dependencies: [x], platforms: linux-64}", "'platforms' is not a list", id="one text"
        ),
        pytest.param(
            "{dependencies: [x], platforms: [linux-64, linux-64]}", "names 'linux-64' twice", id="2"
        ),
        pytest.param(
            "{dependencies: [x], channels: [[a]]}", "'channels' is not a list", id="lists"
        ),
        pytest.param(
            "platforms: [win-64]\ndependencies:\n- x  # [wim]\n",
            "'line 3' has the selector 'wim', which is not made of platforms",
            id="unknown selector",
        ),
        pytest.param(
            "platforms: [win-64]\ndependencies:\n- x  # [win.x()]\n", "selector", id="a call"
        ),
        pytest.param(
            f"platforms: [win-64]\ndependencies:\n- x  # [{'(' * 190}]\n",
            "selector",
            id="parentheses",
        ),
        pytest.param(
            "dependencies:\n- x  # [win]\n",
            "depends on the platform, and the file",
            id="no platform",
        ),
        pytest.param(
            "platforms: [win-64]\ndependencies: [{sel(linux): x}]",
            "it asks for no package on win-64",
            id="nothing is left on a platform",
        ),
        pytest.param(
            "platforms: [win-64, linux-64]\ndependencies:\n- x  # [linux]\n",
            "it asks for no package on win-64",
            id="nothing is left of the list",
        ),
        pytest.param(
            f"dependencies: {json.dumps([f'p{n}' for n in range(1001)])}",
            "it asks for more than 1000 packages",
            id="many",
        ),
    ],
)
def test_a_wrong_environment_file_is_refused_with_a_reason(text, reason):
    assert reason in _reason(text)


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param("[dependencies", "it is not TOML 1.0: ", id="cut short"),
        pytest.param("a = 1\na = 2", "it is not TOML 1.0: Cannot overwrite a value", id="twice"),
        pytest.param("x = " + "[" * 5000, "it is nested too deeply", id="deep"),
        pytest.param(
            "a." * 20_000 + "b = 1", "line 1 has more than 100 dots", id="a key of many parts"
        ),
        pytest.param(
            '"\u2028".' * 10_000 + "b = 1", "line 1 has more than 100 dots", id="in quotes"
        ),
        pytest.param("[dependencies]\nx = '1'", "it has no table 'workspace'", id="no workspace"),
        pytest.param("[workspace]\n[dependencies]", "it asks for no package", id="nothing wanted"),
        pytest.param("workspace = 1", "'workspace' is not a table", id="a number"),
        pytest.param(
            "[workspace]\nplatforms = ['linux_64']",
            "'workspace.platforms[0]' is 'linux_64'",
            id="os",
        ),
        pytest.param("[workspace]\nplatforms = [1]", "is neither a text nor a table", id="number"),
        pytest.param(
            "[workspace]\nplatforms = [{platform = 'linux-64', gpu = '1'}]",
            "the key 'gpu'",
            id="key",
        ),
        pytest.param(
            "[workspace]\nplatforms = [{platform = 'linux-64', cuda = 'x y'}]\n"
            "[dependencies]\nx='*'",
            "'__cuda' is 'x y', which is no version",
            id="virtual package",
        ),
        pytest.param("[workspace]\nchannels = [1]", "'workspace.channels[0]' is not", id="channel"),
        pytest.param(
            "[workspace]\n[feature.a.dependencies]\nx = 1\n[environments]\ndefault = ['a']",
            "'feature.a.dependencies.x' is neither a version nor a table",
            id="a version that is a number",
        ),
        pytest.param(
            "[workspace]\n[dependencies]\nx = {git = 'https://example.org'}",
            "'dependencies.x' comes from 'git', which no channel can serve",
            id="git",
        ),
        pytest.param(
            "[workspace]\n[dependencies]\nx = {versoin = '1'}", "has the key 'versoin'", id="typo"
        ),
        pytest.param(
            "[workspace]\n[dependencies]\nx = {version = '1\"'}",
            "is no text without quotes",
            id="''",
        ),
        pytest.param(
            "[workspace]\n[dependencies]\nx = '<<2'",
            "'dependencies.x': 'x <<2' is not a match spec",
            id="bad version",
        ),
        pytest.param(
            "[workspace]\n[environments]\ndefault = ['b']",
            "'environments.default' has the feature 'b', which is not there",
            id="unknown feature",
        ),
        pytest.param(
            "[workspace]\nplatforms = ['linux-64']\n[feature.a]\nplatforms = ['win-64']\n"
            "[environments]\ndefault = ['a']",
            "'feature.a.platforms' has none of the workspace's platforms",
            id="no platform is left",
        ),
    ],
)
def test_a_wrong_manifest_is_refused_with_a_reason(text, reason):
    assert reason in _reason(text, "pixi.toml")


def test_a_pyproject_without_pixi_is_refused():
    assert _reason("[project]\nname = 'x'", "pyproject.toml") == "it has no table 'tool.pixi'"


def test_an_unknown_section_is_refused_with_those_that_are_there():
    reason = _reason(WORKSPACE + FEATURES, "pixi.toml", section="tset")
    assert reason == "it has no environment 'tset', it has 'default', 'test', 'alone'"
    assert "has no section 'test'" in _reason("dependencies: [x]", section="test")


def test_an_unknown_section_is_refused_with_the_first_ten_of_many():
    many = "".join(f"e{number} = []\n" for number in range(1, 20))
    reason = _reason(f"{WORKSPACE}[environments]\n{many}", "pixi.toml", section="tset")
    assert reason.endswith("'default', " + ", ".join(f"'e{number}'" for number in range(1, 10)))


def test_an_unknown_format_is_refused():
    assert all(name in _reason("x", "conda-lock.yml") for name in EnvironmentFormat)


@pytest.mark.parametrize("text", ["", "# nothing\n\n"], ids=["empty", "comments"])
def test_a_list_of_no_specs_is_refused(text):
    assert _reason(text, "specs") == "it asks for no package, so there is nothing to solve"


def test_a_bad_line_of_a_list_is_named():
    assert _reason("numpy\n- scipy\n", "specs").startswith("'line 2': '- scipy' needs the name")
