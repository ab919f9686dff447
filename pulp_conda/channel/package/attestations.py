"""Attestations: signed statements that a package was published, and the sidecars that hold them.

The statement is described in CEP 27. The sidecar is the file `<file>.sigs` of CEP 50: a JSON list
of Sigstore bundles, to which bundles are only added. This module reads them and compares them with
the package. `pulp_conda.verifier` checks the signatures.

All problems are raised as a `ValueError`, with words for `BadSidecar` or `BadAttestation`.
"""

from base64 import b64decode
from collections.abc import Iterable
from gettext import gettext as _
from typing import Any
from urllib.parse import urlsplit

import orjson

from pulp_conda.channel.errors import shown

# Bytes of a sidecar. rattler reads no larger ones.
MAX_SIDECAR_SIZE = 4 * 2**20

PREDICATE_TYPE = "https://schemas.conda.org/attestations-publish-1.schema.json"

_IN_TOTO = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_MAX_CHANNEL_LENGTH = 2083


def check_sidecar(
    data: bytes, *, filename: str, sha256: str, strict: bool = False
) -> list[dict[str, Any]]:
    """Return the bundles of a sidecar, and check that it is about this package.

    At least one bundle must have a statement of CEP 27, and all such statements must be about this
    package. There may be other bundles. rattler has the same rules.

    Args:
        data: The sidecar.
        filename: The file name of the package.
        sha256: The digest of the package in hex.
        strict: Allow no other bundles.

    Raises:
        ValueError: it is no sidecar, or not of this package.
    """
    bundles = read_bundles(data)
    published = 0
    for number, bundle in enumerate(bundles):
        problem = None
        if statement := _statement(bundle):
            published += 1
            problem = _problem(statement, filename, sha256)
        elif strict:
            problem = _("it has no statement with the 'predicateType' of CEP 27")
        if problem:
            raise ValueError(_("bundle {}: {}").format(number, problem))
    if not published:
        raise ValueError(_("no bundle has a statement with the 'predicateType' of CEP 27"))
    return bundles


def read_bundles(data: bytes) -> list[dict[str, Any]]:
    """Return the bundles of a sidecar. It is not checked what they are about.

    Raises:
        ValueError: it is too large, or no list of Sigstore bundles.
    """
    if len(data) > MAX_SIDECAR_SIZE:
        raise ValueError(_("it has more than {} bytes").format(MAX_SIDECAR_SIZE))
    try:
        bundles = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(_("it is not JSON: {}").format(error)) from None
    if not isinstance(bundles, list):
        raise ValueError(_("it is not a list of Sigstore bundles"))
    if not bundles:
        raise ValueError(_("the list of Sigstore bundles is empty"))
    for number, bundle in enumerate(bundles):
        if not _is_bundle(bundle):
            raise ValueError(_("bundle {}: it is not a Sigstore bundle").format(number))
    return bundles


def make_sidecar(bundles: Iterable[dict[str, Any]], before: bytes = b"[]") -> bytes:
    """Return a sidecar with bundles added at the end of another one, whose bytes stay as they are.

    A bundle that is already there is not added again, even if it is written with other spaces or in
    another order of keys.

    Args:
        bundles: The bundles to add.
        before: The other sidecar, which `check_sidecar` or `read_bundles` accepts.

    Raises:
        ValueError: the sidecar would be too large.
    """
    present = {_canonical(bundle) for bundle in orjson.loads(before)}
    given = dict.fromkeys(_canonical(bundle) for bundle in bundles)
    added = [bundle for bundle in given if bundle not in present]
    if not added:
        return before
    old = before.rstrip().removesuffix(b"]").rstrip()
    sidecar = old + b"," * bool(present) + b",".join(added) + b"]"
    if len(sidecar) > MAX_SIDECAR_SIZE:
        raise ValueError(
            _("all attestations of the package together have more than {} bytes").format(
                MAX_SIDECAR_SIZE
            )
        )
    return sidecar


def _canonical(bundle: object) -> bytes:
    return orjson.dumps(bundle, option=orjson.OPT_SORT_KEYS)


def _is_bundle(bundle: object) -> bool:
    return (
        isinstance(bundle, dict)
        and isinstance(bundle.get("verificationMaterial"), dict)
        and any(isinstance(bundle.get(kind), dict) for kind in ("dsseEnvelope", "messageSignature"))
    )


def _statement(bundle: dict[str, Any]) -> dict[str, Any] | None:
    """Return the statement of CEP 27 in a bundle, or None if the bundle has no such statement."""
    envelope = bundle.get("dsseEnvelope") or {}
    if envelope.get("payloadType") != _IN_TOTO:
        return None
    try:
        statement = orjson.loads(b64decode(envelope.get("payload", ""), validate=True))
    except (TypeError, ValueError):
        return None
    if isinstance(statement, dict) and statement.get("predicateType") == PREDICATE_TYPE:
        return statement
    return None


def _problem(statement: dict[str, Any], filename: str, sha256: str) -> str | None:
    """Say why a statement of CEP 27 is not about a package, or return None."""
    if statement.get("_type") != _STATEMENT_TYPE:
        return _("it is not a statement of type '{}'").format(_STATEMENT_TYPE)
    match statement.get("subject"):
        case [{"name": str(name), "digest": {"sha256": str(digest)}}]:
            pass
        case _:
            return _("it must have one subject, with a 'name' and a 'digest' by 'sha256'")
    if name != filename:
        return _("it is about the file name '{}'").format(shown(name))
    if digest != sha256:
        return _("it is about a file with the sha256 '{}', and this one has '{}'").format(
            shown(digest), sha256
        )
    match statement.get("predicate"):
        case None:
            return None
        case {"targetChannel": str(channel)} if _is_channel_url(channel):
            return None
        case _:
            return _("its 'targetChannel' must be a URL without a slash at the end")


def _is_channel_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        bool(parts.scheme and parts.netloc)
        and len(url) <= _MAX_CHANNEL_LENGTH
        and not url.endswith("/")
    )
