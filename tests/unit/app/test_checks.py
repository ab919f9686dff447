import pytest
from django.test import override_settings
from storages.backends.s3 import S3Storage

from pulp_conda.app import checks
from pulp_conda.app.checks import (
    check_board_origin,
    check_disks,
    check_labeled_channels,
    check_middleware,
    check_redirects,
    check_token_authentication,
    check_token_paths,
    check_upload_labels,
)
from pulp_conda.app.labels import labels_of
from pulp_conda.app.models import CondaDistribution

ANSWERS = "pulp_conda.app.database.ComeAgain"
OTHER = "django.middleware.common.CommonMiddleware"
OURS = "pulp_conda.app.authentication.TokenAuthentication"
BASIC = "pulpcore.app.authentication.BasicAuthentication"
SESSION = "rest_framework.authentication.SessionAuthentication"


def test_the_plugin_puts_its_class_first():
    assert check_token_authentication(None) == []


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        ([OURS], []),
        ([SESSION, OURS, BASIC], []),
        ([BASIC, SESSION], ["conda.W001"]),
        ([BASIC, OURS], ["conda.W002"]),
    ],
)
def test_settings_without_it_are_warned_about(classes, found):
    with override_settings(REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": classes}):
        assert [warning.id for warning in check_token_authentication(None)] == found


@pytest.mark.django_db
def test_paths_in_which_clients_find_a_token_are_warned_about():
    for path in ("team/t/x", "t", "tt/t-1", "team/at"):
        CondaDistribution.objects.create(name=path, base_path=path)
    found = check_token_paths(None, databases=["default"])
    assert [warning.id for warning in found] == ["conda.W004"] * 2
    assert [warning.msg.split("'")[1] for warning in found] == ["t", "team/t/x"]
    assert check_token_paths(None, databases=None) == []


@pytest.mark.parametrize(
    ("labels", "domains", "found"),
    [
        ({}, False, []),
        ({"team": {"dev": "team-dev"}}, False, []),
        ({"team": {}}, False, []),
        ({"default": {"team": {"dev": "team-dev"}}}, False, []),
        ({"team": {"dev": "x"}, "physics": {"team": {"dev": "y"}}}, True, []),
        ({"physics": {"team": {"dev": "y"}}}, False, ["conda.W005"]),
        ([], False, ["conda.E002"]),
        ({"team": "dev"}, False, ["conda.E002"]),
        ({"team": {"dev": 1}}, False, ["conda.E002"]),
        ({"team": {"dev": ""}}, False, ["conda.E002"]),
        ({"team": {1: "x"}}, False, ["conda.E002"]),
        ({"": {"dev": "x"}}, False, ["conda.E002"]),
        ({"physics": {"team": {"dev": "y"}, "other": "x"}}, True, ["conda.E002"]),
        ({"physics": {"team": {"dev": {"deep": "x"}}}}, True, ["conda.E002"]),
    ],
)
def test_labels_that_mean_nothing_are_refused(labels, domains, found):
    with override_settings(CONDA_UPLOAD_LABELS=labels, DOMAIN_ENABLED=domains):
        assert [message.id for message in check_upload_labels(None)] == found


@pytest.mark.parametrize(
    ("origin", "found"),
    [
        (None, []),
        ("https://pulp.example.com", []),
        ("http://[::1]:24817", []),
        ("https://pulp.example.com/", ["conda.E003"]),
        ("https://user@pulp.example.com", ["conda.E003"]),
        ("https://pulp.example.com/?a", ["conda.E003"]),
        ("javascript:alert(1)", ["conda.E003"]),
        ("https://[", ["conda.E003"]),
        ("pulp.example.com", ["conda.E003"]),
        ("", ["conda.E003"]),
        (80, ["conda.E003"]),
    ],
)
def test_where_the_board_is_has_to_be_an_origin(origin, found):
    with override_settings(CONDA_BOARD_ORIGIN=origin):
        assert [message.id for message in check_board_origin(None)] == found


def test_an_entry_for_a_domain_takes_the_place_of_one_for_all():
    labels = {"team": {"dev": "a", "rc": "b"}, "physics": {"team": {"dev": "c"}}}
    with override_settings(CONDA_UPLOAD_LABELS=labels):
        assert labels_of("default", ["team"]) == {"dev": "a", "rc": "b"}
        assert labels_of("physics", ["team"]) == {"dev": "c"}
        assert labels_of("physics", ["other"]) == {}


@pytest.mark.django_db
def test_labels_without_their_channels_are_warned_about():
    for path in ("team", "team-dev"):
        CondaDistribution.objects.create(name=path, base_path=path)
    labels = {
        "team": {"dev": "team-dev", "rc": "team-rc"},
        "gone": {"dev": "team-dev"},
        "default": {"team": {"dev": "/team-dev/"}},
        "physics": {"team": {"dev": "team-dev"}},
    }
    with override_settings(CONDA_UPLOAD_LABELS=labels, DOMAIN_ENABLED=True):
        found = check_labeled_channels(None, databases=["default"])
        assert check_labeled_channels(None, databases=None) == []
    assert [warning.id for warning in found] == ["conda.W006"] * 3
    needed = [warning.msg.partition("needs a channel ")[2] for warning in found]
    assert needed == [
        "'team-rc' in domain 'default'.",
        "'gone' in any domain.",
        "'team' in domain 'physics'.",
    ]


@pytest.mark.parametrize(
    ("names", "found"),
    [([ANSWERS, OTHER], []), ([OTHER, ANSWERS], ["conda.W007"]), ([OTHER], ["conda.W007"])],
    ids=["first", "later", "missing"],
)
def test_the_class_that_answers_without_a_database_comes_first(names, found):
    assert check_middleware(None) == []
    with override_settings(MIDDLEWARE=names):
        assert [warning.id for warning in check_middleware(None)] == found


def test_files_are_received_on_the_disk_where_they_stay(tmp_path):
    assert check_disks(None) == []
    with override_settings(WORKING_DIRECTORY="/proc", FILE_UPLOAD_TEMP_DIR=str(tmp_path / "gone")):
        (warning,) = check_disks(None)
    assert warning.id == "conda.W008"
    assert warning.msg.startswith("WORKING_DIRECTORY (/proc) and MEDIA_ROOT (")


@pytest.mark.parametrize(
    ("options", "redirects", "found"),
    [
        ({"endpoint_url": "https://s3.example.org"}, True, []),
        ({"endpoint_url": "http://minio:9000"}, True, ["conda.W009"]),
        ({"endpoint_url": "http://localhost:9000"}, True, ["conda.W009"]),
        ({"endpoint_url": "http://127.0.0.1:9000"}, True, ["conda.W009"]),
        ({"endpoint_url": "http://[::1]:9000"}, True, ["conda.W009"]),
        ({"endpoint_url": "http://10.0.0.1:9000"}, True, []),
        ({"endpoint_url": "http://minio:9000"}, False, []),
        ({"endpoint_url": "http://minio:9000", "custom_domain": "cdn.example.org"}, True, []),
        ({}, True, []),
        ({"querystring_expire": 600}, True, ["conda.W010"]),
        ({"querystring_expire": 3600}, True, []),
    ],
)
def test_clients_are_not_redirected_to_where_they_cannot_go(monkeypatch, options, redirects, found):
    storage = S3Storage(bucket_name="pulp", access_key="x", secret_key="y", **options)
    monkeypatch.setattr(checks, "default_storage", storage)
    with override_settings(REDIRECT_TO_OBJECT_STORAGE=redirects, CACHE_ENABLED=True):
        assert [warning.id for warning in check_redirects(None)] == found
