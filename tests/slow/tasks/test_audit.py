"""Each operation of the API that changes something: it is an act, or has a reason why not."""

import re
from uuid import uuid4

import pytest

from pulp_conda.app.models import CondaAct
from tests.support.builders import make_channel, make_package
from tests.support.stack import PROVIDER
from tests.support.upstream import Upstream

_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=versions/)\d+")
_ROOT = "/pulp/api/v3/"

BLOCKS = "conda/blocks/"
LIFECYCLES = "conda/lifecycles/"
PUBLISHERS = "conda/publishers/"
REFRESHES = "conda/refreshes/"
ROBOTS = "conda/robots/"
TOKENS = "conda/tokens/"
GUARDS = "contentguards/conda/conda/"
DISTRIBUTIONS = "distributions/conda/conda/"
PUBLICATIONS = "publications/conda/conda/"
REMOTES = "remotes/conda/conda/"
REPOSITORIES = "repositories/conda/conda/"
PACKAGES = "content/conda/packages/"
PATCHES = "content/conda/patches/"
ENVIRONMENTS = "content/conda/environments/"


def _crud(path, *names):
    verbs = {"POST": "created", "PUT": "updated", "PATCH": "updated", "DELETE": "deleted"}
    return {f"{name} {path}" + ("" if name == "POST" else "{}/"): verbs[name] for name in names}


_ALL = ("POST", "PUT", "PATCH", "DELETE")
_ROLES = (BLOCKS, LIFECYCLES, ROBOTS, TOKENS, GUARDS, DISTRIBUTIONS, PUBLICATIONS, REMOTES,
          REPOSITORIES)  # fmt: skip

# The act of each operation.
ACTS = {
    **_crud(BLOCKS, *_ALL),
    **_crud(LIFECYCLES, *_ALL),
    **_crud(PUBLISHERS, *_ALL),
    **_crud(REFRESHES, *_ALL),
    **_crud(ROBOTS, "POST", "DELETE"),
    **_crud(TOKENS, *_ALL),
    **_crud(GUARDS, *_ALL),
    **_crud(DISTRIBUTIONS, *_ALL),
    **_crud(PUBLICATIONS, "POST", "DELETE"),
    **_crud(REMOTES, *_ALL),
    **_crud(REPOSITORIES, *_ALL),
    **{f"POST {path}{{}}/add_role/": "granted" for path in _ROLES},
    **{f"POST {path}{{}}/remove_role/": "revoked" for path in _ROLES},
    **{
        f"POST {path}{{}}/{verb}_label/": "updated"
        for path in (DISTRIBUTIONS, LIFECYCLES, REMOTES, REPOSITORIES)
        for verb in ("set", "unset")
    },
    f"POST {LIFECYCLES}{{}}/promote/": "moved",
    f"POST {LIFECYCLES}{{}}/promote_packages/": "moved",
    f"POST {LIFECYCLES}{{}}/rollback/": "moved",
    f"POST {LIFECYCLES}{{}}/history/{{}}/approve/": "moved",
    f"POST {LIFECYCLES}{{}}/history/{{}}/reject/": "moved",
    f"POST {TOKENS}{{}}/revoke/": "updated",
    f"POST {TOKENS}{{}}/rotate/": "updated",
    f"POST {REPOSITORIES}{{}}/copy/": "changed_content",
    f"POST {REPOSITORIES}{{}}/modify/": "changed_content",
    f"POST {REPOSITORIES}{{}}/sync/": "changed_content",
    f"POST {REPOSITORIES}{{}}/upload/": "changed_content",
    f"POST {REPOSITORIES}{{}}/convert/": "changed_content",
    f"POST {REPOSITORIES}{{}}/import_lock_file/": "changed_content",
    f"POST {REPOSITORIES}{{}}/grant/": "granted",
    f"POST {REPOSITORIES}{{}}/revoke/": "revoked",
    f"DELETE {REPOSITORIES}{{}}/versions/{{}}/": "deleted_version",
    f"POST {PACKAGES}": "changed_content",
    f"POST {PATCHES}": "changed_content",
    f"POST {ENVIRONMENTS}": "changed_content",
}

_CONTENT = "content that is in no repository is in no channel; a version that takes it is an act"
_LABELS = "labels of content are no part of a channel"
_READS = "it only finds something out"

# Why other operations are no acts.
REASONS = {
    f"POST {BLOCKS}{{}}/publish/": "its publications are acts of their own, made by tasks",
    f"POST {LIFECYCLES}{{}}/deliveries/{{}}/redeliver/": "it sends an old message once more",
    f"POST {LIFECYCLES}{{}}/solve/": _READS,
    f"POST {REMOTES}{{}}/check/": _READS,
    f"POST {REPOSITORIES}{{}}/find_lock_file/": _READS,
    f"POST {REPOSITORIES}{{}}/plan/": _READS,
    f"POST {REPOSITORIES}{{}}/versions/{{}}/repair/": "it brings lost bytes back, and no others",
    f"POST {PACKAGES}upload/": _CONTENT,
    **{
        f"POST {path}{{}}/{verb}_label/": _LABELS
        for path in (PACKAGES, PATCHES, ENVIRONMENTS)
        for verb in ("set", "unset")
    },
}


def test_each_operation_is_an_act_or_has_a_reason(pulp):
    schema = pulp.get("docs/api.json", pk_path=1)
    found = {
        f"{method.upper()} {re.sub(r'{[^}]+}', '{}', path.removeprefix(_ROOT))}"
        for path, methods in schema["paths"].items()
        for method in methods
        if method != "get" and "conda/" in path
    }
    assert found == ACTS.keys() | REASONS.keys()
    assert not ACTS.keys() & REASONS.keys()


class Story:
    """What an administrator does, with the acts that each request was."""

    def __init__(self, pulp):
        self.pulp = pulp
        self.verbs = {}
        self._seen = self._count()

    def note(self, answer, *arguments, **options):
        if answer.request.method == "GET":
            return
        path = answer.request.path_url.removeprefix(_ROOT).partition("?")[0]
        name = f"{answer.request.method} {_KEY.sub('{}', path)}"
        before, self._seen = self._seen, self._count()
        self.verbs.setdefault(name, set()).update(self._seen - before)

    def _count(self):
        acts = CondaAct.objects.values_list("pk", "verb")
        return set(acts)

    def did(self, operation):
        return {verb for _, verb in self.verbs.get(operation, ())}


@pytest.fixture(scope="module")
def story(pulp, tmp_path_factory):
    story = Story(pulp)
    pulp.session.hooks["response"].append(story.note)
    folder = tmp_path_factory.mktemp("upstream")
    try:
        with Upstream(folder) as upstream:
            _tell(pulp, upstream)
    finally:
        pulp.session.hooks["response"].remove(story.note)
    return story


def _tell(pulp, upstream):
    """Do everything that is an act, at least once."""
    word = uuid4().hex[:8]
    make_channel(upstream.folder, [make_package("a")])
    remote = pulp.post(REMOTES, name=word, url=upstream.url, policy="on_demand")["pulp_href"]
    _change(pulp, remote, {"name": word, "url": upstream.url, "includes": ["a"]}, excludes=["x"])
    repository = pulp.post(REPOSITORIES, name=word, autopublish=True)["pulp_href"]
    whole = {"name": word, "autopublish": True, "description": "team"}
    _change(pulp, repository, whole, remote=remote)
    pulp.sync(repository)
    _fill(pulp, repository, word)
    served = {"name": word, "base_path": word}
    distribution = pulp.distribution(**served, repository=repository)["pulp_href"]
    whole = {**served, "repository": repository, "upload_alias": word}
    _change(pulp, distribution, whole, private=True)
    for labelled in (remote, repository, distribution):
        pulp.post(f"{labelled}set_label/", key="k", value="v")
        pulp.post(f"{labelled}unset_label/", key="k")
    _promote(pulp, word)
    publication = pulp.publish(repository=repository)
    block = pulp.post(BLOCKS, sha256="ab" * 32, public_reason="bad")["pulp_href"]
    _change(pulp, block, {"sha256": "ab" * 32, "public_reason": "worse"}, public_reason="worst")
    guard = pulp.post(GUARDS, name=word)["pulp_href"]
    _change(pulp, guard, {"name": f"{word}-2"}, name=f"{word}-3")
    robot = pulp.post(ROBOTS, name=word)["pulp_href"]
    token = pulp.post(TOKENS, name=word, scopes=["read"])["pulp_href"]
    _change(pulp, token, {"name": word, "scopes": ["read", "upload"]}, scopes=["upload"])
    pulp.post(f"{token}rotate/")
    pulp.post(f"{token}revoke/")
    claims = {"sub": word}
    publisher = {"name": word, "provider": PROVIDER, "claims": claims}
    published = pulp.post(PUBLISHERS, distribution=distribution, **publisher)["pulp_href"]
    body = {**publisher, "distribution": distribution, "claims": {"sub": f"{word}-2"}}
    _change(pulp, published, body, name=f"{word}-2")
    refresh = pulp.post(REFRESHES, repository=repository, interval=3600)["pulp_href"]
    _change(pulp, refresh, {"repository": repository, "interval": 7200}, mirror=True)
    for verb in ("grant", "revoke"):
        pulp.post(f"{repository}{verb}/", role="reader", users=["admin"])
    roles = {
        block: "condablock", guard: "condacontentguard", robot: "condarobot",
        token: "condatoken", distribution: "condadistribution", publication: "condapublication",
        remote: "condaremote", repository: "condarepository",
    }  # fmt: skip
    for href, model in roles.items():
        _share(pulp, href, model)
    for href in (refresh, published, token, robot, guard, block, publication, distribution):
        pulp.delete(href)
    pulp.delete(f"{repository}versions/1/")
    pulp.delete(repository)
    pulp.delete(remote)


def _change(pulp, href, whole, **fields):
    _put(pulp, href, **whole)
    pulp.patch(href, **fields)


def _put(pulp, href, **whole):
    answer = pulp._try("PUT", href, json=whole)
    assert answer.ok, answer.text
    if "task" in answer.json():
        pulp.wait(answer.json())


def _share(pulp, href, model):
    body = {"role": f"conda.{model}_viewer", "users": ["admin"]}
    pulp.post(f"{href}add_role/", **body)
    pulp.post(f"{href}remove_role/", **body)


def _fill(pulp, repository, word):
    """Change the content of a channel in all ways."""
    package = pulp.upload(make_package(f"one-{word}"), repository=repository)
    pulp.modify(repository, remove=[package["pulp_href"]])
    two = make_package(f"two-{word}")
    sent = pulp.post_bytes(
        f"{repository}upload/".removeprefix(_ROOT), two.filename, two.data, complete="true"
    )
    pulp.wait(sent.json())
    old = make_package(f"old-{word}", extension=".tar.bz2")
    pulp.upload(old, repository=repository)
    pulp.post(f"{repository}convert/")
    pulp.environment(repository, "work", f"one-{word}")
    changed = {"packages.conda": {two.filename: {"depends": ["new"]}}}
    pulp.post(
        PATCHES, repository=repository, subdir="noarch", reason="a test", instructions=changed
    )
    other = pulp.post(REPOSITORIES, name=f"{word}-other")["pulp_href"]
    specs = [f"old-{word}"]
    pulp.post(f"{other}copy/", source=repository, specs=specs, with_dependencies=False)
    text = f"@EXPLICIT\nhttps://h/noarch/{package['filename']}#{package['sha256']}\n"
    pulp.post(f"{other}import_lock_file/", lock_file=text, sources=[f"{repository}versions/2/"])


def _promote(pulp, word):
    """Make a lifecycle, and move its stages in all ways."""
    repository = pulp.post(REPOSITORIES, name=f"{word}-staged", autopublish=True)["pulp_href"]
    pulp.upload(make_package(f"first-{word}"), repository=repository)
    team = pulp.lifecycle(repository)
    team.promote("testing")
    pulp.upload(make_package(f"second-{word}"), repository=repository)
    team.promote_packages("testing", f"second-{word}")
    team.roll_back("testing")
    team.set_gates("testing", {"name": "ask", "kind": "approval"})
    asker = pulp.user(["conda.condalifecycle_owner"])
    for answer in ("reject", "approve"):
        team.as_user(asker).promote("testing")
        waiting = next(entry for entry in team.history() if entry["outcome"] == "waiting")
        pulp.post(f"{waiting['pulp_href']}{answer}/")
    pulp.post(f"{team.href}set_label/", key="k", value="v")
    pulp.post(f"{team.href}unset_label/", key="k")
    read = team.read()
    body = {"name": read["name"], "repository": repository, "retain_days": 7}
    _put(pulp, team.href, **body)
    _share(pulp, team.href, "condalifecycle")
    pulp.delete(team.href)


@pytest.mark.parametrize("operation", sorted(ACTS))
def test_each_act_is_noted(story, operation):
    assert ACTS[operation] in story.did(operation)
