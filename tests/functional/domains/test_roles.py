"""A role in one domain means nothing in another."""


def test_a_role_in_a_domain_counts_in_that_domain_alone(api, make_domain):
    default, other = api("default"), make_domain("other")
    teams = {}
    for pulp in (default, other):
        repository = pulp.post("repositories/conda/conda/", name="team")["pulp_href"]
        teams[pulp] = pulp.lifecycle(repository)
    password = "a-long-Password-1"
    made = default.post("users/", username="mina", password=password)
    (domain,) = default.get("domains/", name="default")["results"]
    role = {"role": "conda.condalifecycle_owner", "domain": domain["pulp_href"]}
    default.post(f"{made['pulp_href']}roles/", content_object=None, **role)

    at_home, abroad = api("default", "mina", password), api("other", "mina", password)
    assert at_home.try_get(teams[default].href).status_code == 200
    assert at_home.try_patch(teams[default].href, retain_days=1).status_code == 202
    foreign = teams[other].href
    for href in (foreign, foreign.replace("/other/", "/default/")):
        assert at_home.try_get(href).status_code == 404
        assert at_home.try_get(f"{href}history/").status_code == 404
        assert at_home.try_patch(href, retain_days=1).status_code == 404
        assert at_home.try_post(f"{href}promote/", stage="testing").status_code == 404
    assert abroad.get("conda/lifecycles/")["count"] == 0

    abroad = other.distribution()["pulp_href"]
    stages = [{"name": "first"}, {"name": "last", "distribution": abroad}]
    refused = default.try_post(
        "conda/lifecycles/", name="mixed", repository=teams[default].repository, stages=stages
    )
    assert (refused.status_code, "does not exist" in refused.text) == (400, True)


def test_a_role_in_a_channel_ends_at_the_domain(api, make_domain):
    default, other = api("default"), make_domain("abroad")
    channels = {}
    for pulp in (default, other):
        made = pulp.post("repositories/conda/conda/", name="shared", autopublish=True)
        channels[pulp] = made["pulp_href"]
    password = "a-long-Password-1"
    default.post("users/", username="noor", password=password)
    # An owner at home gives and takes roles there, and sees nothing of the channel of that name.
    default.post(f"{channels[default]}grant/", role="owner", users=["noor"])
    at_home, abroad = api("default", "noor", password), api("abroad", "noor", password)
    assert at_home.try_get(f"{channels[default]}members/").status_code == 200
    foreign = channels[other]
    for pulp, href in (
        (abroad, foreign),
        (at_home, foreign),
        (at_home, foreign.replace("/abroad/", "/default/")),
        (abroad, channels[default].replace("/default/", "/abroad/")),
    ):
        assert pulp.try_get(href).status_code == 404
        assert pulp.try_get(f"{href}members/").status_code == 404
        for verb in ("grant", "revoke"):
            body = {"role": "reader", "users": ["noor"]}
            assert pulp.try_post(f"{href}{verb}/", **body).status_code == 404
    assert [each["user"] for each in other.get(f"{foreign}members/")] == ["admin"]
