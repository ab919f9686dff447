"""What runs the tutorials and guides: every command block, in order, in one bash.

Differences from what a reader does: ports are replaced by free ones, and a shim stands for conda.
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pulp_conda.quickstart.ports import free_port
from tests.docs.conda import write_conda

CHECKOUT = Path(__file__).parents[2]
TUTORIALS = CHECKOUT / "docs/user/tutorials"
FIRST = TUTORIALS / "first-channel.md"
NAMES = sorted(path.stem for path in TUTORIALS.glob("*.md"))

PORTS = {"api": "24817", "content": "24816", "upstream": "8000"}
APART = "<!-- tested apart: "
SECONDS = 360

# What this machine needs to come to the package index.
TO_THE_INDEX = ("PIP_", "SSL_CERT_", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY")


@dataclass(frozen=True)
class Step:
    """A command block of the tutorial, and what it says that the commands print."""

    line: int
    commands: str
    prints: str


def read_steps(text, apart=False):
    """Find the steps, or those that are tested apart; a command block without output behind it
    prints nothing.
    """
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


class Shell:
    """Runs scripts as a user who has nothing but a fresh home, and ends all that they started.

    Args:
        folder: An empty folder.
        state: That of the quickstart.
    """

    def __init__(self, folder: Path, state: Path):
        self._folder = folder
        self.home, programs = folder / "home", folder / "programs"
        self.home.mkdir()
        programs.mkdir()
        write_conda(programs / "conda")
        self._environment = {
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.defpath]),
            "PULP_CONDA_STATE": str(state),
            **{key: value for key, value in os.environ.items() if key.startswith(TO_THE_INDEX)},
        }

    def run(self, script: str) -> tuple[int, str]:
        """Return the exit code and the output."""
        script_file, output = self._folder / "tutorial.sh", self._folder / "output"
        script_file.write_text(script)
        with output.open("w") as file:
            bash = subprocess.Popen(
                ["bash", script_file],
                cwd=self.home,
                env=self._environment,
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


def run_parts(shell, ports, parts):
    """Run steps and plain commands, in their order, in one shell, and compare what the steps print.

    Args:
        ports: The ports of the Pulp that is used, or is started: of `api` and `content`.
    """
    ports = ports | {"upstream": free_port()}

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
    code, output = shell.run("\n".join(script))

    for step in steps:
        printed, end, output = output.partition(f"\n=== end of {step.line}\n")
        assert end, f"line {step.line} ended with exit code {code}:\n{step.commands}\n\n{printed}"
        assert matches(step.prints, printed), (
            f"line {step.line} prints:\n{printed}\nThe text says:\n{step.prints}"
        )
    assert (code, output) == (0, "")


def read_tutorial(name):
    """Return what a tutorial runs up to its last chapter, which stops all of it, and that chapter:
    steps and plain commands.
    """
    text, stop, rest = (TUTORIALS / f"{name}.md").read_text().partition("\n## Stop\n")
    assert stop
    start, *steps = read_steps(text)
    helpers = []
    if "(first-channel.md#prepare-the-shell)" in text:
        prepare = FIRST.read_text().partition("\n## Prepare the shell\n")[2].partition("\n## ")[0]
        helpers = [quiet(step) for step in read_steps(prepare)]
    return [start, *helpers, *steps], read_steps(rest)


def quiet(part):
    return part if isinstance(part, str) else f"{{\n{part.commands}\n}} >/dev/null 2>&1"
