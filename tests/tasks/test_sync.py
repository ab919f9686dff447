import json
import socket

import pytest

from tests.support.builders import add_shards, make_channel, make_package, make_record
from tests.support.conda import TaskFailed, without_indexed


def _edit(upstream, subdir, change):
    """Change the records of a subdir upstream, without touching a file."""
    (upstream.folder / subdir / "repodata.json.zst").unlink(missing_ok=True)
    path = upstream.folder / subdir / "repodata.json"
    repodata = json.loads(path.read_text())
    change(repodata)
    path.write_text(json.dumps(repodata))


def _refused(pulp, mirror, /, **options):
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository, **options)
    assert refused.value.description.startswith(f"[{refused.value.code}] Remote '{mirror.name}': ")
    return refused.value


def test_a_mirror_has_the_records_of_its_upstream_key_for_key(pulp, upstream, make_mirror):
    packages = [
        make_package("a", extension=".tar.bz2", index={"unknown": {"key": [1, None, "é"]}}),
        make_package("a", "2.0", subdir="linux-64", depends=["b >=1"]),
        make_package("b", index={"license": "MIT"}),
    ]
    make_channel(upstream.folder, packages)
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    for subdir in ("noarch", "linux-64"):
        theirs = json.loads((upstream.folder / subdir / "repodata.json").read_text())
        ours = pulp.fetch(mirror.url, f"{subdir}/repodata.json").json()
        for section in ("packages", "packages.conda"):
            assert without_indexed(ours[section]) == theirs[section]
        assert ours["info"] == {"subdir": subdir}
    for package in packages:
        path = f"{package.subdir}/{package.filename}"
        assert pulp.fetch(mirror.url, path).content == package.data


@pytest.mark.parametrize("policy", ["on_demand", "immediate", "streamed"])
def test_bytes_come_when_the_policy_says(pulp, upstream, make_mirror, policy):
    package = make_package(f"policy-{policy.replace('_', '-')}")
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy=policy)
    pulp.sync(mirror.repository)
    assert len(upstream.asked(package.filename)) == (1 if policy == "immediate" else 0)
    for _ in range(2):
        answer = pulp.fetch(mirror.url, f"noarch/{package.filename}")
        assert answer.content == package.data
    downloads = {"on_demand": 1, "immediate": 1, "streamed": 2}
    assert len(upstream.asked(package.filename)) == downloads[policy]


def test_bytes_that_are_missing_come_when_the_policy_becomes_immediate(
    pulp, upstream, make_mirror, unique
):
    package = make_package(f"switched-{unique}")
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy="on_demand")
    pulp.sync(mirror.repository)
    pulp.patch(mirror.remote, policy="immediate")
    assert pulp.sync(mirror.repository) is None
    assert upstream.asked(package.filename) == [200]
    assert pulp.get("content/conda/packages/", name=package.record.name)["results"][0]["artifact"]


def test_a_channel_on_the_server_s_own_disk_can_be_mirrored(pulp, stack, make_mirror, unique):
    folder = stack.state.imports / unique
    package = make_package("local", f"1!1.0+{unique}")
    make_channel(folder, [package])
    (folder / "noarch/repodata.json.zst").unlink()
    mirror = make_mirror(url=folder.as_uri())
    assert pulp.sync(mirror.repository) == 1
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data


def test_an_unchanged_upstream_costs_one_request_per_subdir_and_makes_no_version(
    pulp, upstream, make_mirror
):
    make_channel(upstream.folder, [make_package("a"), make_package("a", subdir="linux-64")])
    mirror = make_mirror(subdirs=["noarch", "linux-64"])
    assert pulp.sync(mirror.repository) == 1
    upstream.requests.clear()
    assert pulp.sync(mirror.repository) is None
    assert sorted(upstream.requests) == [
        ("GET", "linux-64/repodata.json.zst", 304),
        ("GET", "noarch/repodata.json.zst", 304),
    ]
    assert pulp.sync(mirror.repository, optimize=False) is None


def test_plain_json_serves_where_there_is_no_zstd(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    (upstream.folder / "noarch/repodata.json.zst").unlink()
    mirror = make_mirror()
    assert pulp.sync(mirror.repository) == 1
    upstream.requests.clear()
    assert pulp.sync(mirror.repository) is None
    assert upstream.asked("noarch/repodata.json") == [304]


def test_a_web_page_in_place_of_zstd_is_no_obstacle(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a")])
    upstream.answers["noarch/repodata.json.zst"] = (200, b"<html>Not found</html>")
    assert pulp.sync(make_mirror().repository) == 1


def test_deleted_packages_stay_unless_the_channel_is_a_mirror(pulp, upstream, make_mirror):
    make_channel(
        upstream.folder,
        [make_package("a"), make_package("b"), make_package("c", subdir="linux-64")],
    )
    kept, mirrored = make_mirror(), make_mirror()
    pulp.sync(kept.repository)
    pulp.sync(mirrored.repository, mirror=True)
    _edit(upstream, "noarch", lambda repodata: repodata["packages.conda"].pop("a-1.0-0.conda"))
    assert pulp.sync(kept.repository) is None
    assert pulp.sync(mirrored.repository, mirror=True) == 2
    assert pulp.names(kept.url) == ["a", "b", "c"]
    assert pulp.names(mirrored.url) == ["b", "c"]


def test_a_subdir_that_is_forbidden_today_is_not_taken_for_gone(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a"), make_package("b", subdir="linux-64")])
    mirror = make_mirror()
    # Some mirrors forbid what they do not have.
    for name in ("repodata.json.zst", "repodata.json"):
        upstream.answers[f"win-64/{name}"] = (403, b"")
    pulp.sync(mirror.repository, mirror=True)
    assert pulp.names(mirror.url) == ["a", "b"]
    for name in ("repodata.json.zst", "repodata.json"):
        upstream.answers[f"linux-64/{name}"] = (403, b"")
    for optimize in (True, False):
        error = _refused(pulp, mirror, mirror=True, optimize=optimize)
        assert error.code == "CND0004"
    assert pulp.names(mirror.url) == ["a", "b"]


def test_a_hotfix_is_seen_and_the_old_version_stays_as_it_was(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a", depends=["b"]), make_package("b")])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    before = {
        name: pulp.fetch(mirror.url, f"noarch/{name}").content
        for name in ("repodata.json", "repodata.json.zst")
    }

    def hotfix(repodata):
        repodata["packages.conda"]["a-1.0-0.conda"]["depends"] = ["b <2"]

    _edit(upstream, "noarch", hotfix)
    assert pulp.sync(mirror.repository) == 2
    after = pulp.fetch(mirror.url, "noarch/repodata.json").json()
    assert after["packages.conda"]["a-1.0-0.conda"]["depends"] == ["b <2"]

    old = pulp.publish(f"{mirror.repository}versions/1/")
    url = pulp.distribute(publication=old)
    for name, content in before.items():
        assert pulp.fetch(url, f"noarch/{name}").content == content

    diff = pulp.get(f"{mirror.repository}versions/2/diff/")
    assert diff["counts"] == {"updated": 1}
    assert diff["packages"]["a"][0]["keys"] == ["depends"]


def test_other_bytes_under_a_name_replace_the_file_as_upstream_did(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a", files={"share/a": b"1"})])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    make_channel(upstream.folder, [make_package("a", files={"share/a": b"2"})])
    pulp.sync(mirror.repository)
    diff = pulp.get(f"{mirror.repository}versions/2/diff/")
    assert diff["counts"] == {"replaced": 1}


def test_specs_choose_what_is_mirrored_and_the_rest_is_counted(pulp, upstream, make_mirror):
    versions = ["1.26.4", "2.0.0", "2.1.0"]
    packages = [make_package("numpy", version) for version in versions]
    make_channel(upstream.folder, [*packages, make_package("scipy"), make_package("vim")])
    mirror = make_mirror(includes=["numpy", "scipy"], excludes=["numpy <2"])
    task = pulp.sync_task(mirror.repository)
    assert pulp.names(mirror.url) == ["numpy", "numpy", "scipy"]
    reports = {r["message"]: r["done"] for r in task["progress_reports"]}
    assert reports["Left out: excluded by 'numpy <2'"] == 1
    assert reports["Left out: matched by none of 'includes'"] == 1


def test_changed_specs_are_applied_though_the_upstream_did_not_change(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("a"), make_package("b")])
    mirror = make_mirror(includes=["a"])
    pulp.sync(mirror.repository)
    pulp.patch(mirror.remote, includes=["a", "b"])
    assert pulp.sync(mirror.repository) == 2
    assert pulp.names(mirror.url) == ["a", "b"]


def test_a_file_that_is_already_here_is_not_downloaded_again(pulp, upstream, make_mirror, unique):
    package = make_package(f"here-{unique}")
    pulp.upload(package)
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy="immediate")
    pulp.sync(mirror.repository)
    assert upstream.asked(package.filename) == []
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data


@pytest.mark.parametrize(
    "answer, code, words",
    [
        pytest.param((401, b""), "CND0004", "answered 401. Set the remote's username", id="401"),
        pytest.param((403, b""), "CND0004", "answered 403", id="403"),
        pytest.param((404, b""), "CND0004", "answered 404. Give the URL that stands", id="404"),
        pytest.param((429, b""), "CND0004", "answered 429. The upstream limits", id="429"),
        pytest.param((503, b""), "CND0004", "answered 503. The upstream is in trouble", id="503"),
        pytest.param((200, b"<!DOCTYPE html>"), "CND0014", "it starts with '<!DOCTYPE", id="HTML"),
        pytest.param((200, b'{"packages": {"a-1'), "CND0014", "it is cut short", id="truncated"),
        pytest.param((200, b'{"packages": nope}'), "CND0014", "it is", id="not JSON"),
        pytest.param(
            (200, b'{"info": {"subdir": "osx-64"}}'),
            "CND0015",
            "is for subdir 'osx-64'",
            id="subdir",
        ),
    ],
)
def test_an_upstream_that_misbehaves_changes_nothing(
    pulp, upstream, make_mirror, answer, code, words
):
    make_channel(upstream.folder, [make_package("kept")])
    mirror = make_mirror(subdirs=["noarch"], max_retries=1)
    pulp.sync(mirror.repository)
    served = pulp.fetch(mirror.url, "noarch/repodata.json").content
    upstream.answers["noarch/repodata.json.zst"] = (404, b"")
    upstream.answers["noarch/repodata.json"] = answer
    error = _refused(pulp, mirror)
    assert error.code == code
    assert words in error.description
    assert f"{upstream.url}/noarch/repodata.json" in error.description
    assert pulp.fetch(mirror.url, "noarch/repodata.json").content == served
    upstream.answers.clear()
    assert pulp.sync(mirror.repository, optimize=False) is None


def test_of_two_records_for_one_file_one_is_taken(pulp, upstream, make_mirror):
    first, second, third = (
        json.dumps(make_record("a", depends=depends).fields) for depends in ([], ["b"], ["c"])
    )
    good = make_record("good")

    def write(*records):
        entries = ", ".join(f'"a-1.0-0.conda": {record}' for record in records)
        other = f'"{good.filename}": {json.dumps(good.fields)}'
        text = f'{{"packages.conda": {{{entries}, {other}}}}}'
        (upstream.folder / "noarch/repodata.json").write_text(text)

    def sync():
        task = pulp.sync_task(mirror.repository, mirror=True)
        told = [report["message"] for report in task["progress_reports"]]
        assert ("Left out: it has another record [CND0020]: noarch/a-1.0-0.conda" in told) == twice
        served = pulp.fetch(mirror.url, "noarch/repodata.json").json()["packages.conda"]
        assert good.filename in served
        return served["a-1.0-0.conda"]["depends"]

    (upstream.folder / "noarch").mkdir()
    mirror, twice = make_mirror(), True
    write(first, second)
    assert sync() == ["b"]
    # What the repository has stays, so that it does not change with each sync.
    write(second, third)
    assert sync() == ["b"]
    twice = False
    write(third)
    assert sync() == ["c"]


@pytest.mark.parametrize(
    "url, reason",
    [
        ("ftp://conda.example.org/x", "does not start with 'https://'"),
        ("conda-forge", "does not start with 'https://'"),
        ("https:///x", "it names no host"),
        ("https://conda.example.org/x/linux-64/", "it ends in a subdir"),
    ],
)
def test_a_url_that_can_be_no_channel_is_refused_when_the_remote_is_made(pulp, unique, url, reason):
    answer = pulp.try_post("remotes/conda/conda/", name=unique, url=url)
    assert answer.status_code == 400
    (problem,) = answer.json()["url"]
    assert (
        problem.startswith(f"[CND0025] '{url}' is not the URL of a channel") and reason in problem
    )


def test_what_is_taken_in_bulk_is_what_pulpcore_would_save(
    pulp, stack, upstream, make_mirror, unique
):
    rows = []
    for policy in ("immediate", "on_demand"):
        package = make_package(f"{policy.replace('_', '-')}-{unique}")
        make_channel(upstream.folder, [package])
        mirror = make_mirror(policy=policy)
        pulp.sync(mirror.repository)
        pulp.fetch(mirror.url, f"noarch/{package.filename}").raise_for_status()
        with stack.connect() as connection:
            rows.append(
                connection.execute(
                    "SELECT to_jsonb(content), to_jsonb(artifact), to_jsonb(remote), "
                    "to_jsonb(member)"
                    " FROM conda_condapackage"
                    " JOIN core_content AS content ON content.pulp_id = content_ptr_id"
                    " JOIN core_contentartifact AS artifact ON artifact.content_id = "
                    "content.pulp_id"
                    " JOIN core_remoteartifact AS remote ON content_artifact_id = artifact.pulp_id"
                    " JOIN core_repositorycontent AS member ON member.content_id = content.pulp_id"
                    " WHERE name = %s",
                    [package.record.name],
                ).fetchall()
            )
    # The pipeline has downloaded the file, and so knows more digests of it.
    more = {"sha224", "sha384", "sha512"}
    shapes = [
        [{key: type(row[key]) for key in row.keys() - more} for row in joined]
        for found in rows
        for joined in found
    ]
    assert len(shapes) == 2
    assert shapes[0] == shapes[1]


def test_an_upstream_that_is_not_there_is_an_error(pulp, make_mirror):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    mirror = make_mirror(url=f"http://127.0.0.1:{port}/x", max_retries=1, subdirs=["noarch"])
    error = _refused(pulp, mirror)
    assert error.code == "CND0016"
    assert f"http://127.0.0.1:{port}/x/noarch/repodata_shards.msgpack.zst" in error.description


def test_a_url_without_any_subdir_is_an_error(pulp, upstream, make_mirror):
    assert _refused(pulp, make_mirror()).code == "CND0023"


def test_bytes_that_do_not_match_their_record_stop_an_immediate_sync(pulp, upstream, make_mirror):
    package = make_package("tampered")
    make_channel(upstream.folder, [package])
    tampered = package.data[:-1] + b"X"
    upstream.answers[f"noarch/{package.filename}"] = (200, tampered)
    mirror = make_mirror(policy="immediate", max_retries=1)
    error = _refused(pulp, mirror)
    assert error.code == "CND0017"
    assert f"{upstream.url}/noarch/{package.filename}" in error.description
    assert pulp.get(mirror.repository)["latest_version_href"].endswith("/versions/0/")


@pytest.mark.parametrize("policy", ["on_demand", "streamed"])
def test_bytes_that_do_not_match_their_record_never_reach_a_client_whole(
    pulp, upstream, make_mirror, policy
):
    package = make_package(f"tampered-{policy.replace('_', '-')}")
    make_channel(upstream.folder, [package])
    mirror = make_mirror(policy=policy)
    pulp.sync(mirror.repository)
    upstream.answers[f"noarch/{package.filename}"] = (200, package.data[:-1] + b"X")
    before = pulp.get("artifacts/")["count"]
    with pytest.raises(IOError):
        pulp.fetch(mirror.url, f"noarch/{package.filename}")
    assert pulp.get("artifacts/")["count"] == before


def test_packages_on_another_host_are_fetched_from_there(
    pulp, upstream, make_upstream, make_mirror, unique
):
    package = make_package(f"elsewhere-{unique}")  # no other test has downloaded it
    make_channel(upstream.folder, [package])
    cdn = make_upstream()
    (cdn.folder / package.filename).write_bytes(package.data)

    def point(repodata):
        repodata["info"]["base_url"] = f"{cdn.url}/"
        repodata["repodata_version"] = 2

    _edit(upstream, "noarch", point)
    mirror = make_mirror(username="user", password="secret")
    pulp.sync(mirror.repository)
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert cdn.asked(package.filename) == [200]
    assert all("Authorization" in headers for headers in upstream.headers)
    assert not any("Authorization" in headers for headers in cdn.headers)


def test_specs_are_checked_when_the_remote_is_made(pulp, unique):
    answer = pulp.try_post(
        "remotes/conda/conda/",
        name=unique,
        url="https://conda.example.org/x",
        includes=["scipy", "numpy >=1.26,<<2", "num[py"],
        subdirs=["linux_64"],
    )
    assert answer.status_code == 400
    first, second = answer.json()["includes"]
    assert first.startswith("[CND0007] includes[1]: 'numpy >=1.26,<<2' is not a match spec")
    assert "at character 14" in first
    assert second.startswith("[CND0007] includes[2]: ")
    assert answer.json()["subdirs"][0].startswith("[CND0013] 'linux_64' is not a conda subdir.")


def _warnings(task):
    return [r["message"] for r in task["progress_reports"] if r["code"] == "sync.warning"]


@pytest.mark.parametrize("form", ["flat", "shards"])
def test_a_spec_that_matches_nothing_is_a_warning_until_it_matches(
    pulp, upstream, make_mirror, form
):
    def change(*packages):
        make_channel(upstream.folder, packages)
        if form == "shards":
            add_shards(upstream.folder)

    numpy, other = make_package("numpy"), make_package("other", subdir="linux-64")
    change(numpy, other)
    mirror = make_mirror(includes=["nump", "numpy", "*r"], excludes=["scipi <2", "other >=9"])
    expected = [
        "'nump' matched none of 2 packages (includes[0]). Similar names: 'numpy'.",
        "'scipi <2' matched none of 2 packages (excludes[0]).",
        "'other >=9' matched none of 2 packages (excludes[1]). "
        "There are packages named 'other', but none that it chooses.",
    ]
    assert _warnings(pulp.sync_task(mirror.repository)) == expected
    # Nothing changed, and it is as true as before.
    assert _warnings(pulp.sync_task(mirror.repository)) == expected
    change(numpy, other, make_package("scipi", "1.0"))
    assert _warnings(pulp.sync_task(mirror.repository)) == [expected[0], expected[2]]
    pulp.patch(mirror.remote, includes=[], excludes=["other <9"])
    assert _warnings(pulp.sync_task(mirror.repository)) == []


def test_a_filter_that_leaves_nothing_is_a_warning(pulp, upstream, make_mirror):
    make_channel(upstream.folder, [make_package("numpy"), make_package("numpy", "2.0")])
    mirror = make_mirror(includes=["numpy"], excludes=["num*"])
    (warning,) = _warnings(pulp.sync_task(mirror.repository))
    assert warning == "'includes' and 'excludes' take none of 2 packages."
