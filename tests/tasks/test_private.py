"""Private channels: who reads them, what others are told, and what becomes of a token in a URL."""

from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import msgpack
import pytest
import requests
import zstandard
from django.contrib.auth import get_user_model

from pulpcore.plugin.models import Domain

from pulp_conda.app.authentication import issue_token
from pulp_conda.app.models import CondaContentGuard, CondaDistribution, FailedLogin
from pulp_conda.app.vocabulary import TokenScope
from tests.support.builders import make_package
from tests.support.content_cache import cached_content

INDEX = "noarch/repodata_shards.msgpack.zst"
CLIENT = requests.Session()
CLIENT.trust_env = False
PASSWORD = "a-long-Password-1"
BASIC = 'Basic realm="pulp", charset="UTF-8"'
CHALLENGES = ['Bearer realm="pulp"', BASIC]
# Only who gives a token hears that it is wrong.
CHALLENGES_TO_TOKENS = ['Bearer realm="pulp", error="invalid_token"', BASIC]


@dataclass
class Person:
    """A user, with a token to read channels."""

    pulp: object
    token: str

    @property
    def name(self):
        return self.pulp.session.auth[0]

    def give(self, admin, role, href):
        (made,) = admin.get("users/", username=self.name)["results"]
        admin.post(f"{made['pulp_href']}roles/", role=role, content_object=href)


@pytest.fixture(scope="module")
def make_person(pulp):
    def make(*roles):
        api = pulp.user(roles)
        user = get_user_model().objects.get(username=api.session.auth[0])
        return Person(api, issue_token(owner=user, name="x", scopes=[TokenScope.READ])[1])

    return make


@dataclass
class Private:
    """A private stage.

    Attributes:
        url: Without a slash at its end.
        paths: A path of each kind, by the kind; None for a root without its slash.
    """

    lifecycle: object
    distribution: str
    url: str
    paths: dict

    def get(self, kind="shard index", path="", **options):
        # The server does not slow down who gives wrong credentials again and again.
        FailedLogin.objects.all().delete()
        url = self.url if kind is None else f"{self.url}/{self.paths[kind]}"
        return CLIENT.get(url + path, timeout=60, allow_redirects=False, **options)


@pytest.fixture(scope="module")
def private(pulp, make_repository):
    """A private channel that was moved, so that it has a past."""
    repository = make_repository(autopublish=True)
    package = make_package("secret")
    pulp.upload(package, repository=repository)
    team = pulp.lifecycle(repository)
    pulp.upload(make_package("secret", "2.0"), repository=repository)
    url = team.urls["unstable"].rstrip("/")
    index = msgpack.unpackb(zstandard.decompress(CLIENT.get(f"{url}/{INDEX}", timeout=60).content))
    shard = f"noarch/shards/{index['shards']['secret'].hex()}.msgpack.zst"
    distribution = team.stage("unstable")["distribution"]
    pulp.patch(distribution, private=True)
    paths = {
        "shard index": INDEX,
        "shard": shard,
        "package": f"noarch/{package.filename}",
        "notices": "notices.json",
        "page": "",
        "past": f"at/v1/{INDEX}",
        "past of a package": f"at/v1/noarch/{package.filename}",
        # pulpcore answers.
        "nothing": "noarch/no/such.path",
    }
    return Private(team, distribution, url, paths)


@pytest.fixture(scope="module")
def reader(pulp, private, make_person):
    person = make_person()
    person.give(pulp, "conda.condadistribution_reader", private.distribution)
    return person


@pytest.fixture(scope="module")
def stranger(make_person):
    return make_person()


@pytest.fixture(params=["no cache", "cache"])
def redis(request):
    """What pulpcore's cache has, or None without one."""
    if request.param == "no cache":
        yield None
        return
    with cached_content() as redis:
        yield redis


def _basic(user, password):
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def _ways(person):
    """Headers with credentials of a person, by the way in which they are given."""
    return {
        "token": {"Authorization": f"Bearer {person.token}"},
        "password": _basic(person.name, PASSWORD),
    }


WRONG = {
    "token": {"Authorization": f"Bearer cnd-{'x' * 40}"},
    "password": _basic("nobody-at-all", "wrong"),
}


def test_the_table_of_statuses(private, reader, stranger, redis):
    for kind in [*private.paths, None]:
        found = {None: 301, "nothing": 404}.get(kind, 200)
        given = private.get(kind)
        assert given.status_code == 401, kind
        assert given.raw.headers.getlist("WWW-Authenticate") == CHALLENGES, kind
        for way in WRONG:
            for headers, status in (
                (WRONG[way], 401),
                (_ways(stranger)[way], 403),
                (_ways(reader)[way], found),
            ):
                given = private.get(kind, headers=headers)
                assert given.status_code == status, (kind, way)
                challenges = given.raw.headers.getlist("WWW-Authenticate")
                expected = CHALLENGES_TO_TOKENS if way == "token" else CHALLENGES
                assert challenges == (expected if status == 401 else []), (kind, way)
                # A page or a redirect of pulpcore, too.
                assert given.headers["Cache-Control"].startswith("private"), (kind, way)
    if redis is not None:
        assert redis.keys()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-API-Key": f"cnd-{'x' * 40}"}, id="a key"),
        pytest.param({"X-API-Key": "of something else"}, id="another key"),
        pytest.param({"Authorization": "token x"}, id="no token of ours"),
        pytest.param(_basic("__token__", f"cnd-{'x' * 40}"), id="a password"),
    ],
)
def test_who_gives_a_wrong_token_hears_that_it_is_wrong(private, headers):
    given = private.get(headers=headers)
    assert given.raw.headers.getlist("WWW-Authenticate") == CHALLENGES_TO_TOKENS
    assert given.status_code == 401


PLACES = {
    "before the path": ("/pulp/content/", "/t/{}/pulp/content/"),
    "behind the prefix": ("/pulp/content/", "/pulp/content/t/{}/"),
    # With a `channel_alias` that goes on.
    "in a folder": ("/pulp/content/unstable-of/", "/pulp/content/unstable-of/t/{}/"),
}


@pytest.fixture(scope="module")
def in_folder(private):
    """The path of the channel has a folder, in which conda may write the token."""
    folder = urlsplit(private.url).path.removeprefix("/pulp/content/").rpartition("/")[0]
    return lambda place: [text.replace("unstable-of", folder) for text in PLACES[place]]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("redis", ["cache"], indirect=True)
def test_a_token_in_the_url_is_as_good_as_in_a_header(
    private, in_folder, reader, stranger, redis, caplog, place
):
    here, there = in_folder(place)
    tokens = {reader.token: None, stranger.token: 403, f"cnd-{'x' * 40}": 401, "tk-1": 401, "": 401}
    for kind in ("shard index", "package", "nothing"):
        for token, refused in tokens.items():
            url = private.url.replace(here, there.format(token))
            FailedLogin.objects.all().delete()
            given = CLIENT.get(f"{url}/{private.paths[kind]}", timeout=60, allow_redirects=False)
            status = refused or (404 if kind == "nothing" else 200)
            assert given.status_code == status, (kind, token)
            if token:
                assert token not in given.text + str(given.headers), kind
            if token and refused == 401:
                challenges = given.raw.headers.getlist("WWW-Authenticate")
                assert challenges == CHALLENGES_TO_TOKENS, (kind, token)
    given = CLIENT.head(private.url.replace(here, there.format(reader.token)) + "/", timeout=60)
    assert given.status_code == 200
    assert "Traceback" not in caplog.text
    for token in filter(None, tokens):
        assert token not in caplog.text
    kept = str([(key, redis.hgetall(key)) for key in redis.keys()])
    assert kept and not any(token in kept for token in tokens if token)


@pytest.mark.parametrize("place", PLACES)
def test_a_redirect_keeps_the_url_of_the_client(private, in_folder, reader, place):
    here, there = in_folder(place)
    url = private.url.replace(here, there.format(reader.token))
    for path in ("", "/noarch", "/at/v1", "@v1", "/@v1/noarch"):
        given = CLIENT.get(url + path, timeout=60, allow_redirects=False)
        assert given.status_code == 301, path
        assert reader.token not in given.headers["Location"]
        followed = CLIENT.get(url + path, timeout=60)
        assert followed.url == f"{url}{path}/" and followed.status_code == 200


def test_what_looks_like_a_token_in_a_path_that_is_served_is_none(pulp, make_repository):
    # Paths with a part `t` were allowed before.
    publication = pulp.publish(pulp.get(make_repository())["latest_version_href"])
    distribution = pulp.distribution(publication=publication)
    name = distribution["base_path"]
    for path in (f"t/{name}", f"{name}/t/x"):
        _move(distribution, path)
        url = distribution["base_url"].replace(f"{name}/", path)
        for below, status in (("/noarch/repodata.json", 200), ("/", 200), ("/at/t/x", 404)):
            assert CLIENT.get(url + below, timeout=60).status_code == status, url + below
        pulp.patch(distribution["pulp_href"], base_path=path, hidden=True)
        # A real token counts nevertheless.
        url = url.replace("/pulp/content/", f"/pulp/content/t/cnd-{'x' * 40}/")
        assert CLIENT.get(f"{url}/noarch/repodata.json", timeout=60).status_code == 200


@pytest.mark.parametrize("path", ["t", "t/x", "team/t/x", "team/t"])
def test_no_new_channel_has_the_part_behind_which_a_token_stands(pulp, private, path):
    answer = pulp.try_post("distributions/conda/conda/", name=uuid4().hex, base_path=path)
    assert answer.status_code == 400 and "[CND0019]" in answer.text
    assert "clients take what follows its part 't' for a token" in answer.text
    assert pulp.try_patch(private.distribution, base_path=path).status_code == 400
    body = {"name": uuid4().hex, "repository": private.lifecycle.repository, "base_path": path}
    answer = pulp.try_post("conda/lifecycles/", **body)
    assert answer.status_code == 400 and "[CND0019]" in answer.text


def _move(distribution, base_path):
    key = distribution["pulp_href"].split("/")[-2]
    CondaDistribution.objects.filter(pk=key).update(base_path=base_path)


def test_on_a_public_channel_wrong_credentials_are_ignored(pulp, make_repository, caplog):
    url = pulp.distribute(repository=make_repository(autopublish=True))
    for headers in WRONG.values():
        given = CLIENT.get(f"{url}noarch/repodata.json", headers=headers, timeout=60)
        assert given.status_code == 200
        assert given.headers["Cache-Control"].startswith("public")
    for token in ("tk-1", f"cnd-{'x' * 40}"):
        for there in ("/t/{}/pulp/content/", "/pulp/content/t/{}/"):
            tokened = url.replace("/pulp/content/", there.format(token))
            assert CLIENT.get(f"{tokened}noarch/repodata.json", timeout=60).status_code == 200
            # `requests` has no login for this, and the path is in no message about it.
            headers = WRONG["password"]
            given = CLIENT.get(f"{tokened}noarch/repodata.json", headers=headers, timeout=60)
            assert given.status_code == 200 and token not in caplog.text


@pytest.mark.parametrize("on", ["distribution", "lifecycle", "repository", "domain", "all domains"])
@pytest.mark.parametrize("to", ["user", "group"])
def test_who_has_the_role_of_a_reader_reads(pulp, private, make_person, on, to):
    person = make_person()
    kind = "distribution" if on in ("domain", "all domains") else on
    where = {
        "distribution": {"content_object": private.distribution},
        "lifecycle": {"content_object": private.lifecycle.href},
        "repository": {"content_object": private.lifecycle.repository},
        "domain": {"content_object": None, "domain": pulp.get("domains/", name="default")},
        "all domains": {"content_object": None},
    }[on]
    if on == "domain":
        where["domain"] = where["domain"]["results"][0]["pulp_href"]
    (entity,) = pulp.get("users/", username=person.name)["results"]
    if to == "group":
        group = pulp.post("groups/", name=uuid4().hex)
        pulp.post(f"{group['pulp_href']}users/", username=person.name)
        entity = group
    headers = _ways(person)["token"]
    assert private.get(headers=headers).status_code == 403
    role = pulp.post(f"{entity['pulp_href']}roles/", role=f"conda.conda{kind}_reader", **where)
    assert private.get(headers=headers).status_code == 200
    pulp.delete(role["pulp_href"])
    assert private.get(headers=headers).status_code == 403


def test_a_token_reads_what_it_is_for_and_no_more(pulp, private, reader, make_repository):
    user = get_user_model().objects.get(username=reader.name)
    key, other = (private.distribution.split("/")[-2] for _ in range(2))
    other = pulp.distribution(repository=make_repository(autopublish=True))["pulp_href"]
    other = other.split("/")[-2]
    cases = [
        ({"channels": [key]}, 200),
        ({"channels": [other]}, 403),
        ({"lifecycles": [private.lifecycle.href.split("/")[-2]]}, 200),
        ({"scopes": [TokenScope.UPLOAD]}, 403),
    ]
    for number, (limits, status) in enumerate(cases):
        limits = {"scopes": [TokenScope.READ], **limits}
        _, secret = issue_token(owner=user, name=f"limited-{number}", **limits)
        headers = {"Authorization": f"Bearer {secret}"}
        for kind in (None, "shard index", "nothing"):
            found = {None: 301, "nothing": 404}.get(kind, 200)
            given = private.get(kind, headers=headers)
            assert given.status_code == (found if status == 200 else 403), (limits, kind)


@pytest.fixture
def guarded(pulp, make_repository):
    """Return a function that makes a channel with a content guard, and returns its URL."""

    def make(guard):
        repository = make_repository(autopublish=True)
        return pulp.distribute(repository=repository, content_guard=guard["pulp_href"])

    return make


@pytest.mark.parametrize("path", ["noarch/repodata.json", "no/such.path"])
def test_the_guards_of_pulp_have_the_same_statuses(
    pulp, guarded, make_person, stranger, redis, path
):
    rbac = pulp.post("contentguards/core/rbac/", name=uuid4().hex)
    header = pulp.post(
        "contentguards/core/header/", name=uuid4().hex, header_name="X-Key", header_value="open"
    )
    either = pulp.post(
        "contentguards/core/composite/",
        name=uuid4().hex,
        guards=[rbac["pulp_href"], header["pulp_href"]],
    )
    person = make_person()
    person.give(pulp, "core.rbaccontentguard_downloader", rbac["pulp_href"])
    found = 404 if path == "no/such.path" else 200
    for guard, anonymous, right in ((rbac, 401, found), (header, 403, 403), (either, 401, found)):
        url = f"{guarded(guard)}{path}"
        given = CLIENT.get(url, timeout=60)
        assert given.status_code == anonymous
        # It would tell which guards there are.
        assert "contentguards" not in f"{given.text}{given.reason}"
        for way, headers in _ways(stranger).items():
            assert CLIENT.get(url, headers=headers, timeout=60).status_code == 403, way
        for way, headers in _ways(person).items():
            assert CLIENT.get(url, headers=headers, timeout=60).status_code == right, way


def test_a_channel_can_be_hidden_from_who_may_not_read_it(
    pulp, private, reader, stranger, make_person, settings
):
    settings.CONDA_HIDE_PRIVATE_CHANNELS = True
    viewer = make_person()
    viewer.give(pulp, "conda.condadistribution_viewer", private.distribution)
    absent = Private(None, None, f"{private.url}-not", private.paths)
    for kind in ("shard index", "nothing", None):
        for headers in ({}, WRONG["token"], *_ways(stranger).values()):
            hidden, none = private.get(kind, headers=headers), absent.get(kind, headers=headers)
            assert hidden.status_code == none.status_code == 404, kind
            assert hidden.content == none.content
            assert {**hidden.headers, "Date": ""} == {**none.headers, "Date": ""}, kind
        assert private.get(kind, headers=_ways(reader)["token"]).status_code in (200, 301, 404)
        # Who sees the distribution in the API knows the channel.
        assert private.get(kind, headers=_ways(viewer)["password"]).status_code == 403
    for start in ("/pulp/content/", f"/t/{stranger.token}/pulp/content/"):
        hidden, none = (
            CLIENT.options(f"{url}/{INDEX}".replace("/pulp/content/", start), timeout=60)
            for url in (private.url, absent.url)
        )
        assert hidden.status_code == none.status_code == 405
        assert {**hidden.headers, "Date": ""} == {**none.headers, "Date": ""}


def test_the_page_says_how_to_log_in(pulp, private, reader, make_repository, guarded):
    lines = [
        "machine 127.0.0.1 login __token__ password TOKEN",
        f"conda auth login {private.url} --token",
        "pixi auth login 127.0.0.1 --token TOKEN",
    ]
    page = private.get("page", headers=_ways(reader)["token"]).text
    assert [line for line in lines if line in page] == lines
    empty = pulp.distribute(private=True)
    page = CLIENT.get(empty, auth=pulp.session.auth).text
    assert lines[0] in page
    header = pulp.post(
        "contentguards/core/header/", name=uuid4().hex, header_name="X-Key", header_value="open"
    )
    key = {"X-Key": b64encode(b"open").decode()}
    for url in (guarded(header), pulp.distribute(repository=make_repository(autopublish=True))):
        page = CLIENT.get(url, headers=key)
        assert page.status_code == 200 and "Log in" not in page.text


# The flag


def test_one_flag_makes_a_channel_private_and_public_again(pulp, make_repository):
    repository = make_repository(autopublish=True)
    made = pulp.distribution(repository=repository, private=True)
    href, url = made["pulp_href"], f"{made['base_url']}noarch/repodata.json"
    assert made["private"] is True and "/contentguards/conda/conda/" in made["content_guard"]
    assert CLIENT.get(url, timeout=60).status_code == 401
    # It is the same one for all.
    other = pulp.distribution(repository=repository, private=True)
    assert other["content_guard"] == made["content_guard"]
    pulp.patch(href, name=f"{made['name']}-2")
    assert pulp.get(href)["private"] is True
    for private in (False, False, True):
        pulp.patch(href, private=private)
        assert pulp.get(href)["private"] is private
        assert CLIENT.get(url, timeout=60).status_code == (401 if private else 200)
    pulp.patch(href, content_guard=None)
    assert pulp.get(href)["private"] is False
    assert pulp.distribution(repository=repository)["private"] is False
    pulp.delete(href)
    pulp.delete(other["pulp_href"])


def test_a_guard_that_was_chosen_stays(pulp, make_repository):
    guard = pulp.post("contentguards/core/rbac/", name=uuid4().hex)
    repository = make_repository(autopublish=True)
    made = pulp.distribution(repository=repository, content_guard=guard["pulp_href"])
    assert made["private"] is True
    pulp.patch(made["pulp_href"], private=True)
    answer = pulp.try_patch(made["pulp_href"], private=False)
    assert answer.status_code == 400
    assert f"[CND0095] 'private' is false for distribution '{made['name']}'" in answer.text
    assert guard["name"] in answer.text
    assert pulp.get(made["pulp_href"])["content_guard"] == guard["pulp_href"]
    answer = pulp.try_patch(made["pulp_href"], private=True, content_guard=None)
    assert answer.status_code == 400 and "[CND0095]" in answer.text
    answer = pulp.try_patch(made["pulp_href"], private=False, content_guard=guard["pulp_href"])
    assert answer.status_code == 400 and "[CND0095]" in answer.text
    pulp.patch(made["pulp_href"], private=False, content_guard=None)
    assert pulp.get(made["pulp_href"])["private"] is False


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("kind", ["core/rbac", "conda/conda"])
def test_the_default_guard_of_a_domain_makes_new_channels_private(pulp, make_repository, kind):
    guard = pulp.post(f"contentguards/{kind}/", name=uuid4().hex)["pulp_href"]
    domain = pulp.get("domains/", name="default")["results"][0]["pulp_href"]
    repository = make_repository()
    Domain.objects.filter(pk=domain.split("/")[-2]).update(
        default_content_guard=guard.split("/")[-2]
    )
    for asked in ({}, {"private": True}):
        made = pulp.distribution(repository=repository, **asked)
        assert (made["private"], made["content_guard"]) == (True, guard)
    body = {"name": "asked", "base_path": "asked", "private": False}
    answer = pulp.try_post("distributions/conda/conda/", **body)
    if kind == "core/rbac":
        assert answer.status_code == 400 and "[CND0095]" in answer.text
    else:
        made = pulp.get("distributions/conda/conda/", name="asked")["results"][0]
        assert made["private"] is False
        answer = pulp.try_delete(guard)
        assert answer.status_code == 400
        assert "[CND0096]" in answer.text and "default of its domain" in answer.text


@pytest.mark.usefixtures("copied")
def test_the_default_guard_of_a_domain_guards_new_stages(pulp, make_repository):
    guard = pulp.post("contentguards/core/rbac/", name=uuid4().hex)
    Domain.objects.filter(name="default").update(
        default_content_guard=guard["prn"].rpartition(":")[2]
    )
    stages = [{"name": "a"}, {"name": "b"}, {"name": "open", "content_guard": None}]
    lifecycle = pulp.lifecycle(make_repository(), stages=stages)
    pulp.patch(lifecycle.href, stages=[*stages, {"name": "later"}])
    guards = {
        stage["name"]: pulp.get(stage["distribution"])["content_guard"]
        for stage in pulp.get(lifecycle.href)["stages"]
    }
    given = guard["pulp_href"]
    assert guards == {"a": given, "b": given, "open": None, "later": given}


def test_a_guard_that_guards_is_not_deleted(pulp, private):
    guard = pulp.get(private.distribution)["content_guard"]
    answer = pulp.try_delete(guard)
    assert answer.status_code == 400
    assert "[CND0096] Content guard 'private-conda-channels' is not deleted" in answer.text
    unused = pulp.post("contentguards/conda/conda/", name=uuid4().hex)
    pulp.delete(unused["pulp_href"])
    # As before: nothing opened.
    assert private.get().status_code == 401


def test_a_guard_of_conda_lets_nobody_into_other_distributions():
    guard = CondaContentGuard()
    with pytest.raises(PermissionError):
        guard.permit(_Request({"user": get_user_model()(is_superuser=True)}))


class _Request(dict):
    match_info = {"path": "other/plugin/file"}
