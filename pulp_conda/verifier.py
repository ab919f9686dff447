"""Verify the signatures of attestations with py-rattler, as its users do.

    python -m pulp_conda.verifier < request.json > verdicts.json

This is a program of its own because py-rattler starts threads, which can crash a process when it
ends. The program does not load Django, and opens no connection. It reads sidecars from local files.

The request:
    trusted_root: The path of a `trusted_root.json`, or null for the one in py-rattler, which is for
        the public instance of Sigstore.
    sidecars: Objects with the `path` and the `sha256` of a sidecar, and with the `filename` and the
        `package_sha256` that it must be about.

The answer is a list with an object for each sidecar:
    problem: Why it is not good, or null.
    channel: The target channel of the first good bundle, or null if that bundle has none.

If the request cannot be carried out, the status is 1, and the reason is on standard error.
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

# Bytes of address space. The largest allowed sidecar needs a tenth of it.
_MEMORY = 2**30


def main() -> int:
    """Answer the request on standard input, and return the status of the program."""
    # With a thread for each core, a large machine would need more memory than this.
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


async def _verify(
    sidecars: list[dict[str, str]], trusted_root: TrustedRoot
) -> list[dict[str, str | None]]:
    # The server checks the channel, because it knows its own names.
    policy = VerificationPolicy.require(channel_check=ChannelCheck.IGNORE)
    client = Client()
    verdicts: list[dict[str, str | None]] = []
    for sidecar in sidecars:
        try:
            outcome = await verify_attestation(_record(sidecar), policy, client, trusted_root)
        except AttestationError as error:
            verdicts.append({"problem": _words(error), "channel": None})
        else:
            assert outcome.attestation is not None  # The policy requires one.
            verdicts.append({"problem": None, "channel": outcome.attestation.target_channel})
    return verdicts


def _record(sidecar: dict[str, str]) -> RepoDataRecord:
    """Return a record for which py-rattler reads the sidecar at the path.

    Only the facts that py-rattler uses are true in it.
    """
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


def _words(error: AttestationError) -> str:
    """Return in one line why a sidecar is refused.

    Either it cannot be read, or none of its bundles is good.
    """
    heading, *rest = str(error).splitlines()
    bundles = [line.removeprefix("  - ") for line in rest if line.startswith("  - ")]
    if len(bundles) == 1:
        return bundles[0].partition(": ")[2]
    return "; ".join(bundles)[:1000] or re.sub(r"attestation sidecar at file:\S+", "it", heading)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # A normal exit after asynchronous calls of py-rattler sometimes crashes.
    os._exit(code)
