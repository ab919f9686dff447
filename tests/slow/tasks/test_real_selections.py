"""Selections of real records, from a sharded upstream: what the whole channel can install, the
mirror can, for two Pythons and two machines.
"""

import random
import resource
import time

import zstandard

from pulp_conda.channel.selection.closure import Bounds, Question
from tests.slow.tasks.test_real_closures import (
    PLATFORM,
    REPODATA,
    SETS,
    answers,
    channel,
    needs_records,
)
from tests.support.builders import add_shards

_KEY = "conda-forge"
MACHINES = [{"__glibc": "2.28"}, {"__glibc": "2.17"}]


@needs_records
def test_a_mirror_of_real_records_installs_as_the_whole_channel(
    pulp, upstream, make_mirror, tmp_path, monkeypatch
):
    for subdir in (PLATFORM, "noarch"):
        (upstream.folder / subdir).mkdir()
        packed = (REPODATA / f"mined_{_KEY}_{subdir}.json.zst").read_bytes()
        text = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        (upstream.folder / subdir / "repodata.json").write_bytes(text)
    add_shards(upstream.folder)
    mirror = make_mirror(subdirs=[PLATFORM, "noarch"])
    plain = [spec for spec in SETS["tables"][0] if not spec.startswith("python ")]
    selection = {
        "with_dependencies": True,
        "groups": [{"specs": plain}],
        "for_each": ["python 3.12.*", "python 3.13.*"],
        "machines": MACHINES,
    }
    pulp.patch(mirror.repository, selection=selection)
    upstream.requests.clear()
    started = time.monotonic()
    report = pulp.sync_task(mirror.repository, mirror=True)["result"]["selection"]
    seconds = time.monotonic() - started
    shards = sum("/shards/" in path for _, path, _ in upstream.requests)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{report['count']} packages, {report['size'] / 1e9:.2f} GB, {shards} shards, "
        f"{seconds:.1f} s, peak {peak} MB"
    )
    assert report["unmet"] == report["not_installable"] == []
    assert shards < 130 and report["count"] < 200
    pulp_paths = set()
    for subdir in (PLATFORM, "noarch"):
        repodata = pulp.fetch(mirror.url, f"{subdir}/repodata.json").json()
        records = repodata["packages"] | repodata["packages.conda"]
        pulp_paths |= {f"{subdir}/{filename}" for filename in records}
    assert len(pulp_paths) == report["count"]

    monkeypatch.chdir(tmp_path)
    everything = [package for packages in channel().values() for package in packages]
    selected = [package for package in everything if package.candidate.path in pulp_paths]
    chance = random.Random(1)
    members = sorted({package.candidate.name for package in selected} - {"python"})
    for machine in MACHINES:
        for python in selection["for_each"]:
            groups = [[python, *plain], [python, *plain, "pip"]]
            groups += [[python, *chance.sample(members, size)] for size in (2, 3) for _ in range(3)]
            questions = [Question(tuple(group)) for group in groups]
            bounds = Bounds(virtual_packages=machine)
            whole = answers(everything, bounds, questions)
            part = answers(selected, bounds, questions)
            for question in questions:
                if whole[question].paths is not None:
                    assert part[question].paths is not None, part[question].explanation
            for question in questions[:2]:
                assert _versions(part[question]) == _versions(whole[question])

    upstream.requests.clear()
    assert pulp.sync(mirror.repository, mirror=True) is None
    assert [status for _, _, status in upstream.requests] == [304, 304]


def _versions(answer):
    filenames = [path.rpartition("/")[2] for path in answer.paths]
    return dict(filename.rsplit("-", 2)[:2] for filename in filenames)
