"""Lock files: written from what a stage serves, and read into repository versions."""

import hashlib
import time
from dataclasses import replace

import pytest

from pulp_conda.channel.lockfiles.read import read_lock_file
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed

FORMATS = ["pixi", "conda-lock", "explicit"]


@pytest.fixture(scope="module")
def make_team(pulp, make_repository, upload_once, word):
    """Make a lifecycle with an app that needs a library, which is another file on each platform,
    and an environment.
    """

    def make():
        repository = make_repository()
        app, lib = f"app-{word}", f"lib-{word}"
        packages = [
            upload_once(app, "1.0", depends=[f"{lib} >=1,<2"]),
            upload_once(lib, "1.0", subdir="linux-64"),
            upload_once(lib, "1.0", subdir="osx-arm64"),
        ]
        for package in packages:
            pulp.modify(repository, add=[package])
        pulp.patch(repository, autopublish=True)
        pulp.environment(repository, "analysis", f"{app}\n")
        team = pulp.lifecycle(repository)
        team.app, team.lib = app, lib
        return team

    return make


@pytest.fixture(scope="module")
def untouched(make_team):
    return make_team()


@pytest.fixture
def team(untouched, copied):
    """A team that the test may change."""
    return untouched


@pytest.fixture(scope="module")
def solved(make_team):
    """A team whose environment is solved, for all tests after which it is what it was before."""
    team = make_team()
    _solve(team)
    return team


@pytest.fixture(scope="module")
def repository(pulp, make_repository):
    """An empty one, for all tests that put nothing in it."""
    return pulp.get(make_repository())


def _solve(team, **options):
    """Solve, and return what the tasks of the group say."""
    answer = team.pulp.post(f"{team.href}solve/", **{"stage": "unstable", **options})
    deadline = time.monotonic() + 120
    while True:
        group = team.pulp.get(answer["task_group"])
        assert group["all_tasks_dispatched"]
        if not group["waiting"] + group["running"]:
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    tasks = [team.pulp.get(task["pulp_href"]) for task in group["tasks"]]
    assert {task["state"] for task in tasks} == {"completed"}
    return [outcome for task in tasks for outcome in task["result"]]


def _lock(team, lock_format="pixi", **options):
    query = {"stage": "unstable", "environment": "analysis", "lock_format": lock_format}
    return team.pulp.try_get(f"{team.href}lock/", **query | options)


def _import(pulp, repository, text, **options):
    return pulp.post(f"{repository}import_lock_file/", lock_file=text, **options)["result"]


def _find(pulp, repository, text, **options):
    return pulp.post(f"{repository}find_lock_file/", lock_file=text, **options)["result"]


def _files(text):
    """The hashes in a lock file, by path."""
    return {package.path: package.sha256 for package in read_lock_file(text).packages}


def _served(pulp, url):
    """The hashes that a channel serves, by path."""
    served = {}
    for subdir in ("noarch", "linux-64", "osx-arm64"):
        answer = pulp.fetch(url, f"{subdir}/repodata.json")
        records = answer.json()["packages.conda"] if answer.ok else {}
        served |= {(subdir, name): record["sha256"] for name, record in records.items()}
    return served


def _remove(pulp, repository, **query):
    (package,) = pulp.get("content/conda/packages/", **query)["results"]
    pulp.modify(repository, remove=[package["pulp_href"]])
    return package["pulp_href"]


def test_environments_are_solved_in_a_group_of_tasks(team):
    outcomes = _solve(team, platforms=["linux-64"])
    assert [(o["environment"], o["platform"], o["verdict"]) for o in outcomes] == [
        ("analysis", "linux-64", "solved")
    ]
    assert outcomes[0]["seconds"] > 0
    assert len(_solve(team)) == 2


def test_many_environments_are_shared_among_tasks(pulp, team):
    for number in range(11):
        pulp.environment(team.repository, f"more-{number}", f"{team.app}\n", platforms=["linux-64"])
    answer = pulp.post(f"{team.href}solve/", stage="unstable", environments=["more-*"])
    group = pulp.get(answer["task_group"])
    assert len(group["tasks"]) == 2


def test_a_promotion_finds_what_was_solved_before(pulp, team):
    _solve(team)
    team.set_gates("testing", {"name": "environments", "kind": "environments"})
    task = pulp.post(f"{team.href}promote/", stage="testing")
    (gate,) = task["result"]["gates"]
    assert gate["verdict"] == "passed"
    assert _lock(team, stage="testing").ok


@pytest.mark.parametrize("lock_format", FORMATS)
def test_a_lock_file_goes_round(pulp, solved, make_repository, lock_format):
    platforms = {"platform": "linux-64"} if lock_format == "explicit" else {}
    answer = _lock(solved, lock_format, **platforms)
    assert answer.ok, answer.text
    locked = _files(answer.text)
    assert len(locked) == (2 if platforms else 3)
    assert locked.items() <= _served(pulp, solved.urls["unstable"]).items()
    for package in read_lock_file(answer.text).packages:
        assert package.url.startswith(solved.urls["unstable"])
        assert pulp.fetch(package.url, "").ok

    target = make_repository(autopublish=True)
    report = _import(pulp, target, answer.text, sources=[solved.repository])
    assert (report["outcome"], report["version"]) == ("made", 1)
    assert _served(pulp, pulp.distribute(repository=target)) == locked
    again = _import(pulp, target, answer.text)
    assert (again["outcome"], again["version"]) == ("unchanged", None)

    found = _find(pulp, solved.repository, answer.text)
    assert found["versions"]["shown"] == [4, 3] + ([2] if platforms else [])
    assert found["stages"] == [
        {
            "lifecycle": solved.name,
            "stage": "unstable",
            "serves_now": True,
            "states": {"count": 1, "shown": ["v4"]},
        }
    ]


def test_a_lock_file_is_named_and_typed_as_its_tools_want_it(solved):
    told = {}
    for lock_format in FORMATS:
        answer = _lock(solved, lock_format, platform="linux-64")
        told[lock_format] = (
            answer.headers["Content-Type"],
            answer.headers["Content-Disposition"].partition("filename=")[2],
        )
    assert told == {
        "pixi": ("application/yaml; charset=utf-8", '"pixi.lock"'),
        "conda-lock": ("application/yaml; charset=utf-8", '"conda-lock.yml"'),
        "explicit": ("text/plain; charset=utf-8", '"analysis-linux-64.txt"'),
    }


def test_hashes_of_an_explicit_list_can_be_md5(pulp, solved, make_repository):
    text = _lock(solved, "explicit", platform="linux-64", digest="md5").text
    assert {package.sha256 for package in read_lock_file(text).packages} == {None}
    report = _import(pulp, make_repository(), text, sources=[solved.repository])
    assert (report["outcome"], report["added"]) == ("made", 2)


def test_the_lock_file_of_an_earlier_state_stays(pulp, team):
    _solve(team)
    before = _lock(team).text
    pulp.upload(make_package(team.app, "2.0"), repository=team.repository)
    _solve(team)
    assert _files(_lock(team).text) != _files(before)
    assert _lock(team, state="v4").text == before
    assert all(pulp.fetch(package.url, "").ok for package in read_lock_file(before).packages)


def test_packages_of_another_channel_keep_its_url(pulp, make_repository, unique):
    base = make_repository(autopublish=True)
    pulp.upload(make_package(f"lib-{unique}"), repository=base)
    channel = pulp.distribution(repository=base)
    own = make_repository(autopublish=True)
    pulp.upload(make_package(f"app-{unique}", depends=[f"lib-{unique}"]), repository=own)
    pulp.environment(own, "analysis", f"app-{unique}\n", platforms=["linux-64"])
    team = pulp.lifecycle(own)
    assert [o["verdict"] for o in _solve(team)] == ["unsolvable"]
    assert [o["verdict"] for o in _solve(team, channels=[channel["base_path"]])] == ["solved"]
    lock = read_lock_file(_lock(team, channels=channel["base_path"]).text)
    assert {package.filename.split("-")[0]: package.url for package in lock.packages} == {
        "app": f"{team.urls['unstable']}noarch/app-{unique}-1.0-0.conda",
        "lib": f"{channel['base_url']}noarch/lib-{unique}-1.0-0.conda",
    }
    assert lock.channels == (team.urls["unstable"], channel["base_url"])


def test_what_is_not_solved_has_no_lock_file_yet(team):
    answer = _lock(team)
    assert answer.status_code == 404
    assert "CND0047" in answer.text
    assert "linux-64 is not solved; osx-arm64 is not solved" in answer.text
    assert f"POST {team.href}solve/" in answer.text
    _solve(team, platforms=["linux-64"])
    assert "linux-64" not in _lock(team).json()["detail"]
    assert _lock(team, platform="linux-64").ok


def test_what_cannot_be_solved_has_none_and_the_explanation(pulp, team):
    _remove(pulp, team.repository, name=team.lib, subdir="linux-64")
    _solve(team)
    answer = _lock(team)
    assert answer.status_code == 404
    assert "linux-64 is unsolvable" in answer.text
    assert team.lib in answer.text
    assert "POST" not in answer.text
    assert _lock(team, platform="osx-arm64").ok


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        pytest.param({"environment": "analyses"}, 404, "CND0048", id="no-environment"),
        pytest.param({"environment": "*"}, 400, "environment", id="a-pattern"),
        pytest.param({"stage": "nightly"}, 400, "The stages are 'unstable'", id="no-stage"),
        pytest.param({"stage": "stable"}, 400, "CND0035", id="a-stage-without-anything"),
        pytest.param({"state": "v99"}, 400, "CND0036", id="no-state"),
        pytest.param({"state": "soon"}, 400, "CND0058", id="no-moment"),
        pytest.param({"platform": "win-64"}, 400, "is no platform of it", id="no-platform"),
        pytest.param({"lock_format": "explicit"}, 400, "Name one of", id="several-platforms"),
        pytest.param({"lock_format": "poetry"}, 400, "lock_format", id="no-format"),
        pytest.param({"channels": "no/such"}, 400, "has no channel 'no/such'", id="no-channel"),
        pytest.param({"channels": ["a", "a"]}, 400, "channel", id="a-channel-twice"),
        pytest.param({"colour": "red"}, 400, "Unexpected field", id="no-such-parameter"),
    ],
)
def test_a_wrong_question_for_a_lock_file_is_refused(solved, query, status, words):
    answer = _lock(solved, **query)
    assert answer.status_code == status, answer.text
    assert words in answer.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"environments": ["nothing-*"]}, "CND0048", id="no-environment"),
        pytest.param({"environments": []}, "environments", id="an-empty-list"),
        pytest.param({"platforms": ["win-64"]}, "is no platform of it", id="no-platform"),
        pytest.param({"channels": [7, {}]}, "channels", id="no-channels"),
        pytest.param({"stage": "stable"}, "CND0035", id="a-stage-without-anything"),
    ],
)
def test_a_wrong_wish_to_solve_is_refused(pulp, solved, body, words):
    answer = pulp.try_post(f"{solved.href}solve/", **{"stage": "unstable", **body})
    assert answer.status_code == 400, answer.text
    assert words in answer.text


def test_versions_and_states_that_serve_a_lock_file_are_found_through_removal_and_return(
    pulp, team
):
    _solve(team)
    text = _lock(team).text
    team.promote("testing")
    removed = _remove(pulp, team.repository, name=team.lib, subdir="linux-64")
    team.promote("testing")
    pulp.modify(team.repository, add=[removed])
    answer = _find(pulp, team.repository, text, version=5)
    assert answer["versions"]["shown"] == [6, 4, 3]
    assert not answer["version"]["serves"]
    (missing,) = answer["version"]["missing"]["shown"]
    assert missing["path"] == f"linux-64/{team.lib}-1.0-0.conda"
    told = {stage["stage"]: stage for stage in answer["stages"]}
    assert told["unstable"]["serves_now"]
    assert told["unstable"]["states"]["shown"] == ["v6", "v4"]
    assert not told["testing"]["serves_now"]
    assert told["testing"]["states"]["shown"] == ["v4"]


def test_a_lock_file_of_other_hosts_with_pip_and_secrets_is_read_by_hashes_alone(
    pulp, solved, make_repository
):
    package = make_package(solved.app, "1.0", depends=[f"{solved.lib} >=1,<2"])
    text = f"""\
version: 6
environments:
  default:
    channels:
    - url: https://ada:secret@conda.example.org/t/tk-secret/forge/
    packages:
      linux-64:
      - conda: https://ada:secret@conda.example.org/t/tk-secret/forge/noarch/{package.filename}
      - pypi: https://files.example.org/idna-3.7-py3-none-any.whl
packages:
- conda: https://ada:secret@conda.example.org/t/tk-secret/forge/noarch/{package.filename}
  md5: {package.record.md5}
- pypi: https://files.example.org/idna-3.7-py3-none-any.whl
  name: idna
  version: '3.7'
"""
    repository = make_repository()
    report = _import(pulp, repository, text, sources=[solved.repository])
    assert report["outcome"] == "made"
    assert report["pip"]["shown"] == ["idna==3.7"]
    task = pulp.post(
        f"{repository}find_lock_file/", lock_file=text.replace(".conda\n", "x.conda\n")
    )
    assert task["result"]["closest"]["missing"]["count"] == 1
    assert "secret" not in str(task)


def test_a_lock_file_can_be_uploaded_as_a_file(pulp, solved):
    text = _lock(solved).text
    url = f"{pulp.url}{solved.repository}find_lock_file/"
    answer = pulp.session.post(url, files={"lock_file": ("pixi.lock", text.encode())}, timeout=60)
    assert answer.status_code == 202, answer.text
    assert pulp.wait(answer.json())["result"]["versions"]["count"] == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"@EXPLICIT\n\xff\xfe", "byte 10 is not UTF-8", id="not-utf-8"),
        pytest.param(b"@EXPLICIT\n\0", "NUL", id="binary"),
        pytest.param(b"#" * (2**25 + 1), "are allowed", id="too-large"),
    ],
)
@pytest.mark.parametrize("verb", ["import_lock_file", "find_lock_file"])
def test_what_is_no_text_is_refused_at_once(pulp, repository, verb, data, words):
    url = f"{pulp.url}{repository['pulp_href']}{verb}/"
    answer = pulp.session.post(url, files={"lock_file": ("pixi.lock", data)}, timeout=60)
    assert answer.status_code == 400
    assert words in answer.text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("hello", id="no-lock-file"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("@EXPLICIT\n", id="without-packages"),
    ],
)
@pytest.mark.parametrize("verb", ["import_lock_file", "find_lock_file"])
def test_what_is_no_lock_file_fails_with_a_code(pulp, repository, verb, text):
    with pytest.raises(TaskFailed) as failed:
        pulp.post(f"{repository['pulp_href']}{verb}/", lock_file=text)
    assert failed.value.code == "CND0050"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"lock_file": 7}, "Give the text", id="a-number"),
        pytest.param({"lock_file": "\ud800"}, "CND0050", id="half-a-character"),
        pytest.param({}, "required", id="nothing"),
        pytest.param({"lock_file": "x", "sources": ["/nowhere/"]}, "'/nowhere/'", id="no-source"),
        pytest.param({"lock_file": "x", "sources": [None]}, "sources", id="null-as-a-source"),
        pytest.param({"lock_file": "x", "lock_format": "poetry"}, "poetry", id="no-format"),
    ],
)
def test_a_wrong_import_is_refused_at_once(pulp, repository, body, words):
    answer = pulp.try_post(f"{repository['pulp_href']}import_lock_file/", **body)
    assert answer.status_code == 400, answer.text
    assert words in answer.text


def test_packages_are_taken_only_from_where_somebody_may_look(pulp, solved, make_repository):
    text = _lock(solved).text
    href = make_repository()
    stranger = pulp.user([])
    assert stranger.try_post(f"{href}find_lock_file/", lock_file=text).status_code == 404
    viewer = pulp.user(["conda.condarepository_viewer"])
    assert viewer.try_post(f"{href}import_lock_file/", lock_file=text).status_code == 403
    # A viewer of repositories learns nothing of lifecycles.
    assert _find(viewer, solved.repository, text)["stages"] == []
    owner = pulp.user(["conda.condarepository_creator"])
    own = owner.post("repositories/conda/conda/", name=f"of-{solved.name}")["pulp_href"]
    refused = owner.try_post(f"{own}import_lock_file/", lock_file=text, sources=[solved.repository])
    assert refused.status_code == 400
    assert "that you may see" in refused.text


def test_solving_and_lock_files_ask_for_permissions(pulp, team):
    viewer = team.as_user(pulp.user(["conda.condalifecycle_viewer"]))
    assert viewer.pulp.try_post(f"{team.href}solve/", stage="unstable").status_code == 403
    promoter = team.as_user(pulp.user(["conda.condalifecycle_promoter"]))
    assert len(_solve(promoter)) == 2
    assert _lock(viewer).ok
    # Whose packages others may not see come into no solution of theirs.
    channel = pulp.distribution(repository=team.repository)["base_path"]
    answer = promoter.pulp.try_post(f"{team.href}solve/", stage="unstable", channels=[channel])
    assert (answer.status_code, "has no channel" in answer.text) == (400, True)
    query = {"stage": "unstable", "environment": "analysis", "lock_format": "pixi"}
    assert pulp.user([]).try_get(f"{team.href}lock/", **query).status_code == 404


def test_a_lock_file_has_the_md5_of_packages_whose_records_have_none(
    pulp, upstream, make_mirror, copied, word
):
    packages = [make_package(f"old-{word}"), make_package(f"older-{word}")]
    records = [
        replace(package.record, fields=package.record.fields | {"md5": None})
        for package in packages
    ]
    make_channel(
        upstream.folder,
        [replace(package, record=record) for package, record in zip(packages, records)],
    )
    mirror = make_mirror()
    pulp.environment(mirror.repository, "analysis", f"old-{word}\nolder-{word}\n")
    pulp.sync(mirror.repository)
    team = pulp.lifecycle(mirror.repository)
    _solve(team)
    asked = [("conda-lock", {}), ("explicit", {"digest": "md5", "platform": "linux-64"})]

    # Both files are only upstream, then one of them, then none.
    for absent in (packages, packages[1:], []):
        for package in set(packages) - set(absent):
            assert pulp.fetch(mirror.url, f"noarch/{package.filename}").ok
        for lock_format, options in asked:
            answer = _lock(team, lock_format, **options)
            if absent:
                assert answer.status_code == 404
                assert "[CND0067]" in answer.text
                named = {package for package in packages if f"'{package.filename}'" in answer.text}
                assert named == set(absent)
            else:
                assert answer.ok, answer.text
                locked = {each.filename: each.md5 for each in read_lock_file(answer.text).packages}
                assert locked == {
                    package.filename: hashlib.md5(package.data).hexdigest() for package in packages
                }
        assert _lock(team, "pixi").ok
        assert "#sha256:" in _lock(team, "explicit", platform="linux-64").text
