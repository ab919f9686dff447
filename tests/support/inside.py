"""The program `pulp` inside of the process of the tests, for tables and long stories: to start it takes a second."""

from click.testing import CliRunner
from pulp_cli import main

from tests.support.program import Cli, Outcome


class Inside(Cli):
    """A `Cli` that starts no process, with the settings of another one."""

    def __init__(self, cli):
        self.folder = cli.folder
        self.settings = cli.settings

    def __call__(self, *args, stdin="", environment=None):
        config = self.folder / ".config" / "pulp" / "cli.toml"
        runner = CliRunner(env=self.environment | (environment or {}))
        args = ["--config", str(config), *map(str, args)]
        result = runner.invoke(main, args, input=stdin, prog_name="pulp")
        is_crash = result.exception and not isinstance(result.exception, SystemExit)
        assert not is_crash, f"{result.output}{result.exception!r}"
        return Outcome(result.exit_code, result.stdout, result.stderr)
