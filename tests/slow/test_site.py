"""A site as `deploy/` describes it: from its files to an installed package, and what clients see
while its processes are killed one after the other.
"""

import os
import threading
import time

import pytest
import requests

from tests.support import gateway
from tests.support.builders import make_package
from tests.support.conda import CondaPulp
from tests.support.site import running_site


@pytest.fixture(scope="module")
def site():
    with running_site() as site:
        yield site


@pytest.fixture(scope="module")
def pulp(site):
    password = site.state.password_file.read_text().strip()
    pulp = CondaPulp(site.url, "admin", password)
    pulp.session.verify = str(site.certificate)
    return pulp


@pytest.fixture(scope="module")
def channel(pulp):
    repository = pulp.post("repositories/conda/conda/", name="team", autopublish=True)["pulp_href"]
    pulp.upload(make_package("tool"), repository=repository)
    return pulp.distribution(repository=repository, name="team", base_path="team")["base_url"]


class _Clients:
    """Clients that read a channel without a pause, and note what goes wrong."""

    def __init__(self, site, channel):
        self.answers, self.errors = 0, []
        paths = ["noarch/repodata.json", "noarch/repodata_shards.msgpack.zst"]
        paths.append("noarch/tool-1.0-0.conda")
        self._ends = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=[site.session(), channel + path])
            for path in paths
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ends.set()
        for thread in self._threads:
            thread.join(30)

    def _read(self, session, url):
        while not self._ends.is_set():
            try:
                answer = session.get(url, timeout=20)
                if answer.status_code != 200:
                    self.errors.append(f"{url}: {answer.status_code} {answer.text[:200]}")
            except requests.RequestException as error:
                self.errors.append(f"{url}: {error}")
            self.answers += 1
            time.sleep(0.01)


def test_a_package_is_installed_over_tls(site, channel, tmp_path, monkeypatch):
    assert channel == f"{site.url}/pulp/content/team/"
    monkeypatch.setenv("SSL_CERT_FILE", str(site.certificate))
    ((record,),) = gateway.call(
        "solve", url=channel, cache=tmp_path / "cache", environments=[["tool"]]
    )
    assert record["url"] == f"{channel}noarch/tool-1.0-0.conda"


@pytest.mark.parametrize("name", ["content-1", "content-2", "api-1", "worker-1"])
def test_clients_do_not_notice_that_a_process_is_killed(site, channel, pulp, name):
    with _Clients(site, channel) as clients:
        time.sleep(0.3)
        site.kill(name)
        assert pulp.get("status/")["database_connection"]["connected"]
        seconds = site.wait_until_all_answer()
        # nginx asks the process again after `fail_timeout`, and the next one is killed then.
        time.sleep(1.2)
    print(f"{name}: {clients.answers} answers, {clients.errors}, back after {seconds:.1f} s")
    assert clients.answers > 30
    assert clients.errors == []


def test_all_goes_on_when_the_database_is_back(site, channel, pulp):
    path = f"{channel}noarch/repodata.json"
    site.stop_database()
    try:
        answer = site.session().get(path, timeout=30)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        answer = pulp.session.get(f"{site.url}/pulp/api/v3/status/", timeout=30)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    finally:
        site.start_database()
    seconds = site.wait_until_all_answer()
    print(f"back after {seconds:.1f} s")
    assert site.session().get(path, timeout=30).status_code == 200
    repository = pulp.post("repositories/conda/conda/", name="after", autopublish=True)["pulp_href"]
    # No worker may be there yet when it is dispatched.
    began = time.monotonic()
    pulp.upload(make_package("after"), repository=repository)
    print(f"uploaded after {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < 60


def test_a_process_does_not_start_with_wrong_settings(site, monkeypatch):
    environment = site.environment() | {"PULP_CONDA_ZSTD_LEVEL": "fastest"}
    monkeypatch.setattr(site, "environment", lambda: environment)
    started = site.run("content")
    assert started.returncode == 1
    assert "conda.E001" in started.stderr
    assert os.path.isdir(site.folder / "data/media")
