"""From the path of a page below `-/` to the page."""

from pulp_conda.app.serving.browsing.changes import changes_page
from pulp_conda.app.serving.browsing.frame import Framer
from pulp_conda.app.serving.browsing.front import states_page
from pulp_conda.app.serving.browsing.package import file_page, package_page
from pulp_conda.app.serving.browsing.search import search_page
from pulp_conda.app.serving.browsing.stages import stages_page
from pulp_conda.app.serving.browsing.visitor import Made
from pulp_conda.app.serving.channel import Unserved
from pulp_conda.channel import layout
from pulp_conda.channel.layout import Page, PageKind

# Pages that are about the past themselves.
_OF_ALL_TIMES = {PageKind.STATES, PageKind.STAGES, PageKind.CHANGES}

_NOTHING_YET = "The channel has no packages yet."


def read_page(framer: Framer, page: Page) -> Made:
    """Return the page at a path, or why there is none."""
    if framer.moment and page.kind in _OF_ALL_TIMES:
        return Made(location=framer.href(framer.channel, layout.page_path(page.kind)))
    match page.kind:
        case PageKind.STATES:
            return states_page(framer)
        case PageKind.STAGES:
            return stages_page(framer)
        case PageKind.CHANGES:
            return changes_page(framer)
    if isinstance(framer.state, Unserved):
        return Made(reason=_NOTHING_YET)
    match page:
        case Page(PageKind.SEARCH):
            return search_page(framer)
        case Page(PageKind.PACKAGE, (name,)):
            return package_page(framer, name, None)
        case Page(PageKind.PACKAGE, (name, version)):
            return package_page(framer, name, version)
        case Page(PageKind.FILE, (subdir, filename)):
            return file_page(framer, subdir, filename)
    return Made()
