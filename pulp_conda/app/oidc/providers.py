"""The CI services that a site trusts, as pulpcore's setting `WORKLOAD_IDENTITY` names them.

Of each provider the setting has `issuer`, `audience`, `algorithms`, and `jwks_url` or `jwks`, which
is ours: the keys themselves, or the path of a file with them, for a site without the internet.
Its `rules` are pulpcore's, and have no part in trusted publishing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

# Whoever knows the key of a symmetric algorithm can sign, and the keys of providers are public.
ALGORITHMS = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA"),
    }
)


@dataclass(frozen=True)
class Provider:
    """A CI service that signs ID tokens.

    Attributes:
        audience: A token has to be for one of these. With none, no token is accepted.
        algorithms: Only asymmetric ones.
        jwks: The keys as a JWK set, or the path of a file with one.
        jwks_url: Where the keys are, if `jwks` is None.
    """

    name: str
    issuer: str
    audience: frozenset[str]
    algorithms: frozenset[str]
    jwks: Mapping[str, Any] | str | None
    jwks_url: str | None


def providers() -> Iterator[Provider]:
    """Yield the providers of the setting."""
    found = (getattr(settings, "WORKLOAD_IDENTITY", None) or {}).get("providers") or {}
    for name, entry in found.items():
        audience = entry.get("audience") or ()
        yield Provider(
            name=name,
            issuer=entry.get("issuer", ""),
            audience=frozenset([audience] if isinstance(audience, str) else audience),
            algorithms=ALGORITHMS.intersection(entry.get("algorithms") or ["RS256"]),
            jwks=entry.get("jwks"),
            jwks_url=entry.get("jwks_url"),
        )


def providers_of(issuer: str) -> list[Provider]:
    """Return the providers with exactly this issuer: more than one if their audiences differ."""
    return [each for each in providers() if each.issuer and each.issuer == issuer]
