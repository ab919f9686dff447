"""What a user may not see, the user may not name: each answer is that for something that does not
exist.

`tests/slow/domains/test_hidden.py` tries all kinds of objects in all places, also across domains.
"""

import pytest

from tests.support.builders import make_package
from tests.support.hidden import CREATOR, Somebody, make_things, places

PACKAGES = "content/conda/packages/"


@pytest.fixture(scope="module")
def hidden(pulp):
    return make_things(pulp)


@pytest.fixture(scope="module")
def somebody(pulp):
    user = pulp.user(CREATOR)
    return Somebody(user, make_things(user))


@pytest.fixture(scope="module")
def references(pulp):
    """The places where a reference is expected, and the paths of what belongs to something else.

    Where several have the same fields or filters, one is enough here.
    """
    schema = pulp.get("docs/api.json", component="conda", pk_path=1)
    return [
        place
        for place in places(schema, "/pulp/api/v3/")
        if place.method == ("get" if place.where != "body" else "post")
        and (place.is_reference or place.name in ("lifecycle_pk", "repository_pk"))
        and not place.path.endswith("_label/")
        and not (place.where == "query" and place.kind == "version" and place.path not in PACKAGES)
    ]


def test_what_is_hidden_is_answered_like_what_does_not_exist(somebody, hidden, references):
    told = []
    for place in references:
        things = hidden[place.kind], hidden[place.kind].missing()
        answers = [somebody.ask(place, thing.fact(place.fact or "href")) for thing in things]
        if answers[0] != answers[1] or not 400 <= answers[0][0] < 500:
            told.append(f"{place}: hidden {answers[0]}, missing {answers[1]}")
    print(f"{len(references)} places × 1 hidden object of the kind that belongs there × 1 user")
    assert told == []
    assert len(references) > 45


def test_nothing_of_a_hidden_channel_comes_into_an_own_one(somebody, hidden):
    href = somebody.own["repository"].href
    before = somebody.pulp.get(href)["latest_version_href"]
    for body in (
        {"base_version": hidden["version"].href},
        {"base_version": hidden["version"].facts["prn"]},
        {"add_content_units": [hidden["package"].href]},
        {"add_content_units": [hidden["patch"].facts["prn"]]},
        {"add_content_units": [f"x/{hidden['environment'].pk}/"]},
    ):
        answer = somebody.pulp.try_post(f"{href}modify/", **body)
        assert answer.status_code == 400, body
    assert somebody.pulp.get(href)["latest_version_href"] == before


def test_references_in_expressions_are_checked_as_well(somebody, hidden):
    queries = [f"repository_version='{hidden['repository'].href}'", "NOT content='{}'"]
    for path, query, kind in (
        (PACKAGES, queries[0], "repository"),
        ("publications/conda/conda/", queries[1].format(hidden["package"].href), "package"),
    ):
        answers = [
            somebody.pulp.try_get(path, q=query.replace(thing.href, href))
            for thing in (hidden[kind],)
            for href in (thing.href, thing.missing().href)
        ]
        assert [answer.status_code for answer in answers] == [400, 400]
        assert "may not see it" in answers[0].text


def test_the_url_of_a_list_names_a_type(somebody):
    shown = somebody.pulp.get("distributions/conda/conda/", repository="/pulp/api/v3/repositories/")
    assert shown["count"] == 0  # all of them serve a publication
    path = "repositories/conda/conda/"
    shown = somebody.pulp.get(path, remote="/pulp/api/v3/remotes/conda/conda/")
    assert shown["count"] == 1  # the one that is refreshed
    everything = "/pulp/api/v3/repositories/conda/conda/"
    assert somebody.pulp.try_get(PACKAGES, repository_version=everything).status_code == 400


def test_what_belongs_to_a_hidden_object_asks_for_a_password(somebody, hidden):
    with type(somebody.pulp)(somebody.pulp.url) as stranger:
        for thing in (hidden["repository"], hidden["repository"].missing()):
            assert stranger.try_get(f"{thing.href}versions/").status_code == 401


def test_who_uploads_to_no_channel_may_see_the_package_and_add_it(pulp, somebody, unique):
    package = make_package(f"orphan-{unique}")
    upload = (f"{PACKAGES}upload/", package.filename, package.data)
    made = somebody.pulp.post_bytes(*upload).json()
    assert somebody.pulp.get(made["pulp_href"])["sha256"] == made["sha256"]
    other = pulp.user(CREATOR)
    repository = other.post("repositories/conda/conda/", name=unique)["pulp_href"]
    assert other.try_get(made["pulp_href"]).status_code == 404
    refused = other.try_post(f"{repository}modify/", add_content_units=[made["pulp_href"]])
    assert refused.status_code == 400
    somebody.pulp.modify(somebody.own["repository"].href, [made["pulp_href"]])

    # The same bytes, uploaded by somebody else: who has them may use them.
    assert other.post_bytes(*upload).json()["pulp_href"] == made["pulp_href"]
    assert other.post_bytes(*upload).status_code == 201
    other.modify(repository, [made["pulp_href"]])
    (shown,) = other.get(PACKAGES)["results"]
    assert shown["pulp_href"] == made["pulp_href"]


def test_an_artifact_is_for_who_uploaded_it_or_may_see_its_package(pulp, somebody, unique):
    package = make_package(f"chunks-{unique}")
    own = somebody.own["repository"].href
    upload = somebody.pulp.post("uploads/", size=len(package.data))["pulp_href"]
    somebody.pulp.put_chunk(upload, package.data, 0, len(package.data))
    task = somebody.pulp.post(f"{upload}commit/", sha256=package.record.fields["sha256"])
    artifact = somebody.pulp.created(task, "/artifacts/")
    other = pulp.user(CREATOR)
    repository = other.post("repositories/conda/conda/", name=unique)["pulp_href"]
    body = {"artifact": artifact, "repository": repository}
    assert other.try_post(PACKAGES, **body).status_code == 400
    made = somebody.pulp.create_package(artifact=artifact, repository=own)
    assert other.try_post(PACKAGES, **body).status_code == 400

    reader = pulp.user(["conda.condarepository_viewer", "conda.condarepository_creator"])
    body["repository"] = reader.post("repositories/conda/conda/", name=f"{unique}-2")["pulp_href"]
    assert reader.create_package(**body)["pulp_href"] == made["pulp_href"]


def test_what_an_object_refers_to_already_may_stay(pulp, somebody, hidden):
    href = somebody.own["distribution"].href
    for field in ("href", "prn"):
        pulp.patch(href, content_guard=hidden["guard"].href)
        shown = somebody.pulp.get(href)
        body = {"name": shown["name"], "base_path": shown["base_path"], "hidden": field == "prn"}
        guard = hidden["guard"].fact(field)
        answer = somebody.pulp._try("PUT", href, json={**body, "content_guard": guard})
        assert answer.status_code == 202, answer.text
        assert somebody.pulp.get(href)["content_guard"] == hidden["guard"].href
    pulp.patch(href, content_guard=None)

    team = somebody.own["lifecycle"].href
    stages = somebody.pulp.get(team)["stages"]
    pulp.patch(stages[0]["distribution"], content_guard=hidden["guard"].href)
    shown = [
        {"name": stage["name"], "content_guard": stage["content_guard"]}
        for stage in somebody.pulp.get(team)["stages"]
    ]
    assert [stage["content_guard"] for stage in shown] == [hidden["guard"].href, None, None]
    assert somebody.pulp.try_patch(team, stages=shown, retain_days=3).status_code == 202
    pulp.patch(stages[0]["distribution"], content_guard=None)

    assert somebody.pulp.try_patch(href, content_guard=hidden["guard"].href).status_code == 400


def test_a_reference_that_is_no_text_is_the_error_of_its_field(somebody):
    for path, field in (
        ("repositories/conda/conda/", "remote"),
        ("distributions/conda/conda/", "content_guard"),
        ("publications/conda/conda/", "repository"),
        ("content/conda/patches/", "package"),
    ):
        for value in ([], {}, 1, True):
            answer = somebody.pulp.try_post(path, **{field: value})
            assert (answer.status_code, list(answer.json())) == (400, [field])
