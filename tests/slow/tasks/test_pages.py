"""Pages in a real browser: how they look, what they may do, and what hostile metadata does."""

import json

import pytest
from playwright.sync_api import expect

from tests.support.board import BOARDS, api_server, board_of
from tests.support.browser import NARROW, NARROWEST, WIDE, Window, chromium

HOSTILE = "evil"
_MARKUP = "<img src=x onerror=alert(1)>[a](javascript:alert(2))\u202etxt.exe"
_ABOUT = {
    "summary": f"{_MARKUP}</style><script>alert(3)</script>",
    "description": "*Markdown* <b>bold</b> " + "long" * 1000,
    "home": "javascript:alert(4)",
    "doc_url": "https://docs.example/path?<script>",
    "dev_url": ["https://user:password@evil.example/", "data:text/html,<script>alert(5)</script>"],
    "extra": {"recipe-maintainers": ["<i>x</i>", 7]},
}
_NEEDS = [f"dependency-{number:05} >=1,<2|>3" for number in range(10_000)]
_NUMPY = {
    "build": "py312_0",
    "subdir": "linux-64",
    "depends": ["python >=3.12", "libblas", "__glibc >=2.17"],
}


@pytest.fixture(scope="module")
def team(pulp, make_repository, upload_once):
    """A lifecycle with two states, as a site has one."""
    repository = make_repository(autopublish=True, description="Tools of the team.")
    files = {"lib/python3.12/numpy/__init__.py": b"x" * 1234, "bin/<b>": b"1"}
    first = [
        upload_once("hello", "1.0"),
        upload_once("numpy", "2.0", **_NUMPY),
        upload_once("libblas", "3.9", subdir="linux-64"),
    ]
    pulp.modify(repository, first)
    stages = [
        {"name": name, "distribution": pulp.distribution(base_path=f"forge/{name}")["pulp_href"]}
        for name in ("unstable", "testing", "stable")
    ]
    team = pulp.lifecycle(repository, stages=stages)
    team.promote("testing")
    second = [
        upload_once("hello", "1.1"),
        upload_once("numpy", "2.1", files=files, **_NUMPY),
        upload_once(HOSTILE, depends=_NEEDS, info={"about.json": json.dumps(_ABOUT).encode()}),
    ]
    pulp.modify(repository, second)
    team.promote("testing")
    team.set_gates("stable", {"name": "needed", "kind": "policy", "required": ["certifi"]})
    team.promote("stable")
    return team


@pytest.fixture(scope="module")
def browser(team):
    # Behind all that tasks have to make.
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def api(team):
    with api_server() as url:
        yield url


def pages_of(team):
    url = team.urls["testing"]
    paths = [
        "",
        "noarch/",
        "-/search?q=nu",
        "-/search?q=nothing+like+it",
        "-/package/numpy",
        "-/package/hello/1.0",
        f"-/package/{HOSTILE}",
        "-/file/linux-64/numpy-2.1-py312_0.conda",
        f"-/file/noarch/{HOSTILE}-1.0-0.conda",
        "-/states",
        "-/stages",
        "-/changes",
        "-/changes?from=v1&to=unstable&name=n*",
        "-/changes?from=absent&to=v2",
        "-/nothing",
        "at/v1/-/package/numpy",
    ]
    site = url.removesuffix("forge/testing/")
    return [f"{site}-/", team.urls["stable"], *(url + path for path in paths)]


def test_no_page_has_a_barrier_or_is_wider_than_the_window(browser, team):
    with Window(browser) as window:
        for url in pages_of(team):
            check(window, url)


def check(window, url):
    """Check that axe finds nothing on a page, in both color schemes, and that it fits in windows
    of all widths.
    """
    window.open(url)
    assert window.violations() == [], url
    for width in (NARROW, NARROWEST):
        window.page.set_viewport_size({"width": width, "height": 900})
        assert window.overflow() == 0, url
    window.page.set_viewport_size({"width": WIDE, "height": 900})
    window.page.emulate_media(color_scheme="dark")
    assert window.violations("color-contrast") == [], url
    window.page.emulate_media(color_scheme="light")
    # A 404 is an error for the console; nothing else may be.
    assert [text for text in window.problems if "404" not in text] == [], url


def test_what_packages_say_runs_nothing_and_leads_nowhere_else(browser, team):
    with Window(browser) as window:
        dialogs = []
        window.page.on("dialog", lambda dialog: dialogs.append(dialog) or dialog.dismiss())
        window.open(f"{team.urls['testing']}-/package/{HOSTILE}")
        assert (
            window.page.locator(".lead").text_content().startswith("<img src=x onerror=alert(1)>")
        )
        assert "\\u202e" in window.page.locator(".lead").text_content()
        assert window.page.locator("main img, main script, main i").count() == 0
        links = window.page.locator("a[href]")
        hrefs = links.evaluate_all("all => all.map(each => each.getAttribute('href'))")
        outside = [href for href in hrefs if ":" in href.partition("/")[0]]
        assert outside == ["https://docs.example/path?<script>"]
        assert dialogs == []


def test_ten_thousand_dependencies_come_in_parts(browser, team):
    with Window(browser) as window:
        window.open(f"{team.urls['testing']}-/package/{HOSTILE}")
        needs = window.page.locator("section[aria-labelledby=needs]")
        assert needs.get_by_text("dependency-00099").count() == 1
        assert needs.get_by_text("dependency-00100").count() == 0
        needs.get_by_role("link", name="All 10,000 dependencies").click()
        assert window.page.get_by_text("dependency-00499").count() == 1
        window.page.get_by_role("link", name="More dependencies").click()
        assert window.page.get_by_text("dependency-00999").count() == 1
        assert window.page.get_by_text("dependency-00499").count() == 0


def test_without_scripts_a_search_leads_to_a_package_and_its_file(browser, team):
    with Window(browser, java_script_enabled=False) as window:
        page = window.page
        window.open(team.urls["testing"])
        assert page.get_by_role("button", name="Copy").count() == 0
        page.get_by_role("searchbox").fill("num")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="numpy", exact=True).click()
        assert page.locator("h1").text_content() == "numpy"
        page.get_by_role("link", name="py312_0").click()
        assert page.locator("h1").text_content() == "numpy-2.1-py312_0.conda"
        assert page.get_by_text("1.23 kB").count() == 1


def test_a_search_answers_while_somebody_types(browser, team):
    with Window(browser) as window:
        page = window.page
        window.open(f"{team.urls['testing']}-/search")
        page.keyboard.press("/")
        page.keyboard.type("libb")
        expect(page.locator("#live")).to_have_text("1 package.")
        link = page.locator("#hits a")
        assert link.text_content() == "libblas"
        assert page.url.endswith("-/search?q=libb")
        link.click()
        assert page.locator("h1").text_content() == "libblas"
        assert window.problems == []


def test_a_line_can_be_copied(browser, team):
    with Window(browser) as window:
        window.context.grant_permissions(["clipboard-read", "clipboard-write"])
        window.open(f"{team.urls['testing']}-/package/numpy")
        window.page.get_by_role("button", name="Copy the line for conda").click()
        expect(window.page.locator("#live")).to_have_text("Copied")
        copied = window.page.evaluate("navigator.clipboard.readText()")
        url = team.urls["testing"].rstrip("/")
        assert copied == f"conda install --override-channels --channel {url} numpy"


def test_a_stage_is_promoted_from_the_board(browser, api, team):
    reason = "<img src=x onerror=alert(1)> 'quoted' \u202etxt"
    with Window(browser, java_script_enabled=False) as window:
        page = window.page
        window.open(f"{api}{board_of(team)}")
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(team.pulp.session.auth[1])
        page.get_by_role("button", name="Log in").click()
        assert page.locator("h1").text_content() == team.name
        page.get_by_role("link", name="Promote v2… to stable").click()
        assert page.locator("h1").text_content() == "Promote v2 to stable"
        page.get_by_label("Why, for the history").fill(reason)
        page.get_by_text("Pass gates whatever they say").click()
        page.get_by_label("Why needed does not count").fill(reason)
        page.get_by_role("button", name="Promote v2 to stable").click()
        assert page.get_by_text("stable got its first state, v2.").count() == 1
        page.get_by_role("link", name="Back to the board").click()
        shown = page.locator(".rows").text_content()
        assert shown.count("“<img src=x onerror=alert(1)> 'quoted' \\u202etxt”") == 2
        assert page.locator("main img").count() == 0
    assert team.state("stable") == "v2"


def test_the_board_has_no_barrier_and_is_not_wider_than_the_window(browser, api, team):
    with Window(browser) as window:
        window.open(f"{api}/auth/login/")
        window.page.get_by_label("Username").fill("admin")
        window.page.get_by_label("Password").fill(team.pulp.session.auth[1])
        window.page.get_by_role("button", name="Log in").click()
        window.problems.clear()
        paths = ["", "stages/stable/promote/", "stages/testing/rollback/", "history/5/", "nothing/"]
        for url in (f"{api}{BOARDS}", *(f"{api}{board_of(team, path)}" for path in paths)):
            check(window, url)
        # By keyboard: the first key leads to the content, others to the first button.
        window.open(f"{api}{board_of(team)}")
        window.page.keyboard.press("Tab")
        assert window.page.evaluate("document.activeElement.textContent") == "Skip to the content"
