"""The command line: up, demo, status, down, destroy."""

import argparse
import errno
import json
import re
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn, TypeAlias

from pulp_conda.quickstart.errors import QuickstartError
from pulp_conda.quickstart.state import State, default_folder

NOT_RUNNING = 3

_Command: TypeAlias = Callable[[argparse.Namespace], int | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: The words of the command line, or None for those of this process.
    """
    args = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # With nohup, SIGHUP stays ignored.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    run: _Command = args.run
    try:
        return run(args) or 0
    except KeyboardInterrupt:
        return 130
    except QuickstartError as error:
        print(f"Error: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name not in ("psycopg", "psutil", "requests"):
            raise
        print(
            f"Error: '{error.name}' is not installed next to this Python, "
            "and the quickstart needs it. Run: pip install 'pulp-conda[embedded]'",
            file=sys.stderr,
        )
    except OSError as error:
        if error.errno not in (
            errno.EACCES,
            errno.EPERM,
            errno.EROFS,
            errno.ENOSPC,
            errno.EDQUOT,
            errno.ENOTDIR,
        ):
            raise
        print(
            f"Error: '{error.filename or args.state}' cannot be written: {error.strerror}. "
            "Correct that, or choose another folder with --state.",
            file=sys.stderr,
        )
    return 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state",
        metavar="DIR",
        type=State,
        default=str(default_folder()),
        help="the folder that holds everything (default: $PULP_CONDA_STATE, else %(default)s)",
    )
    parser = argparse.ArgumentParser(
        prog="pulp-conda-quickstart",
        description="A private Pulp with conda channels, in one folder.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: _Command, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=text, description=text)
        command.set_defaults(run=run)
        return command

    command = add("up", _up, "Start Pulp, after creating it if needed.")
    command.add_argument("--port", type=int, metavar="N", help="port of the API")
    command.add_argument("--content-port", type=int, metavar="N", help="port of the channels")
    command.add_argument(
        "--workers",
        type=int,
        metavar="N",
        default=1,
        help="how many tasks run at the same time (default: 1)",
    )
    command.add_argument(
        "--background",
        action="store_true",
        help="return when Pulp is ready, and leave it running (default: stop it at Ctrl-C)",
    )
    command = add("demo", _demo, "Show what conda channels in Pulp can do.")
    command.add_argument(
        "--upstream",
        metavar="URL",
        help="the channel to mirror (default: a small one that the demo makes)",
    )
    command.add_argument(
        "--specs",
        metavar="SPECS",
        type=_specs,
        help="match specs to install from it, with commas or blanks between (default: hello)",
    )
    command = add("status", _status, f"Say what runs, and exit with {NOT_RUNNING} if nothing does.")
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
    add("down", _down, "Stop Pulp, also if another terminal runs it in the foreground.")
    command = add("destroy", _destroy, "Stop Pulp and remove its folder with all data.")
    command.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _up(args: argparse.Namespace) -> None:
    from pulp_conda.quickstart.services import Stack  # not above: --help comes fast
    from pulp_conda.quickstart.status import as_text, describe  # not above: --help comes fast

    stack = Stack(args.state, workers=args.workers, background=args.background)
    ports = {"api": args.port, "content": args.content_port}
    started = stack.up({name: port for name, port in ports.items() if port is not None})
    try:
        print(as_text(describe(args.state)), flush=True)
        if not started:
            print("It was started before. Stop it with 'down'.")
        elif args.background:
            print("Stop it with 'down'.")
        else:
            print("Stop it with Ctrl-C.", flush=True)
            stack.watch()
    except KeyboardInterrupt:
        pass
    finally:
        if started and not args.background:
            stack.down()


def _demo(args: argparse.Namespace) -> None:
    from pulp_conda.quickstart import demo  # not above: --help comes fast

    demo.run(args)


def _status(args: argparse.Namespace) -> int:
    from pulp_conda.quickstart.status import as_text, describe  # not above: --help comes fast

    found = describe(args.state)
    print(json.dumps(found, indent=2) if args.json else as_text(found))
    return 0 if found["running"] else NOT_RUNNING


def _down(args: argparse.Namespace) -> None:
    from pulp_conda.quickstart.services import Stack  # not above: --help comes fast

    if args.state.exists:
        Stack(args.state).down()
    print(f"Nothing runs from '{args.state.folder}'.")


def _destroy(args: argparse.Namespace) -> int:
    from pulp_conda.quickstart.services import Stack  # not above: --help comes fast

    folder = args.state.folder
    if not args.state.exists:
        raise QuickstartError(
            f"'{folder}' has no 'state.json', so it is not a folder of this command. "
            "Nothing was removed."
        )
    if not args.yes:
        print(f"Remove '{folder}' with all channels in it? [y/N] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() != "y":
            print("Nothing was removed.")
            return 1
    Stack(args.state).destroy()
    print(f"Removed '{folder}'.")
    return 0


def _specs(text: str) -> list[str]:
    """Return the match specs of a text: `numpy >=1.26,<3, scipy` has two.

    A comma or a blank ends a spec if a letter follows.
    """
    return re.split(r"[,\s]+(?=[A-Za-z_])", text.strip(", "))


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Raise an exception for the first signal, and ignore others while we stop what runs."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
