"""The solver in its processes, on small channels and without a database."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from pulp_conda.app.solving.processes import Channel, Job, solve
from tests.support.builders import make_record

URL = "https://conda.example.org/team"


def make_channel(folder, *records, v3=(), url=URL):
    """Write the repodata of a channel, and return the channel in the form of a request."""
    paths = {}
    for subdir in {"noarch"} | {record.subdir for record in (*records, *v3)}:
        repodata = {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": {r.filename: r.fields for r in records if r.subdir == subdir},
            "v3": {
                "conda": {
                    r.filename.removesuffix(".conda"): r.fields for r in v3 if r.subdir == subdir
                }
            },
            "repodata_version": 1,
        }
        paths[subdir] = folder / url.rpartition("/")[2] / subdir / "repodata.json"
        paths[subdir].parent.mkdir(parents=True)
        paths[subdir].write_text(json.dumps(repodata))
    return Channel(url, paths)


def make_job(*specs, platform="linux-64", key=None, **virtual_packages):
    return Job(" ".join(specs) if key is None else key, platform, specs, virtual_packages)


def make_pigeons(number):
    """Return records that cannot be installed together. The solver needs long to find that out.

    Each of them needs a hole of its own, and there are too few.
    """
    names = [f"pigeon{n}" for n in range(number)]
    return names, [
        make_record(
            name,
            version=str(hole),
            constrains=[f"{other} !={hole}" for other in names if other != name],
        )
        for name in names
        for hole in range(1, number)
    ]


def outcomes(channels, *jobs, seconds_per_job=60, memory_mb=512, processes=1):
    limits = {"seconds_per_job": seconds_per_job, "memory_mb": memory_mb, "processes": processes}
    found = list(solve(jobs, channels, **limits))
    assert len(found) == len(jobs)
    return {outcome.key: outcome for outcome in found}


def outcome_of(channels, *specs, **more):
    return outcomes(channels, make_job(*specs, **more))[" ".join(specs)]


def names(outcome):
    assert outcome.verdict == "solved", outcome
    return [package["fn"].removesuffix(".conda") for package in outcome.packages]


def children():
    """The solving processes of this test, without those that other tests left running."""
    pids = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [
        pid for pid in pids if b"pulp_conda.solver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_a_solution_has_what_lock_files_need(tmp_path):
    channel = make_channel(
        tmp_path,
        make_record("app", depends=["lib >=2"], constrains=["other <1"], noarch="python"),
        make_record("lib", "2.0", subdir="linux-64", depends=["__glibc >=2.17"]),
        make_record("lib", "1.0", subdir="linux-64"),
    )
    outcome = outcome_of([channel], "app", __glibc="2.28")
    assert names(outcome) == ["app-1.0-0", "lib-2.0-0"]
    app, lib = outcome.packages
    record = make_record("app", depends=["lib >=2"], constrains=["other <1"], noarch="python")
    assert app == record.fields | {
        "fn": "app-1.0-0.conda",
        "url": f"{URL}/noarch/app-1.0-0.conda",
        "channel": f"{URL}/",
    }
    assert lib["subdir"] == "linux-64" and lib["url"] == f"{URL}/linux-64/lib-2.0-0.conda"
    assert outcome.explanation is None
    assert 0 < outcome.seconds < 30
    assert 10 < outcome.peak_mb < 500


def test_the_explanation_of_what_cannot_be_solved_is_the_solvers_own(tmp_path):
    channel = make_channel(
        tmp_path, make_record("app", depends=["lib >=2"]), make_record("lib", "1.0")
    )
    outcome = outcome_of([channel], "app")
    assert outcome.verdict == "unsolvable" and outcome.packages == []
    assert "app 1.0 would require\n   └─ lib >=2, for which no candidates" in outcome.explanation


def test_an_explanation_has_an_end(tmp_path):
    missing = "long" * 15
    channel = make_channel(
        tmp_path,
        *(make_record("app", str(n), depends=[f"{missing}{n} >=2"]) for n in range(300)),
    )
    outcome = outcome_of([channel], "app")
    assert outcome.verdict == "unsolvable"
    assert len(outcome.explanation) == 8001 and outcome.explanation.endswith("…")


@pytest.mark.parametrize(
    "spec, has, verdict",
    [
        pytest.param("needs-gpu", {"__cuda": "12.4"}, "solved", id="a new driver"),
        pytest.param("needs-gpu", {"__cuda": "11.8"}, "unsolvable", id="an old driver"),
        pytest.param("needs-gpu", {}, "unsolvable", id="no GPU"),
        pytest.param("fast", {"__archspec": "x86_64_v3"}, "solved", id="a good processor"),
        pytest.param("fast", {"__archspec": "x86_64"}, "unsolvable", id="an old processor"),
        pytest.param("__cuda >=12", {"__cuda": "12"}, "solved", id="asked for itself"),
    ],
)
def test_virtual_packages_are_what_the_machine_has(tmp_path, spec, has, verdict):
    channel = make_channel(
        tmp_path,
        make_record("needs-gpu", depends=["__cuda >=12"]),
        make_record("fast", depends=["__archspec * x86_64_v3"]),
    )
    assert outcome_of([channel], spec, **has).verdict == verdict


def test_the_first_channel_with_a_name_is_the_only_one_for_it(tmp_path):
    ours = make_channel(tmp_path, make_record("lib", "1.0"))
    base = make_channel(
        tmp_path,
        make_record("lib", "2.0"),
        make_record("app", depends=["lib >=2"]),
        make_record("tool", depends=["lib"]),
        url="https://conda.example.org/base",
    )
    found = outcomes([ours, base], make_job("app"), make_job("tool"))
    assert "strict channel priority" in found["app"].explanation
    assert names(found["tool"]) == ["lib-1.0-0", "tool-1.0-0"]
    assert found["tool"].packages[1]["channel"] == "https://conda.example.org/base/"
    assert names(outcome_of([base, ours], "app")) == ["app-1.0-0", "lib-2.0-0"]


def test_records_without_a_timestamp_and_of_v3_count(tmp_path):
    old = make_record("old")
    del old.fields["timestamp"]
    channel = make_channel(
        tmp_path,
        old,
        v3=[
            make_record("new", depends=['part[version=">=2"]'], extra_depends={"all": ["more"]}),
            make_record("part", "2.0", depends=['more[when="__win"]']),
            make_record("more"),
        ],
    )
    assert names(outcome_of([channel], "old", "new")) == ["new-1.0-0", "old-1.0-0", "part-2.0-0"]
    assert "more-1.0-0" in names(outcome_of([channel], "new[extras=[all]]"))
    assert "more-1.0-0" in names(outcome_of([channel], "part", __win="0"))


def test_each_platform_has_its_own_records_and_any_name(tmp_path):
    channel = make_channel(
        tmp_path,
        make_record("lib", "1.0", subdir="linux-64"),
        make_record("lib", "2.0", subdir="own-chip"),
        make_record("app", depends=["lib"]),
    )
    jobs = [
        make_job("app", platform=platform, key=(platform, number))
        for number in range(3)
        for platform in ("linux-64", "own-chip", "win-64")
    ]
    found = outcomes([channel], *jobs, processes=2)
    for number in range(3):
        assert names(found["linux-64", number]) == ["app-1.0-0", "lib-1.0-0"]
        assert names(found["own-chip", number]) == ["app-1.0-0", "lib-2.0-0"]
        assert found["win-64", number].verdict == "unsolvable"


def test_the_same_records_give_the_same_solution(tmp_path):
    # Many builds, none of which is better.
    records = [
        make_record(
            f"p{n}", build=f"b{build}", depends=[f"p{n // 2} * b{build % 3}"] if n > 1 else []
        )
        for n in range(40)
        for build in range(6)
    ]
    channel = make_channel(tmp_path, *records)
    jobs = [make_job("p39", "p38", "p21", key=n) for n in range(6)]
    found = outcomes([channel], *jobs, processes=2)
    assert len({json.dumps(outcome.packages) for outcome in found.values()}) == 1
    again = outcomes([channel], jobs[0])
    assert again[0].packages == found[0].packages


def test_a_job_that_takes_too_long_is_unknown_and_the_others_go_on(tmp_path):
    pigeons, records = make_pigeons(14)
    channel = make_channel(tmp_path, *records, make_record("app"))
    jobs = [make_job("app", key="before"), make_job(*pigeons, key="hard"), make_job("app")]
    found = outcomes([channel], *jobs, seconds_per_job=1)
    assert found["before"].verdict == found["app"].verdict == "solved"
    assert found["hard"].verdict == "unknown"
    assert found["hard"].explanation == "the solver was not done after 1 seconds"
    assert found["hard"].peak_mb > 10
    assert children() == []


def test_a_job_that_needs_too_much_memory_is_unknown_and_the_others_go_on(tmp_path):
    # A file can be much larger than the memory, because only the parts that are read count.
    huge = (make_record("huge", version=str(n), depends=["app"] * 9) for n in range(30_000))
    channel = make_channel(tmp_path, *huge, make_record("app"))
    jobs = [make_job("app", key="before"), make_job("huge"), make_job("app", "app", key="after")]
    found = outcomes([channel], *jobs, memory_mb=80)
    assert found["before"].verdict == found["after"].verdict == "solved"
    assert found["huge"].verdict == "unknown"
    assert found["huge"].explanation == "the solver needed more than 80 MiB of memory"
    assert outcomes([channel], jobs[1])["huge"].peak_mb > 80


def test_a_process_that_cannot_even_start_says_so(tmp_path):
    channel = make_channel(tmp_path, make_record("app"))
    outcome = outcomes([channel], make_job("app"), memory_mb=8)["app"]
    assert outcome.explanation == "the solver needed more than 8 MiB of memory"


def test_a_crash_is_unknown_and_the_others_go_on(tmp_path):
    channel = make_channel(
        tmp_path, make_record("evil", depends=["x " + "(" * 300_000]), make_record("app")
    )
    jobs = [make_job("app", key="before"), make_job("evil"), make_job("app")]
    found = outcomes([channel], *jobs)
    assert found["before"].verdict == found["app"].verdict == "solved"
    assert found["evil"].verdict == "unknown"
    assert found["evil"].explanation.startswith("the solver ended with status SIG")


@pytest.mark.parametrize(
    "content, reason",
    [
        pytest.param("{", "the repodata of 'noarch' in 'https://conda.ex", id="cut short"),
        pytest.param(None, "cannot be read: failed to open file `it`", id="missing"),
        pytest.param(
            '{"packages.conda": {"app-1.0-0.conda": {"name": 5}}}', "invalid type", id="a record"
        ),
    ],
)
def test_broken_repodata_is_unknown(tmp_path, content, reason):
    channel = make_channel(tmp_path, make_record("app"))
    channel.repodata["noarch"].unlink()
    if content:
        channel.repodata["noarch"].write_text(content)
    outcome = outcome_of([channel], "app")
    assert outcome.verdict == "unknown"
    assert reason in outcome.explanation and str(tmp_path) not in outcome.explanation


def test_nothing_is_left_when_nobody_wants_the_rest(tmp_path):
    pigeons, records = make_pigeons(14)
    channel = make_channel(tmp_path, *records, make_record("app"))
    jobs = [make_job("app", key=0), make_job(*pigeons, key=1), make_job(*pigeons, key=2)]
    solving = solve(jobs, [channel], seconds_per_job=60, memory_mb=512, processes=2)
    assert next(solving).key == 0
    assert len(children()) == 2
    solving.close()
    assert children() == []


PARENT = """
import json, sys
from pathlib import Path
from pulp_conda.app.solving.processes import Channel, Job, solve
url, path, *specs = sys.argv[1:]
jobs = [Job(0, "linux-64", ("app",)), Job(1, "linux-64", tuple(specs))]
channel = Channel(url, {"noarch": Path(path)})
for outcome in solve(jobs, [channel], seconds_per_job=60, memory_mb=512, processes=1):
    children = Path("/proc/self/task").glob("*/children")
    print("".join(path.read_text() for path in children), flush=True)
"""


def test_nothing_is_left_when_the_parent_is_killed(tmp_path):
    pigeons, records = make_pigeons(14)
    channel = make_channel(tmp_path, *records, make_record("app"))
    command = [sys.executable, "-c", PARENT, URL, str(channel.repodata["noarch"]), *pigeons]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        solver = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            ended, _, _ = select.select([solver], [], [], 20)
        finally:
            os.close(solver)
    assert ended


def test_the_solver_loads_no_django():
    program = "import sys, pulp_conda.solver; print([m for m in sys.modules if 'django' in m])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
