"""The site of the docs: it builds without a warning, asks no other server for anything, and its
builder sees each kind of a broken link.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tests.docs.steps import CHECKOUT

# What a browser loads by itself: not the links that a reader follows.
LOADED = re.compile(r'<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)="?(?:https?:)?//[^">\s]+')

LINKED = re.compile(r"\]\(([^)#]+\.md)")
AUDIENCES = {
    "user": "For users",
    "admin": "For administrators",
    "dev": "For developers",
}
SVG = "{http://www.w3.org/2000/svg}"


def _build(site: Path, **overrides: object) -> None:
    build(load_config(str(CHECKOUT / "mkdocs.yml"), site_dir=str(site), **overrides))


def _build_page(tmp_path: Path, text: str) -> None:
    pages = tmp_path / "docs"
    pages.mkdir(exist_ok=True)
    (pages / "index.md").write_text(f"# Title\n\n## A chapter, and `code`\n\n{text}\n")
    _build(tmp_path / "site", docs_dir=str(pages), nav=[{"Start": "index.md"}])


def test_the_site_is_whole_and_loads_nothing_from_other_servers(tmp_path):
    _build(tmp_path)
    pages = list(tmp_path.glob("**/*.html"))
    assert len(pages) > len(list(CHECKOUT.glob("docs/**/*.md")))
    assert [found for page in pages for found in LOADED.findall(page.read_text())] == []
    assert "fonts.g" not in "".join(css.read_text() for css in tmp_path.glob("assets/**/*.css"))
    assert (tmp_path / "search/search_index.json").exists()


def test_the_front_page_leads_each_audience_to_all_of_its_pages():
    docs = CHECKOUT / "docs"
    front = (docs / "index.md").read_text()
    for audience, chapter in AUDIENCES.items():
        ways = front.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
        pages = {str(page.relative_to(docs)) for page in docs.glob(f"{audience}/**/*.md")}
        assert pages and pages - set(LINKED.findall(ways)) == set(), chapter


def test_a_drawing_has_a_background_and_words_for_those_who_do_not_see_it():
    drawings = sorted(CHECKOUT.glob("docs/**/*.svg"))
    assert drawings
    for path in drawings:
        drawing = ElementTree.parse(path).getroot()
        assert drawing.findtext(f"{SVG}title") and drawing.findtext(f"{SVG}desc")
        *_, width, height = map(float, drawing.attrib["viewBox"].split())
        background = drawing.find(f"{SVG}rect")
        assert float(background.attrib["width"]) >= width - 2
        assert float(background.attrib["height"]) >= height - 2
        # Pages with dark colors show it, too. A terminal is dark.
        is_terminal = "terminal" in drawing.get("class", "")
        assert background.attrib["fill"] == ("#292929" if is_terminal else "#ffffff")


def test_a_link_to_a_chapter_is_the_same_as_on_github(tmp_path):
    _build_page(tmp_path, "[A chapter](#a-chapter-and-code)")


def test_broken_links_and_pages_that_no_menu_has_stop_the_build(tmp_path):
    broken = ["gone.md", "#gone", "/gone", "gone", "hidden.md#gone"]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/hidden.md").write_text("# Hidden\n")
    with pytest.raises(Abort, match=f"{len(broken) + 1} warnings in strict mode"):
        _build_page(tmp_path, " ".join(f"[A link]({target})" for target in broken))
