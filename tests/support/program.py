"""The real program `pulp`, as people start it, with a home folder of its own."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("pulp")


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str


class Cli:
    """The program with a config file in a folder. Settings are those of the file: `base_url`,
    `username`, `plugins`… What it knows of the API of a server, which this makes in seconds, is in
    the folder `cache`, or in one of its own.

    `cli("conda", "remote", "list")` runs a command and returns its `Outcome`, however it ended.
    `cli.ok(…)` demands exit code 0, `cli.json(…)` also parses what was written. `cli.start(…)`
    returns the running process, for a test that sends it a signal. `cli.configured(folder,
    username="bob")` is the same program with other settings.
    """

    def __init__(self, folder, cache=None, **settings):
        self.folder = folder
        self.cache = cache or folder / ".cache"
        self.settings = settings
        lines = (f"{key} = {json.dumps(value)}" for key, value in settings.items())
        config = folder / ".config" / "pulp" / "cli.toml"
        config.parent.mkdir(parents=True)
        config.write_text("\n".join(["[cli]", *lines, ""]))

    def __call__(self, *args, stdin="", environment=None, timeout=120):
        done = subprocess.run(
            self._command(args),
            input=stdin,
            env=self.environment | (environment or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def ok(self, *args, **options):
        outcome = self(*args, **options)
        assert outcome.exit_code == 0, f"pulp {' '.join(map(str, args))}: {outcome}"
        return outcome

    def json(self, *args, **options):
        return json.loads(self.ok(*args, **options).stdout)

    def start(self, *args, **options):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        options = {"env": self.environment, **pipes, **options}
        return subprocess.Popen(self._command(args), text=True, **options)

    def on_terminal(self, *args):
        """Run a command whose stderr is a terminal; return its exit code and what was drawn
        there.
        """
        parent, child = pty.openpty()
        process = self.start(*args, stdout=subprocess.DEVNULL, stderr=child)
        os.close(child)
        drawn = b""
        try:
            while piece := os.read(parent, 4096):
                drawn += piece
        except OSError:  # the other end is closed
            pass
        os.close(parent)
        return process.wait(60), drawn.decode()

    def configured(self, folder, **settings):
        # Another server may have the port of one before.
        cache = None if "base_url" in settings else self.cache
        return Cli(folder, cache, **{**self.settings, **settings})

    @property
    def environment(self):
        """Nothing of the user's but the path, so that no config, cache or proxy of theirs is
        read.
        """
        keys = ("PATH", "LANG", "LD_LIBRARY_PATH")
        kept = {key: os.environ[key] for key in keys if key in os.environ}
        folders = {
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_DATA_HOME": str(self.folder / ".data"),
        }
        return kept | folders | {"HOME": str(self.folder), "COLUMNS": "100"}

    def _command(self, args):
        return [PROGRAM, *map(str, args)]
