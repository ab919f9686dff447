"""Every place of every request, with hidden objects, inside one domain and across two.

Each place gets an object of the kind that belongs there, and one in eight of the other kinds. With
PULP_CONDA_EVERY_KIND=1 in the environment it gets all kinds, which takes eight times as long.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.hidden import CREATOR, Somebody, make_things, places


@pytest.fixture(scope="module")
def hidden(make_domain):
    """Objects of the administrator, by domain and kind."""
    return {name: make_things(make_domain(name)) for name in ("near", "far")}


@pytest.fixture(scope="module")
def somebody(pulp, api, hidden):
    """Somebody with the roles of creators, in the domain of the first of these objects."""
    user = api("near", *pulp.user(CREATOR).session.auth)
    return Somebody(user, make_things(user))


@pytest.fixture(scope="module")
def all_places(pulp):
    schema = pulp.get("docs/api.json", component="conda", pk_path=1)
    return places(schema, "/pulp/{pulp_domain}/api/v3/")


_EVERY = 1 if os.environ.get("PULP_CONDA_EVERY_KIND") else 8


def _chosen(tries):
    """Yield what belongs in its place, and of the rest one in `_EVERY`."""
    for number, (place, kind, names) in enumerate(tries):
        if kind == place.kind or number % _EVERY == 0:
            yield place, names


def _names(place, things):
    """Yield what names an object of each kind in a place, each with the same for one that does not
    exist.
    """
    for kind, thing in things.items():
        facts = []
        if place.fact:
            facts = [place.fact] if kind == place.kind or place.where == "query" else []
        elif kind == place.kind:
            facts = ["href", "prn"]
        elif place.is_reference:
            facts = ["href"]
        missing = thing.missing()
        for fact in facts:
            if thing.fact(fact):
                yield kind, (thing.fact(fact), missing.fact(fact))


@pytest.mark.parametrize("domain", ["near", "far"])
def test_no_place_tells_hidden_from_missing(somebody, hidden, all_places, domain):
    things = hidden[domain]
    every = [(place, *named) for place in all_places for named in _names(place, things)]
    tries = list(_chosen(every))

    def told(one):
        place, names = one
        answers = [somebody.ask(place, name) for name in names]
        is_same = answers[0] == answers[1] and answers[0][0] < 500
        difference = f"{place}: hidden {answers[0]}, missing {answers[1]}"
        if not is_same:
            print(difference, flush=True)
        return None if is_same else difference

    with ThreadPoolExecutor(4) as pool:
        differences = [difference for difference in pool.map(told, tries) if difference]
    references = sum(place.is_reference for place in all_places)
    print(
        f"{len(all_places)} places ({references} for references) × {len(things)} kinds of "
        f"objects × 1 user with the roles of creators, '{domain}': "
        f"{len(tries)} of {len(every)} tried"
    )
    assert differences == []
    assert len(every) > 1000 and len(tries) > 300
