"""Candidates for tests of the rules for packages."""

from hashlib import sha256

from pulp_conda.channel.policies.satisfaction import Candidate


def make_candidate(name="numpy", version="1.0", build="0", *, subdir="noarch", **fields):
    """Return a package. Its checksum is made from its path, as `make_record` does it."""
    filename = fields.pop("filename", f"{name}-{version}-{build}.conda")
    defaults = {
        "build_number": 0,
        "license": "MIT",
        "depends": [],
        "sha256": sha256(f"{subdir}/{filename}".encode()).hexdigest(),
    }
    return Candidate(subdir, filename, name, version, build, **(defaults | fields))
