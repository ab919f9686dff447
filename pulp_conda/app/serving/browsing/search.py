"""The search in the names and the summaries of a channel, for people and for scripts."""

from pulp_conda import pages
from pulp_conda.app.serving.browsing import known
from pulp_conda.app.serving.browsing.frame import Framer
from pulp_conda.app.serving.browsing.visitor import Made
from pulp_conda.app.serving.channel import Served
from pulp_conda.app.versions.names import Hit as NameHit
from pulp_conda.channel.matchspec import leading_name
from pulp_conda.pages.facts import Hit, Search
from pulp_conda.pages.looks import count, package_href, plain

_SHOWN = 25
_PLATFORMS_SHOWN = 3


def search_page(framer: Framer) -> Made:
    """Return what a search finds: a page, or JSON for scripts."""
    state, visitor = framer.state, framer.visitor
    assert isinstance(state, Served)
    text, after = visitor.asked("q"), visitor.asked("after")
    wanted = _name_of_spec(text)
    found = known.search(state.publication.pk, wanted, _SHOWN, after)
    if found is None:
        return Made(
            reason="Nothing can be searched in this state: it was published before the server kept "
            "what is searched. The next publication can be searched."
        )
    frame = framer.frame({})
    hits = [_hit(hit, frame.root) for hit in found.hits]
    if visitor.wants_json:
        packages = [
            {
                "name": plain(hit.name),
                "summary": plain(hit.summary),
                "facts": plain(hit.facts),
                "href": hit.href,
            }
            for hit in hits
        ]
        return Made.json({"sentence": _sentence(text, found.count), "packages": packages})
    more = None
    if len(hits) == _SHOWN:
        more = pages.query_string(q=text, after=hits[-1].name)
    note = ""
    if wanted != text:
        note = f"Showing packages like “{wanted}”. Versions are chosen on the page of a package."
    search = Search(text, hits, _sentence(text, found.count), note, more)
    return Made.html(pages.render_search(frame, search))


def _name_of_spec(text: str) -> str:
    """Return the name in a MatchSpec like `numpy>=2`, or the text if it is none."""
    name = leading_name(text)
    return name if name and text[len(name) :].lstrip()[:1] in tuple("<>=!~[") else text


def _hit(hit: NameHit, root: str) -> Hit:
    facts = hit.facts
    subdirs = list(facts.subdirs)
    platforms = ", ".join(subdirs)
    if len(subdirs) > _PLATFORMS_SHOWN:
        platforms = count(len(subdirs), "platform")
    return Hit(
        name=facts.name,
        summary=facts.summary,
        facts=f"{facts.version} · {platforms}",
        href=f"{root}{package_href(facts.name)}",
    )


def _sentence(text: str, number: int) -> str:
    if not number:
        return f"No package like “{plain(text)}”."
    return f"{count(number, 'package')}."
