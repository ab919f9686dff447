"""Who asks for a page, and what was made for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from pulp_conda.app.models import CondaDistribution


def _is_public(channel: CondaDistribution) -> bool:
    return channel.content_guard_id is None


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page, and for which part of it.

    Attributes:
        path: The path of the page below that of all channels, as the URL has it.
        query: What stands behind the `?` of the URL.
        may_read: Says whether the visitor may read a channel; by default those of everybody.
    """

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    may_read: Callable[[CondaDistribution], bool] = _is_public

    @property
    def site(self) -> str:
        """The way from the page to the place of all channels."""
        return up(self.path)

    @property
    def wants_json(self) -> bool:
        """Whether a script asks."""
        return self.query.get("format") == "json"

    def asked(self, name: str, longest: int = 200) -> str:
        """Return what a query has for a name, cut to what can be meant, without NUL characters,
        which PostgreSQL cannot even look for.
        """
        return self.query.get(name, "")[:longest].replace("\0", "").strip()


@dataclass(frozen=True)
class Made:
    """What was made of the request for a page.

    Attributes:
        data: The page, or None if there is none.
        extension: `html` or `json`.
        is_personal: Whether other visitors may get another page.
        location: Where the page is, if it is not here.
        reason: Why there is none.
        links: Where people may go instead: (words, href). They are the same for all visitors.
    """

    data: bytes | None = None
    extension: str = "html"
    is_personal: bool = False
    location: str = ""
    reason: str = ""
    links: Sequence[tuple[str, str]] = ()

    @classmethod
    def html(cls, text: str, is_personal: bool = False) -> "Made":
        """Return a page for people."""
        # What is half of a character cannot be written.
        return cls(text.encode(errors="replace"), is_personal=is_personal)

    @classmethod
    def json(cls, facts: Any, is_personal: bool = False) -> "Made":
        """Return an answer for a script."""
        return cls(orjson.dumps(facts), "json", is_personal)


def up(path: str) -> str:
    """Return the relative way from a page to the place below which it has a path."""
    return "../" * path.count("/") or "./"
