"""The program `pulp` in the process of the tests, where it is not the process that matters: to
start it takes a second.
"""

from click.testing import CliRunner
from pulp_cli import main

from tests.support.glue import parsed_once
from tests.support.program import Cli, Outcome


class Inside(Cli):
    """A `Cli` with the settings of another one. Only what `start` and `on_terminal` run is a
    process.
    """

    def __init__(self, cli):
        self.folder = cli.folder
        self.cache = cli.cache
        self.settings = cli.settings

    def __call__(self, *args, stdin="", environment=None):
        config = self.folder / ".config" / "pulp" / "cli.toml"
        runner = CliRunner(env=self.environment | (environment or {}))
        args = ["--config", str(config), *map(str, args)]
        with parsed_once():
            result = runner.invoke(main, args, input=stdin, prog_name="pulp")
        is_crash = result.exception and not isinstance(result.exception, SystemExit)
        assert not is_crash, f"{result.output}{result.exception!r}"
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def configured(self, folder, **settings):
        return Inside(super().configured(folder, **settings))
