"""What pulpcore does on its own, as a baseline: a program inside of Django, run by the others.

python -m tests.bench.stock POSTGRES-PID sync FOLDER
    The first sync of a channel, on demand, by `DeclarativeVersion`.
python -m tests.bench.stock POSTGRES-PID modify REPOSITORY-HREF CONTENT-HREF…
    `add_content`, without checks.

Prints what it took as JSON.
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from pulp_conda.quickstart.settings import environment
from tests.bench.processes import Used, own_work
from tests.bench.server import CHECKOUT


def run(state, postgres, *arguments):
    """Run this program on the database of a state folder, and return the `Used`."""
    command = [sys.executable, "-m", "tests.bench.stock", str(postgres), *arguments]
    done = subprocess.run(
        command,
        env=environment(state),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Used(**json.loads(done.stdout))


def main(postgres, command, *arguments):
    import django

    django.setup()
    used = Used()
    work = {"sync": _sync, "modify": _modify}[command](*arguments)
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        with own_work(used, int(postgres)):
            work()
    print(json.dumps(asdict(used)))


def _sync(folder):
    # A pipeline reports its progress to a task, and only workers have a public way to be in one.
    from pulpcore.app.contexts import with_task_context  # noqa: TID251
    from pulpcore.plugin.models import Artifact, Repository, Task
    from pulpcore.plugin.stages import (
        DeclarativeArtifact,
        DeclarativeContent,
        DeclarativeVersion,
        Stage,
    )

    from pulp_conda.app.models import CondaPackage, CondaRemote, CondaRepository
    from pulp_conda.channel.records import check_record

    _forget_ours(CondaRepository, Repository)
    url = "http://upstream.example.org"
    remote = CondaRemote.objects.create(name="stock", url=url, policy="on_demand")
    repository = CondaRepository.objects.create(name="stock")
    task = Task.objects.create(name="stock", state="running", logging_cid="")

    class Records(Stage):
        async def run(self):
            for path in Path(folder).glob("*/repodata.json"):
                subdir = path.parent.name
                repodata = orjson.loads(path.read_bytes())
                for section in ("packages", "packages.conda"):
                    for filename, fields in repodata[section].items():
                        await self.put(self._declare(subdir, filename, fields))

        def _declare(self, subdir, filename, fields):
            record = check_record(subdir, filename, fields)
            artifact = DeclarativeArtifact(
                artifact=Artifact(sha256=record.sha256, size=record.size),
                url=f"{url}/{subdir}/{filename}",
                relative_path=f"{subdir}/{filename}",
                remote=remote,
                deferred_download=True,
            )
            return DeclarativeContent(CondaPackage.from_record(record), d_artifacts=[artifact])

    def work():
        asyncio.set_event_loop(asyncio.new_event_loop())
        with with_task_context(task):
            version = DeclarativeVersion(Records(), repository).create()
        assert version.complete

    return work


def _modify(repository_href, *content_hrefs):
    from pulpcore.plugin.models import Content, Repository
    from pulpcore.plugin.util import extract_pk

    from pulp_conda.app.models import CondaRepository

    _forget_ours(CondaRepository, Repository)
    repository = CondaRepository.objects.get(pk=extract_pk(repository_href))
    contents = Content.objects.filter(pk__in=[extract_pk(href) for href in content_hrefs])

    def work():
        with repository.new_version() as version:
            version.add_content(contents)
        assert version.complete

    return work


def _forget_ours(ours, pulpcores):
    """Let versions be made as pulpcore makes them, without checks.

    So nothing of this plugin makes them faster or slower.
    """
    for method in ("new_version", "initialize_new_version", "finalize_new_version"):
        setattr(ours, method, getattr(pulpcores, method))


if __name__ == "__main__":
    main(*sys.argv[1:])
