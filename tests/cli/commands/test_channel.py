"""What people do with a channel, each with one command."""

import json

import pytest
from django.test import override_settings

from tests.support.builders import make_channel, make_package


@pytest.fixture
def team(cli, pulp, unique):
    """A channel of one's own with two versions: numpy 1.0, and then 2.0 beside it."""
    name = f"team-{unique}"
    repository = cli.json("conda", "channel", "create", name)["pulp_href"]
    pulp.upload(make_package("numpy", "1.0"), repository=repository)
    pulp.upload(make_package("numpy", "2.0", depends=["blas"]), repository=repository)
    return name


def test_a_mirror_is_one_command_that_changes_only_what_is_not_as_said(cli, pulp, upstream, unique):
    packages = [make_package("numpy", version) for version in ("1.0", "2.0")]
    make_channel(upstream.folder, packages, subdirs=["linux-64"])
    name = f"mirror-{unique}"
    create = ("conda", "channel", "create", name, "--upstream", upstream.url)
    options = ("--subdirs", "linux-64,noarch", "--include", "numpy >=2", "--include", "scipy")
    done = cli.ok(*create, *options, "--sync")
    assert "Warning: 'scipy' matched none of 2 packages (includes[1])." in done.stderr
    made = json.loads(done.stdout)
    assert list(made["changed"]) == ["remote", "repository", "distribution"]
    assert (made["version"], made["packages"]) == (1, 1)
    assert made["includes"] == ["numpy >=2", "scipy"]
    (url,) = made["urls"]
    assert url.endswith(f"/{name}/")
    assert pulp.names(url) == ["numpy"]

    again = cli.ok(*create, *options)
    assert json.loads(again.stdout) == made | {"changed": {}}
    assert "needs no change" in again.stderr

    changed = cli.json("conda", "channel", "create", name, "--include", "", "--policy", "immediate")
    assert changed["changed"] == {"remote": ["includes", "policy"]}
    assert (changed["includes"], changed["subdirs"]) == ([], ["linux-64", "noarch"])

    done = cli.ok("conda", "channel", "sync", name)
    assert json.loads(done.stdout) == {"changed": True, "version": 2}
    assert "Warning" not in done.stderr
    assert cli.json("conda", "channel", "sync", name) == {"changed": False, "version": None}
    assert cli.json("conda", "channel", "show", name)["packages"] == 2
    listed = cli.json("conda", "channel", "list", "--limit", "1000")
    assert {"name": name, "version": 2, "urls": [url], "description": None} in listed

    make_channel(upstream.folder, [], subdirs=["linux-64", "noarch"])
    refused = cli("conda", "channel", "sync", name, "--mirror")
    assert refused.exit_code != 0 and "[CND0087]" in refused.stderr
    meant = cli.json("conda", "channel", "sync", name, "--mirror", "--allow-mass-removal")
    assert meant == {"changed": True, "version": 3}


@pytest.mark.usefixtures("tiny_solver")
def test_a_curated_mirror_is_planned_made_and_explained(cli, pulp, upstream, unique):
    packages = [make_package("app", depends=["lib"]), make_package("lib"), make_package("other")]
    make_channel(upstream.folder, packages)
    name = f"mirror-{unique}"
    create = ("conda", "channel", "create", name, "--upstream", upstream.url)
    create += ("--subdirs", "noarch")
    options = ("--with-dependencies", "--include", "app", "--newest", "1")
    cli.ok(*create)
    planned = cli.ok("conda", "channel", "plan", name, "app")
    assert json.loads(planned.stdout)["count"] == 2
    assert "2 packages, " in planned.stderr
    assert cli.json(*create, *options)["changed"] == {"repository": ["selection"]}
    assert cli.json(*create, *options, "--sync")["changed"] == {}
    assert cli.json("conda", "channel", "show", name)["packages"] == 2
    answers = cli.json("conda", "channel", "why", name, "lib", "other")
    assert [answer["selected"] for answer in answers] == [True, False]
    changed = cli.json("conda", "channel", "create", name, "--selection", '{"keep_days": 5}')
    assert changed["selection"]["newest"] == 1 and changed["selection"]["keep_days"] == 5
    refused = cli("conda", "channel", "create", name, "--newest", "3")
    assert "'--with-dependencies'" in refused.stderr


def test_a_virtual_channel_is_made_of_channels_in_their_order(cli, pulp, team, unique):
    other, name = f"other-{unique}", f"all-{unique}"
    there = cli.json("conda", "channel", "create", other, "--base-path", f"{other}/path")
    pulp.upload(make_package("numpy", "9.0"), repository=there["pulp_href"])
    pulp.upload(make_package("scipy"), repository=there["pulp_href"])
    create = ("conda", "channel", "create", name)
    merge = ("--merge", f"{team}=Acme-*, numpy", "--merge", f"{other}/path")
    foreseen = cli.ok(*create, *merge, "--dry-run")
    assert "repository" in json.loads(foreseen.stdout)["changed"]
    done = cli.ok(*create, *merge)
    assert f"Channel '{name}' is ready.\n" in done.stderr
    made = json.loads(done.stdout)
    merged = [
        {"distribution": team, "owns": ["acme-*", "numpy"]},
        {"distribution": other, "owns": []},
    ]
    assert made["merged_channels"] == merged
    records = pulp.fetch(made["urls"][0], "noarch/repodata.json").json()["packages.conda"]
    assert sorted(records) == ["numpy-1.0-0.conda", "numpy-2.0-0.conda", "scipy-1.0-0.conda"]
    assert cli.json(*create, *merge)["changed"] == cli.json(*create)["changed"] == {}

    update = ("conda", "repository", "update", "--name", name, "--merged-channels")
    cli.ok(*update, json.dumps([{"distribution": other}, {"distribution": team}]))
    shown = cli.ok("--format", "table", "conda", "channel", "show", name).stdout
    assert f"{other}, {team}\n" in shown and "files" not in shown
    changed = cli.json(*create, *merge)
    assert changed["changed"] == {"repository": ["merged_channels"]}
    shown = cli.ok("--format", "table", "conda", "channel", "show", name).stdout
    assert f"{team} (acme-*, numpy), {other}\n" in shown

    for words, said in {
        (*create, "--merge", team[:-1]): f"'--merge': There is no conda distribution '{team[:-1]}'."
        f" Did you mean '{team}'",
        (*create, "--merge", ""): "'--merge': write CHANNEL",
        (*create, "--merge", f"{team}="): "'--merge': write CHANNEL",
        (*create, "--merge", f"{team}=a/b"): "--merge (value 1, owns",
        (*update, '[{"owns": []}]'): "'--merged-channels': It must be a list",
        (
            *update,
            '[{"distribution": ""}]',
        ): "'--merged-channels': There is no conda distribution ''",
        (*update, "[]"): "--merged-channels: ",
        ("conda", "channel", "create", team, "--merge", other): "--merge: ",
        (*create, "--merge", name): "is a virtual channel itself",
        (*create, "--upstream", "https://conda.example.org/x"): "a virtual channel has no 'remote'",
    }.items():
        refused = cli(*words)
        assert refused.exit_code != 0 and said in refused.stderr, refused

    # The remote that was made for it is gone again.
    assert cli("conda", "remote", "show", "--name", name).exit_code != 0

    staged = ("conda", "channel", "create", f"{name}-staged", "--stages", "a,b", "--merge", team)
    assert _paths(cli.json(*staged)) == [f"{name}-staged/a", f"{name}-staged/b"]
    assert cli.json(*staged)["changed"] == {}


def test_clients_are_told_to_load_other_channels_with_a_channel(cli, pulp, team, unique):
    forge, staged = f"forge-{unique}", f"staged-{unique}"
    cli.ok("conda", "channel", "create", forge, "--base-path", f"{forge}/path")
    create = ("conda", "channel", "create", team)
    made = cli.json(*create, "--overrides", f"{forge}/path")
    assert made["changed"] == {"repository": ["channel_relations"]}
    assert made["channel_relations"] == {"overrides": f"../{forge}/path"}
    assert cli.json(*create, "--overrides", forge)["changed"] == cli.json(*create)["changed"] == {}
    pulp.upload(make_package("numpy", "3.0"), repository=made["pulp_href"])
    info = pulp.fetch(made["urls"][0], "noarch/repodata.json").json()["info"]
    assert info["channel_relations"] == {"overrides": f"../{forge}/path"}
    assert cli.json(*create, "--overrides", "", "--base", forge)["channel_relations"] == {
        "base": f"../{forge}/path"
    }
    made = cli.json("conda", "channel", "create", staged, "--stages", "a,b", "--overrides", forge)
    assert made["channel_relations"] == {"overrides": f"../../{forge}/path"}
    for words, said in {
        (*create, "--base", f"{forge}x"): f"'--base': There is no conda distribution '{forge}x'.",
        ("conda", "channel", "create", unique, "--merge", forge, "--base", team): "needs no rel",
    }.items():
        refused = cli(*words)
        assert refused.exit_code != 0 and said in refused.stderr, refused


def test_a_channel_is_made_private_and_public_by_one_option(cli, pulp, unique):
    create = ("conda", "channel", "create", unique)
    made = cli.json(*create, "--private")
    assert made["private"] is True
    assert pulp.fetch(made["urls"][0], "noarch/repodata.json").status_code == 401
    assert cli.json(*create)["changed"] == cli.json(*create, "--private")["changed"] == {}
    opened = cli.json(*create, "--public")
    assert opened["changed"] == {"distribution": ["private"]}
    assert cli.json("conda", "channel", "show", unique)["private"] is False
    assert pulp.fetch(made["urls"][0], "noarch/repodata.json").status_code == 200
    cli.ok("conda", "distribution", "update", "--name", unique, "--private")
    assert cli.json("conda", "distribution", "show", "--name", unique)["private"] is True


def _paths(shown):
    return [stage["url"].rstrip("/").partition("/content/")[2] for stage in shown["stages"]]


def test_a_channel_and_its_stages_are_one_command(cli, pulp, unique):
    create = ("conda", "channel", "create", unique, "--stages", "unstable,testing,stable")
    made = cli.json(*create)
    assert made["changed"] == {
        "repository": ["autopublish", "name"],
        "lifecycle": ["base_path", "name", "repository", "stages"],
    }
    assert _paths(made) == [f"{unique}/{stage}" for stage in ("unstable", "testing", "stable")]
    assert made["urls"] == [stage["url"] for stage in made["stages"]]
    # Neither this command again nor one about something else makes another URL.
    for again in (create, (*create, "--base-path", unique), create[:4]):
        assert cli.json(*again)["changed"] == {}
    more = cli.json(*create[:5], "unstable,testing,stable,frozen")
    assert more["changed"] == {"lifecycle": ["stages"]}
    assert _paths(more)[-1] == f"{unique}/frozen"
    moved = cli(*create, "--base-path", "elsewhere")
    assert f"Stage 'unstable' of channel '{unique}' stays at '{unique}/unstable'" in moved.stderr
    outcome = cli(*create[:5], "unstable,unstable")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("Error: --stages: ") and "[CND0040]\n" in outcome.stderr


def test_a_channel_that_has_a_url_keeps_it_as_its_first_stage(cli, pulp, unique):
    cli.ok("conda", "channel", "create", unique)
    made = cli.json("conda", "lifecycle", "create", unique)
    assert made["stages"][0]["base_url"].endswith(f"/content/{unique}/")
    paths = [unique, f"{unique}-testing", f"{unique}-stable"]
    assert _paths(cli.json("conda", "channel", "show", unique)) == paths
    # The same by the other command, also if it has the path that a stage would have.
    two = f"{unique}-two"
    create = ("conda", "channel", "create", two, "--base-path", f"{two}/unstable")
    cli.ok(*create)
    made = cli.json("conda", "channel", "create", two, "--stages", "unstable,stable")
    assert _paths(made) == [f"{two}/unstable", f"{two}/stable"]
    assert cli.json(*create)["changed"] == {}


@pytest.mark.parametrize("is_first", [True, False])
def test_all_stages_of_a_private_channel_are_private(cli, pulp, unique, is_first):
    create = ("conda", "channel", "create", unique)
    stages = ("--stages", "unstable,stable")
    if not is_first:
        cli.ok(*create, "--private")
    made = cli.json(*create, *stages, "--private")
    for url in made["urls"]:
        assert pulp.fetch(url, "noarch/repodata.json").status_code == 401
    assert cli.json(*create, *stages, "--private")["changed"] == {}
    opened = cli.json(*create, "--public")
    assert opened["changed"] == {"lifecycle": ["private"]}
    for url in made["urls"]:
        assert pulp.fetch(url, "noarch/repodata.json").status_code in (200, 404)


def test_stages_that_cannot_be_leave_no_channel_behind(cli, pulp, unique):
    there = f"{unique}-stable"
    pulp.distribution(name=there, base_path=there)
    for extra in ((), ("--private",)):
        outcome = cli("conda", "channel", "create", unique, "--stages", "unstable,stable", *extra)
        assert outcome.exit_code == 1 and f"'{there}'" in outcome.stderr
        for path in ("repositories", "distributions"):
            assert pulp.get(f"{path}/conda/conda/", name=unique)["count"] == 0
        assert pulp.get("distributions/conda/conda/", name=f"{unique}-unstable")["count"] == 0


def test_stages_can_be_asked_for_without_making_them(cli, pulp, unique):
    create = ("conda", "channel", "create", unique, "--dry-run", "--stages", "unstable,stable")
    for extra in ((), ("--private",)):
        assert "lifecycle" in cli.json(*create, *extra)["changed"]
        assert pulp.get("repositories/conda/conda/", name=unique)["count"] == 0


def test_a_token_in_the_url_of_the_upstream_is_no_change_and_is_never_shown(cli, unique):
    url = "https://conda.example.com/t/a-secret-token/channel"
    create = ("conda", "channel", "create", f"mirror-{unique}", "--upstream", url)
    assert "a-secret-token" not in cli.ok(*create).stdout
    assert cli.json(*create)["changed"] == {}


def test_an_upstream_is_needed_to_say_something_of_it(cli, unique):
    outcome = cli("conda", "channel", "create", unique, "--include", "numpy")
    assert outcome.exit_code == 1
    assert f"Channel '{unique}' has no upstream" in outcome.stderr
    outcome = cli("conda", "channel", "create", unique, "--sync")
    assert outcome.exit_code == 1
    assert "no upstream to sync from" in outcome.stderr


def test_what_a_channel_would_become_can_be_asked_for(cli, unique):
    create = ("conda", "channel", "create", unique, "--upstream", "https://conda.example.com/forge")
    # Before `conda` it is pulp-cli's own option, and means the same.
    for command in ((*create, "--dry-run"), ("--dry-run", *create)):
        outcome = cli(*command)
        assert "this would happen:\nremote: created\n" in outcome.stderr
        assert list(json.loads(outcome.stdout)["changed"]) == [
            "remote",
            "repository",
            "distribution",
        ]
    assert cli("conda", "channel", "show", unique).exit_code == 1


def test_a_channel_that_cannot_be_served_leaves_nothing_behind(cli, pulp, unique):
    create = ("conda", "channel", "create", f"{unique} ö", "--upstream", "https://example.com/a")
    assert "--base-path: " in cli(*create).stderr
    for path in ("repositories", "remotes"):
        assert pulp.get(f"{path}/conda/conda/", name=f"{unique} ö")["count"] == 0


def test_roles_are_given_listed_and_taken(cli, pulp, team):
    ci = pulp.user([]).session.auth[0]
    grant = ("conda", "channel", "grant", team, "--role", "uploader")
    given = cli.json(*grant, "--user", ci)
    own = [each for each in given if each["user"] in ("admin", ci)]
    assert [(each["user"], each["role"], each["granted"]) for each in own] == [
        ("admin", "owner", False),
        (ci, "uploader", True),
    ]
    assert cli.json("conda", "channel", "members", team) == given
    taken = cli.json("conda", "channel", "revoke", team, "--role", "uploader", "--user", ci)
    assert taken == [each for each in given if each["user"] != ci]
    assert "Give '--user' or '--group'." in cli(*grant).stderr
    refused = cli(*grant[:-1], "promoter", "--user", ci).stderr
    assert "Error: Channel " in refused and refused.endswith(" [CND0115]\n")
    assert "--user" in cli(*grant, "--user", "not-there").stderr


@pytest.mark.parametrize("verb", ["show", "sync", "destroy"])
def test_no_name_is_not_the_only_channel_that_there_is(cli, verb):
    outcome = cli("conda", "channel", verb, "")
    assert (outcome.exit_code, outcome.stderr) == (1, "Error: There is no conda repository ''.\n")


def test_url_prints_lines_to_paste_for_each_client(cli, team):
    lines = cli.ok("conda", "channel", "url", team).stdout.splitlines()
    for client in ("conda install", "mamba install", "pixi init"):
        (line,) = [line for line in lines if line.startswith(client)]
        assert f"/{team}/" in line


@pytest.mark.parametrize(
    ("arguments", "versions"),
    [
        pytest.param(["{}"], (1, 2), id="the latest with the one before"),
        pytest.param(["{}@1", "{}"], (1, 2), id="an older one with the latest"),
        pytest.param(["{}@2", "{}@1"], (2, 1), id="two by their numbers"),
    ],
)
def test_versions_are_compared_by_name_and_number(cli, team, arguments, versions):
    diff = cli.json("conda", "channel", "diff", *(each.format(team) for each in arguments))
    assert (diff["base"], diff["target"]) == versions
    assert [change["name"] for change in diff["names"]] == ["numpy"]


def test_a_diff_is_a_changelog_if_that_is_wanted(cli, team):
    text = cli.ok("conda", "channel", "diff", team, "--markdown").stdout
    assert text.startswith("#") and "numpy" in text


def test_a_version_that_is_not_there(cli, team):
    outcome = cli("conda", "channel", "diff", f"{team}@7", team)
    assert outcome.exit_code == 1
    assert f"Channel '{team}' has no version 7. Its latest one is 2." in outcome.stderr


def test_two_channels_are_not_versions_of_one(cli, team):
    outcome = cli("conda", "channel", "diff", team, "another")
    assert outcome.exit_code == 2
    assert "pulp conda lifecycle diff" in outcome.stderr


def test_packages_are_copied_by_specs_with_what_they_need(cli, team, unique):
    target = f"target-{unique}"
    cli.ok("conda", "channel", "create", target)
    copy = ("conda", "channel", "copy", team, target, "numpy >=2")

    rehearsed = cli.ok(*copy, "--dry-run")
    assert "1 files would be added" in rehearsed.stderr
    report = cli.json(*copy)
    assert [package["path"] for package in report["packages"]] == ["noarch/numpy-2.0-0.conda"]
    assert report["unmet"] == ["noarch/numpy-2.0-0.conda: blas"]
    assert cli.json(*copy)["outcome"] == "unchanged"
    alone = cli.json("conda", "channel", "copy", f"{team}@1", target, "numpy", "--no-dependencies")
    assert [package["version"] for package in alone["packages"]] == ["1.0"]


def test_packages_are_converted_by_specs(cli, pulp, unique):
    cli.ok("conda", "channel", "create", unique, "--convert")
    cli.ok("conda", "channel", "create", unique, "--no-convert")
    repository = pulp.get("repositories/conda/conda/", name=unique)["results"][0]["pulp_href"]
    for name in ("old", "other"):
        package = make_package(f"{name}-{unique}", extension=".tar.bz2")
        pulp.upload(package, repository=repository)
    convert = ("conda", "channel", "convert", unique, f"old-{unique}")

    rehearsed = cli.ok(*convert, "--dry-run")
    assert "Without --dry-run, 1 of " in rehearsed.stderr
    assert "Version 3: 1 converted." in cli.ok(*convert).stderr
    assert "Nothing to convert" in cli.ok(*convert).stderr


def test_the_packages_that_cannot_be_converted_are_named(cli, pulp, unique):
    cli.ok("conda", "channel", "create", unique)
    repository = pulp.get("repositories/conda/conda/", name=unique)["results"][0]["pulp_href"]
    pulp.upload(make_package(f"slow-{unique}", extension=".tar.bz2"), repository=repository)
    with override_settings(CONDA_CONVERSION_SECONDS=-1):
        outcome = cli("conda", "channel", "convert", unique)
    assert outcome.exit_code == 1
    assert f"[CND0068] 'noarch/slow-{unique}-1.0-0.tar.bz2' cannot be had" in outcome.stderr


def test_destroy_asks_and_then_leaves_nothing(cli, pulp, upstream, unique):
    name = f"mirror-{unique}"
    cli.ok("conda", "channel", "create", name, "--upstream", upstream.url)
    assert cli("conda", "channel", "destroy", name, stdin="n\n").exit_code == 1
    cli.ok("conda", "channel", "show", name)

    cli.ok("conda", "channel", "destroy", name, stdin="y\n")
    for path in ("repositories", "remotes", "distributions"):
        assert pulp.get(f"{path}/conda/conda/", name=name)["count"] == 0


def test_destroy_removes_the_urls_of_former_stages(cli, pulp, unique):
    made = cli.json("conda", "channel", "create", unique, "--stages", "a,b")
    pulp.upload(make_package(unique), repository=made["pulp_href"])
    cli.ok("conda", "lifecycle", "promote", unique, "--to", "b")
    error = cli("conda", "channel", "destroy", unique, "--yes").stderr
    assert f"first: pulp conda lifecycle destroy {unique}\n" in error
    cli.ok("conda", "lifecycle", "destroy", unique, "--yes")
    cli.ok("conda", "channel", "destroy", unique, "--yes")
    assert pulp.get("distributions/conda/conda/", name__contains=unique)["count"] == 0


def test_destroy_leaves_a_remote_that_something_else_uses(cli, pulp, upstream, unique):
    name = f"mirror-{unique}"
    cli.ok("conda", "channel", "create", name, "--upstream", upstream.url)
    cli.ok("conda", "repository", "create", "--name", f"other-{unique}", "--remote", name)
    cli.ok("conda", "channel", "destroy", name, "--yes")
    assert pulp.get("remotes/conda/conda/", name=name)["count"] == 1


def test_a_channel_of_a_lifecycle_is_not_destroyed(cli, pulp, team):
    lifecycle = pulp.lifecycle(cli.json("conda", "channel", "show", team)["pulp_href"])
    outcome = cli("conda", "channel", "destroy", team, "--yes")
    assert outcome.exit_code == 1
    assert f"belongs to lifecycle '{lifecycle.name}'" in outcome.stderr
    assert cli.json("conda", "channel", "show", team)["lifecycles"] == [lifecycle.name]


def test_a_channel_that_became_a_stage_stays_as_it_is_and_is_served_by_all_stages(cli, unique):
    create = ("conda", "channel", "create", unique, "--base-path", f"{unique}/unstable")
    cli.ok(*create)
    stages = ("--stage", f"unstable={unique}", "--stage", "stable")
    cli.ok("conda", "lifecycle", "create", unique, "--repository", unique, *stages)
    again = cli.json(*create)
    assert again["changed"] == {}
    assert [url.split("/")[-2] for url in again["urls"]] == ["unstable", "stable"]
    listed = cli.json("conda", "channel", "list", "--limit", "1000")
    assert again["urls"] in [each["urls"] for each in listed if each["name"] == unique]


def test_packages_are_searched_in_a_channel_a_version_and_a_stage(cli, team):
    cli.ok("conda", "lifecycle", "create", team)

    def found(*words, exit_code=0):
        outcome = cli("conda", "search", *words)
        assert outcome.exit_code == exit_code, outcome
        return [each["version"] for each in json.loads(outcome.stdout)]

    assert found("numpy", "--channel", team) == ["2.0", "1.0"]
    assert found("numpy", "--channel", f"{team}@1", "--platform", "linux-64") == ["1.0"]
    assert found("numpy <2", "--channel", f"{team}/unstable") == ["1.0"]
    assert found("numpy >=3", "--channel", team, exit_code=1) == []
    listed = ("conda", "content", "list", "--channel", team, "--name", "numpy")
    assert [each["version"] for each in cli.json(*listed, "--version-gt", "1.0")] == ["2.0"]
    table = cli.ok("--format", "table", "conda", "search", "numpy", "--channel", team).stdout
    assert table.splitlines()[0].split() == (
        ["NAME", "VERSION", "BUILD", "SUBDIR", "SIZE", "HERE", "SINCE", "(UTC)"]
    )
    for words, said in (
        (["numpy", "--channel", f"{team}/stable"], "Stage 'stable' of"),
        (["numpy", "--channel", f"{team}/none"], "Its stages are"),
        (["numpy", "--channel", f"{team}@9"], "has no version 9"),
        (["nump*", "--channel", team], "[CND0158]"),
        (["numpy >>", "--channel", team], "Error: SPEC: "),
    ):
        refused = cli("conda", "search", *words)
        assert refused.exit_code == 1 and said in refused.stderr, refused
