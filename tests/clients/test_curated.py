"""A client installs from a curated mirror alone: real packages, with all that they need."""

import json
import subprocess
import sys

from tests.support.corpus import needs_corpus, write_channel

CLIENT = [sys.executable, "-m", "pulp_conda.quickstart.client"]


@needs_corpus
def test_what_was_selected_from_real_packages_is_installed(pulp, upstream, make_mirror, tmp_path):
    write_channel(upstream.folder, "shards")
    mirror = make_mirror(subdirs=["linux-64", "noarch"], policy="immediate")
    selection = {"groups": [{"specs": ["dependent >=2"]}], "with_dependencies": True}
    pulp.patch(mirror.repository, selection=selection)
    report = pulp.sync_task(mirror.repository)["result"]["selection"]
    names = pulp.names(mirror.url)
    assert "dependent" in names and len(names) == report["count"] < 10
    # The upstream is gone.
    upstream.answers = {path: (500, b"") for _, path, _ in upstream.requests}
    prefix = tmp_path / "prefix"
    program = [*CLIENT, "install", "--cache", tmp_path / "cache", mirror.url, prefix, "dependent"]
    done = subprocess.run(list(map(str, program)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    installed = {package["name"] for package in json.loads(done.stdout)}
    assert {"dependent"} < installed <= set(names)
    assert len(list((prefix / "conda-meta").glob("*.json"))) == len(installed)
