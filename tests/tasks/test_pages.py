"""Pages of a channel as a browser gets them, and who sees which names on them."""

import re

import pytest
import requests

from tests.support.conda import CondaPulp

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

PAGES = [
    "",
    "noarch/",
    "-/search",
    "-/search?q=",
    "-/search?format=json",
    "-/package/{name}",
    "-/package/{name}/1.0",
    "-/file/noarch/{name}-1.0-0.conda",
    "-/states",
    "-/stages",
    "-/changes",
    "-/changes?from=secret",
    "-/changes?from=v2",
    "-/nothing",
    "at/v1/",
    "at/v1/-/package/{name}",
    "history.atom",
]


@pytest.fixture(scope="module")
def name(word):
    return f"tool-{word}"


@pytest.fixture(scope="module")
def team(pulp, make_repository, upload_once, name, word):
    """A lifecycle whose last stage is public, and whose first ones are not."""
    repository = make_repository(autopublish=True)
    pulp.modify(
        repository, [upload_once(name, "1.0"), upload_once(f"needs-{word}", depends=[name])]
    )
    stages = []
    for stage in ("secret", "hush", "open"):
        path = f"{word}/{stage}"
        distribution = pulp.distribution(base_path=path, private=stage != "open")
        stages.append({"name": stage, "distribution": distribution["pulp_href"]})
    stages[-1]["content_guard"] = None
    team = pulp.lifecycle(repository, stages=stages)
    team.promote("hush")
    team.promote("open")
    pulp.modify(repository, [upload_once(name, "2.0secret")])
    team.promote("hush")
    return team


def get(url, path, user=None):
    """Open a URL as a browser does, without following redirects."""
    auth = user and user.session.auth
    return requests.get(url + path, headers=BROWSER, auth=auth, timeout=60, allow_redirects=False)


def site_of(team):
    return team.urls["open"].split("/content/")[0] + "/content/"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_public_stage_names_no_stage_that_the_visitor_may_not_read(
    pulp, team, name, page
):
    answer = get(team.urls["open"], page.format(name=name))
    asked = page.partition("?")[2]
    for word in ("secret", "hush", "v2"):
        if word not in asked:
            assert word not in answer.text, (page, word)


@pytest.mark.parametrize("page", ["", "-/package/{name}"])
def test_a_page_that_depends_on_the_visitor_is_kept_by_nobody_else(pulp, team, name, page):
    answer = get(team.urls["open"], page.format(name=name))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"].startswith("private")
    assert "Authorization" in answer.headers["Vary"]
    answer = get(team.urls["open"], page.format(name=name), user=pulp)
    assert "secret" in answer.text and "hush" in answer.text


def test_the_list_of_channels_has_those_that_the_visitor_may_read(pulp, team, word):
    answer = get(site_of(team), "-/")
    assert answer.status_code == 200, answer.url
    assert f"{word}/open" in answer.text
    assert f"{word}/secret" not in answer.text and f"{word}/hush" not in answer.text
    assert answer.headers["Cache-Control"].startswith("private")
    answer = get(site_of(team), f"-/?q={word}", user=pulp)
    assert f"{word}/open" in answer.text and f"{word}/secret" in answer.text


def test_who_wants_to_log_in_is_asked_for_credentials(pulp, team):
    answer = get(site_of(team), "-/?login=1")
    assert answer.status_code == 401 and "Basic" in answer.headers["WWW-Authenticate"]
    assert get(site_of(team), "-/?login=1", user=pulp).status_code == 200


def test_a_token_in_the_url_stays_in_links_and_is_on_no_page(pulp, team, name):
    token = pulp.post("conda/tokens/", name=name, scopes=["read"])["token"]
    site = site_of(team)
    url = site.replace("/pulp/", f"/t/{token}/pulp/") + team.urls["hush"].removeprefix(site)
    for page in ("", "-/search?q=tool", f"-/package/{name}"):
        answer = get(url, page)
        assert answer.status_code == 200
        assert token not in answer.text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("-/package/absent", "has no package"),
        ("-/package/{name}/9", "has no version"),
        ("-/file/noarch/absent-1-0.conda", "has no file"),
        ("-/nothing", "misspelled"),
        ("at/v77/-/search", "v77"),
    ],
)
def test_what_is_not_there_is_explained_to_people_and_short_for_clients(
    pulp, team, name, page, text
):
    page = page.format(name=name)
    answer = get(team.urls["open"], page)
    assert answer.status_code == 404 and text in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Accept" in answer.headers["Vary"]
    answer = pulp.fetch(team.urls["open"], page)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_people_who_may_not_read_a_channel_are_told_what_to_do(pulp, team):
    answer = get(team.urls["hush"], "")
    assert answer.status_code == 401 and "machine 127.0.0.1 login __token__" in answer.text
    somebody = CondaPulp.user(pulp, [])
    answer = get(team.urls["hush"], "", user=somebody)
    assert answer.status_code == 403 and "Its owners can give you the right" in answer.text


def test_a_page_of_a_package_says_who_needs_it(pulp, team, name, word):
    text = get(team.urls["open"], f"-/package/{name}").text
    assert f"needs-{word}" in text and "1 package needs it" in text


def test_a_search_answers_scripts_with_json(pulp, team, name):
    answer = get(team.urls["open"], f"-/search?q={name[:6]}&format=json")
    assert answer.headers["Content-Type"] == "application/json"
    (found, *_) = answer.json()["packages"]
    assert found["name"] == name and found["href"] == f"../-/package/{name}"


@pytest.mark.parametrize(
    "query",
    ["q=%00", "q=%ff", "q=" + "x" * 5000, "q=a&after=%00", "q=[numpy", "q=>=2", "q=🐍"],
)
def test_no_search_is_an_error_of_the_server(pulp, team, query):
    assert get(team.urls["open"], f"-/search?{query}").status_code == 200


@pytest.mark.parametrize(
    "query",
    ["spec=>=1", "spec=[[", "before=x", "needs=9999999", "needs=-1", "platform=%00", "files=all"],
)
def test_no_query_of_a_package_is_an_error_of_the_server(pulp, team, name, query):
    assert get(team.urls["open"], f"-/package/{name}?{query}").status_code == 200


def test_a_day_leads_to_the_url_of_that_day(pulp, team, word):
    answer = get(team.urls["open"], "-/states?day=2026-01-02")
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"../../../{word}/open/at/2026-01-02/"
    assert get(team.urls["open"], "-/states?day=yesterday").status_code == 404
    for month in ("2026-13", "0001-01", "9999-12", "x"):
        assert get(team.urls["open"], f"-/states?month={month}").status_code == 200


def test_the_board_says_what_waits_and_what_happened(pulp, team):
    text = re.sub("<[^>]*>", "", get(team.urls["hush"], "-/stages", user=pulp).text)
    assert "v2 of hush" in text
    assert "open was promoted to v1" in text and "secret has v2" in text
    assert "Serves what secret serves." in text


def test_two_states_or_stages_are_compared(pulp, team, name):
    for query in ("", "?from=v1&to=v2", "?from=open&to=hush", "?from=hush/at/v1&to=secret@v2"):
        text = get(team.urls["hush"], f"-/changes{query}", user=pulp).text
        assert name in text and "1 upgraded" in text and "needs-" not in text, query
    text = get(team.urls["hush"], "-/changes?from=v1&to=v2&summary=gone", user=pulp).text
    assert "No difference of this kind" in text


@pytest.mark.parametrize(
    "query",
    ["from=absent", "from=v1&to=v99", "from=v1&to=v1", "from=v1&name=[[", "from=%00", "offset=x"],
)
def test_what_cannot_be_compared_is_explained(pulp, team, query):
    assert get(team.urls["hush"], f"-/changes?{query}", user=pulp).status_code == 200


def test_what_is_only_in_the_past_is_marked_and_led_to(copied, pulp, team, name, word):
    needs = f"needs-{word}"
    units = pulp.get(
        "content/conda/packages/", repository_version=_newest_version(pulp, team.repository)
    )["results"]
    old = [unit["pulp_href"] for unit in units if unit["version"] == "1.0"]
    pulp.modify(team.repository, remove=old)
    url = team.urls["secret"]
    text = get(url, f"-/package/{name}", user=pulp).text
    old = f'/secret/at/v2/-/package/{name}/1.0">'
    assert old in text and "only in the past" in text and "1 version, 1 file" in text
    paths = {
        f"-/package/{needs}": f"at/v2/-/package/{needs}",
        f"-/package/{name}/1.0": f"at/v2/-/package/{name}/1.0",
        f"-/file/noarch/{needs}-1.0-0.conda": f"at/v2/-/file/noarch/{needs}-1.0-0.conda",
    }
    for path, then in paths.items():
        lost = get(url, path, user=pulp)
        assert lost.status_code == 404 and f'/secret/{then}"' in lost.text, path
        assert "as it was in v2, until 20" in lost.text
        found = get(url, then, user=pulp)
        assert found.status_code == 200 and "only in the past" in found.text, then
    # What the stage serves still has no mark, also on a page of the past.
    for path in (f"-/package/{name}/2.0secret", f"at/v2/-/package/{name}/2.0secret"):
        table = get(url, path, user=pulp).text.partition('id="versions"')[0]
        assert "only in the past" not in table
    # Other stages are asked for their own past.
    assert "only in the past" not in get(team.urls["open"], f"-/package/{name}").text
    assert "as it was" not in get(team.urls["open"], f"-/package/{name}/2.0secret").text


def _newest_version(pulp, repository):
    return pulp.get(repository)["latest_version_href"]


def test_a_page_that_is_not_there_leads_to_what_may_be_meant(pulp, team, name):
    for path, link in (
        ("-/package/absent", "../../-/search?q=absent"),
        (f"-/package/{name}/9", f"../../../-/package/{name}"),
        (f"-/file/noarch/{name}-9-0.conda", f"../../../-/package/{name}"),
    ):
        lost = get(team.urls["open"], path)
        assert lost.status_code == 404 and f'href="{link}"' in lost.text, lost.text
    assert get(team.urls["open"], "-/file/noarch/x").status_code == 404
