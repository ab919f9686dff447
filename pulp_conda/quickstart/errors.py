"""The one error of the quickstart, and the lines that tell why a program ended."""


class QuickstartError(Exception):
    """What is wrong, where, and what to do next. Shown to the user without a traceback."""


def ended_early(name, log):
    """The error for a program that ended although it was needed."""
    return QuickstartError(
        f"'{name}' ended. Its last lines in {log}:\n{tail(log)}\n"
        "Correct what they name, then run 'up' again."
    )


def tail(log, lines=15):
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return "  (nothing)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (nothing)"
