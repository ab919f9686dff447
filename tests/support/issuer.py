"""A CI service that signs ID tokens, with keys of its own."""

import json
import time
from functools import cache
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "conda.example.org"

# What GitHub says of a workflow that runs for a tag.
GITHUB = {
    "sub": "repo:octo/hello:environment:release",
    "repository": "octo/hello",
    "repository_id": "583231",
    "repository_owner": "octo",
    "repository_owner_id": "9919",
    "workflow": "Release",
    "workflow_ref": "octo/hello/.github/workflows/release.yml@refs/tags/v1",
    "environment": "release",
    "ref": "refs/tags/v1",
    "sha": "ab" * 20,
    "run_id": "4711",
    "run_attempt": "1",
    "actor": "ada",
}

# What a publisher expects of it.
EXPECTED = {
    "repository_id": "583231",
    "repository_owner_id": "9919",
    "workflow_file": ".github/workflows/release.yml",
}


class Issuer:
    """Signs what it is told to.

    Attributes:
        url: Its issuer claim.
        key: Its private key.
    """

    def __init__(self, name, algorithm="RS256"):
        self.url = f"https://{name}.example.org"
        self.algorithm = algorithm
        self.key_id = f"{name}-key"
        self.key = _key(name, algorithm)

    @property
    def jwks(self):
        """Its public key, as it publishes it."""
        kind = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        key = kind.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self.key_id, "use": "sig", "alg": self.algorithm}]}

    def provider(self, **options):
        """Its entry in the setting, with its keys."""
        entry = {"issuer": self.url, "audience": AUDIENCE, "algorithms": [self.algorithm]}
        return {**entry, "jwks": self.jwks, **options}

    def claims(self, **claims):
        """What it says of a workflow. None leaves a claim out."""
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300}
        said |= {"jti": str(uuid4()), **GITHUB, **claims}
        return {name: value for name, value in said.items() if value is not None}

    def token(self, key=None, algorithm=None, headers=None, **claims):
        # Not `jwt.encode`, which refuses to sign some of what tests say.
        return jwt.api_jws.encode(
            json.dumps(self.claims(**claims)).encode(),
            self.key if key is None else key,
            algorithm or self.algorithm,
            headers={"typ": "JWT", "kid": self.key_id, **(headers or {})},
        )


@cache
def _key(name, algorithm):
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())
