"""The error by which Pulp shows errors of channels to users."""

from pulpcore.plugin.exceptions import PulpException

from pulp_conda.channel.errors import ChannelError


class CondaError(PulpException):
    """Wraps any `ChannelError` for Pulp: a task that fails shows its code and its text."""

    error_code = "CND0000"

    def __init__(self, error: ChannelError) -> None:
        self.error = error
        self.error_code = error.code
        super().__init__()

    def __str__(self) -> str:
        return str(self.error)
