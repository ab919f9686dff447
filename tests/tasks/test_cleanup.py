"""What the orphan cleanup of Pulp removes of channels, and what stays."""

from datetime import timedelta
from uuid import uuid4

from django.utils import timezone

from pulp_conda.app.models import ChannelCondition, CondaPackageInfo, CondaShard
from pulp_conda.app.tasks import cleanup
from tests.support.builders import make_channel, make_package


def clean_up(pulp):
    pulp.post("orphans/cleanup/", orphan_protection_time=0)


def test_shards_go_with_the_cleanup_and_not_with_the_next_publication(
    pulp, make_repository, copied
):
    clean_up(pulp)
    before = CondaShard.objects.count()
    first, second = make_repository(autopublish=True), make_repository(autopublish=True)
    pulp.upload(make_package(uuid4().hex), repository=first)
    pulp.delete(pulp.newest_publication(first))
    pulp.upload(make_package(uuid4().hex), repository=second)
    assert CondaShard.objects.count() == before + 2
    clean_up(pulp)
    assert CondaShard.objects.count() == before + 1


def test_what_is_known_of_files_goes_when_many_have_no_package(
    pulp, make_repository, copied, monkeypatch
):
    kept, gone = make_package(uuid4().hex), make_package(uuid4().hex)
    repository = make_repository()
    keeping = pulp.upload(kept, repository=repository)["sha256"]
    going = pulp.upload(gone)["sha256"]
    infos = CondaPackageInfo.objects.filter(sha256__in=[keeping, going])
    clean_up(pulp)
    # A package of which something became known just now may be about to be stored.
    assert infos.count() == 2
    infos.update(pulp_last_updated=timezone.now() - timedelta(hours=2))
    # Each time that some go, the channels of the domain are published in full.
    monkeypatch.setattr(cleanup, "_UNUSED_PART", 1)
    clean_up(pulp)
    assert infos.count() == 2
    monkeypatch.setattr(cleanup, "_UNUSED_PART", 0)
    clean_up(pulp)
    assert [info.sha256 for info in infos] == [keeping]


def test_bytes_that_came_on_demand_are_counted(pulp, upstream, make_mirror, copied):
    package = make_package(uuid4().hex)
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy="on_demand")
    pulp.sync(mirror.repository)
    pulp.fetch(mirror.url, f"{package.subdir}/{package.filename}")
    condition = ChannelCondition.objects.filter(
        repository__name=pulp.get(mirror.repository)["name"]
    )
    assert condition.get().stored_size == 0
    clean_up(pulp)
    assert condition.get().stored_size == len(package.data)
