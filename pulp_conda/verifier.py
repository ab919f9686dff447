"""Verify the signatures of attestations with py-rattler, as its users do.

    python -m pulp_conda.verifier < request.json > verdicts.json

A program of its own, since py-rattler starts threads that the process which started them had better not survive. It
loads no Django and opens no connection: sidecars come as local files.

The request:
    trusted_root: The path of a `trusted_root.json`, or null for the one of Sigstore's public instance in py-rattler.
    sidecars: Objects with `path`, the `sha256` of the sidecar, and the `filename` and `package_sha256` it must be about.

The answer is a list of an object for each sidecar:
    problem: Why it is not good, or null.
    channel: The target channel of the first bundle that is good, or null if that names none.

A request that cannot be carried out ends with status 1 and the reason on standard error.
"""

import asyncio
import json
import os
import re
import resource
import sys
from pathlib import Path

from rattler import BuildString, Client, PackageRecord, RepoDataRecord
from rattler.exceptions import AttestationError
from rattler.sigstore import (
    ChannelCheck,
    TrustedRoot,
    VerificationPolicy,
    verify_attestation,
)

# Bytes of address space; a sidecar of the largest size needs a tenth of it.
_MEMORY = 2**30


def main():
    # A thread for each core of a large machine would not fit into the memory.
    os.environ["TOKIO_WORKER_THREADS"] = "1"
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    request = json.load(sys.stdin)
    path = request["trusted_root"]
    try:
        trusted_root = TrustedRoot.from_path(path) if path else TrustedRoot.embedded()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    json.dump(asyncio.run(_verify(request["sidecars"], trusted_root)), sys.stdout)
    return 0


async def _verify(sidecars, trusted_root):
    # Which channels a package may come from is for the server to say, which knows its names.
    policy = VerificationPolicy.require(channel_check=ChannelCheck.IGNORE)
    client = Client()
    verdicts = []
    for sidecar in sidecars:
        try:
            outcome = await verify_attestation(_record(sidecar), policy, client, trusted_root)
        except AttestationError as error:
            verdicts.append({"problem": _words(error), "channel": None})
        else:
            verdicts.append({"problem": None, "channel": outcome.attestation.target_channel})
    return verdicts


def _record(sidecar):
    """Return a record whose sidecar py-rattler finds at the path: only what it looks at is true."""
    package = PackageRecord(
        name="package",
        version="0",
        build=BuildString("0"),
        build_number=0,
        subdir="noarch",
        sha256=bytes.fromhex(sidecar["package_sha256"]),
        attestations_sha256=bytes.fromhex(sidecar["sha256"]),
    )
    suffix = f".sigs.{sidecar['sha256']}"
    url = Path(sidecar["path"].removesuffix(suffix)).as_uri()
    return RepoDataRecord(package, sidecar["filename"], url, "https://channel.invalid")


def _words(error):
    """Return in one line why a sidecar was refused: it cannot be read, or none of its bundles is good."""
    heading, *rest = str(error).splitlines()
    bundles = [line.removeprefix("  - ") for line in rest if line.startswith("  - ")]
    if len(bundles) == 1:
        return bundles[0].partition(": ")[2]
    return "; ".join(bundles)[:1000] or re.sub(r"attestation sidecar at file:\S+", "it", heading)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # After asynchronous calls of py-rattler a normal exit crashes now and then.
    os._exit(code)
