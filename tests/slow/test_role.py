"""The role: the first run builds a lifecycle, the second changes nothing, and a changed variable
just that.
"""

import copy

import pytest
import yaml

from tests.support.builders import make_channel, make_package
from tests.support.conda import Lifecycle

# What a file of variables has; `{}` stands for the name of the channel.
VARIABLES = """
conda_channel_name: "{}"
conda_channel_description: What the team installs
conda_channel_remote:
  url: "{upstream}"
  subdirs: [noarch]
  includes: [hello, greeting]
conda_channel_retain_versions: 30
conda_channel_environments:
  - name: desk
    format: specs
    source: hello
    platforms: [linux-64]
conda_channel_stages:
  - name: unstable
  - name: testing
    gates:
      - name: environments
        kind: environments
  - name: stable
    gates:
      - name: rules
        kind: policy
        minimum_age: {days: 7}
        licenses: {denied: ["AGPL-*"]}
      - name: second pair of eyes
        kind: approval
conda_channel_content_guards: {stable: "{}"}
conda_channel_announce: true
conda_channel_distributions:
  - name: "{}-latest"
    base_path: "{}-latest"
"""
ALL = [
    "Manage the remote",
    "Manage the repository",
    "Register the environments",
    "Manage the stages and their gates",
    "Set the content guards of the stages",
    "Manage other distributions of the repository",
    "Sync the repository with the upstream",
]


@pytest.fixture
def variables(pulp, upstream, unique):
    packages = [make_package("hello", depends=["greeting >=1"]), make_package("greeting")]
    make_channel(upstream.folder, [*packages, make_package("other")])
    name = f"role-{unique}"
    pulp.post("contentguards/core/rbac/", name=name)
    return yaml.safe_load(VARIABLES.replace("{}", name).replace("{upstream}", upstream.url))


@pytest.fixture
def run(ansible):
    def run(variables, *arguments):
        role = {
            "name": "role",
            "ansible.builtin.include_role": {"name": "pulp.conda.conda_channel"},
        }
        return ansible.tasks([role], *arguments, **variables)

    return run


def test_a_lifecycle_stands_after_one_run_and_changes_with_its_variables(
    run, pulp, everything, variables
):
    name = variables["conda_channel_name"]
    before = everything(f"{name}*")
    # Guards and gates of a channel that does not exist yet can be foreseen, too.
    assert run(variables, "--check").changed() == ALL
    assert everything(f"{name}*") == before

    assert run(variables).changed() == ALL
    (found,) = pulp.get("conda/lifecycles/", name=name)["results"]
    team = Lifecycle(pulp, found["pulp_href"])
    assert [stage["name"] for stage in team.read()["stages"]] == ["unstable", "testing", "stable"]
    assert [gate["kind"] for gate in team.stage("stable")["gates"]] == ["policy", "approval"]
    assert pulp.names(team.urls["unstable"]) == ["greeting", "hello"]
    assert pulp.names(team.urls["unstable"].replace(f"{name}/unstable", f"{name}-latest"))
    assert team.promote("testing")["gates"][0]["verdict"] == "passed"
    guarded = pulp.get(team.stage("stable")["distribution"])
    assert "/contentguards/core/rbac/" in guarded["content_guard"]

    before = everything(f"{name}*")
    assert run(variables).changed() == []
    assert everything(f"{name}*") == before

    fewer_gates = copy.deepcopy(variables)
    fewer_gates["conda_channel_stages"][2]["gates"].pop(0)
    fewer_gates["conda_channel_content_guards"] = {}
    changed = ["Manage the stages and their gates", "Set the content guards of the stages"]
    foreseen = run(fewer_gates, "--check", "--diff")
    assert foreseen.changed() == changed
    diff = foreseen.task("Manage the stages and their gates")["diff"]
    assert {key for key in diff["after"] if diff["after"][key] != diff["before"][key]} == {"stages"}
    assert everything(f"{name}*") == before
    assert run(fewer_gates).changed() == changed
    assert [gate["kind"] for gate in team.stage("stable")["gates"]] == ["approval"]
    assert [gate["kind"] for gate in team.stage("testing")["gates"]] == ["environments"]

    more = {
        **fewer_gates,
        "conda_channel_remote": {"url": variables["conda_channel_remote"]["url"]},
    }
    assert run(more).changed() == ["Manage the remote", "Sync the repository with the upstream"]
    assert pulp.names(team.urls["unstable"]) == ["greeting", "hello", "other"]

    private = {**more, "conda_channel_private": True}
    assert run(private).changed() == ["Set the content guards of the stages"]
    stages = team.read()["stages"]
    assert all(pulp.get(stage["distribution"])["private"] for stage in stages)


def test_a_variable_that_is_none_is_refused_before_anything_is_made(ansible, everything, unique):
    before = everything(f"{unique}*")
    wrong = {"conda_channel_name": unique, "conda_channel_remote": {"uri": "https://example.org"}}
    role = {"ansible.builtin.include_role": {"name": "pulp.conda.conda_channel"}}
    done = ansible.tasks([role], fails=True, **wrong)
    assert "uri" in done.output and "url" in done.output
    assert everything(f"{unique}*") == before
