"""The table that decides every status and every header of a channel."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp.test_utils import make_mocked_request

from pulp_conda import pages
from pulp_conda.app.serving.answers import answer, needs_request
from pulp_conda.app.serving.resolve import NOTHING, Facts, InMemory, Kind, Upstream

DATE = "Mon, 01 Jun 2026 12:00:00 GMT"
OLDER = "Mon, 01 Jun 2026 11:59:59 GMT"
METADATA = Facts(
    Kind.METADATA,
    "noarch/repodata.json",
    InMemory(b"0123456789"),
    sha256="ab",
    size=10,
    last_modified=datetime(2026, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC),
    max_age=60,
)
PACKAGE = replace(METADATA, kind=Kind.PACKAGE, filename="a-1.0-0.conda")
FILES = [kind for kind in Kind if kind not in (Kind.NOTHING, Kind.BLOCKED, Kind.MOVED)]

# What browsers are told of what they show.
SHOWN = {
    "Content-Security-Policy": f"{pages.SECURITY_POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def ask(facts, method="GET", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(facts, None, make_mocked_request(method, "/", headers=headers))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="plain"),
        pytest.param({"If_Match": '"ab"'}, 200, id="the one that was meant"),
        pytest.param({"If_Match": 'W/"ab"'}, 412, id="a weak tag is no proof"),
        pytest.param({"If_Match": '"cd"'}, 412, id="another was meant"),
        pytest.param({"If_Unmodified_Since": OLDER}, 412, id="another date was meant"),
        pytest.param({"If_None_Match": '"ab"'}, 304, id="known by tag"),
        pytest.param({"If_None_Match": '"cd", W/"ab"'}, 304, id="known by a weak tag"),
        pytest.param({"If_None_Match": '"cd"', "If_Modified_Since": DATE}, 200, id="tag first"),
        pytest.param({"If_Modified_Since": DATE}, 304, id="known by date"),
        # After a rollback the file is older than what the client has.
        pytest.param({"If_Modified_Since": OLDER}, 200, id="another date"),
        pytest.param({"Range": "bytes=2-4"}, 206, id="part"),
        pytest.param({"Range": "bytes=10-"}, 416, id="behind the end"),
        pytest.param({"Range": "bytes=-0"}, 416, id="the last no bytes"),
        pytest.param({"Range": "bytes=4-2"}, 200, id="no range"),
        pytest.param({"Range": "bytes=0-1,3-4"}, 200, id="several ranges"),
        pytest.param({"Range": "bytes=2-4", "If_Range": '"cd"'}, 200, id="range of another file"),
        pytest.param({"Range": "bytes=2-4", "If_Range": DATE}, 206, id="range by date"),
        pytest.param({"Range": "bytes=10-", "If_None_Match": '"ab"'}, 304, id="condition first"),
    ],
)
def test_the_first_row_that_applies_gives_the_status(headers, status):
    assert ask(METADATA, **headers).status == status


@pytest.mark.parametrize(
    ("text", "start", "stop", "content_range"),
    [
        ("bytes=2-4", 2, 5, "bytes 2-4/10"),
        ("bytes=7-", 7, 10, "bytes 7-9/10"),
        ("bytes=7-99", 7, 10, "bytes 7-9/10"),
        ("bytes=-3", 7, 10, "bytes 7-9/10"),
        ("bytes=-99", 0, 10, "bytes 0-9/10"),
    ],
)
def test_a_part_says_which_it_is(text, start, stop, content_range):
    given = ask(METADATA, Range=text)
    assert (given.start, given.stop) == (start, stop)
    assert given.headers["Content-Range"] == content_range


def test_no_part_is_given_for_head_and_of_files_without_size():
    assert ask(METADATA, "HEAD", Range="bytes=2-4").status == 200
    upstream = replace(PACKAGE, where=Upstream(None), size=None)
    assert ask(upstream, Range="bytes=2-4").status == 200


def test_a_date_that_two_files_share_proves_nothing():
    shared = replace(METADATA, is_date_unique=False)
    assert ask(shared, If_Modified_Since=DATE).status == 200
    assert ask(shared, Range="bytes=2-4", If_Range=DATE).status == 200


@pytest.mark.parametrize("kind", FILES)
def test_what_never_changes_is_kept_for_a_year_and_the_rest_is_asked_for(kind):
    given = ask(replace(METADATA, kind=kind)).headers["Cache-Control"]
    is_fixed = kind in (Kind.PACKAGE, Kind.SHARD, Kind.OLD_SIDECAR)
    immutable, revalidated = (
        "public, max-age=31536000, immutable",
        "public, max-age=60, must-revalidate",
    )
    assert given == (immutable if is_fixed else revalidated)


def test_a_file_has_its_headers_and_an_error_has_none_of_them():
    assert ask(PACKAGE).headers == {
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Type": "application/octet-stream",
        "ETag": '"ab"',
        "Last-Modified": DATE,
    }
    assert ask(PACKAGE, If_Match='"cd"').headers == SHOWN
    assert ask(PACKAGE, Range="bytes=10-").headers == {"Content-Range": "bytes */10", **SHOWN}
    assert ask(PACKAGE, If_None_Match='"ab"').headers.keys() == {
        "Cache-Control",
        "ETag",
        "Last-Modified",
    }


def test_where_no_file_is_sent_the_request_does_not_count():
    moved = Facts(Kind.MOVED, location="noarch/")
    missing = Facts(Kind.NOTHING, reason="it served nothing then")
    blocked = Facts(Kind.BLOCKED, "a-1.0-0.conda", reason="Malware.")
    for facts, guard, status in (
        (NOTHING, None, 404),
        (missing, None, 404),
        (moved, None, 301),
        (METADATA, "not for you", 403),
        (NOTHING, "not for you", 403),
        (METADATA, "", 403),
        (blocked, None, 451),
        (blocked, "not for you", 403),
    ):
        assert not needs_request(facts, guard)
        assert answer(facts, guard, None).status == status
    assert answer(moved, None, None).headers == {"Location": "noarch/", **SHOWN}
    assert answer(missing, None, None).text == "404: it served nothing then"
    assert answer(blocked, None, None).text == "451: Malware."
    # Else a cache may keep a 451.
    assert answer(blocked, None, None).headers == {"Cache-Control": "private, no-store", **SHOWN}
    assert answer(blocked, "not for you", None).text is None
    assert needs_request(METADATA, None)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "headers", [{}, {"Range": "bytes=2-4"}, {"If_None_Match": '"ab"'}], ids=["200", "206", "304"]
)
def test_of_a_guarded_file_no_cache_keeps_a_copy_for_others(kind, headers):
    public, guarded = (
        ask(replace(METADATA, kind=kind, is_guarded=is_guarded), **headers).headers
        for is_guarded in (False, True)
    )
    assert "Vary" not in public
    assert guarded == {
        **public,
        "Cache-Control": public["Cache-Control"].replace("public", "private"),
        "Vary": "Authorization",
    }


def test_of_a_guarded_channel_nobody_keeps_what_is_no_file():
    files = replace(PACKAGE, is_guarded=True)
    answers = [
        answer(replace(files, kind=Kind.NOTHING), None, None),
        answer(replace(files, kind=Kind.MOVED, location="noarch/"), None, None),
        answer(files, "not for you", None),
        ask(files, If_Match='"cd"'),
        ask(files, Range="bytes=10-"),
        ask(replace(files, is_lost=True)),
    ]
    assert [given.status for given in answers] == [404, 301, 403, 412, 416, 503]
    for given in answers:
        assert given.headers["Cache-Control"] == "private, no-store"
        assert given.headers["Vary"] == "Authorization"


def test_pages_and_errors_tell_browsers_to_trust_nothing_in_them():
    page = replace(METADATA, kind=Kind.PAGE, filename=".html")
    missing = answer(NOTHING, None, None)
    for given in (ask(page), ask(page, "HEAD"), missing):
        assert SHOWN.items() <= given.headers.items()
    assert not SHOWN.keys() & ask(PACKAGE).headers.keys()
