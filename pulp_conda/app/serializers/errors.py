"""Turn the errors of channels into the errors of a field."""

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.serializers import ValidationError

from pulp_conda.channel.errors import ChannelError


class ChannelErrors(list[ChannelError]):
    """The errors of one request."""

    @contextmanager
    def at(self, where: str | None) -> Iterator[None]:
        """Note an error and go on, so that one answer names all that is wrong in a request.

        Args:
            where: The part of the request that is wrong, for the text of the error.
        """
        try:
            yield
        except ChannelError as error:
            self.extend((error.at(where) if where else error).errors)


@contextmanager
def channel_errors_as_validation() -> Iterator[ChannelErrors]:
    """Turn channel errors, raised or noted with `at`, into one `ValidationError`.

    Raises:
        ValidationError: with the texts of all errors and the code of the first.
    """
    errors = ChannelErrors()
    with errors.at(None):
        yield errors
    if errors:
        raise ValidationError([str(error) for error in errors], code=errors[0].code)
