"""A worker is killed in the middle: clients notice nothing, and the next run ends where the first
would have.
"""

import pytest

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed


@pytest.fixture
def mirror(pulp, upstream, make_mirror, unique):
    """A channel that serves 'a', whose upstream now has 'a' and 'b'."""
    make_channel(upstream.folder, [make_package("a")])
    mirror = make_mirror(subdirs=["noarch"], policy="immediate")
    pulp.sync(mirror.repository)
    make_channel(
        upstream.folder, [make_package("a"), make_package("b", files={"share/b": unique.encode()})]
    )
    return mirror


@pytest.mark.parametrize(
    "path", ["noarch/repodata.json.zst", "noarch/b-1.0-0.conda"], ids=["metadata", "packages"]
)
def test_a_sync_that_is_killed_leaves_the_channel_as_it_was(
    pulp, upstream, mirror, kill_worker_of, path
):
    before = pulp.fetch(mirror.url, "noarch/repodata.json").content
    gate = upstream.hold(path)
    task = pulp.start_sync(mirror.repository)
    assert upstream.reached.wait(30)
    start_again = kill_worker_of(task)
    start_again()
    with pytest.raises(TaskFailed):
        pulp.wait(task)
    gate.set()
    assert pulp.fetch(mirror.url, "noarch/repodata.json").content == before
    assert pulp.names(mirror.url) == ["a"]
    assert pulp.fetch(mirror.url, "noarch/b-1.0-0.conda").status_code == 404

    pulp.sync(mirror.repository)
    assert pulp.names(mirror.url) == ["a", "b"]
    assert pulp.fetch(mirror.url, "noarch/b-1.0-0.conda").status_code == 200
    versions = pulp.get(f"{mirror.repository}versions/")["results"]
    assert all(version["content_summary"]["present"] for version in versions[:-1])


def test_a_publish_that_is_killed_leaves_the_channel_as_it_was(
    pulp, mirror, paused_publish, kill_worker_of
):
    before = pulp.fetch(mirror.url, "noarch/repodata.json").content
    with paused_publish() as in_the_middle:
        task = pulp.start_sync(mirror.repository)
        in_the_middle()
        start_again = kill_worker_of(task)
    start_again()
    with pytest.raises(TaskFailed):
        pulp.wait(task)
    assert pulp.fetch(mirror.url, "noarch/repodata.json").content == before
    assert pulp.fetch(mirror.url, "noarch/b-1.0-0.conda").status_code == 404

    # The version was complete, so the upstream has no news: the sync publishes what was left.
    assert pulp.sync(mirror.repository) is None
    assert pulp.names(mirror.url) == ["a", "b"]
    complete = pulp.get("publications/conda/conda/", repository=mirror.repository)["count"]
    assert complete == len(pulp.get(f"{mirror.repository}versions/")["results"]) - 1


def test_uploads_of_a_task_that_is_killed_are_served_after_the_next_one(
    pulp, unique, paused_publish, kill_worker_of
):
    repository = pulp.post("repositories/conda/conda/", name=unique, autopublish=True)["pulp_href"]
    url = pulp.distribute(repository=repository)

    def send(*names):
        files = [("file", (package.filename, package.data)) for package in map(make_package, names)]
        answer = pulp.session.post(f"{pulp.url}{repository}upload/", files=files)
        answer.raise_for_status()
        return answer.json()

    pulp.wait(send("a"))
    with paused_publish() as in_the_middle:
        task = send("b", "c")
        in_the_middle()
        start_again = kill_worker_of(task["task"])
    start_again()
    with pytest.raises(TaskFailed):
        pulp.wait(task)
    assert pulp.names(url) == ["a"]
    assert pulp.wait(send("d"))["result"]["uploads"][0]["state"] == "published"
    assert pulp.names(url) == ["a", "b", "c", "d"]
