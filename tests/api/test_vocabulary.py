"""The OpenAPI schema names the words that its fields have."""

import pytest
from pulp_glue.conda import vocabulary

ENUMS = {
    "RoleEnum": vocabulary.ChannelRole,
    "VerbEnum": vocabulary.ActVerb,
    "EventEnum": vocabulary.WebhookEvent,
    "FormatEnum": vocabulary.EnvironmentFormat,
    "HistoryEntryKindEnum": vocabulary.EntryKind,
    "KindEnum": vocabulary.ChangeKind,
    "LockFormatEnum": vocabulary.LockFormat,
    "RepodataFormEnum": vocabulary.RepodataForm,
    "OnErrorEnum": vocabulary.OnError,
    "OutcomeEnum": vocabulary.EntryOutcome,
    "RunOutcomeEnum": vocabulary.RunOutcome,
    "StateEnum": vocabulary.DeliveryState,
    "SummaryEnum": vocabulary.Summary,
}

FIELDS = {
    ("conda.CondaActResponse", "verb"): "VerbEnum",
    ("conda.HistoryEntryResponse", "kind"): "HistoryEntryKindEnum",
    ("conda.HistoryEntryResponse", "outcome"): "OutcomeEnum",
    ("conda.CondaRefreshRunResponse", "outcome"): "RunOutcomeEnum",
    ("conda.WebhookDeliveryResponse", "event"): "EventEnum",
    ("conda.WebhookDeliveryResponse", "state"): "StateEnum",
    ("conda.CondaEnvironmentResponse", "format"): "FormatEnum",
    ("conda.CondaRemoteResponse", "repodata_form"): "RepodataFormEnum",
    ("conda.CondaRemoteResponse", "on_error"): "OnErrorEnum",
    ("CondaChannelRole", "role"): "RoleEnum",
    ("CondaImportLock", "lock_format"): "LockFormatEnum",
    ("CondaChangeResponse", "kind"): "KindEnum",
    ("CondaNameChangeResponse", "summary"): "SummaryEnum",
}


@pytest.fixture(scope="module")
def schemas(pulp):
    return pulp.get("docs/api.json")["components"]["schemas"]


@pytest.mark.parametrize("name", ENUMS)
def test_an_enum_of_the_schema_has_the_words_that_clients_know(schemas, name):
    assert schemas[name]["enum"] == vocabulary.values_of(ENUMS[name])


@pytest.mark.parametrize(("schema", "field"), FIELDS)
def test_a_field_of_the_schema_names_its_enum(schemas, schema, field):
    described = schemas[schema]["properties"][field]
    assert described["allOf"] == [{"$ref": f"#/components/schemas/{FIELDS[schema, field]}"}]
