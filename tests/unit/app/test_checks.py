import pytest
from django.test import override_settings

from pulp_conda.app.checks import check_token_authentication, check_token_paths
from pulp_conda.app.models import CondaDistribution

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
