"""Each resource of the REST API has its modules, or stands here with the reason why not."""

import re

import pytest
from pulp_glue.conda import context as contexts

from tests.support.ansible import CHECKOUT
from tests.support.openapi import operations

MODULES = {path.stem for path in (CHECKOUT / "ansible/plugins/modules").glob("conda_*.py")}

# The modules that resources would have, and why they have none.
WITHOUT = {
    "conda_content_guard": "the option 'private' of conda_distribution makes it and takes it away",
    "conda_content_guard_info": "conda_distribution_info shows which channels are private",
    "conda_delivery_info": "people read it when messages were lost, with 'pulp conda delivery'",
    "conda_history_info": "conda_promote returns the report, and conda_act_info lists the moves",
    "conda_patch": "people make patches, and read what they change before they apply",
    "conda_patch_info": "there is no module that makes patches",
    "conda_refresh_run_info": "conda_refresh_info lists the runs",
    "conda_repository_version_info": "conda_repository_info shows the latest version",
}
# The modules that are no resources, with the operations that they are for.
OTHERS = {
    "conda_copy": "repositories_conda_conda_copy",
    "conda_member": "repositories_conda_conda_grant",
    "conda_member_info": "repositories_conda_conda_members",
    "conda_promote": "conda_lifecycles_promote",
    "conda_sync": "repositories_conda_conda_sync",
}


@pytest.fixture(scope="module")
def names(pulp):
    """The names of our operations, for example `conda_tokens_list`."""
    return {operation.name for operation in operations(pulp.get("docs/api.json"))}


def test_each_resource_has_its_modules(names):
    wanted = {
        f"conda_{_resource(name)}{suffix}"
        for name in names
        for verb, suffix in (("_create", ""), ("_list", "_info"))
        if name.endswith(verb)
    }
    assert wanted - MODULES == set(WITHOUT)
    assert MODULES - wanted == set(OTHERS)


def test_each_other_module_is_for_an_operation(names):
    assert set(OTHERS.values()) <= names


def _resource(name):
    """Return the name of a resource in modules, such as `repository`, of an operation's name."""
    prefix = name.rpartition("_")[0]
    kinds = {
        context.ID_PREFIX: re.fullmatch("PulpConda(.*)Context", kind)[1]
        for kind, context in vars(contexts).items()
        if kind.startswith("PulpConda") and hasattr(context, "ID_PREFIX")
    }
    kinds["contentguards_conda_conda"] = "ContentGuard"  # pulp-glue has one context for all guards
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kinds[prefix]).lower()
