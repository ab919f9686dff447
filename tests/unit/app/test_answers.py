"""The table that decides every status and every header of a channel."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp.test_utils import make_mocked_request

from pulp_conda import pages
from pulp_conda.app.authentication import challenges_for
from pulp_conda.app.serving.answers import Refusal, answer
from pulp_conda.app.serving.fetching import Cause, Failure
from pulp_conda.app.serving.resolve import NOTHING, Facts, InMemory, Kind, Upstream

CHALLENGES = challenges_for({})

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

# Scripts of all web sites may read a channel that all may read.
OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Accept-Ranges, Age, Content-Length, Content-Range, ETag, Retry-After"
    ),
}


def ask(facts, method="GET", refusal=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(facts, refusal, make_mocked_request(method, "/", headers=headers))


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
        **OPEN,
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Type": "application/octet-stream",
        "ETag": '"ab"',
        "Last-Modified": DATE,
    }
    assert ask(PACKAGE, If_Match='"cd"').headers == {**OPEN, **SHOWN}
    assert ask(PACKAGE, Range="bytes=10-").headers == {
        "Content-Range": "bytes */10",
        **OPEN,
        **SHOWN,
    }
    assert ask(PACKAGE, If_None_Match='"ab"').headers.keys() == {
        *OPEN,
        "Cache-Control",
        "ETag",
        "Last-Modified",
    }


def test_where_there_is_no_file_it_is_said_what_there_is():
    moved = Facts(Kind.MOVED, location="noarch/")
    missing = Facts(Kind.NOTHING, reason="it served nothing then")
    blocked = Facts(Kind.BLOCKED, "a-1.0-0.conda", reason="Malware.")
    stranger, known = Refusal(CHALLENGES), Refusal(reason="not for you")
    for facts, refusal, status in (
        (NOTHING, None, 404),
        (missing, None, 404),
        (moved, None, 301),
        (METADATA, stranger, 401),
        (NOTHING, stranger, 401),
        (METADATA, known, 403),
        (NOTHING, known, 403),
        (METADATA, Refusal(), 403),
        (METADATA, Refusal(is_hidden=True), 404),
        (blocked, None, 451),
        (blocked, known, 403),
    ):
        assert ask(facts, refusal=refusal, If_None_Match="*").status == status
    assert ask(moved).headers == {"Location": "noarch/", **OPEN, **SHOWN}
    assert ask(missing).text == "404: it served nothing then"
    assert ask(blocked).text == "451: Malware."
    # Else a cache may keep a 451.
    assert ask(blocked).headers == {"Cache-Control": "private, no-store", **OPEN, **SHOWN}
    refused = ask(blocked, refusal=known)
    assert (refused.text, refused.phrase, refused.challenges) == (None, "not for you", ())


def test_who_gives_no_credentials_is_told_which_to_give():
    given = ask(METADATA, refusal=Refusal(CHALLENGES))
    assert given.challenges == CHALLENGES
    # A guard that has nothing to say leaves the default phrase.
    assert ask(METADATA, refusal=Refusal()).phrase is None


def test_of_a_hidden_channel_nothing_is_said():
    hidden = replace(PACKAGE, is_guarded=True, cors_origins=["*"])
    given = ask(hidden, refusal=Refusal(is_hidden=True), Origin="https://a.example")
    assert (given.status, given.headers, given.text) == (404, {}, None)


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
    public = {name: value for name, value in public.items() if name not in OPEN}
    assert guarded == {
        **public,
        "Cache-Control": public["Cache-Control"].replace("public", "private"),
        "Vary": "Authorization",
    }


def test_of_a_guarded_channel_nobody_keeps_what_is_no_file():
    files = replace(PACKAGE, is_guarded=True)
    answers = [
        ask(replace(files, kind=Kind.NOTHING)),
        ask(replace(files, kind=Kind.MOVED, location="noarch/")),
        ask(files, refusal=Refusal(reason="not for you")),
        ask(files, If_Match='"cd"'),
        ask(files, Range="bytes=10-"),
        ask(replace(files, is_lost=True)),
        ask(replace(files, is_redirected=True, location="https://storage.example/?signature=a")),
        *(ask(replace(files, failure=Failure(cause, "upstream fails"))) for cause in Cause),
    ]
    statuses = [404, 301, 403, 412, 416, 503, 302, 404, 502, 503]
    assert [given.status for given in answers] == statuses
    for given in answers:
        assert given.headers["Cache-Control"] == "private, no-store"
        assert given.headers["Vary"] == "Authorization"


def test_pages_and_errors_tell_browsers_to_trust_nothing_in_them():
    page = replace(METADATA, kind=Kind.PAGE, filename=".html")
    missing = ask(NOTHING)
    for given in (ask(page), ask(page, "HEAD"), missing):
        assert SHOWN.items() <= given.headers.items()
    assert not SHOWN.keys() & ask(PACKAGE).headers.keys()


def test_only_packages_are_sent_by_the_storage():
    for kind in FILES:
        given = ask(replace(METADATA, kind=kind, is_redirected=True, location="https://s/x?sig=1"))
        assert given.status == (302 if kind is Kind.PACKAGE else 200)
    redirected = replace(PACKAGE, is_redirected=True, location="https://s/x?sig=1")
    given = ask(redirected)
    # The signature expires, and is nobody else's business.
    assert given.headers == {
        "Cache-Control": "private, no-store",
        "Location": "https://s/x?sig=1",
        "Referrer-Policy": "no-referrer",
        **OPEN,
    }
    assert ask(redirected, If_None_Match='"ab"').status == 304
    assert ask(replace(redirected, is_lost=True)).status == 503


def test_a_failing_upstream_is_told_apart_from_a_package_that_is_not_there():
    statuses = {Cause.GONE: 404, Cause.REFUSED: 502, Cause.PASSING: 503}
    for cause, status in statuses.items():
        failing = replace(PACKAGE, failure=Failure(cause, "…", 7), reason="it fails")
        for method in ("GET", "HEAD"):
            given = ask(failing, method)
            assert (given.status, given.text) == (status, f"{status}: it fails")
            assert given.headers.get("Retry-After") == ("7" if status == 503 else None)
        # Who has it does not need the upstream.
        assert ask(failing, If_None_Match='"ab"').status == 304


ALL_KINDS_OF_ANSWERS = {
    200: (METADATA, {}),
    206: (METADATA, {"Range": "bytes=2-4"}),
    301: (Facts(Kind.MOVED, location="noarch/"), {}),
    302: (replace(PACKAGE, is_redirected=True, location="https://s/x"), {}),
    304: (METADATA, {"If_None_Match": '"ab"'}),
    429: (METADATA, {"refusal": Refusal(CHALLENGES, retry_after=7)}),
    401: (METADATA, {"refusal": Refusal(CHALLENGES)}),
    403: (METADATA, {"refusal": Refusal(reason="not for you")}),
    404: (NOTHING, {}),
    412: (METADATA, {"If_Match": '"cd"'}),
    416: (METADATA, {"Range": "bytes=10-"}),
    451: (Facts(Kind.BLOCKED, "a-1.0-0.conda", reason="Malware."), {}),
    502: (replace(PACKAGE, failure=Failure(Cause.REFUSED, "…")), {}),
    503: (replace(PACKAGE, failure=Failure(Cause.PASSING, "…")), {}),
}
SITE, OTHER_SITE = "https://site.example", "https://other.example"


@pytest.mark.parametrize("status", ALL_KINDS_OF_ANSWERS)
@pytest.mark.parametrize(
    ("is_guarded", "cors_origins", "origin", "allowed", "vary"),
    [
        pytest.param(False, None, SITE, "*", None, id="open to all"),
        pytest.param(False, None, None, "*", None, id="open to all, and no browser asks"),
        pytest.param(False, [], SITE, None, None, id="shut by hand"),
        pytest.param(False, [SITE], SITE, SITE, "Origin", id="open to this site"),
        pytest.param(False, [SITE], OTHER_SITE, None, "Origin", id="open to another site"),
        pytest.param(False, [SITE], None, None, "Origin", id="open to some, and no browser asks"),
        pytest.param(True, None, SITE, None, "Authorization", id="guarded"),
        pytest.param(True, ["*"], SITE, "*", "Authorization", id="guarded, and open to all"),
        pytest.param(
            True, [SITE], SITE, SITE, "Authorization, Origin", id="guarded, and open to this site"
        ),
        pytest.param(
            True, [SITE], OTHER_SITE, None, "Authorization, Origin", id="guarded, and to another"
        ),
        pytest.param(True, [SITE], "null", None, "Authorization, Origin", id="no site at all"),
    ],
)
def test_a_script_may_read_every_answer_or_none(
    status, is_guarded, cors_origins, origin, allowed, vary
):
    facts, request = ALL_KINDS_OF_ANSWERS[status]
    facts = replace(facts, is_guarded=is_guarded, cors_origins=cors_origins)
    given = ask(facts, **request, **({"Origin": origin} if origin else {}))
    assert given.status == status
    assert given.headers.get("Access-Control-Allow-Origin") == allowed
    exposed = given.headers.get("Access-Control-Expose-Headers")
    assert exposed == (OPEN["Access-Control-Expose-Headers"] if allowed else None)
    # The standard forbids credentials for `*`.
    has_credentials = given.headers.get("Access-Control-Allow-Credentials")
    assert has_credentials == ("true" if is_guarded and allowed == SITE else None)
    assert given.headers.get("Vary") == vary


def preflight(facts, **headers):
    return ask(facts, "OPTIONS", Access_Control_Request_Method="GET", **headers)


def test_browsers_ask_before_a_guard_does():
    # They send no credentials with it.
    guarded = replace(NOTHING, is_guarded=True, cors_origins=[SITE])
    for refusal in (None, Refusal(reason="not for you")):
        given = preflight(
            guarded,
            refusal=refusal,
            Origin=SITE,
            Access_Control_Request_Headers="authorization, if-none-match",
        )
        assert given.status == 204
        assert given.headers == {
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Headers": "authorization, if-none-match",
            "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
            "Access-Control-Allow-Origin": SITE,
            "Access-Control-Max-Age": "7200",
            "Allow": "GET, HEAD, OPTIONS",
            "Cache-Control": "private, no-store",
            "Vary": "Authorization, Origin, Access-Control-Request-Headers",
        }


def test_a_site_that_may_not_read_is_told_nothing():
    shut = replace(NOTHING, is_guarded=True)
    assert preflight(shut, Origin=SITE).headers.keys() == {"Allow", "Cache-Control", "Vary"}


def test_a_request_for_methods_need_not_come_from_a_browser():
    given = ask(NOTHING, "OPTIONS")
    assert (given.status, given.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "Access-Control-Allow-Methods" not in given.headers
