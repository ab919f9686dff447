"""How pages look and speak: the templates, the one style, the one script, and what they may do.

The style and the script stand in each page, and browsers run them by their hashes. So a page needs
no other file, works when it is saved, and runs nothing else, wherever it comes from.
"""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pulp_conda.channel.errors import shown
from pulp_conda.channel.layout import PageKind, page_path

_LONGEST_TEXT = 2000
_LONGEST_LINK = 60
_LONGEST_RECORD = 100_000


def day(moment: datetime) -> str:
    """Return a moment as `2026-11-30`, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def minute(moment: datetime) -> str:
    """Return a moment as `2026-11-30 06:02`, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def iso(moment: datetime) -> str:
    """Return a moment as HTML has it for programs."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size(count: int) -> str:
    """Return a number of bytes as clients show it: `9.05 MB`, in powers of ten."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5:
            break
    return f"{amount:.3g} {unit}" if amount < 999.5 else f"{amount:,.0f} {unit}"


def count(number: int, word: str, plural: str = "") -> str:
    """Return `1 file`, `2 files`, `1,234 files`."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def plain(value: object, longest: int = _LONGEST_TEXT) -> str:
    """Return a text from others, as one line whose characters are all seen."""
    return shown(str(value), longest)


def plain_record(text: str) -> str:
    """Return JSON with line breaks, cut to what a page can hold, with all characters seen."""
    lines = [plain(line) for line in text[:_LONGEST_RECORD].split("\n")]
    return "\n".join(lines if len(text) <= _LONGEST_RECORD else [*lines, "…"])


def web_link(url: object) -> str | None:
    """Return a URL from others if it is one of the web, else None: others may run a script."""
    if not isinstance(url, str) or len(url) > _LONGEST_TEXT or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    # What stands before an `@` looks like a host.
    return url if is_web and "@" not in parts.netloc else None


def link_text(url: str) -> str:
    """Return what to call a link of the web: where it leads to."""
    parts = urlsplit(url)
    return shown(f"{parts.netloc}{parts.path.rstrip('/')}", _LONGEST_LINK)


def package_href(name: str, version: str | None = None) -> str:
    """Return the path of a package's page below the channel, for a link."""
    return page_path(PageKind.PACKAGE, *(part for part in (name, version) if part))


def file_href(subdir: str, filename: str) -> str:
    """Return the path of a file's page below the channel, for a link."""
    return page_path(PageKind.FILE, subdir, filename)


def query_string(**values: object) -> str:
    """Return values as the query of a link; those that are None or empty are left out."""
    return urlencode({key: value for key, value in values.items() if value not in (None, "")})


_TEMPLATES = Environment(
    loader=PackageLoader("pulp_conda.pages"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "count": count,
    "day": day,
    "iso": iso,
    "link_text": link_text,
    "minute": minute,
    "path": lambda text: quote(text, safe="!+~@:,/"),
    "plain": plain,
    "plain_record": plain_record,
    "size": size,
    "web_link": web_link,
}
_TEMPLATES.globals |= {
    "file_href": file_href,
    "package_href": package_href,
    "query_string": query_string,
}

STYLE = _TEMPLATES.get_template("style.css").render()
SCRIPT = _TEMPLATES.get_template("script.js").render()


def _hash_of(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# What a page may load and do: a header for browsers (CSP, level 3).
SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_hash_of(STYLE)}'",
        f"script-src 'sha256-{_hash_of(SCRIPT)}'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)

# The same for pages with forms that do something, which run no script.
FORM_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_hash_of(STYLE)}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def render(template: str, **facts: Any) -> str:
    """Return a page as HTML.

    Args:
        facts: What the template shows. An empty `script` leaves the script out.
    """
    return _TEMPLATES.get_template(template).render({"style": STYLE, "script": SCRIPT} | facts)
