"""What the command of the benchmarks takes and prints. tests/slow/test_benchmarks.py runs them."""

import orjson
import pytest

from tests.bench.__main__ import main, report
from tests.bench.figures import Target, figure
from tests.bench.processes import Used


def test_a_target_that_does_not_hold_is_named(capsys):
    used = Used(seconds=2, cpu_client=1, cpu_postgres=1)
    fast = figure("fast", 100, used, ratio=1.0, target=Target("<=", 2))
    slow = figure("slow", 100, used, ratio=1.0, target=Target(">=", 2))
    tiny = figure("tiny", 100, used, ratio=1.0, target=Target(">=", 2), smallest=1000)
    assert report([fast, slow, tiny]) == ["slow"]
    lines = list(map(orjson.loads, capsys.readouterr().out.splitlines()))
    assert [line["holds"] for line in lines] == [True, False, None]
    assert lines[0]["records_per_second"] == 50


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        pytest.param(["--only", "sync,sing"], "'sing' is none of", id="no such topic"),
        pytest.param(["--size", "many"], "'many' is not a number", id="no number"),
        pytest.param(["--size", "3"], "400 or more", id="too small"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_starts(capsys, arguments, complaint):
    with pytest.raises(SystemExit):
        main(arguments)
    assert complaint in capsys.readouterr().err
