"""The error of the quickstart, and the lines of a log that say why a program ended."""

from pathlib import Path


class QuickstartError(Exception):
    """What is wrong, where, and what to do next. Shown to the user without a traceback."""


def ended_early(name: str, log: Path) -> QuickstartError:
    """Return the error for a program that ended although it was needed."""
    return QuickstartError(
        f"'{name}' ended. Its last lines in {log}:\n{tail(log)}\n"
        "Correct what they name, then run 'up' again."
    )


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, each after two spaces."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return "  (nothing)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (nothing)"
