"""What lifecycles cannot be: refused at once, with a text that helps, and with nothing left
behind.
"""

import pytest

from tests.support.builders import make_package

TOO_LONG = "n" * 129


@pytest.fixture(scope="module")
def repository(pulp):
    repository = pulp.post("repositories/conda/conda/", name="input", autopublish=True)["pulp_href"]
    pulp.upload(make_package("input"), repository=repository)
    return repository


@pytest.fixture(scope="module")
def team(pulp, repository):
    """A lifecycle that is there already, with a gate."""
    team = pulp.lifecycle(repository, name="taken")
    team.set_gates("testing", {"name": "yes", "kind": "approval"})
    return team


def _count(pulp):
    return [
        pulp.get(path, limit=1)["count"]
        for path in ("conda/lifecycles/", "distributions/conda/conda/")
    ]


def _stages(*names, **last):
    return {"stages": [*({"name": name} for name in names), *([last] if last else [])]}


def _gates(*gates, stage="testing"):
    return _stages("unstable", **{"name": stage, "gates": list(gates)})


YES = {"name": "yes", "kind": "approval"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"name": ""}, ["name", "blank"], id="no-name"),
        pytest.param({"name": None}, ["name", "null"], id="null-as-name"),
        pytest.param({"name": TOO_LONG}, ["name", "128"], id="long-name"),
        pytest.param({"name": "a\0b"}, ["CND0064", "'name' holds a NUL"], id="null-in-name"),
        pytest.param(
            {"name": "Team A"}, ["CND0019", "'Team A'", "'unstable'"], id="name-that-is-no-path"
        ),
        pytest.param({"name": "../x"}, ["CND0019", "'..'"], id="name-that-leads-out"),
        pytest.param({"name": "taken"}, ["Another lifecycle has this name"], id="taken-name"),
        pytest.param({"base_path": "a//b"}, ["CND0019", "''"], id="empty-part-in-path"),
        pytest.param({"base_path": "/a"}, ["CND0019"], id="path-from-the-root"),
        pytest.param(
            {"base_path": "taken"},
            ["CND0040", "'taken/unstable'", "overlaps", "'base_path'"],
            id="taken-path",
        ),
        pytest.param(
            {"base_path": "taken/testing/x"}, ["CND0040", "overlaps"], id="path-below-another"
        ),
        pytest.param({"repository": None}, ["repository", "null"], id="no-repository"),
        pytest.param(
            {"repository": "/pulp/api/v3/repositories/conda/conda/0/"},
            ["repository"],
            id="no-such-repository",
        ),
        pytest.param({"stages": "unstable"}, ["stages", "list"], id="stages-are-a-text"),
        pytest.param(
            {"stages": ["unstable", "testing"]}, ["stages", "dictionary"], id="stages-are-texts"
        ),
        pytest.param({"stages": []}, ["CND0040", "2 to 20"], id="no-stages"),
        pytest.param(_stages("one"), ["CND0040", "2 to 20"], id="one-stage"),
        pytest.param(_stages(*(f"s{n}" for n in range(21))), ["2 to 20"], id="21-stages"),
        pytest.param(_stages("one", "two", "one"), ["CND0040", "'one'"], id="a-name-twice"),
        pytest.param(
            _stages("one", "v42"), ["CND0040", "'v42'", "state"], id="the-name-of-a-state"
        ),
        pytest.param(_stages("one", "v42.1"), ["CND0040", "'v42.1'"], id="the-name-of-a-fix"),
        pytest.param(
            _stages("one", "noarch"), ["CND0019", "'noarch'", "subdir"], id="the-name-of-a-subdir"
        ),
        pytest.param(_stages("one", ""), ["stages", "blank"], id="stage-without-name"),
        pytest.param(_stages("one", "Two"), ["stages", "name"], id="upper-case"),
        pytest.param(_stages("one", "a/b"), ["stages", "name"], id="slash-in-name"),
        pytest.param(_stages("one", "a@b"), ["stages", "name"], id="at-in-name"),
        pytest.param(_stages("one", "a\nb"), ["stages", "name"], id="line-break-in-name"),
        pytest.param(_stages("one", "a" * 65), ["stages", "name"], id="long-stage-name"),
        pytest.param(_stages("one", gates=[]), ["stages", "name", "required"], id="no-stage-name"),
        pytest.param(
            _stages("one", name="two", gates="none"),
            ["CND0041", "'two'", "list"],
            id="gates-are-no-list",
        ),
        pytest.param(
            _stages("one", name="two", gates=None), ["gates", "null"], id="gates-are-null"
        ),
        pytest.param(_gates("yes"), ["CND0041", "'testing'", "object"], id="gate-is-a-text"),
        pytest.param(_gates({}), ["CND0041", "name"], id="gate-is-empty"),
        pytest.param(
            _gates({**YES, "kind": "luck"}),
            ["CND0041", "'yes'", "environments, policy, approval"],
            id="unknown-kind",
        ),
        pytest.param(
            _gates({**YES, "kind": ["approval"]}),
            ["CND0041", "'yes'", "environments, policy, approval"],
            id="kind-is-a-list",
        ),
        pytest.param(
            _gates({**YES, "kind": {}}),
            ["CND0041", "'yes'", "environments, policy, approval"],
            id="kind-is-an-object",
        ),
        pytest.param(
            _gates({**YES, "action": []}), ["CND0041", "'block' or 'warn'"], id="action-is-a-list"
        ),
        pytest.param(
            _gates({**YES, "action": "pray"}), ["CND0041", "'block' or 'warn'"], id="unknown-action"
        ),
        pytest.param(
            _gates({**YES, "color": "red"}), ["CND0041", "'yes'", "'color'"], id="unknown-option"
        ),
        pytest.param(_gates({**YES, "approvals": 0}), ["CND0041", "1 to 10"], id="no-approvals"),
        pytest.param(
            _gates({**YES, "approvals": "2"}), ["CND0041", "1 to 10"], id="approvals-are-a-text"
        ),
        pytest.param(
            _gates({**YES, "approvals": True}), ["CND0041", "1 to 10"], id="approvals-are-true"
        ),
        pytest.param(
            _gates(YES, YES), ["CND0041", "'yes'", "another gate"], id="two-gates-of-a-name"
        ),
        pytest.param(
            _gates(*({**YES, "name": str(n)} for n in range(51))), ["CND0041", "50"], id="51-gates"
        ),
        pytest.param(_gates({**YES, "name": 7}), ["CND0041", "name"], id="gate-name-is-a-number"),
        pytest.param(
            {"stages": [{"name": "one", "gates": [YES]}, {"name": "two"}]},
            ["CND0040", "first"],
            id="gate-of-the-first",
        ),
        pytest.param(
            _stages(
                "one",
                name="two",
                distribution="/pulp/api/v3/distributions/conda/conda/01924e1b-3e7f-7d22-b1f6-e1a2c9c4da31/",
            ),
            ["distribution", "does not exist"],
            id="no-such-distribution",
        ),
        pytest.param({"retain_days": -1}, ["retain_days", "0"], id="less-than-no-days"),
        pytest.param({"retain_days": 36501}, ["retain_days", "36500"], id="more-than-a-century"),
        pytest.param({"retain_days": "soon"}, ["retain_days"], id="days-are-a-text"),
        pytest.param({"announce": "loudly"}, ["announce"], id="announce-is-a-text"),
        pytest.param(
            {"webhook_url": "ftp://example.org/x"}, ["CND0061", "https://"], id="webhook-by-ftp"
        ),
        pytest.param(
            {"webhook_url": "example.org"}, ["CND0061", "https://"], id="webhook-without-scheme"
        ),
        pytest.param({"webhook_secret": "short"}, ["CND0061", "secret"], id="weak-secret"),
        pytest.param({"color": "red"}, ["color", "Unexpected"], id="unknown-field"),
    ],
)
def test_a_lifecycle_that_cannot_be_is_not_made(pulp, team, unique, body, words):
    before = _count(pulp)
    whole = {"name": unique, "repository": team.repository, **body}
    answer = pulp.try_post("conda/lifecycles/", **whole)
    assert answer.status_code == 400, answer.text
    assert [word for word in words if word not in answer.text] == [], answer.text
    assert _count(pulp) == before


def test_all_that_is_wrong_is_said_at_once(pulp, team, unique):
    stages = [
        {"name": "one", "gates": [YES]},
        {"name": "two", "gates": [{**YES, "kind": "luck"}]},
        {"name": "v1", "gates": "none"},
    ]
    body = {"name": unique, "repository": team.repository, "stages": stages}
    told = pulp.try_post("conda/lifecycles/", **body).json()["stages"]
    assert len(told) == 4


def _adopting(pulp, team, distribution, unique):
    body = {"name": unique, "repository": team.repository}
    stages = [{"name": "first"}, {"name": "last", "distribution": distribution}]
    return pulp.try_post("conda/lifecycles/", **body, stages=stages)


def _refused(answer, *words):
    assert answer.status_code == 400, answer.text
    assert [word for word in ("CND0040", "'last'", *words) if word not in answer.text] == []


def test_a_distribution_is_a_stage_once(pulp, team, unique):
    before = _count(pulp)
    taken = team.stage("testing")["distribution"]
    _refused(_adopting(pulp, team, taken, unique), "is a stage already")
    assert _count(pulp) == before


def test_a_distribution_cannot_be_two_stages_at_once(pulp, team, unique):
    distribution = pulp.distribution()["pulp_href"]
    stages = [{"name": name, "distribution": distribution} for name in ("first", "last")]
    body = {"name": unique, "repository": team.repository, "stages": stages}
    _refused(pulp.try_post("conda/lifecycles/", **body), "is a stage already")


def test_a_distribution_of_another_repository_is_no_stage(pulp, team, make_repository, unique):
    distribution = pulp.distribution(repository=make_repository())
    answer = _adopting(pulp, team, distribution["pulp_href"], unique)
    _refused(answer, "serves repository", "'input'")
    assert pulp.get(distribution["pulp_href"]) == distribution


def test_a_distribution_of_checkpoints_is_no_stage(pulp, team, unique):
    distribution = pulp.distribution(repository=team.repository, checkpoint=True)["pulp_href"]
    _refused(_adopting(pulp, team, distribution, unique), "serves checkpoints")


def test_a_distribution_of_the_name_that_a_stage_would_have_is_named(pulp, team, unique):
    pulp.distribution(name=f"{unique}-last", base_path=f"{unique}-elsewhere")
    stages = [{"name": "first"}, {"name": "last"}]
    body = {"name": unique, "repository": team.repository, "stages": stages}
    before = _count(pulp)
    _refused(pulp.try_post("conda/lifecycles/", **body), f"'{unique}-last'", "'distribution'")
    assert _count(pulp) == before


# Changes


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(
            _stages("unstable", "stable"),
            ["CND0040", "'unstable', 'testing', 'stable' are there"],
            id="remove",
        ),
        pytest.param(
            _stages("testing", "unstable", "stable"), ["CND0040", "in this order"], id="reorder"
        ),
        pytest.param(
            _stages("unstable", "new", "testing", "stable"),
            ["CND0040", "go to the end"],
            id="insert",
        ),
        pytest.param(
            _stages("unstable", "tested", "stable"), ["CND0040", "are there and stay"], id="rename"
        ),
        pytest.param({"stages": []}, ["CND0040"], id="remove-all"),
        pytest.param({"name": ""}, ["name", "blank"], id="no-name"),
        pytest.param({"retain_days": -1}, ["retain_days"], id="less-than-no-days"),
        pytest.param({"webhook_url": "gopher://x"}, ["CND0061"], id="webhook-by-gopher"),
        pytest.param(
            {"stages": [{"name": "unstable"}, {"name": "testing", "gates": 7}, {"name": "stable"}]},
            ["CND0041", "'testing'"],
            id="gates-are-a-number",
        ),
        pytest.param(
            {
                "stages": [
                    {"name": "unstable", "gates": [YES]},
                    {"name": "testing"},
                    {"name": "stable"},
                ]
            },
            ["CND0040", "first"],
            id="gate-of-the-first",
        ),
    ],
)
def test_a_lifecycle_is_not_changed_to_what_it_cannot_be(pulp, team, body, words):
    before, distributions = team.read(), _count(pulp)
    answer = pulp.try_patch(team.href, **body)
    assert answer.status_code == 400, answer.text
    assert [word for word in words if word not in answer.text] == [], answer.text
    assert (team.read(), _count(pulp)) == (before, distributions)


def test_a_lifecycle_keeps_its_repository(pulp, team, make_repository):
    answer = pulp.try_patch(team.href, repository=make_repository())
    assert (answer.status_code, "keeps its repository" in answer.text) == (400, True)


def test_a_lifecycle_does_not_take_the_name_of_another(pulp, team):
    other = pulp.lifecycle(team.repository)
    answer = pulp.try_patch(other.href, name="taken")
    assert (answer.status_code, "Another lifecycle has this name" in answer.text) == (400, True)
    pulp.patch(team.href, name="taken")


def test_a_stage_keeps_its_distribution(pulp, team):
    other = pulp.distribution()["pulp_href"]
    stages = [{"name": "unstable"}, {"name": "testing"}, {"name": "stable", "distribution": other}]
    answer = pulp.try_patch(team.href, stages=stages)
    assert (answer.status_code, "keeps its distribution" in answer.text) == (400, True)


def test_gates_stay_unless_others_are_given(pulp, team):
    pulp.patch(team.href, stages=[{"name": name} for name in ("unstable", "testing", "stable")])
    assert [gate["name"] for gate in team.stage("testing")["gates"]] == ["yes"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"name": "n" * 10**7}, id="name"),
        pytest.param({"stages": [{"name": "one"}] * 700_000}, id="stages"),
        pytest.param(_gates(*[YES] * 250_000), id="gates"),
        pytest.param(_gates({**YES, "color": "r" * 10**7}), id="option"),
        pytest.param(
            _gates({"name": "p", "kind": "policy", "blocked": [{"spec": "a" * 100}] * 90_000}),
            id="policy",
        ),
        pytest.param(
            _gates({"name": "e", "kind": "environments", "environments": ["x"] * 2_000_000}),
            id="environments",
        ),
    ],
)
def test_ten_megabytes_are_refused_in_a_few_words(pulp, team, unique, body):
    answer = pulp.try_post(
        "conda/lifecycles/", **{"name": unique, "repository": team.repository, **body}
    )
    assert answer.status_code == 400
    assert len(answer.content) < 10_000
    assert pulp.get("conda/lifecycles/", name=unique)["count"] == 0


# Adoption


def test_distributions_that_are_there_become_stages_and_keep_what_they_serve(pulp, unique):
    repository = pulp.post("repositories/conda/conda/", name=unique, autopublish=True)["pulp_href"]
    pulp.upload(make_package("one"), repository=repository)
    pinned = pulp.distribution(publication=pulp.newest_publication(repository))
    pulp.upload(make_package("two"), repository=repository)
    following = pulp.distribution(repository=repository)
    empty = pulp.distribution()
    adopted = {"unstable": following, "testing": empty, "stable": pinned}
    stages = [{"name": name, "distribution": d["pulp_href"]} for name, d in adopted.items()]
    team = pulp.lifecycle(repository, stages=stages)
    assert team.urls == {name: d["base_url"] for name, d in adopted.items()}
    assert [team.state(name) for name in adopted] == ["v2", None, "v1"]
    assert [entry["kind"] for entry in team.history()] == ["adopted", "adopted"]

    pulp.upload(make_package("three"), repository=repository)
    assert [team.state(name) for name in adopted] == ["v3", None, "v1"]
    assert pulp.names(pinned["base_url"]) == ["one"]
    assert pulp.names(following["base_url"]) == ["one", "three", "two"]
    assert team.promote("testing")["outcome"] == "moved"

    served = {name: pulp.names(url) for name, url in team.urls.items()}
    pulp.delete(team.href)
    assert {name: pulp.names(url) for name, url in team.urls.items()} == served
    # Now they are nobody's: each serves what its owner says, and can go.
    pulp.patch(pinned["pulp_href"], repository=repository, publication=None)
    assert len(pulp.names(pinned["base_url"])) == 3
    pulp.delete(following["pulp_href"])


def test_a_distribution_that_waited_for_the_first_publication_waits_for_promotion_now(pulp, unique):
    repository = pulp.post("repositories/conda/conda/", name=unique, autopublish=True)["pulp_href"]
    waiting = pulp.distribution(repository=repository)
    stages = [{"name": "first"}, {"name": "last", "distribution": waiting["pulp_href"]}]
    team = pulp.lifecycle(repository, stages=stages)
    pulp.upload(make_package("one"), repository=repository)
    assert [team.state(name) for name in ("first", "last")] == ["v1", None]
    assert "promoted to stage <bdi>last</bdi>" in pulp.fetch(waiting["base_url"], "").text


def test_a_stage_is_added_with_a_distribution_of_the_repository(pulp, team):
    team = pulp.lifecycle(team.repository)
    distribution = pulp.distribution(repository=team.repository)
    stages = [{"name": name} for name in ("unstable", "testing", "stable")]
    stages.append({"name": "frozen", "distribution": distribution["pulp_href"]})
    pulp.patch(team.href, stages=stages)
    assert team.state("frozen") == "v1"
    assert pulp.names(distribution["base_url"]) == ["input"]
