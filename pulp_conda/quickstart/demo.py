"""The main job of pulp_conda, told while it happens."""

import json
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import requests

from pulp_conda.quickstart import sample
from pulp_conda.quickstart.api import Api, created
from pulp_conda.quickstart.errors import QuickstartError
from pulp_conda.quickstart.services import Stack
from pulp_conda.quickstart.status import USER, as_text, describe

STAGES = ("unstable", "testing", "stable")


def run(args):
    """Start a Pulp if none runs, walk through the main job, and leave it running."""
    specs = args.specs or ["hello"]
    stack = Stack(args.state, background=True)
    print("Starting Pulp: PostgreSQL, API, content app and a worker …", flush=True)
    stack.up()
    walk(stack, args.upstream, specs)
    found = describe(args.state)
    quickstart = f"{sys.executable} -m pulp_conda.quickstart"
    print(
        f"""
The server stays up.

{as_text(found)}

Try next:
  conda create --name demo --channel {found["channels"]["demo-stable"]} {" ".join(map(repr, specs))}
  curl --user "{USER}:$(cat {found["password_file"]})" "{found["api_url"]}/pulp/api/v3/content/conda/packages/?fields=filename"
  {quickstart} status
  {quickstart} down"""
    )


def walk(stack, upstream, specs):
    """Mirror, upload, publish, promote, install, compare and roll back.

    Args:
        stack: A running Pulp.
        upstream: The URL of a channel; a small one is built and served if None.
        specs: MatchSpecs of what to install.
    """
    api = Api(stack.api_url, USER, stack.password)
    folder = stack.state.folder / "demo"
    if upstream:
        Demo(api, folder, upstream, specs, policy="on_demand").run()
        return
    sample.build_channel(folder / "upstream")
    with _served(folder / "upstream") as url:
        Demo(api, folder, url, specs, policy="immediate").run()


class Demo:
    """One walk through the main job; a second one starts where the first ended."""

    def __init__(self, api, folder, upstream, specs, policy):
        self._api = api
        self._folder = folder
        self._upstream = upstream
        self._specs = specs
        self._policy = policy
        self._step = 0

    def run(self):
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

    def _sync(self):
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

    def _names_to_mirror(self):
        """Return the packages that the specs need; none means all, for the small channel."""
        if self._policy == "immediate":
            return []
        packages = _client("solve", self._upstream, *self._specs)
        return sorted({package["name"] for package in packages})

    def _channel(self, stage, repository, publication):
        """Make the URL of a stage: `unstable` follows the repository, the others stand still."""
        served = {"repository": repository} if stage == "unstable" else {"publication": publication}
        channel = self._ensure(
            "distributions", f"demo-{stage}", base_path=f"demo/{stage}", **served
        )
        print(f"    {stage:9}{channel['base_url']}")
        return channel

    def _upload(self, repository):
        self._say("Upload a package that we built: hello 2.0")
        path = sample.build_package(self._folder / "built", **sample.HELLO_2)
        with path.open("rb") as file:
            task = self._api.post(
                "content/conda/packages/",
                files={"file": (path.name, file)},
                repository=repository,
                overwrite=True,
            )
        package = self._api.get(created(task, "packages"))
        print(f"    {package['filename']}, sha256 {package['sha256'][:16]}…, read by the server")
        latest = self._api.get(repository)["latest_version_href"]
        print(f"    -> {_version(latest)}, published at once: 'unstable' serves it now")

    def _promote(self, channel, publication, source, target):
        self._say(f"Promote: '{target}' serves what '{source}' serves")
        self._point(channel, publication)

    def _install(self, channel):
        self._say("Install from 'stable' with a conda client into a fresh prefix, and run it")
        prefix = self._folder / "prefix"
        shutil.rmtree(prefix, ignore_errors=True)
        for package in _client("install", channel["base_url"], prefix, *self._specs):
            print(f"    {package['name']} {package['version']} from {package['url']}")
        program = prefix / "bin" / self._specs[0].split()[0]
        if program.exists():
            output = subprocess.run([program], capture_output=True, text=True, check=True).stdout
            print(f"    $ {program.name}\n    {output.strip()}")

    def _diff(self, first, second):
        base, target = (self._api.get(href)["repository_version"] for href in (first, second))
        self._say(f"Show what changed from {_version(base)} to {_version(target)}")
        answer = self._api.get(f"{target}diff/", base=base.split("/")[-2])
        for name, changes in answer["packages"].items():
            for change in changes:
                print(f"    {change['kind']:9}{name} {change['version']}  {change['filename']}")

    def _roll_back(self, channel, publication):
        self._say("Roll 'stable' back: one request")
        before = self._served(channel)
        self._point(channel, publication)
        print(f"    {before} packages before, {self._served(channel)} after")

    def _served(self, channel):
        repodata = requests.get(f"{channel['base_url']}noarch/repodata.json", timeout=60).json()
        return len(repodata["packages"]) + len(repodata["packages.conda"])

    def _point(self, channel, publication):
        self._api.patch(channel["pulp_href"], publication=publication)
        version = self._api.get(publication)["repository_version"]
        print(f"    {channel['base_url']} -> {_version(version)}")

    def _publications(self, repository):
        """Return the publications of the repository, newest first."""
        found = self._api.get("publications/conda/conda/", repository=repository)["results"]
        return [publication["pulp_href"] for publication in found]

    def _ensure(self, noun, name, **body):
        """Create something, or bring what an earlier run left into the same state."""
        path = f"{noun}/conda/conda/"
        if existing := self._api.find(path, name=name):
            self._api.patch(existing["pulp_href"], **body)
        else:
            self._api.post(path, name=name, **body)
        return self._api.find(path, name=name)

    def _say(self, text):
        self._step += 1
        print(f"\n{self._step}. {text}", flush=True)


def _client(command, url, *arguments):
    """Run the conda client as a program of its own, and return what it prints."""
    program = [sys.executable, "-m", "pulp_conda.quickstart.client", command, url]
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise QuickstartError(f"The client cannot {command} from '{url}': {done.stderr.strip()}")
    return json.loads(done.stdout)


class _served:
    """Serve a folder on a free port of loopback, the way any web server would."""

    def __init__(self, folder):
        handler = partial(_QuietHandler, directory=str(folder))
        self._server = _Server(("127.0.0.1", 0), handler)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    # A sync asks for all subdirs at once. Of more than five connections that wait, Python's default, Linux drops the others,
    # and they come again after a second.
    request_queue_size = 128


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def _version(href):
    return f"version {href.split('/')[-2]}"
