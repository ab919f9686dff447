"""Upstreams whose repodata can be had in one form and not in another."""

import random
import socket

import pytest

from tests.support.builders import add_shards, make_channel, make_package
from tests.support.conda import TaskFailed

INDEX = "repodata_shards.msgpack.zst"
ZST = "repodata.json.zst"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    """Let downloads be tried again at once: pulpcore waits up to some random seconds before."""
    monkeypatch.setattr(random, "uniform", lambda low, high: 0)


def _warnings(task):
    reports = task["progress_reports"]
    return [report["message"] for report in reports if report["code"] == "sync.warning"]


def _dead_url():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return "http://127.0.0.1:{}/".format(closed.getsockname()[1])


def _write(upstream, packages):
    make_channel(upstream.folder, packages)
    add_shards(upstream.folder)


def _shards(upstream, subdir="noarch"):
    return sorted((upstream.folder / subdir / "shards").iterdir())


def test_where_the_index_of_shards_cannot_be_had_the_flat_form_is_read(pulp, upstream, make_mirror):
    answers = {
        "noarch": (400, b""),
        "linux-64": (401, b""),
        "linux-aarch64": (403, b""),
        "osx-64": (429, b""),
        "osx-arm64": (500, b""),
        "win-64": (200, b""),
        "linux-ppc64le": (200, b"<html>Not found</html>"),
    }
    dead, plain = "linux-s390x", "win-arm64"
    subdirs = [*answers, dead, plain]
    _write(upstream, [make_package("a", subdir=subdir) for subdir in subdirs])
    upstream.answers = {f"{subdir}/{INDEX}": answer for subdir, answer in answers.items()}
    for name in (INDEX, ZST):
        upstream.redirects[f"{dead}/{name}"] = _dead_url()
    # To have no shards is no fault, and nothing to warn about.
    upstream.answers[f"{plain}/{INDEX}"] = (404, b"")
    mirror = make_mirror(subdirs=subdirs, max_retries=1)
    task = pulp.sync_task(mirror.repository, mirror=True)
    for subdir in subdirs:
        assert pulp.fetch(mirror.url, f"{subdir}/repodata.json").json()["packages.conda"]
    warnings = _warnings(task)
    for subdir in (*answers, dead):
        read = f"{subdir}/repodata.json" if subdir == dead else f"{subdir}/{ZST}"
        (warning,) = [text for text in warnings if f"'{read}'" in text]
        assert warning.startswith(f"Read '{read}' instead: [CND00")
        assert f"/{subdir}/{INDEX}'" in warning
    assert len(warnings) == len(subdirs) - 1
    assert pulp.sync(mirror.repository, mirror=True) is None


def test_an_answer_to_another_request_says_nothing_about_the_form(pulp, upstream, make_mirror):
    _write(upstream, [make_package("a")])
    upstream.answers[f"noarch/{INDEX}"] = (416, b"")
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(make_mirror(subdirs=["noarch"]).repository)
    assert refused.value.code == "CND0004"


def _cut(upstream):
    index = upstream.folder / "linux-64" / INDEX
    index.write_bytes(index.read_bytes()[:-7])


def _lose(upstream):
    _shards(upstream, "linux-64")[0].unlink()


def _swap(upstream):
    first, second = _shards(upstream, "linux-64")
    first.write_bytes(second.read_bytes())


def _fail(upstream):
    for shard in _shards(upstream, "linux-64"):
        upstream.answers[f"linux-64/shards/{shard.name}"] = (502, b"")


def _kill(upstream):
    add_shards(upstream.folder, shards_base_url=_dead_url())


@pytest.mark.parametrize(
    "spoil, code",
    [
        pytest.param(_cut, "CND0026", id="cut index"),
        pytest.param(_lose, "CND0027", id="missing shard"),
        pytest.param(_swap, "CND0027", id="wrong shard"),
        pytest.param(_fail, "CND0004", id="failing shards"),
        pytest.param(_kill, "CND0016", id="shards on a dead host"),
    ],
)
def test_where_shards_are_wrong_the_flat_form_is_read(pulp, upstream, make_mirror, spoil, code):
    packages = [make_package("a"), make_package("b", subdir="linux-64")]
    _write(upstream, [*packages, make_package("c", subdir="linux-64")])
    spoil(upstream)
    mirror = make_mirror(subdirs=["noarch", "linux-64"], max_retries=1)
    task = pulp.sync_task(mirror.repository, mirror=True)
    assert pulp.names(mirror.url) == ["a", "b", "c"]
    (warning,) = _warnings(task)
    assert warning.startswith(f"Read 'noarch/{ZST}', 'linux-64/{ZST}' instead: [{code}] ")


def test_flat_files_are_tried_one_after_the_other(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a"), make_package("b", subdir="linux-64")])
    whole = (upstream.folder / "noarch" / ZST).read_bytes()
    upstream.answers[f"noarch/{ZST}"] = (200, whole[:-5])
    mirror = make_mirror(subdirs=["noarch", "linux-64"])
    task = pulp.sync_task(mirror.repository, mirror=True)
    assert pulp.names(mirror.url) == ["a", "b"]
    (warning,) = _warnings(task)
    assert f"{ZST}' is not repodata: it is cut short" in warning


def test_if_no_form_can_be_used_the_error_is_that_of_the_best_one(pulp, upstream, make_mirror):
    _write(upstream, [make_package("a")])
    _shards(upstream)[0].unlink()
    upstream.answers[f"noarch/{ZST}"] = (404, b"")
    for answer in ((404, b""), (200, b'{"packages": {"a-1')):
        upstream.answers["noarch/repodata.json"] = answer
        with pytest.raises(TaskFailed) as refused:
            pulp.sync(make_mirror(subdirs=["noarch"]).repository)
        assert refused.value.code == "CND0027"


def test_a_remote_can_name_the_form(pulp, upstream, make_mirror):
    _write(upstream, [make_package("a")])
    flat, shards = (make_mirror(repodata_form=form) for form in ("flat", "shards"))
    pulp.sync(flat.repository)
    assert pulp.names(flat.url) == ["a"]
    assert not upstream.asked(INDEX)
    assert pulp.sync(flat.repository) is None

    upstream.requests.clear()
    pulp.sync(shards.repository)
    assert pulp.names(shards.url) == ["a"]
    # The form of the last sync is another one.
    pulp.patch(flat.remote, repodata_form="shards")
    assert pulp.sync(flat.repository) is None
    (upstream.folder / "noarch" / INDEX).unlink()
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(shards.repository)
    assert refused.value.code == "CND0023"
    assert "'repodata_form' is 'shards'" in refused.value.description
    assert not upstream.asked(ZST) and not upstream.asked("repodata.json")
    assert pulp.names(shards.url) == ["a"]


def test_a_subdir_that_cannot_be_asked_for_is_not_taken_for_gone(pulp, upstream, make_mirror):
    # It has shards only, which is a channel as well.
    _write(upstream, [make_package("a"), make_package("b", subdir="linux-64")])
    for name in ("repodata.json", ZST):
        (upstream.folder / "linux-64" / name).unlink()
    first = make_mirror(max_retries=1)
    pulp.sync(first.repository, mirror=True)
    assert pulp.names(first.url) == ["a", "b"]
    upstream.answers[f"linux-64/{INDEX}"] = (503, b"")
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(first.repository, mirror=True)
    assert refused.value.code == "CND0004"
    assert f"linux-64/{INDEX}" in refused.value.description

    # It is unknown whether an upstream that was never read has this subdir.
    second = make_mirror(max_retries=1)
    task = pulp.sync_task(second.repository, mirror=True)
    assert pulp.names(second.url) == ["a"]
    (warning,) = _warnings(task)
    assert warning.startswith("Left out: 'linux-64', which may exist: [CND0004] ")
