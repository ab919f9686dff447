"""Every viewset has a policy, and every action of it is spoken of."""

import pytest
from django.contrib.auth.models import Permission

from pulp_conda.app import viewsets

VIEWSETS = [getattr(viewsets, name) for name in viewsets.__all__]


@pytest.mark.parametrize("viewset", VIEWSETS, ids=lambda viewset: viewset.__name__)
def test_every_action_has_a_statement(viewset):
    spoken_of = {
        action
        for statement in viewset.DEFAULT_ACCESS_POLICY["statements"]
        for action in statement["action"]
    }
    standard = ["list", "create", "retrieve", "update", "partial_update", "destroy"]
    actions = {action for action in standard if hasattr(viewset, action)}
    actions |= {action.__name__ for action in viewset.get_extra_actions()}
    # Vulnerability reports need a scanner, which nobody offers for conda.
    assert actions - spoken_of <= {"scan"}


@pytest.mark.django_db
@pytest.mark.parametrize("viewset", VIEWSETS, ids=lambda viewset: viewset.__name__)
def test_every_permission_that_a_role_or_policy_names_exists(viewset):
    named = {p for role in getattr(viewset, "LOCKED_ROLES", {}).values() for p in role}
    for statement in viewset.DEFAULT_ACCESS_POLICY["statements"]:
        for condition in statement.get("condition", []):
            named |= {p for p in condition.partition(":")[2].split(",") if p.startswith("conda.")}
    existing = {
        f"{permission.content_type.app_label}.{permission.codename}"
        for permission in Permission.objects.select_related("content_type")
    }
    assert named <= existing
