import base64
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from pulp_conda import pages
from pulp_conda.pages import looks
from pulp_conda.pages.facts import (
    Channel,
    Dependents,
    Package,
    PastState,
    Said,
    State,
    Stop,
    Version,
)


class _Page(HTMLParser):
    """Keeps the links of a page, and checks that every element is closed."""

    VOID = {"meta", "br", "hr", "link", "input"}

    def __init__(self, html):
        super().__init__()
        self.links = []
        self.open = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.links.append(dict(attributes)["href"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def _frame(name="team/stable", url="https://h/pulp/content/team/stable", **facts):
    return pages.Frame(name=name, url=url, site="../../", **facts)


def _channel(counts=None, **frame):
    channel = Channel(files=counts or {"noarch": 1, "linux-64": 12345})
    return pages.render_channel(_frame(**frame), channel)


def test_the_front_page_links_relatively_whatever_the_base_path():
    assert _Page(_channel()).links == ["#main", "../../-/", "./linux-64/", "./noarch/"]


@pytest.mark.parametrize("client", ["conda install", "mamba install", "pixi workspace channel add"])
def test_the_front_page_has_lines_to_copy(client):
    html = _channel()
    assert client in html
    assert "--channel https://h/pulp/content/team/stable PACKAGE" in html


def test_the_front_page_counts():
    assert "12,346 files" in _channel()
    assert "1 file<" in _channel(counts={"noarch": 1})


def test_a_page_of_the_past_says_so_first_and_shows_the_way_to_now():
    state = State("stable", "team", "v3", NOON, None, now="../../team/stable/")
    html = _channel(url="https://h/team/stable/at/v3", state=state, lifecycle="team")
    assert "../../team/stable/" in _Page(html).links
    assert html.index("This is the past.") < html.index("--channel https://h/team/stable/at/v3")
    assert "history.atom" not in html


def test_the_rail_marks_the_stage_of_the_page_and_links_no_stage_that_has_nothing():
    rail = [
        Stop("unstable", "v5", NOON, "../unstable/"),
        Stop("stable", "v3", NOON, "../stable/", is_here=True),
        Stop("old", None, None, None),
    ]
    html = _channel(rail=rail, lifecycle="team")
    assert re.findall(r'<a href="([^"]*)" aria-current="page">\s*<b><bdi>(\w+)', html) == [
        ("../stable/", "stable")
    ]
    assert "../unstable/" in _Page(html).links
    assert re.search(r"<div class=\"none\">\s*<b><bdi>old", html)


def test_a_subdir_links_to_the_files_that_clients_read():
    files = ["repodata_shards.msgpack.zst", "repodata.json", "repodata.json.zst"]
    html = pages.render_subdir(_frame(root="../"), "linux-64", 3, files)
    assert _Page(html).links == [
        "#main",
        "../../-/",
        "../",
        "repodata.json",
        "repodata.json.zst",
        "repodata_shards.msgpack.zst",
    ]


def test_names_are_text_and_never_markup():
    html = _channel(name="<script>alert(1)</script>")
    assert html.count("<script>") == 1  # ours
    _Page(html)


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        (None, "Nothing was published yet"),
        (pages.Waiting("new", "<team>", is_first=True), "Nothing was published for stage <bdi>new"),
        (pages.Waiting("old", "<team>", is_first=False), "Nothing was promoted to stage <bdi>old"),
    ],
    ids=["no stage", "first", "later"],
)
def test_the_front_page_says_why_there_are_no_packages(waiting, text):
    frame = _frame("team/<stable>", "https://h/team", lifecycle=waiting and waiting.lifecycle)
    html = pages.render_empty_channel(frame, Channel({"noarch": 0}), waiting)
    page = _Page(html)
    assert text in html and "<team>" not in html and "<stable>" not in html
    assert ("./history.atom" in page.links) == (waiting is not None)
    assert "./noarch/" in page.links
    assert "--channel https://h/team" in html


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "machine h login __token__ password TOKEN"),
        (403, "pulp conda channel grant CHANNEL --role reader --user YOU"),
        (404, "misspelled"),
        (503, "Try again in a minute"),
    ],
)
def test_an_error_says_what_to_do(status, text):
    html = pages.render_error(status, reason="<b>why</b>", root="../", site="../../", host="h")
    assert text in html and "&lt;b&gt;why" in html
    assert {"../", "../-/search", "../../-/"} <= set(_Page(html).links)


def test_an_error_that_knows_where_to_go_says_that_in_place_of_advice():
    html = pages.render_error(404, reason="why", links=[("<there>", "../there")], root="../")
    assert "&lt;there&gt;" in html and "../there" in _Page(html).links
    assert "misspelled" not in html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "http:///path",
        "https://good.example@evil.example/",
        "https://h/\u202egnp.exe",
        "java\nscript:alert(1)",
        "https://[",
        None,
        ["https://h/"],
    ],
)
def test_only_addresses_of_the_web_become_links(url):
    assert looks.web_link(url) is None


def test_an_address_of_the_web_becomes_a_link_that_says_where_it_leads():
    assert looks.web_link("https://numpy.org/doc/?a=b#c") == "https://numpy.org/doc/?a=b#c"
    assert looks.link_text("https://numpy.org/doc/?a=b#c") == "numpy.org/doc"


def test_characters_that_change_how_a_text_reads_are_shown():
    assert looks.plain("a\u202eb\x00\n") == "a\\u202eb\\x00\\n"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (9_050_000, "9.05 MB"),
        (999_600, "1 MB"),
        (5 * 10**12, "5,000 GB"),
    ],
)
def test_sizes_are_as_clients_show_them(number, text):
    assert looks.size(number) == text


@pytest.mark.parametrize(
    "html",
    [
        _channel(),
        pages.render_subdir(_frame(), "noarch", 1, ["repodata.json"]),
        pages.render_error(404),
    ],
    ids=["channel", "subdir", "error"],
)
def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else(html):
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    assert pages.SECURITY_POLICY.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{_digest(style)}'",
        f"script-src 'sha256-{_digest(script)}'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    ]
    assert not re.search(r"style=|<img|\bon\w+=", html.replace(script, ""))


def _digest(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.mark.parametrize(
    ("count", "said"),
    [
        pytest.param(0, "No package in this channel needs it.", id="none"),
        pytest.param(100, "Counted by the newest version", id="all"),
        pytest.param(1234, "The first 100 of 1,234.", id="more than a page has"),
    ],
)
def test_who_needs_a_package_is_counted_and_the_first_are_named(count, said):
    names = [f"needs-{number}" for number in range(min(count, 100))]
    text = pages.render_package(_frame(), _package(dependents=Dependents(count, names)))
    assert said in text
    assert ("The first" in text) == (count > 100)
    assert text.count('href="./-/package/needs-') == len(names)


def test_a_version_of_the_past_leads_to_its_last_state():
    day = datetime(2026, 11, 30, tzinfo=UTC)
    past = PastState("v3", "v3", since=day, until=day)
    gone = Version("1.0", 1, ["noarch"], 1, None, ["only in the past"], past)
    text = pages.render_package(_frame(now="../now/"), _package(versions=[gone]))
    assert 'href="../now/at/v3/-/package/numpy/1.0"' in text
    assert "only in the past" in text and "until" in text


def _package(**facts):
    nothing = {
        "newest": {},
        "files": [],
        "file_count": 0,
        "needs": [],
        "needs_of": "noarch",
        "needs_count": 0,
        "needs_more": None,
        "is_needs_part": False,
        "platforms": [],
        "constrains": [],
        "run_exports": {},
        "versions": [],
        "version_count": 1,
        "total_files": 1,
        "said": Said(),
        "installable": "numpy",
    }
    return Package(name="numpy", chosen="2.0", is_newest=True, **(nothing | facts))
