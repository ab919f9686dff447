"""Requests with tokens, and which operations of Pulp accept one."""

import re
from uuid import uuid4

ANY_KEY = "01a22de5-06db-7048-9c5e-2d707eff5274"

# The operations that accept a token, with the scope that it needs. All others refuse it.
TOKEN_OPERATIONS = {
    ("promote", "GET conda/lifecycles/"),
    ("promote", "GET conda/lifecycles/{}/"),
    ("promote", "GET conda/lifecycles/{}/history/"),
    ("promote", "GET conda/lifecycles/{}/history/{}/"),
    ("promote", "POST conda/lifecycles/{}/promote/"),
    ("promote", "POST conda/lifecycles/{}/promote_packages/"),
    # Also `GET tasks/{}/`, of the token's own uploads.
    ("upload", "GET repositories/conda/conda/"),
    ("upload", "POST repositories/conda/conda/{}/upload/"),
}

_SCOPES = ("read", "upload", "promote")

# They let everybody in, and look at no credentials.
_WITHOUT_LOGIN = {"GET docs/api.json", "GET docs/api.yaml", "GET livez/", "GET status/"}


def ask(pulp, method, path, headers, **options):
    """Send a request with other credentials than a password."""
    with type(pulp)(pulp.url, api=pulp.api) as stranger:
        stranger.session.headers.update(headers)
        return stranger._try(method, path, **options)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def operations_for_tokens(pulp, **query):
    """Try operations with tokens of an administrator for each scope.

    Args:
        query: Which part of the schema to try.

    Returns:
        (scope, operation) for each operation that lets a token in; and the operations that answer
        to everybody that there is nothing, because they are below an object that does not exist.
    """

    def make(*scopes):
        name = uuid4().hex
        return bearer(pulp.post("conda/tokens/", name=name, scopes=list(scopes))["token"])

    every = make(*_SCOPES)
    tokens = {scope: make(scope) for scope in _SCOPES}
    let_in, nothing_there, refused = set(), [], 0
    for name, method, path in _operations(pulp, query):
        if name in _WITHOUT_LOGIN:
            continue
        if _is_refused(ask(pulp, method, path, every)):
            refused += 1
            continue
        for scope, token in tokens.items():
            answer = ask(pulp, method, path, token)
            if answer.status_code == ask(pulp, method, path, {}).status_code == 404:
                nothing_there.append(name)
            elif not _is_refused(answer):
                let_in.add((scope, name))
    print(f"{refused} refused, {len(let_in)} let in, {len(nothing_there)} not there")
    assert refused > 50
    return let_in, nothing_there


def _operations(pulp, query):
    """Yield the operations of Pulp: a name, the method and the path of one."""
    schema = pulp.get("docs/api.json", pk_path=1, **query)
    for full_path, methods in schema["paths"].items():
        path = re.sub(r"\{\w+\}", ANY_KEY, full_path.replace("{number}", "1"))
        name = re.sub(r"\{\w+\}", "{}", full_path.removeprefix("/pulp/api/v3/"))
        for method in methods.keys() & {"get", "post", "put", "patch", "delete"}:
            yield f"{method.upper()} {name}", method.upper(), path


def _is_refused(answer):
    return answer.status_code == 403 and "CND0091" in answer.text
