"""What a sync tells its user beside its result: warnings, as progress reports of the task."""

import logging

from pulpcore.plugin.models import ProgressReport

log = logging.getLogger(__name__)

# The command line and the Ansible collection show reports with this code as warnings.
WARNING = "sync.warning"


def warn(text: str) -> None:
    """Add a warning to the running task.

    Args:
        text: A sentence without secrets, of printable characters.
    """
    log.warning("%s", text)
    with ProgressReport(message=text, code=WARNING, total=1, done=1):
        pass
