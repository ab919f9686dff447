"""Runs the tutorials: every command block, in order, in one bash session, against a Pulp of its own.

Differences from what a reader does: the block that installs the server runs in a test of its own, ports are replaced by
free ones, and a shim stands for conda.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pulp_conda.quickstart.ports import free_port
from pulp_conda.quickstart.services import Stack
from tests.docs.conda import write_conda
from tests.support.stack import copied_state

CHECKOUT = Path(__file__).parents[2]
TUTORIALS = CHECKOUT / "docs/user/tutorials"
FIRST = TUTORIALS / "first-channel.md"

PORTS = {"api": "24817", "content": "24816", "upstream": "8000"}
APART = "<!-- tested apart: "
SECONDS = 360

# What this machine needs to come to the package index.
TO_THE_INDEX = ("PIP_", "SSL_CERT_", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__")


@dataclass(frozen=True)
class Step:
    """A command block of the tutorial, and what it says that the commands print."""

    line: int
    commands: str
    prints: str


def read_steps(text, apart=False):
    """Find the steps, or those that are tested apart; a command block without output behind it prints nothing."""
    steps = []
    before = ""
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        if line.startswith("```"):
            block = "\n".join(_lines_of_block(lines))
            if line == "```bash" and before.startswith(APART) is apart:
                steps.append(Step(number, block, ""))
            elif line == "```text" and not apart:
                assert steps and not steps[-1].prints, f"line {number}: output of no command"
                steps[-1] = replace(steps[-1], prints=block)
        before = line or before
    return steps


def _lines_of_block(lines):
    for _, line in lines:
        if line == "```":
            return
        yield line


def matches(expected, found):
    """Compare printed text: `…` is anything on a line, and any lines where it stands alone."""
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line == "…" else re.escape(line).replace("…", r"[^\n]*") + r"\n"
        for line in expected.splitlines()
    )
    return re.fullmatch(pattern, found.strip("\n") + "\n" if found.strip("\n") else "") is not None


@pytest.mark.parametrize(
    "expected, found, same",
    [
        pytest.param("a\nb", "a\nb\n", True, id="same"),
        pytest.param("a … c", "a big bad c\n", True, id="within a line"),
        pytest.param("a … c", "a\nc\n", False, id="not across lines"),
        pytest.param("…\nz", "a\nb\nz\n", True, id="any lines"),
        pytest.param("…\nz", "z\n", True, id="no line"),
        pytest.param("a.c", "abc\n", False, id="dots are dots"),
        pytest.param("", "", True, id="nothing"),
        pytest.param("", "a\n", False, id="something for nothing"),
    ],
)
def test_dots_stand_for_what_varies(expected, found, same):
    assert matches(expected, found) is same


@pytest.fixture
def session(tmp_path):
    """Run a script as a user who has nothing but a fresh home, and end all that it started."""
    for program in ("bash", "curl"):
        if not shutil.which(program, path=os.defpath):
            pytest.skip(f"'{program}' is not installed")
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    write_conda(programs / "conda")
    # Building leaves files behind.
    shutil.copytree(CHECKOUT / "cli", home / "pulp_conda/cli", ignore=LEFT_OUT)

    with copied_state() as state:
        environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.defpath]),
            "PULP_CONDA_STATE": str(state.folder),
            **{key: value for key, value in os.environ.items() if key.startswith(TO_THE_INDEX)},
        }

        def run(script, ports):
            state.load()
            state.save(ports=ports)
            script_file, output = tmp_path / "tutorial.sh", tmp_path / "output"
            script_file.write_text(script)
            with output.open("w") as file:
                bash = subprocess.Popen(
                    ["bash", script_file],
                    cwd=home,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                try:
                    code = bash.wait(SECONDS)
                finally:
                    with suppress(ProcessLookupError):
                        os.killpg(bash.pid, signal.SIGKILL)
                    bash.wait()
            return code, output.read_text()

        try:
            yield run
        finally:
            Stack(state).destroy()


def _run(session, parts):
    """Run steps and plain commands, in their order, in one session, and compare what the steps print."""
    ports = {name: free_port() for name in PORTS}

    def on_free_ports(text):
        for name, shown in PORTS.items():
            text = text.replace(shown, str(ports[name]))
        return text

    script = ["set -eu -o pipefail"]
    steps = []
    for part in parts:
        if isinstance(part, str):
            script.append(on_free_ports(part))
            continue
        step = replace(
            part, commands=on_free_ports(part.commands), prints=on_free_ports(part.prints)
        )
        steps.append(step)
        # A line that no command prints tells where the output of one block ends.
        script.append(f"{step.commands}\necho; echo '=== end of {step.line}'")
    code, output = session("\n".join(script), {name: ports[name] for name in ("api", "content")})

    for step in steps:
        printed, end, output = output.partition(f"\n=== end of {step.line}\n")
        assert end, f"line {step.line} ended with exit code {code}:\n{step.commands}\n\n{printed}"
        assert matches(step.prints, printed), (
            f"line {step.line} prints:\n{printed}\nThe text says:\n{step.prints}"
        )
    assert (code, output) == (0, "")


def read_tutorial(name):
    """Return what a tutorial runs up to its last chapter, which stops all of it, and that chapter: steps and plain commands."""
    text, stop, rest = (TUTORIALS / f"{name}.md").read_text().partition("\n## Stop\n")
    assert stop
    start, *steps = read_steps(text)
    helpers = []
    if "(first-channel.md#prepare-the-shell)" in text:
        prepare = FIRST.read_text().partition("\n## Prepare the shell\n")[2].partition("\n## ")[0]
        helpers = [_quiet(step) for step in read_steps(prepare)]
    return [start, *helpers, *steps], read_steps(rest)


def _quiet(part):
    return part if isinstance(part, str) else f"{{\n{part.commands}\n}} >/dev/null 2>&1"


@pytest.mark.parametrize("name", sorted(path.stem for path in TUTORIALS.glob("*.md")))
def test_every_command_of_a_tutorial_prints_what_it_says(session, name):
    before, after = read_tutorial(name)
    _run(session, [*before, *after])


def test_the_ports_of_the_tutorials_are_replaced():
    assert all(shown in FIRST.read_text() for shown in PORTS.values())


# What a guide takes for granted, in terms of what a tutorial leaves behind.
GUIDES = {
    "announce": ("first-channel", 'STABLE=$(field result.pulp_href <<<"$STABLE")'),
    "gates": ("safe-releases", ""),
    "time-travel": ("safe-releases", ""),
    "lifecycle": (
        "first-channel",
        """\
pulp "${REPOSITORY}modify/" --header "$JSON" \\
    --data "{\\"base_version\\": \\"${REPOSITORY}versions/1/\\"}" | finish >/dev/null
TESTING=$(field result.pulp_href <<<"$TESTING")
STABLE=$(field result.pulp_href <<<"$STABLE")
APPROVER=ada:a-long-Password-1
ADA=$(pulp /pulp/api/v3/users/ --header "$JSON" \\
    --data '{"username": "ada", "password": "a-long-Password-1"}' | field pulp_href)
pulp "${ADA}roles/" --header "$JSON" \\
    --data '{"role": "conda.condalifecycle_approver", "content_object": null}' >/dev/null""",
    ),
    "patch": (
        "first-channel",
        """\
python - <<'END'
from pathlib import Path
from pulp_conda.quickstart.sample import build_package
instructions = '{"packages.conda": {"hello-2.0-0.conda": {"license": "MIT"}}}'
files = {"noarch/patch_instructions.json": instructions}
build_package(Path.cwd(), name="team-repodata-patches", version="1.0", files=files)
END
pulp /pulp/api/v3/content/conda/packages/ \\
    --form file=@team-repodata-patches-1.0-0.conda | finish >/dev/null""",
    ),
    "promote": ("first-channel", ""),
}


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_of_a_guide_prints_what_it_says(session, guide):
    tutorial, granted = GUIDES[guide]
    before, after = (list(map(_quiet, parts)) for parts in read_tutorial(tutorial))
    text = (CHECKOUT / f"docs/user/guides/{guide}.md").read_text()
    _run(session, [*before, granted, *read_steps(text), *after])


def test_the_installation_brings_all_that_is_needed(tmp_path):
    # Not editable, as the test environment is: what is missing in the package is missing here.
    (install,) = read_steps(FIRST.read_text(), apart=True)
    shutil.copytree(CHECKOUT, tmp_path / "checkout", ignore=LEFT_OUT)
    script = f"""set -eu -o pipefail
{install.commands}
cd "$HOME"
python -c "import pulp_conda.pages as pages; print(pages.__file__, len(pages.render_subdir('x', 'noarch', 1, [])))"
python -m pulp_conda.quickstart status || test $? = 3
"""
    environment = {**os.environ, "HOME": str(tmp_path), "PULP_CONDA_STATE": str(tmp_path / "state")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path / "checkout",
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/pulp-conda/lib/" in done.stdout
    assert "Pulp does not run." in done.stdout
