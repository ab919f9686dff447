"""A token of one domain means nothing in another, and robots have the name of their domain."""


def test_a_token_counts_in_its_domain_alone(api, make_domain, unique):
    default, other = api("default"), make_domain("tokens")
    tokens = {}
    for pulp, domain in ((default, "default"), (other, "tokens")):
        robot = pulp.post("conda/robots/", name=unique)
        assert robot["username"] == f"robot+{domain}+{unique}"
        body = {"name": "ci", "owner": robot["username"], "scopes": ["promote"]}
        tokens[pulp] = pulp.post("conda/tokens/", **body)
        listed = pulp.list("conda/tokens/", owner=robot["username"])
        assert [each["pulp_href"] for each in listed] == [tokens[pulp]["pulp_href"]]
    foreign = tokens[default]["pulp_href"].replace("/default/", "/tokens/")
    assert other.try_get(foreign).status_code == 404

    for pulp in (default, other):
        for asked in (default, other):
            with type(pulp)(pulp.url, "__token__", tokens[pulp]["token"], api=asked.api) as client:
                status = client.try_get("conda/lifecycles/").status_code
            assert status == (200 if asked is pulp else 403)
