"""Files of channels that are found by one statement: the same answers as by the slow way, and none
that is older than its request.
"""

import hashlib
import os
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import override_settings
from django.utils import timezone

from pulpcore.plugin.models import Artifact, Domain, Group
from pulpcore.plugin.models.role import GroupRole, Role, UserRole

from pulp_conda.app.authentication import issue_token
from pulp_conda.app.content import finder
from pulp_conda.app.models import CondaDistribution, CondaLifecycle, CondaToken, FailedLogin
from pulp_conda.app.models.token import digest_of
from pulp_conda.app.passwords import RememberingPasswordHasher
from pulp_conda.app.serving.credentials import NOBODY, Login, Token, credentials_of
from pulp_conda.app.vocabulary import TokenScope
from tests.support import databases
from tests.support.both_ways import SLOW, Asker, fast_paths
from tests.support.builders import make_package
from tests.support.moves import key

PASSWORD = "a-long-Password-1"

_SESSION = "rest_framework.authentication.SessionAuthentication"
_PASSWORD = "pulpcore.app.authentication.BasicAuthentication"
_TOKEN = "pulp_conda.app.authentication.TokenAuthentication"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def found(monkeypatch):
    """The paths that were found by the fast way."""
    original, paths = finder.find, []

    async def find(domain, path, credentials):
        facts = await original(domain, path, credentials)
        if facts is not None:
            paths.append(path)
        return facts

    monkeypatch.setattr(finder, "find", find)
    return paths


@pytest.fixture(scope="module")
def stage(pulp, make_repository, word):
    """A lifecycle, the URL of its stage `testing`, and its packages: it served a and b, and serves
    a and c.
    """
    repository = make_repository(autopublish=True)
    packages = [
        make_package(f"{name}-{word}", files={"share/x": os.urandom(3000)}) for name in "abc"
    ]
    a, b, c = (pulp.upload(package)["pulp_href"] for package in packages)
    pulp.modify(repository, add=[a, b])
    lifecycle = pulp.lifecycle(repository)
    lifecycle.promote("testing")
    pulp.modify(repository, add=[c], remove=[b])
    lifecycle.promote("testing")
    return lifecycle, lifecycle.urls["testing"], packages


@pytest.fixture
def asker(stage):
    return Asker(stage[1])


def _path(url, path=""):
    return f"{urlsplit(url).path.rstrip('/')}/{path}"


def test_both_ways_give_the_same(stage, asker, found):
    _, url, packages = stage
    paths = fast_paths(asker, _path(url), [package.filename for package in packages])
    assert asker.compare(paths, methods=("GET", "HEAD")) == {200: 22, 404: 8}
    assert set(found) == {path.removeprefix("/pulp/content/") for path in paths}
    found.clear()
    package, index = paths[0], _path(url, "noarch/repodata.json.zst")
    for path in (package, index):
        statuses = asker.compare([path], asker.conditions(path))
        assert statuses.keys() == {200, 206, 304, 412, 416}
    assert set(found) == {path.removeprefix("/pulp/content/") for path in (package, index)}


def test_a_setting_leaves_the_slow_way_alone(stage, asker, found):
    path = _path(stage[1], "noarch/repodata.json.zst")
    with override_settings(CONDA_FAST_ANSWERS=False):
        assert asker.ask("GET", path).status == 200
    assert found == []
    assert asker.ask("GET", path).status == 200
    assert len(found) == 1


def test_a_cookie_leads_to_the_slow_way(stage, asker, found):
    # Without that, no test here compares anything.
    assert asker.ask("GET", _path(stage[1], "noarch/repodata.json.zst"), SLOW).status == 200
    assert found == []


def test_what_was_committed_before_a_request_is_seen_by_it(
    pulp, stage, asker, word, copied, request
):
    lifecycle, url, (built, *_) = stage
    digest = hashlib.sha256(built.data).hexdigest()
    href = lifecycle.stage("testing")["distribution"]
    base_path = pulp.get(href)["base_path"]
    guard = pulp.post(
        "contentguards/core/header/", name=word, header_name="X-Key", header_value="open"
    )["pulp_href"]
    index = _path(url, "noarch/repodata.json")
    package = _path(url, f"noarch/{built.filename}")

    def change(**fields):
        return lambda: pulp.patch(href, **fields)

    def block():
        pulp.post("conda/blocks/", sha256=digest, public_reason="bad")

    def lift():
        pulp.delete(pulp.get("conda/blocks/")["results"][0]["pulp_href"])

    def lose():
        name = Artifact.objects.get(sha256=digest).file.name
        default_storage.delete(name)
        request.addfinalizer(lambda: default_storage.save(name, ContentFile(built.data)))

    def delete():
        pulp.delete(lifecycle.href)
        pulp.delete(href)

    changes = [
        ("rollback", index, lambda: lifecycle.roll_back("testing"), 200),
        ("promotion", index, lambda: lifecycle.promote("testing"), 200),
        ("guard", package, change(content_guard=guard), 403),
        ("no guard", package, change(content_guard=None), 200),
        ("sites", package, change(cors_origins=["https://site.example"]), 200),
        ("moved", package, change(base_path=f"{base_path}-moved"), 404),
        ("moved back", package, change(base_path=base_path), 200),
        ("block", package, block, 451),
        ("lifted", package, lift, 200),
        ("lost", package, lose, 503),
        ("deletion", package, delete, 404),
    ]
    for what, path, carry_out, status in changes:
        before = asker.ask("GET", path)
        carry_out()
        after = asker.ask("GET", path)
        assert after != before and after.status == status, what
        assert after == asker.ask("GET", path, SLOW), what


def test_no_answer_is_old_while_others_ask_for_the_same(pulp, stage, asker, stack, word, copied):
    lifecycle, url, _ = stage
    guard = pulp.post(
        "contentguards/core/header/", name=word, header_name="X-Key", header_value="open"
    )["pulp_href"]
    channel = key(lifecycle.stage("testing")["distribution"])
    path, done = _path(url, "noarch/repodata.json.zst"), Event()

    def keep_asking():
        other = Asker(url)
        while not done.is_set():
            other.ask("HEAD", path)

    others = [Thread(target=keep_asking) for _ in range(3)]
    for other in others:
        other.start()
    try:
        with stack.connect() as database:
            for value, status in [(key(guard), 403), (None, 200)] * 20:
                database.execute(
                    "UPDATE core_distribution SET content_guard_id = %s WHERE pulp_id = %s",
                    (value, channel),
                )
                assert asker.ask("HEAD", path).status == status
    finally:
        done.set()
        for other in others:
            other.join()


# Private channels


@dataclass
class Private:
    """A private channel with a reader.

    Attributes:
        distribution: Its href.
        path: Of its URL.
        index, package: The paths of two files.
        reader: The user, who has a role on the channel.
        token: The secret of a token of the reader.
    """

    distribution: str
    path: str
    packages: list
    reader: object
    token: str

    @property
    def index(self):
        return f"{self.path}noarch/repodata.json.zst"

    @property
    def package(self):
        return f"{self.path}noarch/{self.packages[2].filename}"

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def login(self):
        return _basic(self.reader.username, PASSWORD)

    def log_in(self, asker):
        """Let the password be remembered: it is hashed anew at first."""
        for _ in range(2):
            assert asker.ask("GET", self.index, self.login).status == 200

    def give(self, role, **where):
        """Let the reader have a role, and no other."""
        role = Role.objects.get(name=f"conda.{role}")
        UserRole.objects.filter(user=self.reader).delete()
        GroupRole.objects.filter(group__in=self.reader.groups.all()).delete()
        group = where.pop("group", None)
        if group:
            GroupRole.objects.create(role=role, group=group, **where)
        else:
            UserRole.objects.create(role=role, user=self.reader, **where)


def _basic(user, password):
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture(autouse=True)
def _remembering(settings, monkeypatch):
    """Passwords are hashed as on a server, but not for as long."""
    hasher = RememberingPasswordHasher
    monkeypatch.setattr(hasher, "iterations", 10)
    own = f"{hasher.__module__}.{hasher.__name__}"
    settings.PASSWORD_HASHERS = [own, "django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="module")
def private(pulp, stage):
    lifecycle, _, packages = stage
    made = pulp.distribution(repository=pulp.get(lifecycle.href)["repository"], private=True)
    reader = get_user_model().objects.get(username=pulp.user([]).session.auth[0])
    channel = CondaDistribution.objects.get(pk=key(made["pulp_href"]))
    _, token = issue_token(owner=reader, name="x", scopes=[TokenScope.READ])
    given = Private(made["pulp_href"], _path(made["base_url"]), packages, reader, token)
    given.give("condadistribution_reader", content_object=channel)
    return given


def _forms(private):
    """Yield the prefix of a path and headers, for each way to give the reader's credentials."""
    prefix, token = "/pulp/content/", private.token
    for header in (
        private.headers,
        {"authorization": f"token {token}"},
        {"X-API-Key": token},
        _basic("__token__", token),
        private.login,
        {"Authorization": "Bearer cnd-wrong", "Cookie2": "x", "X-Api-Key": "x"} | private.login,
    ):
        yield prefix, header
    yield f"/t/{token}{prefix}", {}
    yield f"{prefix}t/{token}/", {}
    # The token of the URL counts.
    yield f"{prefix}t/{token}/", _basic("nobody", "wrong")


def test_who_may_read_a_private_channel_gets_the_same_by_both_ways(private, asker, found):
    filenames = [package.filename for package in private.packages]
    paths = fast_paths(asker, private.path, filenames, private.headers)
    assert asker.compare(paths, [private.headers]) == {200: 9, 404: 5}
    assert set(found) == {path.removeprefix("/pulp/content/") for path in paths}
    conditions = asker.conditions(private.package, private.headers)
    sent = [private.headers | each for each in conditions if "Authorization" not in each]
    assert asker.compare([private.package], sent).keys() == {200, 206, 304, 412, 416}
    private.log_in(asker)
    for prefix, headers in _forms(private):
        found.clear()
        path = private.index.replace("/pulp/content/", prefix)
        assert asker.compare([path], [headers]) == {200: 1}
        assert len(found) == 1, (prefix, headers)


def test_who_may_not_read_a_private_channel_hears_the_same_by_both_ways(private, asker, found):
    stranger = get_user_model().objects.create_user(os.urandom(4).hex(), password=PASSWORD)
    _, of_stranger = issue_token(owner=stranger, name="x", scopes=[TokenScope.READ])
    wrong = f"cnd-{'x' * 40}"
    sent = {
        401: [
            {},
            {"Authorization": f"Bearer {wrong}"},
            {"Authorization": f"Bearer {private.token}x"},
            {"Authorization": f"Digest {private.token}"},
            _basic(private.reader.username, "wrong"),
            _basic(f"{private.reader.username}\0", PASSWORD),
            {"Authorization": private.login["Authorization"].replace(" ", " AA ")},
            {"X-API-Key": wrong} | private.login,
        ],
        403: [
            {"Authorization": f"Bearer {of_stranger}"},
            _basic(stranger.username, PASSWORD),
        ],
    }
    for status, headers in sent.items():
        for each in headers:
            assert asker.compare([private.package], [each]) == {status: 1}, each
    for prefix in (f"/t/{wrong}/pulp/content/", f"/pulp/content/t/{of_stranger}/"):
        asker.compare([private.package.replace("/pulp/content/", prefix)])
    assert found == []


def test_a_right_that_ends_is_seen_by_the_next_request(
    pulp, private, stage, asker, found, copied, settings, word
):
    token = CondaToken.objects.get(sha256=digest_of(private.token))
    channel = CondaDistribution.objects.get(pk=key(private.distribution))
    repository = channel.repository.cast()
    lifecycle = CondaLifecycle.objects.get(pk=key(stage[0].href))
    users = get_user_model().objects.filter(pk=private.reader.pk)
    group = Group.objects.create(name=word)
    private.reader.groups.add(group)
    domain = channel.pulp_domain
    other = Domain.objects.create(name=word, storage_class=domain.storage_class)
    rbac = pulp.post("contentguards/core/rbac/", name=word)["pulp_href"]
    past, never = timezone.now() - timedelta(seconds=1), None
    private.log_in(asker)

    def of_token(**fields):
        return lambda: CondaToken.objects.filter(pk=token.pk).update(**fields)

    def role(name, **where):
        return lambda: private.give(name, **where)

    def of_user(**fields):
        return lambda: users.update(**fields)

    def guard(**fields):
        return lambda: pulp.patch(private.distribution, **fields)

    def password():
        private.reader.set_password("another-Password-2")
        private.reader.save()

    of_channel = {"content_object": channel}
    everywhere = {"domain": None, "object_id": None}
    # What happens, then the status with the token, and with the password.
    changes = [
        ("revoked", of_token(revoked=past), 401, 200),
        ("not revoked", of_token(revoked=never), 200, 200),
        ("expired", of_token(expires=past), 401, 200),
        ("not expired", of_token(expires=past + timedelta(days=1)), 200, 200),
        ("other scope", of_token(scopes=["upload", "promote"]), 403, 200),
        ("more scopes", of_token(scopes=["upload", "read"]), 200, 200),
        ("for no channel", of_token(is_limited=True), 403, 200),
        ("for another stage", of_token(lifecycles=[lifecycle.pk]), 403, 200),
        ("for the channel", of_token(channels=[channel.pk]), 200, 200),
        ("of another domain", of_token(pulp_domain=other), 403, 200),
        ("of the domain", of_token(pulp_domain=domain, is_limited=False), 200, 200),
        ("viewer", role("condadistribution_viewer", **of_channel), 403, 403),
        ("by repository", role("condarepository_reader", content_object=repository), 200, 200),
        ("by lifecycle", role("condalifecycle_reader", content_object=lifecycle), 403, 403),
        ("everywhere", role("condadistribution_reader", **everywhere), 200, 200),
        ("in another domain", role("condadistribution_reader", domain=other), 403, 403),
        ("in the domain", role("condarepository_reader", domain=domain), 200, 200),
        ("of no lifecycle", role("condalifecycle_reader", domain=domain), 403, 403),
        ("by group", role("condadistribution_reader", group=group, **of_channel), 200, 200),
        ("left the group", lambda: private.reader.groups.clear(), 403, 403),
        ("administrator", of_user(is_superuser=True), 200, 200),
        ("not active", of_user(is_active=False), 401, 401),
        ("active", of_user(is_active=True), 200, 200),
        ("other guard", guard(content_guard=rbac), 200, 200),
        ("public", guard(content_guard=None), 200, 200),
        ("no administrator", of_user(is_superuser=False), 200, 200),
        ("private", guard(private=True), 403, 403),
        ("hidden", lambda: setattr(settings, "CONDA_HIDE_PRIVATE_CHANNELS", True), 404, 404),
        ("reader", role("condadistribution_reader", **of_channel), 200, 200),
        ("not hidden", lambda: setattr(settings, "CONDA_HIDE_PRIVATE_CHANNELS", False), 200, 200),
        ("new password", password, 200, 401),
        ("no token", lambda: token.delete(), 401, 401),
    ]
    for what, carry_out, *statuses in changes:
        carry_out()
        for headers, status in zip((private.headers, private.login), statuses):
            found.clear()
            given = asker.ask("GET", private.index, headers)
            assert given.status == status, what
            # A password that was changed has to be checked once.
            is_fast = status == 200 and what != "other guard"
            assert len(found) == is_fast, (what, headers)
            assert asker.ask("GET", private.index, headers | SLOW) == given, what


def test_a_right_on_a_lifecycle_is_one_on_its_stages(pulp, private, stage, asker, found, copied):
    lifecycle, url, _ = stage
    distribution = lifecycle.stage("testing")["distribution"]
    pulp.patch(distribution, private=True)
    path = _path(url, "noarch/repodata.json")
    team = CondaLifecycle.objects.get(pk=key(lifecycle.href))
    tokens = CondaToken.objects.filter(sha256=digest_of(private.token))
    for role, where in (
        ("condalifecycle_reader", team),
        ("condarepository_reader", team.repository),
        ("condadistribution_reader", CondaDistribution.objects.get(pk=key(distribution))),
    ):
        private.give(role, content_object=where)
        for limits, status in ((None, 200), ([], 403), ([team.pk], 200)):
            tokens.update(is_limited=limits is not None, lifecycles=limits or [])
            found.clear()
            assert asker.compare([path], [private.headers]) == {status: 1}, role
            assert len(found) == (status == 200)


def test_the_use_of_a_token_is_written_once_a_minute(private, stage, asker, found):
    tokens = CondaToken.objects.filter(sha256=digest_of(private.token))
    now = timezone.now()
    for before, is_written in (
        (None, True),
        (now - timedelta(seconds=30), False),
        (now - timedelta(seconds=90), True),
    ):
        tokens.update(last_used=before)
        found.clear()
        assert asker.ask("HEAD", private.package, private.headers).status == 200
        assert len(found) == 1
        after = tokens.get().last_used
        assert (after != before) == is_written
        assert not is_written or after >= now
    # Also where nobody needs one.
    tokens.update(last_used=None)
    asker.ask("HEAD", _path(stage[1], "noarch/repodata.json"), private.headers)
    assert tokens.get().last_used is not None


def test_who_guesses_has_to_wait_although_the_right_password_is_remembered(
    private, asker, found, settings
):
    settings.CONDA_FAILED_LOGINS = 3
    FailedLogin.objects.all().delete()
    private.log_in(asker)
    wrong = _basic(private.reader.username, "wrong")
    for _ in range(3):
        assert asker.ask("GET", private.index, wrong).status == 401
    found.clear()
    assert asker.ask("GET", private.index, private.login).status == 429
    # Others do not wait: another address, and who has a token.
    elsewhere = {"X-Forwarded-For": "192.0.2.1"}
    assert asker.ask("GET", private.index, private.login | elsewhere).status == 200
    assert asker.ask("GET", private.index, private.headers).status == 200
    assert len(found) == 2
    for _ in range(3):
        asker.ask("GET", private.index, {"X-API-Key": f"cnd-{'y' * 40}"})
    assert FailedLogin.objects.get(login="").count == 3
    settings.CONDA_FAILED_LOGINS = None
    assert asker.ask("GET", private.index, private.login).status == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"REST_FRAMEWORK": {"DEFAULT_AUTHENTICATION_CLASSES": []}},
        {"REST_FRAMEWORK": {"DEFAULT_AUTHENTICATION_CLASSES": [_SESSION, _TOKEN, _PASSWORD]}},
        {"REST_FRAMEWORK": {"DEFAULT_AUTHENTICATION_CLASSES": [_TOKEN, _SESSION, _PASSWORD]}},
        {"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.RemoteUserBackend", _BACKEND]},
    ],
    ids=["no classes", "tokens later", "passwords later", "other users"],
)
def test_a_site_with_logins_of_its_own_keeps_them(private, changed):
    token, login = private.headers, private.login
    assert isinstance(credentials_of(token), Token) and isinstance(credentials_of(login), Login)
    with override_settings(**changed):
        assert credentials_of(login) is NOBODY
        classes = changed.get("REST_FRAMEWORK", {}).get("DEFAULT_AUTHENTICATION_CLASSES", [_TOKEN])
        assert (credentials_of(token) is NOBODY) == (classes[:1] != [_TOKEN])


def test_lost_connections_are_opened_again(stage, asker, found, stack):
    path = _path(stage[1], "noarch/repodata.json.zst")
    before = asker.ask("GET", path)
    with stack.connect() as database:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    found.clear()
    assert asker.ask("GET", path) == before
    assert len(found) == 1


def test_without_a_database_the_slow_way_answers_until_it_is_there_again(
    stage, asker, found, monkeypatch
):
    path = _path(stage[1], "noarch/repodata.json.zst")
    before = asker.ask("GET", path)

    async def fetch(*arguments):
        raise psycopg.OperationalError("the server is not there")

    found.clear()
    with monkeypatch.context() as patch:
        patch.setattr(finder.connections, "fetch", fetch)
        assert asker.ask("GET", path) == before
    # It is not asked again at once.
    assert asker.ask("GET", path) == before
    assert found == []
    monkeypatch.setattr(finder, "_rests_until", 0)
    assert asker.ask("GET", path) == before
    assert len(found) == 1


def test_without_a_database_clients_are_told_to_come_again(stage, asker, monkeypatch):
    path = _path(stage[1], "noarch/repodata.json.zst")
    before = asker.ask("GET", path)
    with databases.used("absent"):
        answer = asker.ask("GET", path)
        assert answer.status == 503
        assert ("Retry-After", "5") in answer.headers
        assert asker.ask("GET", path, SLOW).status == 503
    monkeypatch.setattr(finder, "_rests_until", 0)
    assert asker.ask("GET", path) == asker.ask("GET", path, SLOW) == before
