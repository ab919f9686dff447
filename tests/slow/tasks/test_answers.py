"""What the API answers is what the OpenAPI schema says, for each GET of the plugin."""

import re

import pytest

from pulp_conda.app.models import CondaRefreshRun
from tests.support.builders import make_package
from tests.support.hidden import Place, Thing, make_things
from tests.support.openapi import closed, operations, problems

# pulpcore sends null for them, and its schema does not say so.
_NULL_IN_PULPCORE = re.compile(
    r"(.*\.)?(next|previous|artifact|base_version|content_guard_prn|no_content_change_since"
    r"|vuln_report): None is not of type '(string|integer)'"
)
# What a query has to have.
_QUERIES = {
    "conda_lifecycles_diff": {"base": "testing", "target": "unstable"},
    "conda_lifecycles_lock": {
        "stage": "unstable",
        "environment": "analysis",
        "lock_format": "explicit",
        "platform": "linux-64",
    },
}


@pytest.fixture(scope="module")
def schema(pulp):
    return closed(pulp.get("docs/api.json", component="conda", pk_path=1))


@pytest.fixture(scope="module")
def things(pulp):
    """One object of each kind, in a lifecycle with gates that were asked, and a webhook."""
    things = make_things(pulp)
    lifecycle, repository = things["lifecycle"].href, things["repository"].href
    gates = [
        {"name": "solve", "kind": "environments", "action": "warn"},
        {"name": "rules", "kind": "policy", "action": "warn", "required": ["absent"]},
        {"name": "yes", "kind": "approval"},
    ]
    stages = [{"name": "unstable"}, {"name": "testing"}, {"name": "stable", "gates": gates}]
    # Nothing listens there.
    pulp.patch(lifecycle, stages=stages, webhook_url="http://127.0.0.1:9/hook")
    package = pulp.upload(make_package("blocked"), repository=repository)
    pulp.post(f"{lifecycle}promote/", stage="testing")
    pulp.post(f"{lifecycle}promote/", stage="stable", overrides={"rules": "It is known."})
    (request,) = pulp.list(f"{lifecycle}history/", outcome="waiting")
    approver = pulp.user(["conda.condalifecycle_approver"])
    approver.post(f"{request['pulp_href']}reject/", reason="Not now.")
    pulp.post(f"{lifecycle}rollback/", stage="testing")
    pulp.post(f"{lifecycle}promote_packages/", stage="testing", specs=["blocked"])
    block = pulp.post("conda/blocks/", sha256=package["sha256"], public_reason="It is broken.")
    run = CondaRefreshRun.objects.create(repository_id=things["repository"].pk, outcome="skipped")
    return {
        **things,
        "block": Thing(block["pulp_href"]),
        "delivery": Thing(pulp.list(f"{lifecycle}deliveries/")[0]["pulp_href"]),
        "entry": Thing(request["pulp_href"]),
        "run": Thing(f"conda/refresh_runs/{run.pk}/"),
    }


def _path(operation, things):
    """Fill in the parameters of a path."""
    path = operation.path.removeprefix("/pulp/api/v3/")

    def fill(found):
        if found[1] == "number":
            return "1"
        kind = Place("get", path, "path", found[1]).kind
        if kind == "entry" and "deliveries" in path:
            kind = "delivery"
        return things[kind].pk

    return re.sub(r"\{(\w+)\}", fill, operation.path)


def test_each_answer_is_what_the_schema_says(pulp, schema, things):
    environment = things["environment"].facts["name"]
    told = []
    empty = []
    for operation in operations(schema):
        content = operation.facts["responses"].get("200", {}).get("content", {})
        if operation.method != "get" or "application/json" not in content:
            continue
        query = _QUERIES.get(operation.name, {})
        if "environment" in query:
            query = {**query, "environment": environment}
        answer = pulp.try_get(_path(operation, things), **query)
        if answer.status_code != 200:
            told.append(f"{operation.name}: {answer.status_code} {answer.text}")
            continue
        found = answer.json()
        if isinstance(found, dict) and found.get("results") == []:
            empty.append(operation.name)
        told += [
            f"{operation.name}: {problem}"
            for problem in problems(schema, content["application/json"]["schema"], found)
            if not _NULL_IN_PULPCORE.fullmatch(problem)
        ]
    assert sorted(set(told)) == []
    assert empty == []
