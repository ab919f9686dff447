"""How the errors of a channel become the errors of a field."""

from contextlib import contextmanager

from rest_framework.serializers import ValidationError

from pulp_conda.channel.errors import ChannelError


class _Errors(list):
    @contextmanager
    def at(self, where):
        """Note an error and go on, so that nobody fixes five things in five requests."""
        try:
            yield
        except ChannelError as error:
            self.append(error.at(where))


@contextmanager
def channel_errors_as_validation():
    """Turn channel errors, raised or noted with `at`, into one `ValidationError`."""
    errors = _Errors()
    with errors.at(None):
        yield errors
    if errors:
        raise ValidationError([str(error) for error in errors], code=errors[0].code)
