"""The demo tells the truth, and can be told again."""

import pytest

from pulp_conda.quickstart import demo
from pulp_conda.quickstart.__main__ import _specs


def test_the_demo_walks_through_the_main_job_as_often_as_one_likes(stack, capfd):
    for _ in range(2):
        demo.walk(stack, None, ["hello"])
        told = capfd.readouterr().out
        assert "Hello from a conda channel! (hello 2.0)" in told
        assert "added    hello 2.0  hello-2.0-0.conda" in told
        assert "3 packages before, 2 after" in told


def test_the_demo_mirrors_what_the_specs_of_a_real_channel_need(stack, upstream, capfd):
    demo.sample.build_channel(
        upstream.folder,
        [demo.sample.GREETING, demo.sample.HELLO, {**demo.sample.HELLO, "name": "other"}],
    )
    demo.walk(stack, upstream.url, ["hello"])
    told = capfd.readouterr().out
    assert "Left out: matched by none of 'includes': 1" in told
    assert "Hello from a conda channel! (hello 2.0)" in told


@pytest.mark.parametrize(
    "text, specs",
    [
        ("hello", ["hello"]),
        ("hello greeting", ["hello", "greeting"]),
        ("numpy >=1.26,<3, scipy", ["numpy >=1.26,<3", "scipy"]),
        (" python=3.12,numpy, ", ["python=3.12", "numpy"]),
    ],
)
def test_specs_are_parted_at_names(text, specs):
    assert _specs(text) == specs
