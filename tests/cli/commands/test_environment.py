"""Environments from the command line: made of files and specs, looked at, replaced and removed."""

import shlex

import pytest


@pytest.fixture
def repository(pulp, unique):
    return pulp.post("repositories/conda/conda/", name=unique, autopublish=True)["name"]


@pytest.mark.parametrize(
    ("filename", "text", "format"),
    [
        pytest.param(
            "environment.yml",
            "platforms: [linux-64]\ndependencies:\n  - hello >=1\n",
            "environment.yml",
            id="of conda",
        ),
        pytest.param(
            "pixi.toml",
            '[workspace]\nchannels = ["x"]\nplatforms = ["linux-64"]\n'
            '[dependencies]\nhello = ">=1"\n',
            "pixi.toml",
            id="of pixi",
        ),
        pytest.param("requirements.txt", "# what we need\nhello >=1\n", "specs", id="a list"),
    ],
)
def test_the_name_of_a_file_says_what_it_is(filename, text, format, cli, repository, tmp_path):
    file = tmp_path / filename
    file.write_text(text)
    made = cli.json("conda", "environment", "create", "desk", "--repository", repository,
                    "--file", file, "--platforms", "linux-64")  # fmt: skip
    assert (made["format"], made["requirements"]) == (format, {"linux-64": ["hello >=1"]})


def test_people_read_what_was_registered(cli, repository):
    create = ("conda", "environment", "create", "desk", "--repository", repository)
    told = cli("--format", "table", *create, "--spec", "hello", "--platforms", "linux-64,osx-arm64")
    assert told.stdout == "Environment 'desk' is registered: 1 spec for linux-64 and osx-arm64.\n"


def test_an_environment_is_made_replaced_and_removed(cli, repository):
    def run(verb, *words):
        return cli.json("conda", "environment", verb, *words, "--repository", repository)

    machines = (
        "--virtual-package",
        "linux-64:__cuda=12.4",
        "--virtual-package",
        "linux-64:__glibc=",
    )
    made = run("create", "train", "--spec", "hello", "--platforms", "linux-64,osx-arm64", *machines)
    assert made["virtual_packages"]["linux-64"] == {"__cuda": "12.4", "__glibc": None}

    again = run("create", "--name", "train", "--spec", "hello", "--spec", "numpy >=2",
                "--platforms", "linux-64")  # fmt: skip
    assert [found["pulp_href"] for found in run("list")] == [again["pulp_href"]]
    assert run("show", "train")["source"] == "hello\nnumpy >=2"
    assert run("list", "--name", "desk") == []
    assert len(run("list", "--format", "specs")) == 1
    assert run("list", "--format", "pixi.toml") == []

    cli.ok("conda", "environment", "remove", "train", "--repository", repository)
    assert run("list") == []
    href = again["pulp_href"]
    assert cli.json("conda", "environment", "show", "--href", href)["name"] == "train"


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        pytest.param("create --spec a", 2, "give a NAME", id="no name"),
        pytest.param("create desk", 2, "either --file or --spec", id="nothing"),
        pytest.param(
            "create desk --spec 'a ===' --platforms linux-64", 1, "[CND0045]", id="bad spec"
        ),
        pytest.param("create desk --spec a", 1, "The source names none", id="no platform"),
        pytest.param(
            "create desk --spec a --virtual-package __cuda=12",
            2,
            "PLATFORM:NAME=VERSION",
            id="machine without platform",
        ),
        pytest.param("create desk --file {folder}/none.yml", 2, "No such file", id="missing file"),
        pytest.param(
            "create desk --file {folder}/desk.lock",
            2,
            "does not show the format. Give --format",
            id="file of no known name",
        ),
        pytest.param(
            "create desk --file {folder}/desk.yml", 2, "byte 0 is not UTF-8", id="no text"
        ),
        pytest.param(
            "create desk --spec a --repository none", 1, "no conda repository 'none'", id="unknown"
        ),
        pytest.param(
            "show {name} --repository {repository}",
            1,
            "There is no conda environment '{name}'.",
            id="unknown environment",
        ),
        pytest.param(
            "show desk --repository {name}",
            1,
            "There is no conda repository '{name}'. Did you mean '{repository}'?",
            id="unknown repository",
        ),
    ],
)
def test_what_is_wrong_is_said(words, exit_code, text, cli, repository, tmp_path, unique):
    (tmp_path / "desk.lock").write_text("a")
    (tmp_path / "desk.yml").write_bytes(b"\xff\xfe")
    names = {"folder": tmp_path, "repository": repository, "name": f"x-{unique}"}
    outcome = cli("conda", "environment", *shlex.split(words.format(**names)))
    assert outcome.exit_code == exit_code, outcome
    assert text.format(**names) in outcome.stderr
    assert (outcome.stdout, "Traceback" in outcome.stderr) == ("", False)
