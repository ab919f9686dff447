"""The commands that `pulp` has for each kind of content, here for conda: one story for each
group.
"""

import json
import re

import pytest
import yaml

from pulp_conda.app.models import CondaRefreshRun
from tests.support.builders import make_channel, make_package
from tests.support.issuer import EXPECTED, Issuer


@pytest.fixture
def conda(cli):
    """`pulp conda …`: what it writes, parsed."""

    def run(*words):
        written = cli.ok("conda", *words).stdout
        return json.loads(written) if written else None

    return run


@pytest.fixture
def channel(upstream, unique):
    """An upstream channel with two versions of a package, and the name of that."""
    packages = [make_package(f"pkg-{unique}", version) for version in ("1.0", "2.0")]
    make_channel(upstream.folder, packages)
    return f"pkg-{unique}"


@pytest.fixture
def package_file(tmp_path, unique):
    package = make_package(f"own-{unique}")
    file = tmp_path / package.filename
    file.write_bytes(package.data)
    return file


def _give_label_and_role(conda, group, name):
    """Check the two of a group; that they can be looked at and taken away is checked once, for
    repositories.
    """
    conda(group, "label", "set", f"--{group}", name, "--key", "team", "--value", "data")
    assert [found["name"] for found in conda(group, "list", "--label-select", "team=data")] == [
        name
    ]
    _give_role(conda, group, "--name", name)


def _give_role(conda, group, *which):
    role = ["--role", f"conda.conda{group}_viewer", "--user", "admin"]
    conda(group, "role", "add", *which, *role)
    roles = conda(group, "role", "list", *which)["roles"]
    assert f"conda.conda{group}_viewer" in [entry["role"] for entry in roles]


def test_a_remote_takes_all_that_the_api_has(conda, cli, unique, tmp_path):
    specs = tmp_path / "specs.txt"
    specs.write_text("# what we need\nnumpy >=1.26\n\nscipy\n")
    selection = ["--include", f"@{specs}", "--include", "lib*", "--exclude", "numpy 2.0.*"]
    options = [*selection, "--subdirs", "linux-64,noarch", "--policy", "immediate", "--token", "ab"]
    options += ["--trust-dates", "--repodata-form", "flat", "--on-error", "skip"]
    url = "https://conda.example.com/forge"

    made = cli.json("conda", "remote", "create", "--name", unique, "--url", url, *options)

    assert made["includes"] == ["numpy >=1.26", "scipy", "lib*"]
    assert made["excludes"] == ["numpy 2.0.*"]
    assert made["subdirs"] == ["linux-64", "noarch"]
    assert (made["policy"], made["trust_dates"]) == ("immediate", True)
    assert (made["repodata_form"], made["on_error"]) == ("flat", "skip")
    assert {"name": "token", "is_set": True} in made["hidden_fields"]
    assert conda("remote", "show", "--name", unique) == made
    conda("remote", "update", "--name", unique, "--exclude", "", "--rate-limit", 5, "--token", "")
    conda("remote", "update", "--name", unique, "--no-trust-dates")
    changed = conda("remote", "show", "--name", unique)
    assert (changed["includes"], changed["excludes"]) == (made["includes"], [])
    assert (changed["rate_limit"], changed["trust_dates"]) == (5, False)
    assert {"name": "token", "is_set": False} in changed["hidden_fields"]
    _give_label_and_role(conda, "remote", unique)
    conda("remote", "destroy", "--name", unique)
    assert conda("remote", "list", "--name", unique) == []


def test_a_repository_is_synced_and_its_versions_are_compared(
    conda, cli, upstream, channel, unique
):
    conda("remote", "create", "--name", unique, "--url", upstream.url)
    assert conda("remote", "check", unique)["agrees"]
    upstream.answers["noarch/repodata.json.zst"] = (500, b"")
    conda("remote", "update", "--name", unique, "--max-retries", 1)
    differs = cli("conda", "remote", "check", unique)
    assert differs.exit_code == 3
    assert "repodata.json.zst: [CND0004] " in differs.stderr
    upstream.answers.clear()
    relations = {"base": "../forge"}
    options = ["--autopublish", "--legacy-metadata", "--channel-relations", json.dumps(relations)]
    options += ["--no-shards", "--convert"]
    made = conda("repository", "create", "--name", unique, "--retain-repo-versions", 9, *options)
    assert (made["autopublish"], made["legacy_metadata"], made["shards"]) == (True, True, False)
    assert made["convert"] is True
    assert (made["channel_relations"], made["retain_repo_versions"]) == (relations, 9)
    assert made["subdirs"] is None
    for text, subdirs in [("linux-64, zos-z", ["linux-64", "zos-z"]), ("", None)]:
        conda("repository", "update", "--name", unique, "--subdirs", text)
        assert conda("repository", "show", "--name", unique)["subdirs"] == subdirs

    refused = cli("conda", "repository", "sync", "--name", unique)
    assert refused.exit_code == 1
    assert f"pulp conda repository update --name {unique} --remote <name>" in refused.stderr
    conda("repository", "update", "--name", unique, "--remote", unique)
    cli.ok("conda", "repository", "sync", "--name", unique)
    make_channel(upstream.folder, [make_package(channel, "2.0"), make_package(channel, "3.0")])
    how = ["--mirror", "--no-optimize", "--allow-mass-removal"]
    cli.ok("conda", "repository", "sync", "--name", unique, *how)

    which = ["--repository", unique]
    versions = conda("repository", "version", "list", *which)
    assert [version["number"] for version in versions] == [2, 1, 0]
    packages = conda("repository", "content", "list", *which, "--version", 1)
    assert {package["version"] for package in packages} == {"1.0", "2.0"}
    diff = conda("repository", "version", "diff", *which, "--version", 2)
    assert diff["counts"] == {"added": 1, "removed": 1}
    changelog = cli.ok("conda", "repository", "version", "diff", *which, "--base", 1, "--markdown")
    assert changelog.stdout.startswith("# ")
    assert channel in changelog.stdout
    cli.ok("conda", "repository", "version", "repair", *which, "--version", 2)
    tasks = conda("repository", "task", "list", *which, "--name-contains", "sync")
    assert {task["state"] for task in tasks} == {"completed"}
    assert len(tasks) == 2
    cli.ok("conda", "repository", "version", "destroy", *which, "--version", 1)
    shown = cli("conda", "repository", "version", "show", *which, "--version", 1)
    assert shown.exit_code == 1
    cli.ok("conda", "repository", "destroy", "--name", unique)
    assert conda("repository", "list", "--name", unique) == []


def test_labels_and_roles_come_and_go(conda, cli, unique):
    conda("repository", "create", "--name", unique)
    _give_label_and_role(conda, "repository", unique)
    label = ["--repository", unique, "--key", "team"]
    assert cli.ok("conda", "repository", "label", "show", *label).stdout == "data\n"
    conda("repository", "label", "unset", *label)
    assert conda("repository", "show", "--name", unique)["pulp_labels"] == {}
    which = ["--name", unique]
    permissions = conda("repository", "role", "my-permissions", *which)["permissions"]
    assert "conda.sync_condarepository" in permissions
    viewer = ["--role", "conda.condarepository_viewer", "--user", "admin"]
    conda("repository", "role", "remove", *which, *viewer)
    roles = conda("repository", "role", "list", *which)["roles"]
    assert "conda.condarepository_viewer" not in [entry["role"] for entry in roles]


def test_content_goes_into_repositories_and_out_again(conda, cli, unique, package_file, tmp_path):
    conda("repository", "create", "--name", unique)
    which = ["--repository", unique]
    content = ["repository", "content"]

    def filenames():
        return [package["filename"] for package in conda(*content, "list", *which)]

    package = conda("content", "create", "--file", package_file, "--labels", '{"tested": "no"}')
    assert (package["filename"], package["pulp_labels"]) == (package_file.name, {"tested": "no"})
    found = ["--subdir", "noarch", "--filename", package_file.name]
    assert conda("content", "show", *found)["pulp_href"] == package["pulp_href"]
    assert cli.json("show", "--prn", package["prn"])["filename"] == package_file.name
    cli.ok("conda", *content, "add", *which, *found)
    assert filenames() == [package_file.name]
    cli.ok("conda", *content, "remove", *which, "--filename", package_file.name)
    assert filenames() == []
    units = tmp_path / "units.json"
    units.write_text(json.dumps([{"sha256": package["sha256"]}]))
    cli.ok("conda", *content, "modify", *which, "--add-content", f"@{units}")
    assert filenames() == [package_file.name]
    other = make_package(f"own-{unique}", files={"bin/own": b"other bytes"})
    package_file.write_bytes(other.data)
    conda("content", "create", "--file", package_file)
    of_other = [*which, "--sha256", other.record.fields["sha256"]]
    assert "CND0018" in cli("conda", *content, "add", *of_other).stderr
    cli.ok("conda", *content, "add", *of_other, "--overwrite")
    assert [each["sha256"] for each in conda(*content, "list", *which)] == [
        other.record.fields["sha256"]
    ]
    cli.ok("conda", *content, "remove", *which, "--all")
    assert filenames() == []


def test_packages_are_found_by_what_they_are(conda, cli, unique, tmp_path):
    conda("repository", "create", "--name", unique)
    names = [f"{letter}-{unique}" for letter in "ab"]
    for name, depends in zip(names, ([], [f"a-{unique} >=1"]), strict=True):
        package = make_package(name, depends=depends)
        (tmp_path / package.filename).write_bytes(package.data)
    cli.ok("conda", "content", "upload", "--repository", unique, tmp_path)

    def found(*filters):
        return [package["name"] for package in conda("content", "list", *filters)]

    assert found("--name-contains", unique, "--ordering", "name") == names
    assert found("--name", names[0], "--version", "1.0", "--subdir", "noarch") == names[:1]
    assert found("--depends", names[0]) == names[1:]
    assert found("--name-in", names[0], "--name-in", names[1], "--license", "MIT") == []
    one = ["--filename", f"{names[0]}-1.0-0.conda"]
    conda("content", "label", "set", *one, "--key", "tested", "--value", "yes")
    assert found("--label-select", "tested=yes", "--name-contains", unique) == names[:1]
    assert cli.ok("conda", "content", "label", "show", *one, "--key", "tested").stdout == "yes\n"
    conda("content", "label", "unset", *one, "--key", "tested")


def test_patches_and_environments_are_content_too(conda, cli, unique, package_file, tmp_path):
    conda("repository", "create", "--name", unique)
    into = ["--repository", unique]
    conda("content", "create", "--file", package_file, *into)
    instructions = tmp_path / "patch.json"
    instructions.write_text(json.dumps({"packages.conda": {package_file.name: {"license": "MIT"}}}))
    patch = ["--subdir", "noarch", "--reason", unique, "--instructions", f"@{instructions}"]
    patch += ["--credit", "Ada"]
    source = tmp_path / "environment.yml"
    source.write_text(f"dependencies:\n  - own-{unique}\n")
    environment = ["--name", unique, "--format", "environment.yml", "--source", f"@{source}"]

    patch = conda("content", "--type", "patch", "create", *patch, *into)
    environment = conda(
        *("content", "--type", "environment", "create", *environment, *into),
        *("--platforms", "linux-64,osx-arm64"),
    )

    assert (patch["author"], patch["credit"]) == ("admin", "Ada")
    assert environment["platforms"] == ["linux-64", "osx-arm64"]
    listed = conda("content", "--type", "patch", "list", "--filename", package_file.name)
    assert [each["pulp_href"] for each in listed] == [patch["pulp_href"]]
    listed = conda("repository", "content", "--type", "environment", "list", *into)
    assert [each["name"] for each in listed] == [unique]
    shown = conda("content", "--type", "environment", "show", "--name", unique)
    assert shown["pulp_href"] == environment["pulp_href"]
    of_format = ["content", "--type", "environment", "list", "--name", unique, "--format"]
    assert [each["name"] for each in conda(*of_format, "environment.yml")] == [unique]
    assert conda(*of_format, "specs") == []
    remove = ["repository", "content", "--type", "patch", "remove", *into]
    cli.ok("conda", *remove, "--href", patch["pulp_href"])
    assert conda("repository", "content", "--type", "patch", "list", *into) == []


def test_a_distribution_serves_what_a_publication_has(conda, cli, unique, package_file, pulp):
    conda("repository", "create", "--name", unique)
    conda("content", "create", "--file", package_file, "--repository", unique)
    made = cli.json("conda", "publication", "create", "--repository", unique, "--version", 1)
    assert made["repository_version"].endswith("/versions/1/")
    assert conda("publication", "list", "--repository", unique) == [made]
    href = ["--href", made["pulp_href"]]
    assert conda("publication", "show", *href) == made
    _give_role(conda, "publication", *href)

    path = ["--base-path", f"{unique}/stable"]
    notice = {"message": "It moves.", "level": "warning", "expires_at": "2199-01-01T00:00:00Z"}
    serves = ["--publication", made["pulp_href"], "--notices", json.dumps([notice])]
    serves += ["--cors-origins", "https://a.example,https://b.example:443"]
    serves += ["--upload-alias", f"a-{unique}"]
    served = cli.json("conda", "distribution", "create", "--name", unique, *path, *serves)
    assert served["notices"][0]["message"] == "It moves."
    assert served["cors_origins"] == ["https://a.example", "https://b.example"]
    assert pulp.names(served["base_url"]) == [f"own-{unique}"]
    assert served["upload_alias"] == f"a-{unique}"
    which = ["--name", unique]
    cli.ok("conda", "distribution", "update", *which, "--upload-alias", "")
    assert conda("distribution", "show", *which)["upload_alias"] is None
    cli.ok("conda", "distribution", "update", *which, "--cors-origins", "")
    assert conda("distribution", "show", *which)["cors_origins"] == []
    cli.ok("conda", "distribution", "update", *which, "--repository", unique, "--version", 0)
    pinned = conda("distribution", "show", *which)
    assert pinned["repository_version"].endswith("/versions/0/")
    assert (pinned["publication"], pinned["repository"]) == (None, None)
    cli.ok("conda", "distribution", "update", *which, "--version", 1, "--hidden")
    assert conda("distribution", "show", *which)["repository_version"].endswith("/versions/1/")
    cli.ok("conda", "distribution", "update", *which, "--repository", unique)
    followed = conda("distribution", "show", *which)
    assert (followed["repository_version"], followed["hidden"]) == (None, True)
    _give_label_and_role(conda, "distribution", unique)
    cli.ok("conda", "distribution", "destroy", *which)
    assert conda("distribution", "list", *which) == []
    cli.ok("conda", "publication", "destroy", *href)
    assert conda("publication", "list", "--repository", unique) == []


def test_output_is_json_yaml_or_a_table(cli, unique):
    list_it = ["conda", "repository", "list", "--name", unique]
    (made,) = [cli.json("conda", "repository", "create", "--name", unique, "--autopublish")]

    assert json.loads(cli.ok("--format", "json", *list_it).stdout) == [made]
    assert yaml.safe_load(cli.ok("--format", "yaml", *list_it).stdout) == [made]
    head, row = cli.ok("--format", "table", *list_it).stdout.splitlines()
    cells = {
        title: row[head.index(title) :].partition("  ")[0] for title in ("NAME", "AUTOPUBLISH")
    }
    assert cells == {"NAME": unique, "AUTOPUBLISH": "yes"}
    fields = ["--field", "pulp_href", "--field", "name"]
    table = cli.ok("--format", "table", *list_it, *fields).stdout
    assert [line.split() for line in table.splitlines()] == [
        ["PULP_HREF", "NAME"],
        [made["pulp_href"], unique],
    ]
    shown = cli.ok("--format", "table", "conda", "repository", "show", "--name", unique).stdout
    assert ["name", unique] in [line.split() for line in shown.splitlines()]
    nothing = cli.ok("--format", "table", "conda", "remote", "list", "--name", unique).stdout
    assert nothing == "There are no conda remotes like that.\n"


def test_a_dry_run_changes_nothing(conda, cli, unique):
    create = ["conda", "repository", "create", "--name", unique]
    refused = cli("--dry-run", *create)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--dry-run does not send requests that change data" in refused.stderr
    assert conda("repository", "list", "--name", unique) == []


def test_nobody_waits_for_a_task_in_the_background(conda, cli, upstream, channel, unique, pulp):
    conda("remote", "create", "--name", unique, "--url", upstream.url)
    conda("repository", "create", "--name", unique, "--remote", unique)
    started = cli.ok("--background", "conda", "repository", "sync", "--name", unique)
    assert "--background" in started.stderr
    task = pulp.wait(re.search("/pulp/api/v3/tasks/[-0-9a-f]+/", started.stderr).group())
    assert task["name"].endswith("sync.synchronize")


def test_a_robot_gets_a_token_that_is_rotated_and_revoked(conda, cli, unique):
    robot = ["--name", unique]
    username = conda("robot", "create", *robot)["username"]
    assert conda("robot", "show", *robot)["username"] == username
    which = ["--name", "ci", "--owner", username]
    made = cli.ok(
        "conda", "token", "create", *which, "--scope", "upload", "--expires", "2090-12-01"
    )
    assert "only now" in made.stderr
    token = json.loads(made.stdout)
    assert (token["scopes"], token["expires"]) == (["upload"], "2090-12-01T00:00:00Z")
    rotated = conda("token", "rotate", *which, "--expires", "")
    assert rotated["expires"] is None and rotated["token"] != token["token"]
    assert conda("token", "revoke", *which)["revoked"]
    assert "CND0093" in cli("conda", "token", "rotate", *which).stderr
    (shown,) = conda("token", "list", "--owner", username)
    assert shown["name"] == "ci" and "token" not in shown
    _give_role(conda, "token", *which)
    _give_role(conda, "robot", *robot)
    cli.ok("conda", "token", "destroy", *which)
    assert conda("token", "list", "--owner", username) == []
    cli.ok("conda", "robot", "destroy", *robot)
    assert conda("robot", "list", *robot) == []


def test_packages_are_blocked_by_one_command(conda, cli, package_file, unique):
    cli.ok("conda", "channel", "create", unique)
    cli.ok("conda", "channel", "upload", unique, str(package_file))
    which = ["--spec", f"own-{unique} 1.*"]
    block = ["conda", "block", "create", "--public-reason", "Malware."]
    assert cli(*block).exit_code == 2
    done = cli.ok(*block, *which)
    made = json.loads(done.stdout)
    assert made["touched"]["purge"]["shown"][0].endswith(f"/noarch/{package_file.name}")
    assert "1 URLs to purge" in done.stderr
    assert [found["public_reason"] for found in conda("block", "list", *which)] == ["Malware."]
    conda("block", "update", *which, "--internal-note", "SEC-1")
    assert conda("block", "show", *which)["internal_note"] == "SEC-1"
    assert conda("block", "touched", *which)["channels"]["count"] == 1
    _give_role(conda, "block", *which)
    cli.ok("conda", "block", "destroy", *which)
    assert conda("block", "list", *which) == []


def test_a_channel_is_refreshed_when_it_is_said(conda, cli, pulp, unique):
    conda("channel", "create", unique, "--upstream", "http://localhost:1/")
    refresh = ("channel", "refresh", unique)
    assert "is not refreshed" in cli("conda", *refresh).stderr
    assert conda("channel", "show", unique)["refresh"] is None
    # No worker looks here, so there are no runs.
    made = conda(*refresh, "--every", "90m")
    assert (made["interval"], made["cron"], made["user"]) == (5400, "", "admin")
    assert "needs no change" in cli("conda", *refresh, "--every", "90m").stderr
    changed = conda(*refresh, "--cron", "0 3 * * *", "--time-zone", "Asia/Tokyo", "--mirror")
    assert (changed["interval"], changed["cron"], changed["mirror"]) == (None, "0 3 * * *", True)
    assert conda(*refresh) == changed
    on_request = conda(*refresh, "--max-age", "1h")
    assert (on_request["max_age"], on_request["cron"]) == (3600, "")
    assert conda(*refresh, "--cron", "0 3 * * *")["max_age"] is None
    again = cli("conda", *refresh, "--cron", "0 3 * * *")
    assert "needs no change" in again.stderr
    shown = conda("channel", "show", unique)["refresh"]
    assert (shown["time_zone"], shown["last_run"]) == ("Asia/Tokyo", None)
    key = pulp.get("repositories/conda/conda/", name=unique)["results"][0]["pulp_href"]
    error = {"code": "CND0016", "text": "no answer"}
    CondaRefreshRun.objects.create(repository_id=key.split("/")[-2], outcome="failed", error=error)
    (run,) = conda("channel", "runs", unique)
    assert run["error"] == error
    assert conda("channel", "show", unique)["refresh"]["last_run"]["error"] == error
    assert conda("channel", "runs", unique, "--outcome", "changed") == []
    for options, reason in (
        (["--every", "often"], "'often' is no duration"),
        (["--every", "1h", "--cron", "0 3 * * *"], "Give one of --every"),
        (["--cron", "0 3 * *"], "[CND0150]"),
        (["--off", "--mirror"], "--off goes with no other option"),
    ):
        refused = cli("conda", *refresh, *options)
        assert reason in refused.stderr
    assert "refresh: off" in cli("conda", *refresh, "--off").stderr
    assert "was off already" in cli("conda", *refresh, "--off").stderr


def test_publishers(conda, cli, settings, unique):
    settings.WORKLOAD_IDENTITY = {"providers": {"github": Issuer("native").provider()}}
    conda("channel", "create", unique)
    claims = [f"--claim={name}={value}" for name, value in EXPECTED.items()]
    create = ("publisher", "create", "--name", unique, "--distribution", unique)
    made = conda(*create, "--provider", "github", *claims)
    assert made["claims"] == EXPECTED
    assert conda("publisher", "list", "--distribution", unique) == [made]
    conda("publisher", "update", "--name", unique, *claims, "--claim", "environment=a=b")
    shown = conda("publisher", "show", "--name", unique)
    assert shown["claims"] == {**EXPECTED, "environment": "a=b"}
    refused = cli("conda", *create, "--provider", "github", "--claim", "sub")
    assert "'sub' is no claim." in refused.stderr
    refused = cli("conda", "publisher", "update", "--name", unique, "--claim", "repository_id=1")
    assert "[CND0119]" in refused.stderr
    conda("publisher", "destroy", "--name", unique)
    assert conda("publisher", "list", "--distribution", unique) == []
