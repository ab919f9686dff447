"""A real browser, and what it says of a page.

Chromium is a package of the system: `apt-get install chromium`.
"""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import sync_playwright

_AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")

WIDE, NARROW, NARROWEST = 1200, 400, 320


@contextmanager
def chromium():
    """Give a Chromium; it is an error if there is none.

    Tasks cannot run meanwhile, because Playwright has an event loop in this thread.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "There is no Chromium: apt-get install chromium"
    # Django takes that loop for one from which it is called.
    with _set("DJANGO_ALLOW_ASYNC_UNSAFE", "1"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _set(name, value):
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


class Window:
    """A window of the browser that notes what goes wrong in it.

    Attributes:
        problems: What the console said, and what could not be loaded.
    """

    def __init__(self, browser, width=WIDE, scheme="light", **options):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            # Colors that are on their way to others say nothing.
            reduced_motion="reduce",
            **options,
        )
        self.page = self.context.new_page()
        self.problems = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.context.close()

    def _note(self, message):
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def open(self, url):
        """Open a URL and return its status."""
        return self.page.goto(url).status

    def violations(self, *rules):
        """Return what axe finds on the page: the rules and the elements.

        Args:
            rules: The rules to look at. The default is all.
        """
        self.page.evaluate(_AXE.read_text())
        only = {"runOnly": list(rules)} if rules else {}
        found = self.page.evaluate("only => axe.run(only)", only)["violations"]
        return [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found]

    def overflow(self):
        """Return by how many pixels the page is wider than the window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
