"""Blocked packages: they cannot be downloaded, uploaded, synced, copied or promoted, and channels
list them as removed.
"""

from dataclasses import dataclass

import pytest

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed

REASON = "It has a backdoor. Use 1.1."
INDEX = "noarch/repodata.json"
METADATA = (
    INDEX,
    "noarch/repodata.json.zst",
    "noarch/repodata_shards.msgpack.zst",
    "noarch/run_exports.json",
    "channeldata.json",
)


@pytest.fixture
def block(pulp):
    """Block packages, and lift what is left when the test is over."""
    made = []

    def make(reason=REASON, **what):
        made.append(pulp.post("conda/blocks/", public_reason=reason, **what))
        return made[-1]

    yield make
    for each in made:
        pulp.try_delete(each["pulp_href"])


def lift(pulp, block):
    return pulp.delete(block["pulp_href"])


def removed(pulp, url):
    return pulp.fetch(url, INDEX).json()["removed"]


def filenames(pulp, url):
    repodata = pulp.fetch(url, INDEX).json()
    return sorted(repodata["packages"] | repodata["packages.conda"])


@pytest.mark.parametrize(("policy", "by"), [("immediate", "sha256"), ("on_demand", "spec")])
def test_a_blocked_package_cannot_be_downloaded(
    pulp, upstream, make_mirror, unique, block, policy, by
):
    package, other = make_package(f"bad-{unique}"), make_package(f"bad-{unique}", "2.0")
    make_channel(upstream.folder, [package, other])
    mirror = make_mirror(policy=policy)
    pulp.sync(mirror.repository)
    path = f"noarch/{package.filename}"
    etag = pulp.fetch(mirror.url, path, "HEAD").headers["ETag"]
    what = {"sha256": package.record.sha256, "spec": f"bad-{unique} 1.*"}[by]
    made = block(**{by: what})
    assert (made["author"], made["file_count"]) == ("admin", 1)
    for method, headers in [
        ("GET", {}),
        ("HEAD", {}),
        ("GET", {"Range": "bytes=0-9"}),
        ("GET", {"If-None-Match": etag}),
        ("GET", {"If-Match": '"other"'}),
    ]:
        answer = pulp.fetch(mirror.url, path, method, headers=headers)
        assert answer.status_code == 451
        # Else caches keep it, and would do so after the block is lifted.
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "ETag" not in answer.headers
        assert answer.text == (f"451: {REASON}" if method == "GET" else "")
    assert pulp.fetch(mirror.url, f"noarch/{other.filename}").content == other.data
    lift(pulp, made)
    assert pulp.fetch(mirror.url, path).content == package.data


@dataclass
class Team:
    """A lifecycle whose stages serve a bad package, and in `unstable` its fixed build."""

    lifecycle: object
    bad: object
    good: object

    def url(self, stage):
        return self.lifecycle.urls[stage]


@pytest.fixture
def team(pulp, make_repository, unique):
    repository = make_repository(autopublish=True)
    bad, good = (make_package(f"bad-{unique}", version) for version in ("1.0", "1.1"))
    pulp.upload(bad, repository=repository)
    lifecycle = pulp.lifecycle(repository)
    for stage in ("testing", "stable"):
        lifecycle.promote(stage)
    pulp.upload(good, repository=repository)
    return Team(lifecycle, bad, good)


def test_channels_and_stages_list_a_blocked_package_as_removed_and_the_past_stays(
    pulp, team, block
):
    version = f"{team.lifecycle.repository}versions/1/"
    publication = pulp.newest_publication(team.lifecycle.repository)
    stable = team.url("stable")
    past = f"{stable}at/v1/"
    before = {path: pulp.fetch(stable, path).content for path in METADATA}
    urls = [
        pulp.distribute(repository=team.lifecycle.repository),
        pulp.distribute(repository_version=version),
        pulp.distribute(publication=publication),
        stable,
        team.url("unstable"),
    ]
    made = block(spec=f"{team.bad.record.name} 1.0", internal_note="SEC-1")
    for url in urls:
        assert removed(pulp, url) == [team.bad.filename]
        assert team.bad.filename not in filenames(pulp, url)
        shards = pulp.fetch_shards(url)
        assert shards["removed"] == [team.bad.filename]
        assert team.bad.filename not in shards["packages.conda"]
        run_exports = pulp.fetch(url, "noarch/run_exports.json").json()
        assert team.bad.filename not in run_exports["packages.conda"]

    entry, promoted = team.lifecycle.history("stable")
    assert (entry["kind"], entry["outcome"], entry["state"]) == ("blocked", "moved", "v1.1")
    assert (entry["before"], entry["reason"], entry["requested_by"]) == ("v1", REASON, "admin")
    assert entry["report"]["blocked"] == [f"noarch/{team.bad.filename}: {REASON}"]
    assert "SEC-1" not in str(entry)
    assert promoted["until"] == entry["moved_at"]
    for path, content in before.items():
        assert pulp.fetch(past, path).content == content
    assert pulp.fetch(past, f"noarch/{team.bad.filename}").status_code == 451
    feed = pulp.fetch(stable, "history.atom").text
    assert "packages of stable were blocked, v1.1" in feed and REASON in feed

    # A second try finds nothing to do.
    pulp.post(f"{made['pulp_href']}publish/")
    assert team.lifecycle.state("stable") == "v1.1"


def test_the_users_of_a_stage_and_its_webhook_are_told_of_a_block(pulp, team, block):
    lifecycle, path = team.lifecycle.href, f"noarch/{team.bad.filename}"
    pulp.patch(lifecycle, announce=True, webhook_url="http://127.0.0.1:9/")
    made = block(spec=f"{team.bad.record.name} 1.0")

    def told():
        (notice,) = pulp.fetch(team.url("stable"), "notices.json").json()["notices"]
        events = pulp.list(f"{lifecycle}deliveries/")
        (newest, *_) = (event for event in events if event["stage"] == "stable")
        return notice["message"], newest["event"]

    assert told() == (f"1 file blocked in stable: {path}. {REASON}", "blocked")
    lift(pulp, made)
    assert told() == (f"1 file no longer blocked in stable: {path}.", "unblocked")


def test_no_rollback_goes_behind_a_block(pulp, team, block):
    team.lifecycle.roll_back("unstable")
    team.lifecycle.promote("testing", state="v2", source="unstable")
    made = block(sha256=team.bad.record.sha256)
    # The first stage was rolled back, and does not follow what was published again.
    assert team.lifecycle.state("unstable") == "v1.1"
    assert team.lifecycle.state("testing") == "v2.1"
    first = team.lifecycle.history("testing")[-1]
    for options in ({}, {"entry": first["number"]}):
        with pytest.raises(TaskFailed) as refused:
            team.lifecycle.roll_back("testing", **options)
        assert refused.value.code == "CND0071"
    assert team.lifecycle.state("testing") == "v2.1"
    team.lifecycle.promote("testing")
    assert team.lifecycle.state("testing") == "v1.1"
    assert team.lifecycle.roll_back("testing")["after"] == "v2.1"
    lift(pulp, made)
    assert team.lifecycle.state("unstable") == "v1.2"
    assert team.lifecycle.roll_back("testing", entry=first["number"])["after"] == "v1"


def test_no_promotion_brings_a_blocked_package_and_no_override_helps(pulp, team, block):
    team.lifecycle.set_gates("testing", {"name": "yes", "kind": "approval"})
    block(sha256=team.bad.record.sha256)
    overrides = {"yes": "I know better"}
    report = team.lifecycle.promote("testing", state="v2", overrides=overrides)
    assert report["outcome"] == "blocked"
    verdict = report["gates"][-1]
    assert (verdict["name"], verdict["verdict"]) == ("blocks", "failed")
    finding = {
        "path": f"noarch/{team.bad.filename}",
        "sha256": team.bad.record.sha256,
        "reason": REASON,
    }
    assert verdict["findings"] == [finding]
    # What the stage before serves lists it no more.
    report = team.lifecycle.promote("testing", overrides=overrides)
    assert (report["outcome"], report["after"]) == ("moved", "v2.1")


def test_the_fixed_build_is_promoted_alone(pulp, team, block):
    block(sha256=team.bad.record.sha256)
    report = team.lifecycle.promote_packages("stable", team.bad.record.name)
    assert [package["path"] for package in report["packages"]] == [f"noarch/{team.good.filename}"]
    assert report["blocked"] == [f"noarch/{team.bad.filename}: {REASON}"]
    assert team.lifecycle.state("stable") == "v1.2"
    assert filenames(pulp, team.url("stable")) == [team.good.filename]
    assert removed(pulp, team.url("stable")) == [team.bad.filename]
    with pytest.raises(TaskFailed) as refused:
        team.lifecycle.promote_packages("stable", f"{team.bad.record.name} 1.0")
    assert refused.value.code == "CND0070"


def test_lifting_publishes_again_and_moves_nothing_back(pulp, team, block):
    url = team.url("stable")
    before = pulp.fetch(url, INDEX).content
    made = block(sha256=team.bad.record.sha256)
    second = block("Another reason", spec=team.bad.record.name + " 1.0")
    lift(pulp, made)
    # The other block is still there.
    assert pulp.fetch(url, f"noarch/{team.bad.filename}").text == "451: Another reason"
    assert team.lifecycle.state("stable") == "v1.1"
    lift(pulp, second)
    entry = team.lifecycle.history("stable")[0]
    facts = ("unblocked", "v1.2", "Another reason")
    assert (entry["kind"], entry["state"], entry["reason"]) == facts
    assert pulp.fetch(url, INDEX).content == before
    assert pulp.fetch(url, f"noarch/{team.bad.filename}").content == team.bad.data


def test_blocked_packages_are_refused_on_every_way_in(pulp, make_repository, team, block, unique):
    source = team.lifecycle.repository
    target = make_repository()
    bad = pulp.get("content/conda/packages/", sha256=team.bad.record.sha256)["results"][0]
    block(spec=f"bad-{unique} <1.1")
    for package in (team.bad, make_package(f"bad-{unique}", "0.9")):
        for path in ("content/conda/packages/", "content/conda/packages/upload/"):
            answer = pulp.post_bytes(path, package.filename, package.data)
            if answer.status_code == 202:
                with pytest.raises(TaskFailed) as refused:
                    pulp.wait(answer.json())
                assert refused.value.code == "CND0070" and REASON[:-1] in refused.value.description
            else:
                assert answer.status_code == 400 and "CND0070" in answer.text
    with pytest.raises(TaskFailed) as refused:
        pulp.modify(target, add=[bad["pulp_href"]])
    assert refused.value.code == "CND0070"
    with pytest.raises(TaskFailed) as refused:
        pulp.post(f"{target}copy/", source=source, specs=[f"bad-{unique} 1.0"])
    assert refused.value.code == "CND0070"
    report = pulp.post(f"{target}copy/", source=source, specs=[f"bad-{unique}"])["result"]
    assert report["blocked"] == [f"noarch/{team.bad.filename}: {REASON}"]
    assert [package["version"] for package in report["packages"]] == ["1.1"]


def test_a_sync_leaves_out_what_is_blocked_and_takes_it_when_it_is_not(
    pulp, upstream, make_mirror, block, unique
):
    bad, fine = make_package(f"bad-{unique}"), make_package(f"fine-{unique}")
    make_channel(upstream.folder, [bad, fine])
    mirror = make_mirror()
    made = block(spec=f"b*-{unique}")
    task = pulp.sync_task(mirror.repository, mirror=True)
    left_out = [report for report in task["progress_reports"] if report["code"] == "sync.left_out"]
    assert [(report["message"], report["done"]) for report in left_out] == [
        (f"Left out: blocked: {REASON}", 1)
    ]
    assert filenames(pulp, mirror.url) == [fine.filename]
    lift(pulp, made)
    pulp.sync(mirror.repository, mirror=True)
    assert filenames(pulp, mirror.url) == [bad.filename, fine.filename]
    # A mirror does not know whether the upstream still has what is blocked.
    block(sha256=bad.record.sha256)
    make_channel(upstream.folder, [bad, make_package(f"new-{unique}")])
    pulp.sync(mirror.repository, mirror=True)
    assert filenames(pulp, mirror.url) == [f"new-{unique}-1.0-0.conda"]
    assert removed(pulp, mirror.url) == [bad.filename]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"sha256": "ab"}, id="no digest"),
        pytest.param({"spec": "numpy >=1,<<2"}, id="no match spec"),
        pytest.param({"sha256": "a" * 64, "spec": "numpy"}, id="both"),
        pytest.param({"spec": "numpy", "public_reason": ""}, id="no reason"),
    ],
)
def test_a_block_says_what_and_why(pulp, body):
    answer = pulp.try_post("conda/blocks/", **{"public_reason": REASON, **body})
    assert answer.status_code == 400


def test_a_block_stays_about_the_same_packages(pulp, block, unique):
    made = block(spec=unique)
    assert pulp.try_post("conda/blocks/", spec=unique, public_reason="x").status_code == 400
    assert pulp.try_patch(made["pulp_href"], spec="other").status_code == 400
    changed = pulp.patch(made["pulp_href"], public_reason="New", internal_note="Note")
    assert (changed["spec"], changed["public_reason"]) == (unique, "New")


def test_the_answer_says_what_a_block_touches(pulp, team, block):
    repository = team.lifecycle.repository
    pulp.environment(repository, "app", f"{team.bad.record.name} 1.0\n", platforms=["linux-64"])
    team.lifecycle.promote("testing")
    pulp.post(f"{team.lifecycle.href}solve/", stage="testing")
    pulp.modify(repository, remove=["*"])
    made = block(sha256=team.bad.record.sha256)
    touched = made["touched"]
    path = f"noarch/{team.bad.filename}"
    urls = {stage: url.rstrip("/") for stage, url in team.lifecycle.urls.items()}
    assert [
        (channel["base_url"].rstrip("/"), channel["now"], channel["paths"])
        for channel in touched["channels"]["shown"]
    ] == [
        (urls["stable"], True, [path]),
        (urls["testing"], True, [path]),
        (urls["unstable"], False, [path]),
    ]
    states = [
        (state["stage"], state["state"], state["until"] is None)
        for state in touched["stages"]["shown"]
    ]
    assert states == [
        ("unstable", "v3", False),
        ("unstable", "v2", False),
        ("unstable", "v1", False),
        ("testing", "v3", True),
        ("testing", "v1", False),
        ("stable", "v1", True),
    ]
    solved = {"environment": "app", "platform": "linux-64"}
    (environment,) = touched["environments"]["shown"]
    assert environment.items() >= solved.items()
    locks = touched["lock_files"]
    assert locks["count"] == 2 and locks["shown"][-1].items() >= solved.items() | {
        ("stage", "testing"),
        ("state", "v3"),
    }
    assert set(touched["purge"]["shown"]) == {
        url + end for url in urls.values() for end in (f"/{path}", "/at/", "@", "/@")
    }
    assert pulp.get(made["task_group"])["failed"] == 0
    # Who may see the block, and none of the channels, gets numbers alone.
    viewer = pulp.user(["conda.condablock_viewer"])
    seen = viewer.get(f"{made['pulp_href']}touched/")
    assert {name: each["shown"] for name, each in seen.items()} == dict.fromkeys(touched, [])
    assert seen["purge"]["count"] == 12


def test_only_some_people_block(pulp, block, unique):
    made = block(spec=unique)
    nobody = pulp.user([])
    assert nobody.try_post("conda/blocks/", spec="x", public_reason="x").status_code == 403
    assert nobody.try_get(made["pulp_href"]).status_code == 404
    assert nobody.try_delete(made["pulp_href"]).status_code == 404
    viewer = pulp.user(["conda.condablock_viewer"])
    assert viewer.try_get(made["pulp_href"]).status_code == 200
    assert viewer.try_delete(made["pulp_href"]).status_code == 403
    creator = pulp.user(["conda.condablock_creator"])
    own = creator.post("conda/blocks/", spec=f"{unique}-own", public_reason="x")
    assert own["author"] == creator.session.auth[0]
    assert creator.try_delete(own["pulp_href"]).status_code == 202
