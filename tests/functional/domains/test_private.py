"""Private channels and tokens in URLs where there are domains."""

import requests

from tests.support.builders import make_package

INDEX = "noarch/repodata.json"


def _get(url):
    return requests.get(url, timeout=60, allow_redirects=False)


def test_a_token_reads_the_private_channels_of_its_domain_in_each_place_of_the_url(
    api, make_domain
):
    default, pulp = api("default"), make_domain("private")
    repository = pulp.post("repositories/conda/conda/", name="private", autopublish=True)
    pulp.upload(make_package("private"), repository=repository["pulp_href"])
    distribution = pulp.distribution(
        repository=repository["pulp_href"], private=True, base_path="team/private"
    )
    url = distribution["base_url"].rstrip("/")
    own, foreign = (
        api.post("conda/tokens/", name="private", scopes=["read"])["token"]
        for api in (pulp, default)
    )
    for here, there in (
        ("/pulp/content/", "/t/{}/pulp/content/"),
        ("/pulp/content/", "/pulp/content/t/{}/"),
        # With a `channel_alias` that goes on.
        ("/content/private/", "/content/private/t/{}/"),
        ("/content/private/team/", "/content/private/team/t/{}/"),
    ):
        for token, status in ((own, 200), (foreign, 403), ("tk-1", 401)):
            tokened = url.replace(here, there.format(token))
            assert _get(f"{tokened}/{INDEX}").status_code == status, there
        moved = _get(url.replace(here, there.format(own)))
        assert (moved.status_code, moved.headers["Location"]) == (301, "./private/"), there
    # Each domain has its own guard.
    elsewhere = default.distribution(private=True)
    guards = [
        of.get(each["content_guard"]) for of, each in ((pulp, distribution), (default, elsewhere))
    ]
    assert guards[0]["name"] == guards[1]["name"] and guards[0]["prn"] != guards[1]["prn"]
