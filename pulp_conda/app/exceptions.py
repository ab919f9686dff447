"""How the errors of a channel reach people through Pulp."""

from pulpcore.plugin.exceptions import PulpException


class CondaError(PulpException):
    """Any channel error, for Pulp: tasks wrap at their edge and keep the code and the words."""

    error_code = "CND0000"

    def __init__(self, error):
        self.error = error
        self.error_code = error.code
        super().__init__()

    def __str__(self):
        return str(self.error)
