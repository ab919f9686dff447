"""How much of a channel a sync may remove."""

import pytest
from django.test import override_settings

from pulp_conda.app.errors import MassRemoval
from pulp_conda.app.models import CondaRemote, CondaRepository
from pulp_conda.app.sync.ingest import Ingest
from pulp_conda.app.sync.packages import UpstreamPackage
from pulp_conda.app.sync.removals import check_removals
from tests.support.builders import make_record

pytestmark = pytest.mark.django_db


def _records(counts, version="1", **fields):
    return [
        make_record(f"p{n}", version, subdir=subdir, **fields)
        for subdir, count in counts.items()
        for n in range(count)
    ]


def _loses(before, after, percent=50):
    """What a mirror with the first records would lose too much of, if it got the second ones."""
    repository = CondaRepository.objects.create(name="team")
    remote = CondaRemote.objects.create(name="forge", url="https://conda.example.org/forge")
    for records in (before, after):
        packages = [UpstreamPackage(each, f"{remote.url}/{each.filename}") for each in records]
        with Ingest(repository, remote) as ingest:
            list(ingest.add(packages))
            ingest.compare(mirror_except=[])
            if records is before:
                ingest.new_version()
                continue
            try:
                with override_settings(CONDA_MAX_REMOVED_PERCENT=percent):
                    check_removals(ingest, repository)
            except MassRemoval as error:
                return error.facts["losses"]
    return None


@pytest.mark.parametrize(
    "before, after, losses",
    [
        ({"noarch": 20}, {"noarch": 10}, None),
        ({"noarch": 20}, {"noarch": 9}, "11 of 20 packages of 'noarch'"),
        pytest.param({"noarch": 12}, {"noarch": 3}, None, id="a few"),
        ({"noarch": 3}, {"noarch": 1}, None),
        pytest.param({"noarch": 3}, {}, "3 of 3 packages of 'noarch'", id="the last few"),
        (
            {"noarch": 40, "linux-64": 12},
            {"noarch": 40},
            "12 of 12 packages of 'linux-64'",
        ),
        (
            {"noarch": 40, "linux-64": 2},
            {"noarch": 40},
            "2 of 2 packages of 'linux-64'",
        ),
        pytest.param(
            {"noarch": 12, "linux-64": 12, "win-64": 12},
            {"noarch": 3, "linux-64": 3, "win-64": 3},
            "27 of 36 packages of the channel",
            id="a few of each subdir",
        ),
        (
            {"noarch": 20, "linux-64": 20},
            {},
            "20 of 20 packages of 'linux-64'; 20 of 20 packages of 'noarch'; "
            "40 of 40 packages of the channel",
        ),
    ],
)
def test_a_large_part_is_not_removed_at_once(before, after, losses):
    assert _loses(_records(before), _records(after)) == losses


@pytest.mark.parametrize("percent, is_refused", [(0, True), (89, True), (90, False), (100, False)])
def test_a_setting_says_how_much_is_too_much(percent, is_refused):
    lost = _loses(_records({"noarch": 100}), _records({"noarch": 10}), percent)
    assert (lost is not None) is is_refused


def test_what_is_replaced_is_not_gone():
    before = _records({"noarch": 20})
    assert _loses(before, _records({"noarch": 20}, depends=["x"])) is None


def test_a_new_version_of_a_small_channel_replaces_the_old_one():
    assert _loses(_records({"noarch": 5}), _records({"noarch": 5}, "2")) is None


def test_other_packages_do_not_stand_in_for_those_that_are_gone():
    # The wrong URL leads to a whole channel as well.
    lost = _loses(_records({"noarch": 20}), _records({"noarch": 30}, "2"))
    assert lost == "20 of 20 packages of 'noarch'"
