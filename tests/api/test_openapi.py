import pytest

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
