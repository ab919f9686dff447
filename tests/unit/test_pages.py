import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from pulp_conda import pages


class _Page(HTMLParser):
    """Keeps the links of a page, and checks that every element is closed."""

    VOID = {"meta", "br", "hr", "link"}

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


def _channel(name="team/stable", url="https://h/pulp/content/team/stable", counts=None):
    return pages.render_channel(name, url, counts or {"noarch": 1, "linux-64": 12345}, 7)


def test_the_front_page_links_to_its_subdirs_whatever_the_base_path():
    assert _Page(_channel()).links == ["linux-64/", "noarch/"]


@pytest.mark.parametrize("client", ["conda install", "mamba install", "pixi init"])
def test_the_front_page_has_lines_to_copy(client):
    html = _channel()
    assert client in html
    assert "--channel https://h/pulp/content/team/stable" in html


def test_the_front_page_counts():
    assert "12,346 packages" in _channel()
    assert "with 1 package," in _channel(counts={"noarch": 1})


def test_a_subdir_links_to_the_files_that_clients_read():
    files = ["repodata_shards.msgpack.zst", "repodata.json", "repodata.json.zst"]
    html = pages.render_subdir("team/stable", "linux-64", 3, files)
    assert _Page(html).links == [
        "../",
        "repodata.json",
        "repodata.json.zst",
        "repodata_shards.msgpack.zst",
    ]


def test_names_are_text_and_never_markup():
    html = _channel(name="<script>alert(1)</script>")
    assert "<script>" not in html
    _Page(html)


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        (None, "nothing was published yet"),
        (pages.Waiting("new", "<team>", is_first=True), "nothing was published for stage new"),
        (pages.Waiting("old", "<team>", is_first=False), "nothing was promoted to stage old"),
    ],
    ids=["no stage", "first", "later"],
)
def test_the_front_page_says_why_there_are_no_packages(waiting, text):
    html = pages.render_empty_channel("team/<stable>", "https://h/team", waiting)
    page = _Page(html)
    assert text in html and "<team>" not in html and "<stable>" not in html
    assert page.links == [*(["history.atom"] if waiting else []), "noarch/"]
    assert "--channel https://h/team" in html


@pytest.mark.parametrize(
    "html", [_channel(), pages.render_subdir("team", "noarch", 1, ["repodata.json"])]
)
def test_the_policy_allows_the_style_of_the_page_and_nothing_else(html):
    (style,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert pages.SECURITY_POLICY.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.search(r"style=|<script|<form|<img|\bon\w+=", html)
