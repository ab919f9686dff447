import copy
from collections import Counter

import pytest
from pulp_glue.common.exceptions import ValidationError
from pulp_glue.common.oas import OpenAPISpec
from pulp_glue.common.schema import validate

from pulp_conda.app.errors import BadGate
from pulp_conda.app.lifecycle.gates import check_gates
from pulp_conda.channel.errors import BadPolicy
from tests.support.openapi import free_forms, operations, problems

PATHS = [
    "conda/acts/",
    "content/conda/packages/",
    "content/conda/packages/upload/",
    "remotes/conda/conda/",
    "repositories/conda/conda/",
    "publications/conda/conda/",
    "distributions/conda/conda/",
    "conda/blocks/",
    "conda/publishers/",
    "conda/refreshes/",
    "conda/robots/",
    "conda/tokens/",
]
SCHEMAS = [
    "conda.CondaBlock",
    "conda.CondaPackage",
    "conda.CondaPublisher",
    "conda.CondaRefresh",
    "conda.CondaRemote",
    "conda.CondaRepository",
    "conda.CondaRobot",
    "conda.CondaToken",
    "CondaSync",
    "CondaVersionDiffResponse",
]


@pytest.fixture(scope="module")
def schema(pulp):
    return pulp.get("docs/api.json")


@pytest.mark.parametrize("path", PATHS)
def test_every_resource_is_in_the_schema_with_a_description(schema, path):
    operations = schema["paths"][f"/pulp/api/v3/{path}"]
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_of_ours_says_what_it_is(schema, name):
    fields = schema["components"]["schemas"][name]["properties"]
    silent = {
        field
        for field, description in fields.items()
        if not description.get("description") and "$ref" not in str(description)
    }
    assert silent <= {"artifact", "pulp_labels"}  # these are pulpcore's


@pytest.mark.parametrize("path", PATHS[3:])
def test_every_resource_that_people_write_has_an_example(schema, path):
    content = schema["paths"][f"/pulp/api/v3/{path}"]["post"]["requestBody"]["content"]
    assert content["application/json"]["examples"]


# What the schema leaves open: the values of any type, and the objects whose keys it does not name.
_LABELS = "people choose the labels"
_RECORD = "a record keeps all keys that its packager or its upstream gave it"
_MACHINE = "the names of virtual packages, whose values are typed"
_GATES = "the names of gates, whose values are typed"
_SUBDIRS = "the names of platforms, whose values are typed"
_NAMES = "the names of packages, whose values are typed"
_FILES = "the names of files, whose values are typed"
_CLAIMS = "each CI service has its own claims, whose values are texts"
_HEADERS = "the names of headers"
_PULPCORE = "pulpcore defines it, for the content of all plugins"
OPEN = {
    "CondaActDetails.claims": _CLAIMS,
    "CondaChange.values": "the names of keys of a record",
    "CondaChange.values.{}.from": _RECORD,
    "CondaChange.values.{}.to": _RECORD,
    "CondaCopy.virtual_packages": _MACHINE,
    "CondaDistribution.pulp_labels": _LABELS,
    "CondaEnvironment.pulp_labels": _LABELS,
    "CondaEnvironment.requirements": _SUBDIRS,
    "CondaEnvironment.virtual_packages": _SUBDIRS,
    "CondaEnvironment.virtual_packages.{}": _MACHINE,
    "CondaEnvironmentSummary.pulp_labels": _LABELS,
    "CondaEnvironmentSummary.virtual_packages": _SUBDIRS,
    "CondaEnvironmentSummary.virtual_packages.{}": _MACHINE,
    "CondaLifecycle.pulp_labels": _LABELS,
    "CondaLifecycleDiff.packages": _NAMES,
    "CondaMoveReport.overrides": _GATES,
    "CondaPackage.about": "packagers put what they like into 'about.json'",
    "CondaPackage.attestation": "Sigstore defines the JSON of a bundle",
    "CondaPackage.attestation.[]": "Sigstore defines the JSON of a bundle",
    "CondaPackage.link": "packagers put what they like into 'link.json'",
    "CondaPackage.pulp_labels": _LABELS,
    "CondaPackage.record": _RECORD,
    "CondaPackageUpload.about": "packagers put what they like into 'about.json'",
    "CondaPackageUpload.link": "packagers put what they like into 'link.json'",
    "CondaPackageUpload.pulp_labels": _LABELS,
    "CondaPackageUpload.record": _RECORD,
    "CondaPatch.pulp_labels": _LABELS,
    "CondaPatchInstructions.packages": _FILES,
    "CondaPatchInstructions.packages.conda": _FILES,
    "CondaPatchSummary.pulp_labels": _LABELS,
    "CondaPatchedRecord.extra_depends": "the names of extras, whose values are typed",
    "CondaPromote.overrides": _GATES,
    "CondaPromotePackages.overrides": _GATES,
    "CondaPromotePackages.virtual_packages": _MACHINE,
    "CondaPublication.package_counts": _SUBDIRS,
    "CondaPublisher.claims": _CLAIMS,
    "CondaRemote.headers.[]": _HEADERS,
    "CondaRemote.pulp_labels": _LABELS,
    "CondaRepository.pulp_labels": _LABELS,
    "CondaSelection.machines.[]": _MACHINE,
    "CondaStage.package_counts": _SUBDIRS,
    "CondaVersionDiff.packages": _NAMES,
    "ContentSummary.added": _PULPCORE,
    "ContentSummary.added.{}": _PULPCORE,
    "ContentSummary.present": _PULPCORE,
    "ContentSummary.present.{}": _PULPCORE,
    "ContentSummary.removed": _PULPCORE,
    "ContentSummary.removed.{}": _PULPCORE,
    "RemoteNetworkConfig.headers.[]": _PULPCORE,
}


def test_the_schema_leaves_open_only_what_has_no_known_form(schema):
    assert sorted(free_forms(schema)) == sorted(OPEN)


def test_each_operation_has_a_summary_of_its_own(schema):
    by_view = Counter()
    for operation in operations(schema):
        summary = operation.facts.get("summary")
        assert summary and summary[0].isupper() and not summary.endswith("."), operation.name
        by_view[operation.facts["tags"][0], summary] += 1
    assert [each for each, count in by_view.items() if count > 1] == []


def test_each_filter_says_what_it_finds(schema):
    silent = [
        f"{operation.name}: {parameter['name']}"
        for operation in operations(schema)
        for parameter in operation.facts.get("parameters", ())
        # The form of an answer is no filter.
        if parameter["in"] == "query" and parameter["name"] != "format"
        if not parameter.get("description")
    ]
    assert silent == []


# pulpcore's own.
_WITHOUT_EXAMPLE = ("_add_role", "_remove_role", "_set_label", "_unset_label", "_repair")


def test_each_json_of_a_request_has_examples_that_fit_the_schema(schema):
    wrong = []
    for operation in operations(schema):
        content = operation.facts.get("requestBody", {}).get("content", {})
        body = content.get("application/json")
        if body is None or operation.name.endswith(_WITHOUT_EXAMPLE):
            continue
        if not body.get("examples"):
            wrong.append(f"{operation.name} has none")
        for name, example in body.get("examples", {}).items():
            for problem in problems(schema, body["schema"], example["value"]):
                wrong.append(f"{operation.name}, {name}: {problem}")
    assert wrong == []


WAIVER = {"spec": "openssl 3.5.5", "until": "2027-01-31", "reason": "CVE"}
GATES = [
    {"name": "g", "kind": "environments"},
    {"name": "g", "kind": "environments", "action": "warn", "environments": ["prod-*"]},
    {"name": "g", "kind": "environments", "platforms": ["linux-64"], "channels": ["."]},
    {"name": "g", "kind": "approval"},
    {"name": "g", "kind": "approval", "action": "block", "approvals": 10},
    {"name": "g", "kind": "policy", "minimum_age": {"days": 0.5}},
    {"name": "g", "kind": "policy", "minimum_age": {"days": 7, "exceptions": ["numpy"]}},
    {"name": "g", "kind": "policy", "minimum_age": {"days": 7, "waivers": [WAIVER]}},
    {"name": "g", "kind": "policy", "licenses": {"allowed": ["MIT"], "unknown": "allow"}},
    {"name": "g", "kind": "policy", "licenses": {"denied": ["AGPL-*"], "exceptions": ["x"]}},
    {"name": "g", "kind": "policy", "blocked": [{"spec": "xz 5.6.*", "reason": "CVE"}]},
    {"name": "g", "kind": "policy", "required": ["python"], "dependencies": True},
    {"name": "g", "kind": "policy", "dependencies": {"only_new": True}},
    {"name": "n" * 100, "kind": "policy", "dependencies": {}},
]
WAIVERS = [{**WAIVER, "until": day} for day in ("20270131", "2027-W05", "2027-W05-1", "2027W051")]
WRONG_GATES = [
    "g",
    None,
    {},
    {"name": "g"},
    {"kind": "approval"},
    {"name": "", "kind": "approval"},
    {"name": "n" * 101, "kind": "approval"},
    {"name": 1, "kind": "approval"},
    {"name": "g", "kind": "blocks"},
    {"name": "g", "kind": None},
    {"name": "g", "kind": "approval", "action": "stop"},
    {"name": "g", "kind": "approval", "approvals": 0},
    {"name": "g", "kind": "approval", "approvals": 11},
    {"name": "g", "kind": "approval", "approvals": "1"},
    {"name": "g", "kind": "approval", "approvals": True},
    {"name": "g", "kind": "approval", "environments": ["x"]},
    {"name": "g", "kind": "environments", "environments": "x"},
    {"name": "g", "kind": "environments", "environments": [""]},
    {"name": "g", "kind": "environments", "environments": ["x" * 256]},
    {"name": "g", "kind": "environments", "platforms": ["linux-64"] * 101},
    {"name": "g", "kind": "environments", "chanels": ["x"]},
    {"name": "g", "kind": "policy", "minimum_age": 7},
    {"name": "g", "kind": "policy", "minimum_age": {}},
    {"name": "g", "kind": "policy", "minimum_age": {"days": "7"}},
    {"name": "g", "kind": "policy", "minimum_age": {"days": 3651}},
    {"name": "g", "kind": "policy", "minimum_age": {"days": 7, "exceptions": []}},
    {"name": "g", "kind": "policy", "minimum_age": {"days": 7, "waiver": [WAIVER]}},
    {"name": "g", "kind": "policy", "minimum_age": {"days": 7, "waivers": [{"spec": "x"}]}},
    {"name": "g", "kind": "policy", "licenses": {"allowed": ["x" * 201]}},
    {"name": "g", "kind": "policy", "licenses": {"unknown": "perhaps"}},
    {"name": "g", "kind": "policy", "blocked": ["xz"]},
    {"name": "g", "kind": "policy", "blocked": [{"spec": "xz"}]},
    {"name": "g", "kind": "policy", "blocked": []},
    {"name": "g", "kind": "policy", "required": []},
    {"name": "g", "kind": "policy", "required": ["x"] * 1001},
    {"name": "g", "kind": "policy", "dependencies": False},
    {"name": "g", "kind": "policy", "dependencies": "all"},
    {"name": "g", "kind": "policy", "dependencies": {"base_channels": []}},
    {"name": "g", "kind": "policy", "dependencies": {"only_new": 1}},
]


@pytest.mark.parametrize(
    "gate",
    [
        *GATES,
        *(
            {"name": "g", "kind": "policy", "minimum_age": {"days": 1, "waivers": [waiver]}}
            for waiver in WAIVERS
        ),
    ],
)
def test_the_schema_takes_the_gates_that_the_server_takes(schema, gate):
    checked = check_gates([copy.deepcopy(gate)], "testing")
    assert _problems_of_gates(schema, [gate]) == []
    # What the server stores, it also shows, and takes again.
    assert _problems_of_gates(schema, checked) == []
    assert _problems_of_gates(schema, checked, "CondaStageResponse") == []


@pytest.mark.parametrize("gate", WRONG_GATES)
def test_the_schema_refuses_the_gates_that_the_server_refuses_for_their_form(schema, gate):
    with pytest.raises((BadGate, BadPolicy)):
        check_gates([copy.deepcopy(gate)], "testing")
    assert _problems_of_gates(schema, [gate])


@pytest.fixture(scope="module")
def components(schema):
    """The schemas as pulp-glue reads them, which checks a request by them before it is sent."""
    return OpenAPISpec.model_validate(schema).components.schemas


def test_pulp_glue_takes_gates_that_fit_the_schema(components):
    validate(components["CondaStage"], "stage", {"name": "testing", "gates": GATES}, components)


# pulp-glue looks neither at the length of texts, nor at whether a number is a boolean.
@pytest.mark.parametrize("gate", [*WRONG_GATES[:5], *WRONG_GATES[7:14], *WRONG_GATES[15:17]])
def test_pulp_glue_refuses_gates_that_do_not_fit_the_schema(components, gate):
    with pytest.raises(ValidationError, match=r"stage\[gates\]\[0\]"):
        validate(components["CondaStage"], "stage", {"name": "s", "gates": [gate]}, components)


def _problems_of_gates(schema, gates, component="CondaStage"):
    part = schema["components"]["schemas"][component]["properties"]["gates"]
    return problems(schema, part, gates)
