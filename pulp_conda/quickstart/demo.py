"""The main job of pulp_conda, with a line on each step."""

import argparse
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from pulp_conda.quickstart import sample
from pulp_conda.quickstart.api import Api, created
from pulp_conda.quickstart.errors import QuickstartError
from pulp_conda.quickstart.services import Stack
from pulp_conda.quickstart.status import USER, as_text, describe

STAGES = ("unstable", "testing", "stable")


def run(args: argparse.Namespace) -> None:
    """Start a Pulp if none runs, do the main job, and leave Pulp running.

    Args:
        args: ``state``, ``upstream`` and ``specs`` of the command line.
    """
    specs = args.specs or ["hello"]
    stack = Stack(args.state, background=True)
    print("Starting Pulp: PostgreSQL, API, content app and a worker …", flush=True)
    stack.up()
    walk(stack, args.upstream, specs)
    found = describe(args.state)
    quickstart = f"{sys.executable} -m pulp_conda.quickstart"
    login = f"{USER}:$(cat {found['password_file']})"
    packages = f"{found['api_url']}/pulp/api/v3/content/conda/packages/?fields=filename"
    print(
        f"""
The server stays up.

{as_text(found)}

Try next:
  conda create --name demo --channel {found["channels"]["demo-stable"]} {" ".join(map(repr, specs))}
  curl --user "{login}" "{packages}"
  {quickstart} status
  {quickstart} down"""
    )


def walk(stack: Stack, upstream: str | None, specs: Sequence[str]) -> None:
    """Mirror, upload, publish, promote, install, compare and roll back.

    Args:
        stack: A running Pulp.
        upstream: The URL of a channel. If it is None, a small channel is built and served.
        specs: The match specs to install.
    """
    url = stack.api_url
    assert url, "a running Pulp has a URL"
    api = Api(url, USER, stack.password)
    folder = stack.state.folder / "demo"
    if upstream:
        Demo(api, folder, upstream, specs, policy="on_demand").run()
        return
    sample.build_channel(folder / "upstream")
    with _served(folder / "upstream") as url:
        Demo(api, folder, url, specs, policy="immediate").run()


class Demo:
    """The main job once. A second time it uses what the first time has left.

    Args:
        folder: Where the demo keeps its files.
        upstream: The URL of the channel to mirror.
        specs: The match specs to install.
        policy: The policy of the remote: `immediate` or `on_demand`.
    """

    def __init__(
        self, api: Api, folder: Path, upstream: str, specs: Sequence[str], policy: str
    ) -> None:
        self._api = api
        self._folder = folder
        self._upstream = upstream
        self._specs = specs
        self._policy = policy
        self._step = 0

    def run(self) -> None:
        repository = self._sync()
        latest = self._publications(repository)[0]
        channels = {stage: self._channel(stage, repository, latest) for stage in STAGES}
        self._upload(repository)
        second, first = self._publications(repository)[:2]
        self._promote(channels["testing"], second, "unstable", "testing")
        self._promote(channels["stable"], second, "testing", "stable")
        self._install(channels["stable"])
        self._diff(first, second)
        self._roll_back(channels["stable"], first)

    def _sync(self) -> str:
        """Mirror the upstream, and return the href of the repository."""
        self._say(f"Mirror {self._upstream} into the repository 'demo'")
        names = self._names_to_mirror()
        remote = self._ensure(
            "remotes", "demo", url=self._upstream, policy=self._policy, includes=names
        )
        repository = self._ensure(
            "repositories", "demo", remote=remote["pulp_href"], autopublish=True
        )
        task = self._api.post(f"{repository['pulp_href']}sync/")
        for report in task["progress_reports"]:
            print(f"    {report['message']}: {report['done']}")
        repository = self._api.get(repository["pulp_href"])
        print(f"    -> {_version(repository['latest_version_href'])}")
        return repository["pulp_href"]

    def _names_to_mirror(self) -> list[str]:
        """Return the names of packages that the specs need. None of them means all packages."""
        if self._policy == "immediate":
            return []
        packages = _client("solve", self._upstream, *self._specs)
        return sorted({package["name"] for package in packages})

    def _channel(self, stage: str, repository: str, publication: str) -> dict[str, Any]:
        """Make the distribution of a stage, and return it.

        `unstable` serves the newest publication of the repository. The others change only when the
        demo changes them.
        """
        served = {"repository": repository} if stage == "unstable" else {"publication": publication}
        channel = self._ensure(
            "distributions", f"demo-{stage}", base_path=f"demo/{stage}", **served
        )
        print(f"    {stage:9}{channel['base_url']}")
        return channel

    def _upload(self, repository: str) -> None:
        self._say("Upload a package that we built: hello 2.0")
        path = sample.build_package(self._folder / "built", **sample.HELLO_2)
        with path.open("rb") as file:
            task = self._api.post(
                "content/conda/packages/",
                files={"file": (path.name, file)},
                repository=repository,
                overwrite=True,
            )
        href = created(task, "packages")
        assert href, "an upload makes a package"
        package = self._api.get(href)
        print(f"    {package['filename']}, sha256 {package['sha256'][:16]}…, read by the server")
        latest = self._api.get(repository)["latest_version_href"]
        print(f"    -> {_version(latest)}, published at once: 'unstable' serves it now")

    def _promote(self, channel: dict[str, Any], publication: str, source: str, target: str) -> None:
        self._say(f"Promote: '{target}' serves what '{source}' serves")
        self._point(channel, publication)

    def _install(self, channel: dict[str, Any]) -> None:
        self._say("Install from 'stable' with a conda client into a fresh prefix, and run it")
        prefix = self._folder / "prefix"
        shutil.rmtree(prefix, ignore_errors=True)
        for package in _client("install", channel["base_url"], prefix, *self._specs):
            print(f"    {package['name']} {package['version']} from {package['url']}")
        program = prefix / "bin" / self._specs[0].split()[0]
        if program.exists():
            output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
            print(f"    $ {program.name}\n    {output.strip()}")

    def _diff(self, first: str, second: str) -> None:
        base, target = (self._api.get(href)["repository_version"] for href in (first, second))
        self._say(f"Show what changed from {_version(base)} to {_version(target)}")
        answer = self._api.get(f"{target}diff/", base=base.split("/")[-2])
        for name, changes in answer["packages"].items():
            for change in changes:
                print(f"    {change['kind']:9}{name} {change['version']}  {change['filename']}")

    def _roll_back(self, channel: dict[str, Any], publication: str) -> None:
        self._say("Roll 'stable' back: one request")
        before = self._count_packages(channel)
        self._point(channel, publication)
        print(f"    {before} packages before, {self._count_packages(channel)} after")

    def _count_packages(self, channel: dict[str, Any]) -> int:
        """Return how many packages of `noarch` a channel serves."""
        repodata = requests.get(f"{channel['base_url']}noarch/repodata.json", timeout=60).json()
        return len(repodata["packages"]) + len(repodata["packages.conda"])

    def _point(self, channel: dict[str, Any], publication: str) -> None:
        """Let a channel serve a publication."""
        self._api.patch(channel["pulp_href"], publication=publication)
        version = self._api.get(publication)["repository_version"]
        print(f"    {channel['base_url']} -> {_version(version)}")

    def _publications(self, repository: str) -> list[str]:
        """Return the hrefs of the publications of a repository, the newest first."""
        found = self._api.get("publications/conda/conda/", repository=repository)["results"]
        return [publication["pulp_href"] for publication in found]

    def _ensure(self, noun: str, name: str, **body: Any) -> dict[str, Any]:
        """Create something, or change what an earlier run has left. Return it."""
        path = f"{noun}/conda/conda/"
        if existing := self._api.find(path, name=name):
            self._api.patch(existing["pulp_href"], **body)
        else:
            self._api.post(path, name=name, **body)
        found: dict[str, Any] = self._api.find(path, name=name)
        return found

    def _say(self, text: str) -> None:
        self._step += 1
        print(f"\n{self._step}. {text}", flush=True)


def _client(command: str, url: str, *arguments: str | Path) -> list[dict[str, Any]]:
    """Run the conda client in its own process, and return the packages that it prints."""
    program = [sys.executable, "-m", "pulp_conda.quickstart.client", command, url]
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise QuickstartError(f"The client cannot {command} from '{url}': {done.stderr.strip()}")
    packages: list[dict[str, Any]] = json.loads(done.stdout)
    return packages


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine, as a web server does, and give its URL."""
    handler = partial(_QuietHandler, directory=str(folder))
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    # A sync asks for all subdirs at once. By default five connections may wait in Python's server.
    # Linux drops the others, and the client tries them again after a second.
    request_queue_size = 128


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


def _version(href: str) -> str:
    return f"version {href.split('/')[-2]}"
