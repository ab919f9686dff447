"""What a sync tells its user besides the numbers of its steps."""

from pulpcore.plugin.models import ProgressReport


def warn(code: str, message: str, count: int | None = None) -> None:
    """Add a progress report to the task that does nothing but say something.

    Args:
        code: Tells programs what kind of warning it is, for example `sync.left_out`.
        count: How many things it is about, if they are counted.
    """
    with ProgressReport(message=message, code=code, total=count, done=count or 0):
        pass
