import itertools

import pytest

from tests.support.builders import make_package

NOUNS = ["remotes", "repositories", "publications", "distributions"]
PEOPLE = ["nobody", "viewer", "creator", "owner"]


@pytest.fixture(scope="module")
def people(pulp):
    """Users, each with one role on all nouns."""
    users = {"nobody": pulp.user([])}
    for role in ("viewer", "creator", "owner"):
        users[role] = pulp.user(
            [
                f"conda.conda{noun}_{role}"
                for noun in ("remote", "repository", "publication", "distribution")
            ]
        )
    return users


@pytest.fixture(scope="module")
def things(pulp):
    """One of each noun."""
    remote = pulp.post("remotes/conda/conda/", name="access", url="https://conda.example.org/x")
    repository = pulp.post("repositories/conda/conda/", name="access")
    publication = pulp.publish(repository["latest_version_href"])
    distribution = pulp.distribution(publication=publication)
    return {
        "remotes": remote["pulp_href"],
        "repositories": repository["pulp_href"],
        "publications": publication,
        "distributions": distribution["pulp_href"],
    }


@pytest.mark.parametrize("noun, person", list(itertools.product(NOUNS, PEOPLE)))
def test_who_may_look(people, things, noun, person):
    status = people[person].try_get(things[noun]).status_code
    assert status == (200 if person in ("viewer", "owner") else 404)


@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_may_list_all_content_that_they_may_see(people, person):
    assert people[person].try_get("content/").status_code == 200


@pytest.mark.parametrize(
    "noun, person", list(itertools.product(["remotes", "repositories", "distributions"], PEOPLE))
)
def test_who_may_change(people, things, noun, person):
    status = people[person].try_patch(things[noun], pulp_labels={"by": person}).status_code
    assert status == {"nobody": 404, "viewer": 403, "creator": 404, "owner": status}[person]
    assert person != "owner" or status in (200, 202)


@pytest.mark.parametrize("person", PEOPLE)
def test_who_may_create_and_then_owns_it(people, person, unique):
    body = {"name": f"{person}-{unique}", "url": "https://conda.example.org/x"}
    answer = people[person].try_post("remotes/conda/conda/", **body)
    if person != "creator":
        assert answer.status_code == 403
        return
    href = answer.json()["pulp_href"]
    assert people[person].try_get(href).status_code == 200
    assert people[person].try_delete(href).status_code == 202


@pytest.mark.parametrize("action", ["sync/", "modify/"], ids=["sync", "modify"])
@pytest.mark.parametrize("person", PEOPLE)
def test_who_may_change_the_packages_of_a_channel(people, things, person, action):
    body = {"remote": things["remotes"]} if action == "sync/" else {}
    answer = people[person].try_post(things["repositories"] + action, **body)
    assert (
        answer.status_code == {"nobody": 404, "viewer": 403, "creator": 404, "owner": 202}[person]
    )


@pytest.mark.parametrize("person", PEOPLE)
def test_who_may_upload_into_a_channel(people, things, person, unique):
    package = make_package(f"by-{person}-{unique}")
    answer = people[person].post_bytes(
        "content/conda/packages/", package.filename, package.data, repository=things["repositories"]
    )
    # Who may not see the channel does not learn that it exists.
    assert (
        answer.status_code == {"nobody": 400, "viewer": 403, "creator": 400, "owner": 202}[person]
    )


def test_uploading_at_once_needs_a_role_of_its_own(pulp, people, unique):
    package = make_package(f"at-once-{unique}")
    path = "content/conda/packages/upload/"
    assert people["owner"].post_bytes(path, package.filename, package.data).status_code == 403
    uploader = pulp.user(["conda.condapackage_uploader"])
    assert uploader.post_bytes(path, package.filename, package.data).status_code == 201
