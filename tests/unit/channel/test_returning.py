import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_conda.channel.matchspec import Query
from pulp_conda.channel.returning import spec_to_return
from tests.support.builders import make_record


@pytest.mark.parametrize(
    "withdrawn, kept, spec",
    [
        pytest.param([("2.0", 0)], [("1.0", 0)], "app <=1.0", id="newest"),
        pytest.param([("2.0", 0), ("1.10", 0)], [("1.9", 3), ("1.0", 0)], "app <=1.9", id="order"),
        pytest.param([("1!1.0", 0)], [("9.0", 0)], "app <=9.0", id="epoch"),
        pytest.param([("1.5", 0)], [("1.0", 0), ("2.0", 0)], "app !=1.5", id="in between"),
        pytest.param(
            [("3.0", 0), ("1.5", 0), ("1.4", 0)],
            [("1.0", 0), ("2.0", 0)],
            "app <=2.0,!=1.4,!=1.5",
            id="newest and in between",
        ),
        pytest.param(
            [("1.0", 1), ("1.0", 2)],
            [("1.0", 0), ("0.9", 5)],
            'app[version="==1.0",build_number="<=0"]',
            id="rebuilt",
        ),
        pytest.param([("1.0", 0)], [("1.0", 0)], None, id="same number"),
        pytest.param([("1.0", 1)], [("1.0", 0), ("1.0", 2)], None, id="number in between"),
        pytest.param([("1.0", 1)], [("1.0", 0), ("2.0", 0)], None, id="rebuilt and not newest"),
        pytest.param([("1.0", 1), ("0.9", 1)], [("1.0", 0), ("0.9", 0)], None, id="two rebuilt"),
        pytest.param([(f"1.{n}", 0) for n in range(21)], [("2.0", 0)], None, id="too many"),
        pytest.param([("?", 0)], [("1.0", 0)], None, id="no version"),
    ],
)
def test_a_spec_leads_back(withdrawn, kept, spec):
    assert spec_to_return("app", withdrawn, kept) == spec


_BUILDS = st.tuples(
    st.sampled_from(["0.9", "1.0", "1.0.0", "1.0rc1", "1.10", "2.0", "1!0.1", "2.0+x"]),
    st.integers(0, 2),
)


@given(st.sets(_BUILDS, min_size=2), st.data())
def test_a_spec_matches_something_kept_and_nothing_withdrawn(builds, data):
    kept = data.draw(st.sets(st.sampled_from(sorted(builds)), min_size=1))
    withdrawn = builds - kept
    if not withdrawn:
        return
    spec = spec_to_return("app", withdrawn, kept)
    if spec is not None:
        query = Query(spec)
        matches = {
            build: query.matches(make_record("app", build[0], build_number=build[1]))
            for build in builds
        }
        assert not any(matches[build] for build in withdrawn)
        assert any(matches[build] for build in kept)
