"""From the facts about a path to the answer: every status and every `Cache-Control` of a channel is
decided here.

Conditions and ranges: RFC 9110, sections 13 and 14. Blocked packages: RFC 7725. Browsers: the Fetch
standard, https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

from aiohttp.web import BaseRequest

from pulp_conda import pages
from pulp_conda.app.serving.fetching import Cause
from pulp_conda.app.serving.resolve import Facts, InMemory, Kind, Stored, Upstream

# The bytes of a package, a shard or an old sidecar never change under its name, so clients may
# cache it for a year.
_IMMUTABLE = "{reach}, max-age=31536000, immutable"
_REVALIDATED = "{reach}, max-age={max_age}, must-revalidate"

# A cache must not give to others what a guard protects. An error or a redirect may change as soon
# as the guard decides otherwise, so no cache keeps it.
_PUBLIC, _GUARDED = "public", "private"
_NOT_KEPT = "private, no-store"

_CACHE_CONTROL = {
    Kind.PACKAGE: _IMMUTABLE,
    Kind.SHARD: _IMMUTABLE,
    Kind.OLD_SIDECAR: _IMMUTABLE,
    Kind.SIDECAR: _REVALIDATED,
    Kind.METADATA: _REVALIDATED,
    Kind.NOTICES: _REVALIDATED,
    Kind.HISTORY_FEED: _REVALIDATED,
    Kind.PAGE: _REVALIDATED,
}

# For what browsers show to people: nothing from elsewhere, and no frame around it.
_POLICY = f"{pages.SECURITY_POLICY}; frame-ancestors 'none'"

_CONTENT_TYPES = {
    "json": "application/json",
    "zst": "application/zstd",
    "conda": "application/octet-stream",
    "bz2": "application/x-bzip2",
    "html": "text/html; charset=utf-8",
    "atom": "application/atom+xml",
}

_METHODS = "GET, HEAD, OPTIONS"

# What scripts in browsers may read of an answer, besides the headers that they always may.
_EXPOSED = "Accept-Ranges, Age, Content-Length, Content-Range, ETag, Retry-After"

# Seconds for which a browser need not ask again what it may send. None keeps it for longer.
_PREFLIGHT_MAX_AGE = "7200"

# The headers of a request that the rows of the table look at, if no guard refuses it.
_ASKED = {
    "accept",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
    "origin",
    "access-control-request-method",
    "access-control-request-headers",
}

# How many answers to remember for the same facts: what a few kinds of clients send is the same
# again and again.
_MOST_ANSWERS = 8

# A request for several ranges gets the whole file, because no client of channels sends one.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


# What has a page for people.
_EXPLAINED = {401, 403, 404, 429, 451, 503}


@dataclass(frozen=True)
class Refusal:
    """Why a client may not read a channel.

    Attributes:
        challenges: The ways to log in, if credentials may help: there were none, or wrong ones.
        retry_after: After how many seconds the client may try credentials again, if it gave wrong
            ones too often.
        is_hidden: Whether the client may not even know that the channel is there.
        reason: What the guard said, for a client that is known, or nothing.
    """

    challenges: tuple[str, ...] = ()
    retry_after: int | None = None
    is_hidden: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    Attributes:
        headers: The headers, in addition to those of aiohttp.
        start, stop: Which bytes of the file to send. `stop` is None if its size is not known.
        text: The text to send instead of a file, or None for the default text of the status.
        html: Whether the text is a page for people.
        phrase: The reason phrase, or None for that of the status.
        challenges: The values of `WWW-Authenticate`, each for a header of its own.
    """

    status: int
    headers: Mapping[str, str]
    start: int = 0
    stop: int | None = None
    text: str | None = None
    html: bool = False
    phrase: str | None = None
    challenges: tuple[str, ...] = ()


def answer(facts: Facts, refusal: Refusal | None, request: BaseRequest) -> Answer:
    """Return the answer to a request for a path, from the first row of the table that applies.

    Args:
        refusal: Why the client may not read the channel, or None if it may.
    """
    if refusal is not None:
        return _decide(facts, refusal, request)
    asked = (request.method, *(pair for pair in request.headers.items() if _is_asked(pair[0])))
    given = facts.answers.get(asked)
    if given is None:
        given = _decide(facts, None, request)
        if len(facts.answers) < _MOST_ANSWERS:
            facts.answers[asked] = given
    return given


def _decide(facts: Facts, refusal: Refusal | None, request: BaseRequest) -> Answer:
    case = _Case(facts, refusal, request)
    row = next(row for row in _TABLE if row.applies(case))
    headers = {
        name: value for name in row.headers if (value := case.header(name, row.status)) is not None
    }
    start, stop = 0, facts.size
    if row.status in (206, 302) and case.part:
        start, stop = case.part.start, case.part.stop
    phrase = (refusal.reason or None) if refusal and row.status == 403 else None
    challenges = refusal.challenges if refusal and row.status == 401 else ()
    page = case.error_page(row.status)
    text = case.text(row.status) if page is None else page
    return Answer(row.status, headers, start, stop, text, page is not None, phrase, challenges)


@lru_cache(maxsize=1000)
def _is_asked(name: str) -> bool:
    """Say whether an answer may depend on a header of the request."""
    return name.lower() in _ASKED


def headers_for_pulpcore(status: int, facts: Facts, request: BaseRequest) -> dict[str, str]:
    """Return the headers that belong to an answer about a channel that pulpcore gives: a redirect,
    an error, or the list of checkpoints.

    Args:
        facts: What is known of the channel.
    """
    case = _Case(replace(facts, kind=Kind.PAGE), None, request)
    values = {name: case.header(name, status) for name in _ERROR}
    return {name: value for name, value in values.items() if value is not None}


def headers_for_storage(facts: Facts, request: BaseRequest) -> dict[str, str]:
    """Return the headers that a storage has to send with a file to which it sends clients."""
    case = _Case(facts, None, request)
    values = {name: case.header(name, 200) for name in ("Cache-Control", "Content-Type")}
    return {name: value for name, value in values.items() if value is not None}


def content_type(facts: Facts) -> str:
    """Return the type of a file, by its extension."""
    return _CONTENT_TYPES[facts.filename.rpartition(".")[2]]


class _Part(NamedTuple):
    """A range of a file: from `start` to before `stop`. One that begins behind the end cannot be
    had.
    """

    start: int
    stop: int
    size: int

    def __str__(self) -> str:
        part = "*" if self.start >= self.size else f"{self.start}-{self.stop - 1}"
        return f"bytes {part}/{self.size}"


class _Case:
    """What the rows of the table ask about facts, refusal and request."""

    def __init__(self, facts: Facts, refusal: Refusal | None, request: BaseRequest) -> None:
        self.facts = facts
        self.refusal = refusal
        self.request = request

    def asks_for_methods(self) -> bool:
        return self.request.method == "OPTIONS"

    def is_hidden(self) -> bool:
        return self.refusal is not None and self.refusal.is_hidden

    def has_to_wait(self) -> bool:
        return self.refusal is not None and self.refusal.retry_after is not None

    def needs_login(self) -> bool:
        return self.refusal is not None and bool(self.refusal.challenges)

    def is_refused(self) -> bool:
        return self.refusal is not None

    def is_nothing(self) -> bool:
        return self.facts.kind is Kind.NOTHING

    def is_blocked(self) -> bool:
        return self.facts.kind is Kind.BLOCKED

    def is_moved(self) -> bool:
        return self.facts.kind is Kind.MOVED

    def is_not_what_was_meant(self) -> bool:
        if (tags := self.request.if_match) is not None:
            return not any(tag.value in ("*", self.sha256) and not tag.is_weak for tag in tags)
        date = self.request.if_unmodified_since
        return bool(date) and self.date not in (None, date)

    def is_known(self) -> bool:
        if (tags := self.request.if_none_match) is not None:
            return any(tag.value in ("*", self.sha256) for tag in tags)
        date = self.request.if_modified_since
        return bool(date) and self.facts.is_date_unique and self.date == date

    def is_lost(self) -> bool:
        return self.facts.is_lost

    def is_beyond_the_end(self) -> bool:
        return self.part is not None and self.part.start >= self.part.size

    def lies_elsewhere(self) -> bool:
        # Metadata would be kept and known as the storage says, not as we do.
        return self.facts.kind is Kind.PACKAGE and self.facts.is_redirected

    def is_gone_upstream(self) -> bool:
        return self.cause is Cause.GONE

    def is_refused_upstream(self) -> bool:
        return self.cause is Cause.REFUSED

    def may_come_later(self) -> bool:
        return self.cause is Cause.PASSING

    @property
    def cause(self) -> Cause | None:
        return self.facts.failure.cause if self.facts.failure else None

    def is_part(self) -> bool:
        return self.part is not None

    def is_file(self) -> bool:
        return True

    @cached_property
    def sha256(self) -> str:
        """The digest, by which a file is known: its date may go back after a rollback (RFC 9110,
        section 13.1.3).
        """
        if self.facts.sha256 is not None:
            return self.facts.sha256
        assert isinstance(self.facts.where, InMemory)
        return hashlib.sha256(self.facts.where.data).hexdigest()

    @cached_property
    def date(self) -> datetime | None:
        # A date must not be in the future, so the fraction is cut off.
        date = self.facts.last_modified
        return date and date.replace(microsecond=0)

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'

    @property
    def last_modified(self) -> str | None:
        return format_datetime(self.date, usegmt=True) if self.date else None

    @cached_property
    def part(self) -> "_Part | None":
        """The requested range, or None for the whole file."""
        size, request = self.facts.size, self.request
        # Ranges are defined for GET alone.
        if request.method != "GET" or size is None:
            return None
        match = _RANGE.fullmatch(request.headers.get("Range", ""))
        if not match or match.groups() == ("", ""):
            return None
        validators: set[str | None] = {self.etag}
        if self.facts.is_date_unique:
            validators.add(self.last_modified)
        if request.headers.get("If-Range", self.etag) not in validators:
            return None
        first, last = (int(number) if number else None for number in match.groups())
        if first is None:
            # The last bytes: none of them if there are to be none.
            return _Part(max(size - (last or 0), 0), size, size)
        if last is None:
            return _Part(first, size, size)
        return _Part(first, min(last + 1, size), size) if first <= last else None

    @cached_property
    def origin(self) -> str | None:
        """The origin of the script that may read the answer, `*` for all, or None."""
        allowed = self.facts.cors_origins
        if allowed is None:
            allowed = [] if self.facts.is_guarded else ["*"]
        if "*" in allowed:
            return "*"
        origin = self.request.headers.get("Origin")
        return origin if origin in allowed else None

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks if a script may send a request."""
        asks = "Access-Control-Request-Method" in self.request.headers
        return self.asks_for_methods() and asks and self.origin is not None

    def text(self, status: int) -> str | None:
        if self.facts.is_lost:
            return f"503: this server has lost '{self.facts.filename}'. Its log names the file."
        has_reason = status in (404, 451, 502, 503) and self.facts.reason
        return f"{status}: {self.facts.reason}" if has_reason else None

    def error_page(self, status: int) -> str | None:
        """Return what a person sees who opens a page that is not there, or None for clients."""
        if status not in _EXPLAINED or self.facts.ways is None or self.is_hidden():
            return None
        if not self.accepts_html:
            return None
        root, site = self.facts.ways
        return pages.render_error(
            status,
            reason=self.facts.reason,
            links=self.facts.links if self.refusal is None else (),
            root=root if self.refusal is None else None,
            site=site,
            host=self.request.url.host or "",
        )

    @property
    def accepts_html(self) -> bool:
        """Whether a browser asks for something to show. Clients take anything, but do not name
        it.
        """
        return "text/html" in self.request.headers.get("Accept", "")

    def cache_control(self, status: int) -> str | None:
        """Return who may keep the answer, and for how long, or None to leave that to caches."""
        is_open = not (self.facts.is_guarded or self.facts.is_personal)
        reach = _PUBLIC if is_open else _GUARDED
        if status in _FILE_STATUSES:
            return _CACHE_CONTROL[self.facts.kind].format(reach=reach, max_age=self.facts.max_age)
        # Caches may keep a 451 if nothing forbids it (RFC 7725), also after a block is lifted. A
        # redirect to a storage has a signature that expires.
        return _NOT_KEPT if self.facts.is_guarded or status in (302, 451) else None

    def header(self, name: str, status: int) -> str | None:
        """Return the value of a header, or None if an answer of this status has none of it."""
        facts = self.facts
        is_shown = status not in _FILE_STATUSES or facts.kind is Kind.PAGE
        match name:
            case "Accept-Ranges":
                return "bytes"
            case "Access-Control-Allow-Credentials":
                # With `*`, the standard allows none: a script has to give the credentials itself.
                return "true" if facts.is_guarded and self.origin not in (None, "*") else None
            case "Access-Control-Allow-Headers":
                return self.allowed_headers if self.is_preflight else None
            case "Access-Control-Allow-Methods":
                return _METHODS if self.is_preflight else None
            case "Access-Control-Allow-Origin":
                return self.origin
            case "Access-Control-Expose-Headers":
                return _EXPOSED if self.origin and not self.asks_for_methods() else None
            case "Access-Control-Max-Age":
                return _PREFLIGHT_MAX_AGE if self.is_preflight else None
            case "Age":
                age = facts.freshness and facts.freshness.age
                return None if age is None else str(age)
            case "Allow":
                return _METHODS
            case "Cache-Control":
                return self.cache_control(status)
            case "Content-Range":
                return str(self.part)
            case "Content-Security-Policy":
                return _POLICY if is_shown else None
            case "Content-Type":
                return content_type(facts)
            case "ETag":
                return self.etag
            case "Last-Modified":
                return self.last_modified
            case "Location":
                return facts.location
            case "Referrer-Policy":
                return "no-referrer" if is_shown else None
            case "Retry-After":
                if self.refusal is not None:
                    return str(self.refusal.retry_after)
                return str(facts.failure.retry_after) if facts.failure else None
            case "Vary":
                return ", ".join(self.varies) or None
            case "X-Content-Type-Options":
                return "nosniff" if is_shown else None
            case "X-PULP-ARTIFACT-SIZE":
                is_artifact = isinstance(facts.where, Stored | Upstream) and facts.size is not None
                return str(facts.size) if is_artifact else None
        raise LookupError(name)

    @property
    def allowed_headers(self) -> str | None:
        """The headers that a script may send: those that its browser asks for.

        `*` would not do: it means no `Authorization`, and nothing at all with credentials.
        """
        return self.request.headers.get("Access-Control-Request-Headers")

    @property
    def varies(self) -> Iterator[str]:
        """Yield the headers of a request that make a difference."""
        if self.facts.is_guarded or self.facts.is_personal:
            yield "Authorization"
        if self.facts.ways is not None and self.facts.kind is not Kind.PAGE:
            yield "Accept"
        if self.facts.cors_origins and self.origin != "*":
            yield "Origin"
        if self.is_preflight:
            yield "Access-Control-Request-Headers"


class _Row(NamedTuple):
    status: int
    applies: Callable[[_Case], bool]
    headers: tuple[str, ...] = ()


_FILE_STATUSES = (200, 206, 304)

_CACHING = ("Cache-Control", "Vary")
_CORS = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
)
_PREFLIGHT = (
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Max-Age",
)
_ALWAYS = (*_CACHING, *_CORS)
_SHOWN = ("Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options")
_ERROR = (*_ALWAYS, *_SHOWN)
_VALIDATORS = (*_ALWAYS, "ETag", "Last-Modified", "Age")
_FILE = (*_VALIDATORS, "Content-Type", "X-PULP-ARTIFACT-SIZE", "Accept-Ranges", *_SHOWN)

# The first row that applies is the answer. Errors have none of the headers of a file: nobody shall
# keep one for a year. Browsers ask for methods without credentials, so no guard is asked then, and
# the answer is the same for every path.
_TABLE = (
    _Row(204, _Case.asks_for_methods, ("Allow", *_ALWAYS, *_PREFLIGHT)),
    # As where there is no channel: there, pulpcore answers.
    _Row(404, _Case.is_hidden),
    _Row(429, _Case.has_to_wait, (*_ERROR, "Retry-After")),
    _Row(401, _Case.needs_login, _ERROR),
    _Row(403, _Case.is_refused, _ERROR),
    _Row(404, _Case.is_nothing, _ERROR),
    _Row(451, _Case.is_blocked, _ERROR),
    _Row(301, _Case.is_moved, (*_ERROR, "Location")),
    _Row(412, _Case.is_not_what_was_meant, _ERROR),
    _Row(304, _Case.is_known, _VALIDATORS),
    _Row(416, _Case.is_beyond_the_end, (*_ERROR, "Content-Range")),
    _Row(503, _Case.is_lost, _ERROR),
    _Row(302, _Case.lies_elsewhere, (*_ALWAYS, "Location", "Referrer-Policy")),
    _Row(404, _Case.is_gone_upstream, _ERROR),
    _Row(502, _Case.is_refused_upstream, _ERROR),
    _Row(503, _Case.may_come_later, (*_ERROR, "Retry-After")),
    _Row(206, _Case.is_part, (*_FILE, "Content-Range")),
    _Row(200, _Case.is_file, _FILE),
)
