"""The demo tells the truth, and can be told again."""

import pytest

from pulp_conda.quickstart import demo
from pulp_conda.quickstart.errors import QuickstartError


@pytest.fixture(autouse=True)
def _forgotten(stack):
    """The demo uses a name that other tests may use, too."""
    yield
    demo.Demo(stack, []).forget()


def test_the_demo_tells_its_story_and_leaves_nothing_if_told_to(stack, pulp, capfd):
    demo.walk(stack, None, ["hello"])
    told = capfd.readouterr().out
    happened = (
        "stable moves from nothing to v2",
        "Hello from a conda channel (hello 1.0)",
        "testing stays at v2: a gate blocks v3",
        "greeting >=2, for which no candidates were found.",
        "stable moves from v2 to v4",
        "Hello from a channel that we repaired (hello 1.0)",
        "stable moves from v4 to v2",
        "Hello from a conda channel (hello 1.0)",
        "/demo/stable/at/v4/",
        "Hello from a channel that we repaired (hello 1.0)",
    )
    for text in happened:
        assert text in told
        told = told[told.index(text) + len(text) :]
    # So it can be told again.
    demo.Demo(stack, []).forget()
    for path in ("repositories", "remotes", "distributions"):
        assert pulp.get(f"{path}/conda/conda/", name__startswith="demo")["count"] == 0


def test_the_demo_mirrors_what_the_specs_of_a_real_channel_need(stack, upstream, capfd):
    demo.sample.build_channel(
        upstream.folder,
        [demo.sample.GREETING, demo.sample.HELLO, {**demo.sample.HELLO, "name": "other"}],
    )
    (upstream.folder / "linux-64").mkdir()
    (upstream.folder / "linux-64" / "repodata.json").write_text('{"packages": {}}')
    demo.walk(stack, upstream.url, ["hello"])
    told = capfd.readouterr().out
    assert "Files: 2 added, 0 removed." in told
    assert "Hello from a conda channel (hello 1.0)" in told


def test_the_demo_leaves_a_channel_alone_that_has_its_name(stack, pulp, unique):
    href = pulp.post("repositories/conda/conda/", name="demo", description="Mine.")["pulp_href"]
    try:
        with pytest.raises(QuickstartError, match="'demo' that the demo did not make"):
            demo.walk(stack, None, ["hello"])
        assert pulp.get(href)["description"] == "Mine."
    finally:
        pulp.delete(href)
