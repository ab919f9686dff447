import pytest

from pulp_conda.channel.metadata.compression import (
    Levels,
    compress_file,
)
from tests.bench.channel import Channel


@pytest.mark.parametrize(
    "setting, expected",
    [
        ("fast", ("fast", "fast", "fast")),
        (12, (12, 12, 12)),
        ({"repodata": "small", "shards": 3}, ("small", "fast", 3)),
        ({}, ("fast", "fast", "fast")),
    ],
)
def test_a_setting_is_one_level_or_levels_by_kind_of_file(setting, expected):
    assert Levels.of(setting) == expected


@pytest.mark.parametrize(
    "setting, message",
    [
        ("tiny", "'tiny' is neither 'fast', 'small' nor a number from 1 to 22"),
        (0, "0 is neither 'fast', 'small' nor a number from 1 to 22"),
        (23, "23 is neither 'fast', 'small' nor a number from 1 to 22"),
        (True, "True is neither 'fast', 'small' nor a number from 1 to 22"),
        (None, "None is neither 'fast', 'small' nor a number from 1 to 22"),
        ({"repodata": 1.5}, "1.5 is neither 'fast', 'small' nor a number from 1 to 22"),
        ({"shard": 3}, "'shard' is none of 'repodata', 'run_exports', 'shards'"),
    ],
)
def test_a_level_that_does_not_exist_is_named(setting, message):
    with pytest.raises(ValueError, match=message):
        Levels.of(setting)


def test_named_levels_are_smaller_than_the_numbers_between(tmp_path):
    # Checksums are what no level compresses, and what level 3 tries to.
    Channel(5000).write_flat(tmp_path)
    data = (tmp_path / "linux-64" / "repodata.json").read_bytes()
    small, fast, three = (len(compress_file(data, level)) for level in ("small", "fast", 3))
    assert small < fast < three
    assert compress_file(data, "fast") == compress_file(data, 1)
