"""The environment gate on a channel of the size that teams have: 100,000 records."""

import json
import random
from datetime import datetime
from hashlib import sha256

from pulp_conda.channel import layout

RECORDS = 100_000
PLATFORMS = {"linux-64": "__glibc >=2.17", "osx-arm64": "__osx >=11.0"}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ENVIRONMENTS = 20


def test_twenty_environments_on_two_platforms_solve_in_one_promotion(
    pulp, make_mirror, upstream, unique
):
    libraries = _write_channel(upstream.folder)
    mirror = make_mirror(subdirs=["noarch", *PLATFORMS])
    pulp.patch(mirror.repository, autopublish=False)
    pulp.sync(mirror.repository)
    chance = random.Random(20)
    for number in range(ENVIRONMENTS):
        specs = [f"python {chance.choice(PYTHONS)}.*"]
        specs += [f"{kind}{chance.randrange(libraries)} >=1" for kind in ("app", "lib", "web") * 2]
        pulp.environment(mirror.repository, f"env-{number}", "\n".join(specs))
    pulp.publish(repository=mirror.repository)
    team = pulp.lifecycle(mirror.repository)
    team.set_gates("testing", {"name": "environments", "kind": "environments"})

    task = pulp.post(f"{team.href}promote/", stage="testing")

    (gate,) = task["result"]["gates"]
    started, finished = (
        datetime.fromisoformat(task[moment]) for moment in ("started_at", "finished_at")
    )
    seconds = (finished - started).total_seconds()
    packages = task["result"]["changes"]["counts"]["added"]
    print(f"{packages} records, {gate['summary']} The promotion took {seconds:.1f} s.")
    assert packages == RECORDS
    assert gate["summary"].startswith(f"{ENVIRONMENTS * 2} of {ENVIRONMENTS * 2} solved")
    assert task["result"]["outcome"] == "moved"


def _write_channel(folder):
    """Write repodata of libraries, applications with a build for each Python, and noarch packages,
    in chains.

    Returns how many names there are of each kind.
    """
    versions, patches = 5, 10
    pythons = len(PLATFORMS) * len(PYTHONS) * patches
    of_a_number = versions * (len(PLATFORMS) * (1 + len(PYTHONS)) + 2)
    libraries, rest = divmod(RECORDS - pythons, of_a_number)
    chance = random.Random(7)
    for subdir, system in PLATFORMS.items():
        records = _Records(subdir)
        for python in PYTHONS:
            for patch in range(patches):
                records.add("python", f"{python}.{patch}", "0_cpython", [system, "lib0", "lib1"])
        for number in range(libraries):
            for version in range(versions):
                needs = [_below(chance, "lib", number) for _ in range(2)] if number > 9 else []
                records.add(f"lib{number}", f"{version}.0", "0", [system, *needs])
                needs = [f"lib{chance.randrange(libraries)}", _below(chance, "app", number)]
                for python in PYTHONS:
                    build = f"py{python.replace('.', '')}_0"
                    base = [f"python {python}.*", *(needs if number else needs[:1])]
                    records.add(f"app{number}", f"{version}.0", build, base)
        records.write(folder)
    records = _Records(layout.NOARCH)
    for number in range(libraries):
        for version in range(2 * versions):
            needs = [_below(chance, "web", number), f"app{chance.randrange(libraries)}"]
            base = ["python >=3.11", *(needs if number else [])]
            records.add(f"web{number}", f"{version / 2}", "py_0", base)
    for number in range(rest):
        records.add("filler", str(number), "0", [])
    records.write(folder)
    return libraries


def _below(chance, kind, number):
    """Name one that was made before, rather an early one, so that chains end."""
    return f"{kind}{chance.randrange(max(1, number // 4))} >=1"


class _Records(dict):
    """The records of a subdir by file name."""

    def __init__(self, subdir):
        super().__init__()
        self.subdir = subdir

    def add(self, name, version, build, depends):
        filename = f"{name}-{version}-{build}.conda"
        self[filename] = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": 0,
            "depends": depends,
            "license": "MIT",
            "sha256": sha256(f"{self.subdir}/{filename}".encode()).hexdigest(),
            "size": 1000,
            "subdir": self.subdir,
        }

    def write(self, folder):
        path = folder / self.subdir / "repodata.json"
        path.parent.mkdir(exist_ok=True)
        repodata = {"info": {"subdir": self.subdir}, "packages": {}, "packages.conda": self}
        path.write_text(json.dumps(repodata))
