"""What is said if something is wrong: each time a sentence, and never a traceback."""

import json

import pytest

from pulp_conda.quickstart.ports import free_port
from tests.support.builders import make_channel, make_package
from tests.support.certificates import self_signed

SHOW = ("conda", "channel", "show", "anything")


@pytest.fixture
def elsewhere(cli, tmp_path_factory):
    """The program with other settings than those of the running Pulp."""

    def configure(**settings):
        return cli.configured(tmp_path_factory.mktemp("cli"), **settings)

    return configure


@pytest.fixture
def mirror(cli, upstream, unique):
    make_channel(upstream.folder, [make_package()])
    cli.ok("conda", "channel", "create", unique, "--upstream", upstream.url)
    return unique


def refused(outcome, *texts, exit_code=1):
    assert outcome.exit_code == exit_code, outcome
    assert "Traceback" not in outcome.stderr
    for text in texts:
        assert text in outcome.stderr


def test_a_server_that_is_not_there(elsewhere):
    url = f"http://127.0.0.1:{free_port()}"
    refused(elsewhere(base_url=url)(*SHOW), f"'{url}' cannot be reached: Connection refused")


def test_a_server_that_is_no_pulp(elsewhere, upstream):
    program = elsewhere(base_url=upstream.url)
    refused(program(*SHOW), f"There is no Pulp at '{upstream.url}': it answered 404")
    upstream.answers["pulp/api/v3/docs/api.json"] = (200, b"<html>Hello</html>")
    refused(
        program(*SHOW),
        f"There is no Pulp at '{upstream.url}'",
        "does not send the description of an API",
    )
    upstream.answers["pulp/api/v3/docs/api.json"] = (502, b"<html>Bad gateway</html>")
    refused(program(*SHOW), f"'{upstream.url}' answered 502")


def test_a_wrong_password(elsewhere):
    program = elsewhere(password="wrong")
    refused(program(*SHOW), "does not accept user 'admin' with this password", "pulp config edit")


def test_a_certificate_that_nobody_trusts(elsewhere, make_upstream, tmp_path):
    url = make_upstream(self_signed().server_context(tmp_path)).url
    refused(
        elsewhere(base_url=url)(*SHOW),
        f"There is no secure connection to '{url}'",
        "PULP_CA_BUNDLE",
    )


@pytest.mark.parametrize(
    ("version", "said"),
    [
        pytest.param(None, "has none", id="without the plugin"),
        pytest.param("0.0.7", "has version 0.0.7", id="with an older one"),
    ],
)
def test_a_server_whose_plugin_is_missing_or_too_old(elsewhere, pulp, upstream, version, said):
    description = pulp.get("docs/api.json")
    versions = description["info"]["x-pulp-app-versions"]
    versions.pop("conda")
    if version:
        versions["conda"] = version
    path = upstream.folder / "pulp" / "api" / "v3" / "docs" / "api.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(description))
    outcome = elsewhere(base_url=upstream.url)(*SHOW)
    refused(outcome, "pulp_conda >=0.1.0.dev0", said, "pulp --refresh-api")


def test_a_server_that_lacks_something_of_its_plugin(elsewhere, pulp, upstream):
    description = pulp.get("docs/api.json")
    paths = description["paths"]
    for path in [path for path in paths if "/conda/" in path]:
        del paths[path]
    path = upstream.folder / "pulp" / "api" / "v3" / "docs" / "api.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(description))
    outcome = elsewhere(base_url=upstream.url)(*SHOW)
    refused(outcome, "has no 'repositories_conda_conda_list'", "pulp --refresh-api")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["channel", "show", "{}"], id="channel"),
        pytest.param(["repository", "show", "--name", "{}"], id="repository"),
        pytest.param(["remote", "show", "--name", "{}"], id="remote"),
        pytest.param(["distribution", "show", "--name", "{}"], id="distribution"),
    ],
)
def test_the_nearest_names_are_suggested_for_one_that_there_is_not(cli, mirror, command):
    misspelled = f"{mirror[1:]}x"
    outcome = cli("conda", *(word.format(misspelled) for word in command))
    refused(outcome, f"'{misspelled}'. Did you mean '{mirror}'")
    outcome = cli("conda", *(word.format("nothing like it at all") for word in command))
    refused(outcome, "There is no conda re" if "distribution" not in command else "There is no")
    assert "Did you mean" not in outcome.stderr


def test_what_the_server_refuses_is_said_field_by_field(cli, unique):
    outcome = cli(
        *("conda", "channel", "create", unique, "--upstream", "ftp://example.com/channel"),
        *("--include", "numpy >=1,<<2"),
    )
    refused(outcome, "Error: --upstream: 'ftp", " [CND0025]\n", "\n--include: ", " [CND0007]\n")
    assert "{" not in outcome.stderr and "url:" not in outcome.stderr
    outcome = cli("conda", "remote", "create", "--name", unique, "--url", "ftp://example.com/a")
    refused(outcome, "Error: --url: 'ftp", " [CND0025]\n")


def test_what_a_user_may_not_do(elsewhere, pulp, mirror):
    viewer = pulp.user(["conda.condarepository_viewer"])
    program = elsewhere(username=viewer.session.auth[0], password="a-long-Password-1")
    outcome = program("conda", "channel", "sync", mirror)
    refused(outcome, f"User '{viewer.session.auth[0]}' may not do this", "pulp role list")


def test_a_promoter_is_told_that_it_takes_more_to_override_a_gate(elsewhere, pulp, unique):
    made = pulp.post("repositories/conda/conda/", name=unique, autopublish=True)
    pulp.upload(make_package(unique), repository=made["pulp_href"])
    team = pulp.lifecycle(made["pulp_href"], name=unique)
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    promoter = pulp.user(["conda.condalifecycle_promoter"])
    username, password = promoter.session.auth
    program = elsewhere(username=username, password=password)
    words = ("conda", "lifecycle", "promote", unique, "--to", "testing", "--override", "yes=now")
    outcome = program(*words)
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith(
        f"Error: '{username}' may promote in lifecycle '{unique}', but may not override gates"
    )
    assert outcome.stderr.endswith("let the gates decide. [CND0194]\n")


def test_what_cannot_be_sent_is_said_once(cli, unique):
    # pulp-glue finds this itself, and says it for each type of request.
    options = ["--name", unique, "--base-path", unique, "--notices", '{"message": "hello"}']
    outcome = cli("conda", "distribution", "create", *options)
    refused(outcome, "--notices")
    assert "body[" not in outcome.stderr
    assert outcome.stderr.count("expected to be a list") == 1


def test_a_number_beyond_a_limit_is_said_once(cli, unique):
    outcome = cli("conda", "repository", "create", "--name", unique, "--retain-repo-versions", "0")
    refused(outcome, "--retain-repo-versions")
    assert "retain_repo" not in outcome.stderr and "body[" not in outcome.stderr
    assert outcome.stderr.count("greater than or equal to 1") == 1


def test_a_task_that_fails_says_its_code_and_where_to_look(cli, upstream, mirror):
    upstream.answers["noarch/repodata.json"] = (404, b"")
    upstream.answers["noarch/repodata.json.zst"] = (404, b"")
    outcome = cli("conda", "channel", "sync", mirror)
    refused(outcome, f"Error: Remote '{mirror}'", " [CND00", "pulp task show --href /")
    cli.json("task", "show", "--href", outcome.stderr.split("--href ")[1].split()[0])
