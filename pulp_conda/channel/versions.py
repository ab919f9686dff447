"""Version order (CEP 33): the only place that compares package versions."""

from functools import total_ordering

from rattler import Version
from rattler.exceptions import InvalidVersionError


@total_ordering
class VersionKey:
    """A sort key for a package's version text.

    A text that is no version sorts before all versions, by its characters, so that one odd record does not
    keep a whole channel from being listed.
    """

    __slots__ = ("_version", "text")

    def __init__(self, text):
        self.text = text
        try:
            self._version = Version(text)
        except InvalidVersionError:
            self._version = None

    def __eq__(self, other):
        return not self < other and not other < self

    def __lt__(self, other):
        if self._version is None or other._version is None:
            return (self._version is not None, self.text) < (other._version is not None, other.text)
        return self._version < other._version
