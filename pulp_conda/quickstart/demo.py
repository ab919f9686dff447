"""The story of pulp_conda, with a line on each step: a mirror in stages, a gate, a fix, a rollback.

All of it is done by the commands that people type.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import rattler

from pulp_conda.quickstart import sample
from pulp_conda.quickstart.errors import QuickstartError
from pulp_conda.quickstart.services import Stack
from pulp_conda.quickstart.status import USER, as_text, describe

_NAME = "demo"
_MADE_BY = "A mirror in three stages, made by the demo."

# What `pulp conda lifecycle promote` returns if a gate blocks the move.
_BLOCKED = 3


def run(args: argparse.Namespace) -> None:
    """Start a Pulp if none runs, tell the story, and leave Pulp running.

    Args:
        args: ``state``, ``upstream`` and ``specs`` of the command line.
    """
    specs = args.specs or ["hello"]
    stack = Stack(args.state, background=True)
    print("Starting Pulp: PostgreSQL, API, content app and a worker …", flush=True)
    stack.up()
    walk(stack, args.upstream, specs)
    found = describe(args.state)
    stable = found["channels"][f"{_NAME}-stable"]
    quickstart = f"{sys.executable} -m pulp_conda.quickstart"
    print(
        f"""
The server stays up.

{as_text(found)}

Look at it in a browser:
  {stable}
  {found["api_url"]}/pulp/api/v3/conda/board/    (log in as {found["user"]})

Try next:
  conda create --name demo --channel {stable} {" ".join(map(repr, specs))}
  alias pulp='{_program()} --config {_config(stack)}'
  pulp conda lifecycle history {_NAME}
  {quickstart} down"""
    )


def walk(stack: Stack, upstream: str | None, specs: Sequence[str]) -> None:
    """Mirror a channel in three stages, and release it with a gate.

    Args:
        stack: A running Pulp.
        upstream: The URL of a channel. If it is None, a small one is built, served, and broken.
        specs: The match specs to install.
    """
    demo = Demo(stack, specs)
    demo.forget()
    if upstream:
        demo.mirror_needed(upstream)
        demo.promote()
        return
    sample.build_channel(demo.folder / "upstream")
    with _served(demo.folder / "upstream") as url:
        demo.mirror(url)
        demo.promote()
        demo.break_upstream()
        demo.repair()
        demo.go_back()


class Demo:
    """The story once. `forget` removes what an earlier one has left.

    Args:
        stack: A running Pulp.
        specs: The match specs to install.
    """

    def __init__(self, stack: Stack, specs: Sequence[str]) -> None:
        self.folder = stack.state.folder / "demo"
        self.folder.mkdir(exist_ok=True)
        self._specs = specs
        self._step = 0
        self._config = _config(stack)
        login = {"base_url": stack.api_url, "username": USER, "password": stack.password}
        lines = [f"{key} = {json.dumps(value)}" for key, value in login.items()]
        self._config.touch(mode=0o600)
        self._config.write_text("\n".join(["[cli]", *lines, ""]))

    def forget(self) -> None:
        """Remove what an earlier demo has left.

        Raises:
            QuickstartError: something else has the name of the demo's channel.
        """
        # Not all channels: a list ends after some.
        words = ("conda", "repository", "list", "--name", _NAME)
        for repository in json.loads(self._run("--format", "json", *words).stdout):
            if repository["description"] != _MADE_BY:
                raise QuickstartError(
                    f"There is a channel '{_NAME}' that the demo did not make, so it is left "
                    "alone. Remove or rename it, or give the demo a folder with --state."
                )
            self._run("conda", "lifecycle", "destroy", _NAME, "--yes", code=None)
            self._run("conda", "channel", "destroy", _NAME, "--yes")

    def mirror(self, upstream: str) -> None:
        """Mirror a channel, with stages and a gate."""
        self._say("Mirror a channel, and give it three stages. Each stage has its own URL.")
        self._create("--upstream", upstream)
        self._set_gate(("linux-64", "osx-arm64"))

    def mirror_needed(self, upstream: str) -> None:
        """Mirror what some specs need of a channel, with stages and a gate."""
        self._say("Mirror what some packages need, and give it three stages with their own URLs.")
        subdir = str(rattler.Subdir.current())
        includes = [word for spec in self._specs for word in ("--include", spec)]
        self._create(
            *("--upstream", upstream, "--subdirs", f"{subdir},noarch"),
            *("--with-dependencies", *includes),
        )
        self._set_gate((subdir,))

    def promote(self) -> None:
        """Move both stages, and install."""
        self._say("Promote: the gate solves the environment first. Then install from 'stable'.")
        self._promote("testing")
        self._promote("stable")
        self._install("stable")

    def break_upstream(self) -> None:
        """Let a dependency vanish from the upstream, and try to promote that."""
        self._say("Overnight the upstream breaks 'hello': it needs a 'greeting' that is not there.")
        broken = {**sample.HELLO, "depends": ["greeting >=2"]}
        sample.build_channel(self.folder / "upstream", [sample.GREETING, broken])
        self._pulp("channel", "sync", _NAME)
        self._promote("testing", code=_BLOCKED)
        self._show("Only 'unstable' has changed. 'testing' and 'stable' work as before.")

    def repair(self) -> None:
        """Upload what is missing, and promote again."""
        self._say("Upload the missing package, which we build ourselves, and promote again.")
        path = sample.build_package(self.folder / "built", **sample.GREETING_2)
        self._pulp("channel", "upload", _NAME, str(path))
        self._promote("testing")
        self._promote("stable")
        self._install("stable")

    def go_back(self) -> None:
        """Roll back, and install from the past as well."""
        self._say("Somebody does not like the new greeting. Roll back: one command.")
        state = self._state("stable")
        self._pulp(
            *("lifecycle", "rollback", _NAME, "--stage", "stable"),
            *("--reason", "The greeting is wrong."),
        )
        self._install("stable")
        self._say(f"Each state keeps its URL. Install {state}, which 'stable' served before.")
        self._install("stable", "--at", state)

    def _create(self, *options: str) -> None:
        stages = ("--stages", "unstable,testing,stable")
        described = ("--description", _MADE_BY)
        self._pulp("channel", "create", _NAME, *options, *stages, *described, "--sync")

    def _set_gate(self, platforms: Sequence[str]) -> None:
        self._say("Say what must always be installable. A gate of 'testing' checks it.")
        specs = [word for spec in self._specs for word in ("--spec", spec)]
        self._pulp(
            *("environment", "create", "desk", "--repository", _NAME),
            *(*specs, "--platforms", ",".join(platforms)),
        )
        self._pulp(
            *("lifecycle", "gate", "set", _NAME, "--stage", "testing"),
            *("--gate", "installable", "--kind", "environments"),
        )

    def _promote(self, stage: str, code: int = 0) -> None:
        self._pulp("lifecycle", "promote", _NAME, "--to", stage, code=code)

    def _state(self, stage: str) -> str:
        """Return the name of the state that a stage serves."""
        shown = self._run("--format", "json", "conda", "lifecycle", "show", _NAME)
        states = {each["name"]: each["state"] for each in json.loads(shown.stdout)["stages"]}
        return str(states[stage])

    def _install(self, stage: str, *at: str) -> None:
        """Install from a stage into a fresh prefix, and run the first program."""
        url = self._pulp("lifecycle", "url", _NAME, "--stage", stage, *at).strip()
        self._show(f"A conda client installs {', '.join(self._specs)} from it:")
        prefix = self.folder / "prefix"
        shutil.rmtree(prefix, ignore_errors=True)
        packages = _client("install", url, prefix, *self._specs)
        for package in packages[:5]:
            self._show(f"  {package['filename']}")
        if more := len(packages[5:]):
            self._show(f"  and {more} more")
        program = prefix / "bin" / self._specs[0].split()[0]
        if program.exists() and program.name == "hello":
            done = subprocess.run([program], capture_output=True, text=True, check=True)
            self._show("$ hello", done.stdout.strip())

    def _pulp(self, *words: str, code: int = 0) -> str:
        """Run a command of `pulp conda`, and show it with what it prints."""
        self._show(f"$ pulp conda {shlex.join(words)}")
        done = self._run("--format", "table", "conda", *words, code=code)
        self._show(*done.stdout.splitlines())
        return done.stdout

    def _run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        command = [_program(), "--config", str(self._config), *words]
        done = subprocess.run(command, capture_output=True, text=True)
        if code is not None and done.returncode != code:
            text = done.stderr.strip() or done.stdout.strip()
            raise QuickstartError(f"'pulp {shlex.join(words)}' failed: {text}")
        return done

    def _say(self, text: str) -> None:
        self._step += 1
        print(f"\n{self._step}. {text}", flush=True)

    def _show(self, *lines: str) -> None:
        for line in lines:
            print(f"   {line}", flush=True)


def _program() -> str:
    """Return the path of `pulp`, the command line of Pulp.

    Raises:
        QuickstartError: it is not installed.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which("pulp", path=beside) or shutil.which("pulp")
    if found is None:
        raise QuickstartError(
            "The demo uses the command 'pulp', which is not installed. "
            "Run, in a checkout: pip install ./cli/pulp-glue-conda ./cli"
        )
    return found


def _config(stack: Stack) -> Path:
    """Return the path of the file with the login for `pulp`."""
    return stack.state.folder / "demo" / "cli.toml"


def _client(command: str, url: str, *arguments: str | Path) -> list[dict[str, Any]]:
    """Run the conda client in its own process, and return the packages that it prints."""
    program = [sys.executable, "-m", "pulp_conda.quickstart.client", command, url]
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise QuickstartError(f"The client cannot {command} from '{url}': {done.stderr.strip()}")
    packages: list[dict[str, Any]] = json.loads(done.stdout)
    return packages


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine, as a web server does, and give its URL."""
    handler = partial(_QuietHandler, directory=str(folder))
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    # A sync asks for all subdirs at once. By default five connections may wait in Python's server.
    # Linux drops the others, and the client tries them again after a second.
    request_queue_size = 128


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass
