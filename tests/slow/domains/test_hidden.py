"""Every place of every request, with a hidden object of every kind, inside one domain and across
two.
"""

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
                yield thing.fact(fact), missing.fact(fact)


@pytest.mark.parametrize("domain", ["near", "far"])
def test_no_place_tells_hidden_from_missing(somebody, hidden, all_places, domain):
    tries = [(place, names) for place in all_places for names in _names(place, hidden[domain])]

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
        f"{len(all_places)} places ({references} for references) × {len(hidden[domain])} kinds of "
        f"objects × 1 user with the roles of creators, '{domain}': {len(tries)} hidden objects"
    )
    assert differences == []
    assert len(tries) > 1000
