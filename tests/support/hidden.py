"""Requests that name what a user may not see, for each place where a request can name something.

The places come from the OpenAPI schema: paths, queries and bodies of our operations. Each is tried
with an object that is hidden from the user, and with one that does not exist.
"""

import copy
import re
from dataclasses import dataclass, field
from uuid import uuid4

from tests.support.builders import make_package
from tests.support.stack import PROVIDER

# The kinds of objects, by the start of their path.
KINDS = {
    "conda/acts/": "act",
    "conda/blocks/": "block",
    "conda/lifecycles/": "lifecycle",
    "conda/robots/": "robot",
    "conda/tokens/": "token",
    "content/conda/environments/": "environment",
    "contentguards/conda/conda/": "conda_guard",
    "content/conda/packages/": "package",
    "content/conda/patches/": "patch",
    "conda/publishers/": "publisher",
    "conda/refresh_runs/": "run",
    "conda/refreshes/": "refresh",
    "distributions/conda/conda/": "distribution",
    "publications/conda/conda/": "publication",
    "remotes/conda/conda/": "remote",
    "repositories/conda/conda/": "repository",
}

# What a property of a body, or a parameter of a query, refers to.
REFERS_TO = {
    "add_content_units": "package",
    "added_between": "version",
    "artifact": "artifact",
    "base": "publication",
    "base_version": "version",
    "content": "package",
    "content__in": "patch",
    "content_guard": "guard",
    "distribution": "distribution",
    "distribution__in": "distribution",
    "latest_with_content": "environment",
    "package": "package",
    "publication": "publication",
    "remote": "remote",
    "remove_content_units": "environment",
    "removed_between": "version",
    "lifecycle": "lifecycle",
    "repository": "repository",
    "repository__in": "repository",
    "repository_version": "version",
    "repository_version_added": "version",
    "repository_version_removed": "version",
    "source": "repository",
    "sources": "version",
    "target": "publication",
    "upload": "upload",
    "with_content": "package",
}

# Bodies that are texts in the schema, and are references.
TEXTS = {"add_content_units.[]", "remove_content_units.[]"}

# Those that are base paths of channels.
CHANNELS = {"channels.[]", "selection.base_channels.[]"}

# Objects without properties in the schema, and lists of objects of several kinds, each with
# functions that put the base path of a channel where it can be named. None: there is no such place.
FREE_FORM = {
    "attestation": None,
    "claims": None,
    "downloader_config.headers.[]": None,
    "headers.[]": None,
    "instructions.packages": None,
    "instructions.packages.conda": None,
    "overrides": None,
    "pulp_labels": None,
    "selection.machines.[]": None,
    "stages.[].gates": [
        lambda path: [{"name": "g", "kind": "environments", "channels": [path]}],
        lambda path: [{"name": "g", "kind": "environments", "channels": [path, path]}],
        lambda path: [
            {"name": "g", "kind": "policy", "dependencies": {"base_channels": [path]}},
            {"name": "h", "kind": "wrong"},
        ],
    ],
    "virtual_packages": None,
}

# Queries that name objects by something else than a reference, with the fact of an object.
FACTS = {
    "after": "pk",
    "base_path": "base_path",
    "base_path__contains": "base_path",
    "base_path__icontains": "base_path",
    "base_path__in": "base_path",
    "channel": "name",
    "channels": "base_path",
    "filename": "filename",
    "filename__in": "filename",
    "md5": "md5",
    "md5__in": "md5",
    "name": "name",
    "name__contains": "name",
    "name__icontains": "name",
    "name__iexact": "name",
    "name__in": "name",
    "name__iregex": "name",
    "name__istartswith": "name",
    "name__regex": "name",
    "name__startswith": "name",
    "prn__in": "prn",
    "pulp_href__in": "href",
    "pulp_id__in": "pk",
    "record_digest": "record_digest",
    "record_digest__in": "record_digest",
    "sha256": "sha256",
    "sha256__in": "sha256",
}

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Thing:
    """An object, by all that can name it."""

    href: str
    facts: dict = field(default_factory=dict)

    @property
    def pk(self):
        return _UUID.findall(self.href) and self.href.rstrip("/").split("/")[-1]

    def fact(self, name):
        return {"href": self.href, "pk": self.pk, **self.facts}.get(name)

    def missing(self):
        """One of the same kind that does not exist."""
        other = str(uuid4())
        key = _UUID.search(self.href)[0]
        facts = {
            name: value.replace(_UUID.search(value)[0], str(uuid4()))
            if _UUID.search(value)
            else "0" * len(value)
            for name, value in self.facts.items()
        }
        return Thing(self.href.replace(key, other), facts)


def make_things(pulp):
    """Make one object of each kind as a user, and return them by kind."""
    word = uuid4().hex[:8]
    name = f"thing-{word}"
    remote = pulp.post("remotes/conda/conda/", name=name, url="https://conda.example.org/x")
    body = {"remote": remote["pulp_href"], "autopublish": True}
    repository = pulp.post("repositories/conda/conda/", name=name, **body)
    href = repository["pulp_href"]
    package = pulp.upload(make_package(name), repository=href)
    patch = pulp.post(
        "content/conda/patches/",
        repository=href,
        subdir="noarch",
        reason="x",
        instructions={"remove": [package["filename"]]},
    )
    environment = pulp.environment(href, name, f"{name}\n")
    version = pulp.get(pulp.get(href)["latest_version_href"])
    publication = pulp.get(pulp.newest_publication(href))
    distribution = pulp.distribution(publication=publication["pulp_href"])
    guard = pulp.post("contentguards/core/rbac/", name=name)
    conda_guard = pulp.post("contentguards/conda/conda/", name=f"conda-{name}")
    team = pulp.lifecycle(href)
    team.promote("testing")
    upload = pulp.post("uploads/", size=10)
    robot = pulp.post("conda/robots/", name=name)
    token = pulp.post("conda/tokens/", name=name, scopes=["read"])
    publisher = pulp.post(
        "conda/publishers/",
        name=name,
        distribution=team.stage("unstable")["distribution"],
        provider=PROVIDER,
        claims={"sub": name},
    )
    block = pulp.post("conda/blocks/", sha256=uuid4().hex * 2, public_reason="x")
    refresh = pulp.post("conda/refreshes/", repository=href, cron="0 0 29 2 *")
    # Who made a thing need not be allowed to read the acts.
    acts = pulp.list("conda/acts/", resource=remote["prn"])
    made = {
        "act": acts[0] if acts else {"pulp_href": f"conda/acts/{uuid4()}/"},
        "remote": remote,
        "repository": repository,
        "package": package,
        "patch": pulp.get(pulp.created(patch, "/patches/")),
        "environment": environment,
        "version": version,
        "publication": publication,
        "distribution": distribution,
        "guard": guard,
        "conda_guard": conda_guard,
        "lifecycle": team.read(),
        "entry": team.history()[0],
        "upload": upload,
        "block": block,
        "robot": robot,
        "token": token,
        "publisher": publisher,
        "refresh": refresh,
        # It comes when Pulp's schedules start it: `tests/tasks/test_refresh.py` asks for one.
        "run": {"pulp_href": f"{pulp.api}conda/refresh_runs/{uuid4()}/"},
    }
    facts = {*FACTS.values(), "prn"}
    things = {
        kind: Thing(
            shown["pulp_href"],
            {fact: shown[fact] for fact in sorted(facts & shown.keys()) if shown[fact]},
        )
        for kind, shown in made.items()
    }
    artifact = package["artifact"]
    things["artifact"] = Thing(artifact, {"prn": f"prn:core.artifact:{artifact.split('/')[-2]}"})
    return things


# What a user needs to make all of that.
CREATOR = [
    "conda.condablock_creator",
    "conda.condacontentguard_creator",
    "conda.condadistribution_creator",
    "conda.condalifecycle_creator",
    "conda.condapackage_uploader",
    "conda.condapublication_creator",
    "conda.condaremote_creator",
    "conda.condarepository_creator",
    "conda.condarobot_creator",
    "conda.condatoken_creator",
    "core.rbaccontentguard_creator",
    "core.upload_creator",
]


@dataclass(frozen=True)
class Place:
    """A place in a request that can name an object.

    Attributes:
        method, path: The operation; the path with parameters in braces.
        where: `path`, `query` or `body`.
        name: The parameter, or the path of the property in the body: `stages.[].distribution`.
        form: The number of the way to put a name into a free-form object.
    """

    method: str
    path: str
    where: str
    name: str
    form: int | None = None

    def __str__(self):
        return f"{self.method.upper()} {self.path} {self.where} {self.name} {self.form or ''}"

    @property
    def leaf(self):
        return self.name.removesuffix(".[]").rpartition(".")[2]

    @property
    def fact(self):
        """What of an object can stand here: its href or PRN for references, or another fact."""
        if self.where == "path":
            return "pk"
        if self.form is not None or self.name in CHANNELS:
            return "base_path"
        return FACTS.get(self.name) if self.where == "query" else None

    @property
    def is_reference(self):
        """Whether hrefs and PRNs are expected here."""
        return self.where == "body" or (self.where == "query" and self.name in REFERS_TO)

    @property
    def kind(self):
        """The kind of object that is expected here."""
        if self.where == "path":
            return self._kind_in_path()
        if self.fact == "base_path":
            return "distribution"
        if self.fact:
            return next(kind for start, kind in KINDS.items() if self.path.startswith(start))
        if self.where == "query":
            # Whatever else a query may say: it must not matter whether it is the href of something.
            return REFERS_TO.get(self.name, "repository")
        return REFERS_TO[self.leaf]

    def _kind_in_path(self):
        if self.name == "lifecycle_pk":
            return "lifecycle"
        if self.name == "repository_pk":
            return "repository"
        if "{lifecycle_pk}" in self.path:
            return "entry"
        return next(kind for start, kind in KINDS.items() if self.path.startswith(start))


def places(schema, api):
    """Return all places of our operations that can name an object.

    Raises:
        AssertionError: there is a free-form object that `FREE_FORM` does not know.
        KeyError: a property for a reference that `REFERS_TO` does not know.
    """
    found, free_form = [], set()
    for full_path, operations in schema["paths"].items():
        if "/conda/" not in full_path:
            continue
        path = full_path.removeprefix(api)
        for method in operations.keys() & {"get", "post", "put", "patch", "delete"}:
            operation = operations[method]
            for parameter in operation.get("parameters", ()):
                name, where = parameter["name"], parameter["in"]
                is_text = parameter["schema"].get("type") in ("string", "array")
                if (
                    name.endswith(("_id", "_pk"))
                    if where == "path"
                    else where == "query" and is_text
                ):
                    found.append(Place(method, path, where, name))
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json") or next(iter(content.values()), None)
            for name, property_ in _properties(schema, body["schema"]) if body else ():
                if _is_free_form(property_):
                    free_form.add(name)
                    for form in range(len(FREE_FORM.get(name) or ())):
                        found.append(Place(method, path, "body", name, form))
                elif property_.get("format") == "uri" or name in TEXTS | CHANNELS:
                    found.append(Place(method, path, "body", name))
    assert free_form == FREE_FORM.keys()
    for place in found:
        assert place.kind
    return sorted(found, key=str)


def _is_free_form(part):
    types = _types(part)
    # A list is one of objects of several kinds.
    return bool({"array", "object"} & types or not types) and "enum" not in part


def _types(part):
    types = part.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def _resolved(schema, part):
    if "$ref" in part:
        return schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return part


def _properties(schema, part, path=()):
    """Yield (path, schema) for each property that a request may have."""
    if "$ref" in part:
        yield from _properties(schema, _resolved(schema, part), path)
    elif "allOf" in part:
        for each in part["allOf"]:
            yield from _properties(schema, each, path)
    elif "array" in _types(part) and "discriminator" in _resolved(schema, part["items"]):
        yield ".".join(path), part
    elif "array" in _types(part) and "object" not in _types(part):
        yield from _properties(schema, part["items"], (*path, "[]"))
    elif "properties" in part:
        for name, each in part["properties"].items():
            if not each.get("readOnly"):
                yield from _properties(schema, each, (*path, name))
    elif "oneOf" not in part:
        yield ".".join(path), part


class Somebody:
    """A user who tries to name what belongs to others.

    Args:
        pulp: The API as the user.
        own: What the user may see, by kind.
    """

    def __init__(self, pulp, own):
        self.pulp = pulp
        self.own = own

    def ask(self, place, value):
        """Name something in a place, and return the status and the body of the answer, without what
        differs from request to request.
        """
        own, query, body = self.own, {}, None
        pks = {
            "lifecycle_pk": own["lifecycle"].pk,
            "repository_pk": own["repository"].pk,
            "number": "1",
        }
        if "{pulp_id}" in place.path:
            pks["pulp_id"] = own[Place(place.method, place.path, "path", "pulp_id").kind].pk
        if place.where == "path":
            pks[place.name] = value
        elif place.where == "query":
            query = self._query(place, value)
        if place.method in ("post", "put", "patch"):
            body = self._body(place)
            if place.where == "body":
                if place.form is not None:
                    _put(body, place.name.split("."), FREE_FORM[place.name][place.form](value))
                else:
                    _put(body, place.name.split("."), value)
        answer = self.pulp._try(
            place.method.upper(), place.path.format(**pks), params=query, json=body
        )
        text = answer.text.replace(value, "<given>")
        text = _UUID.sub("<key>", text)
        return answer.status_code, re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", "<time>", text)

    def _query(self, place, value):
        query = {place.name: value}
        if place.name in ("added_between", "removed_between"):
            query = {place.name: f"{self.own['version'].href},{value}"}
        if place.path.endswith("/diff/"):
            query = {"base": "unstable", "target": "unstable"} | query
        if place.path.endswith("/lock/"):
            query |= {"stage": "unstable", "environment": "x", "lock_format": "pixi"}
        return query

    def _body(self, place):
        """Return a body in which nothing is wrong but what is put into the place."""
        word = uuid4().hex[:8]
        own = self.own
        name = place.path.replace("{pulp_id}/", "")
        is_new = "{pulp_id}" not in place.path
        stages = [{"name": stage} for stage in ("unstable", "testing", "stable")]
        bodies = {
            "conda/lifecycles/": {
                "name": word if is_new else own["lifecycle"].facts["name"],
                "repository": own["repository"].href,
                "stages": stages,
            },
            "contentguards/conda/conda/": {"name": word},
            "conda/lifecycles/solve/": {"stage": "unstable"},
            "conda/publishers/": {
                "name": word,
                "distribution": own["distribution"].href,
                "provider": PROVIDER,
                "claims": {"sub": word},
            },
            "conda/refreshes/": {
                "repository": own["repository"].href,
                "cron": "0 0 29 2 *",
            },
            "conda/robots/": {"name": word},
            "conda/tokens/": {"name": word, "scopes": ["read"]},
            "content/conda/environments/": {
                "name": word,
                "format": "specs",
                "source": "x\n",
                "platforms": ["linux-64"],
                "repository": own["repository"].href,
            },
            "content/conda/packages/": {"repository": own["repository"].href},
            "content/conda/patches/": {
                "subdir": "noarch",
                "reason": "x",
                "repository": own["repository"].href,
            },
            "distributions/conda/conda/": {
                "name": word if is_new else own["distribution"].facts["name"],
                "base_path": word if is_new else own["distribution"].facts["base_path"],
            },
            "remotes/conda/conda/": {"name": word, "url": "https://conda.example.org/y"},
            "repositories/conda/conda/": {
                "name": word if is_new else own["repository"].facts["name"]
            },
            "repositories/conda/conda/copy/": {"specs": ["x"]},
            "repositories/conda/conda/import_lock_file/": {
                "lock_file": f"@EXPLICIT\nhttps://h.example.org/c/noarch/x-1-0.conda#{'0' * 32}\n",
                "dry_run": True,
            },
        }
        body = copy.deepcopy(bodies.get(name, {}))
        if name == "content/conda/patches/" and place.leaf != "package":
            body["instructions"] = {"remove": ["x-1-0.conda"]}
        if place.method == "patch":
            # A change of the stages has to name them all; nothing else is needed.
            body = {key: body[key] for key in body if key == "stages" and "stages" in place.name}
        if place.name.startswith("merged_channels."):
            body["merged_channels"] = [{}]
        return body


def _put(body, path, value):
    """Put a value into a body; in a list, into its last element."""
    for key, following in zip(path, [*path[1:], None], strict=True):
        last = following is None
        if key == "[]":
            if last:
                body.append(value)
            else:
                body = body[-1]
        elif last:
            body[key] = value
        else:
            body = body.setdefault(key, [] if following == "[]" else {})
