"""The order of package versions (CEP 33). No other module compares them."""

from functools import total_ordering

from rattler import Version
from rattler.exceptions import InvalidVersionError


@total_ordering
class VersionKey:
    """A sort key for the text of a version.

    A text that is no version is allowed, so that one odd record does not keep a whole channel from
    being listed. It sorts before all versions, by its characters.
    """

    __slots__ = ("_version", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._version: Version | None
        try:
            self._version = Version(text)
        except InvalidVersionError:
            self._version = None

    @property
    def is_version(self) -> bool:
        """Whether the text is a version."""
        return self._version is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VersionKey):
            return NotImplemented
        return not self < other and not other < self

    def __lt__(self, other: "VersionKey") -> bool:
        if self._version is None or other._version is None:
            return (self._version is not None, self.text) < (other._version is not None, other.text)
        return self._version < other._version
