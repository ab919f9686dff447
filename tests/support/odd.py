"""Records whose fields have any JSON type, good and odd values alike, and upstreams with them."""

import json

import zstandard
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import gateway
from tests.support.builders import add_shards, make_channel, make_package, make_record
from tests.support.conda import without_indexed

GOOD = make_package("good")

# All that clients read, and some that none of them reads.
KEYS = [
    *("arch", "attestations_sha256", "build", "build_number", "constrains", "date", "depends"),
    *("extra_depends", "features", "flags", "fn", "indexed_timestamp", "legacy_bz2_md5"),
    *("legacy_bz2_size", "license", "license_family", "md5", "name", "noarch", "package_type"),
    *("platform", "preferred_env", "purls", "python_site_packages_path", "record_version"),
    *("repodata_revision", "run_exports", "schema_version", "sha256", "signatures", "size"),
    *("subdir", "timestamp", "track_features", "unknown", "url", "version"),
]

_TEXTS = st.sampled_from(
    [
        *("", "0", "5", "5.0", "-5", "007", " ", "a", "A", "a b", "a,b", "python", "Python"),
        *("generic", "GENERIC", "linux-64", "noarch", "unknown", "null", "true", "é", "\\", '"'),
        *("1.0", "1..0", "1!", "1_", "2024-01-01", "1700000000000", "pkg:pypi/x", "pkg:", "[["),
        *("a" * 32, "A" * 32, "a" * 64, "A" * 64, "g" * 64, "sha256:" + "a" * 64, "x" * 5000),
        *("python >=3", "numpy[when='python <3']", "http://example.org/a-1-0.conda"),
    ]
)
_NUMBERS = st.sampled_from(
    [
        *(0, 1, -1, 5, 5.0, 5.5, -5.5, 1e13, 1.7e9 + 0.25, 1.7e12 + 0.5, 1e300, 5e-324),
        *(2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 10**16, 1_700_000_000_000_000_000),
        *(253_402_207_200, 253_402_207_201, 253_402_300_799, 253_402_300_800),
        *(253_402_207_200_000, 253_402_207_200_001, -377_705_023_201, -377_705_023_202),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(_TEXTS, values, max_size=3),
    max_leaves=4,
)


@st.composite
def _fields(draw):
    """Yield what is odd about a record: some fields with any value, and some that are missing."""
    changed = draw(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=2))
    missing = draw(st.lists(st.sampled_from(KEYS), max_size=1))
    return changed, missing


def odd_records(count):
    """Return so many odd records, each of another name: their fields by file name."""
    found = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(_fields())
    def collect(odd):
        found.append(odd)

    collect()
    records = {}
    for number, (changed, missing) in enumerate(found):
        record = make_record(f"odd-{number}", extension=(".conda", ".tar.bz2")[number % 2])
        fields = record.fields | changed
        records[record.filename] = {k: v for k, v in fields.items() if k not in missing}
    return records


def write_records(folder, records, subdir="noarch", form="flat"):
    """Write a channel with the good package and these records, which are fields by file name."""
    make_channel(folder, [GOOD], subdirs=[subdir])
    path = folder / subdir / "repodata.json"
    repodata = json.loads(path.read_text())
    for filename, fields in records.items():
        section = "packages.conda" if filename.endswith(".conda") else "packages"
        repodata[section][filename] = fields
    path.write_text(json.dumps(repodata))
    compressed = zstandard.compress(path.read_bytes())
    (folder / subdir / "repodata.json.zst").write_bytes(compressed)
    if form == "shards":
        add_shards(folder)


def reports(task, code="sync.left_out"):
    """Return what a task says, without its first words, with the number of packages."""
    return {
        report["message"].partition(": ")[2]: report["done"]
        for report in task["progress_reports"]
        if report["code"] == code
    }


def served_records(pulp, url, subdir="noarch"):
    """Return the records of a channel by file name."""
    repodata = pulp.fetch(url, f"{subdir}/repodata.json").json()
    of_v3 = {
        f"{stem}.{extension}": record
        for extension, records in repodata.get("v3", {}).items()
        for stem, record in records.items()
    }
    return without_indexed({**repodata["packages"], **repodata["packages.conda"], **of_v3})


def check_odd_records(pulp, upstream, mirror, cache, count):
    """Sync so many odd records, and let rattler read all that is served. Return the numbers."""
    records = odd_records(count)
    write_records(upstream.folder, records)
    left_out = sum(reports(pulp.sync_task(mirror.repository)).values())
    served = served_records(pulp, mirror.url)
    assert len(served) + left_out == count + 1
    names = [record["name"] for record in served.values()]
    read = gateway.call("read", url=mirror.url, cache=cache, names=names)
    expected = {"count": len(served), "refused": {}}
    assert read == {"shards": expected, "json": expected}, (len(served), read)
    numbers = {"records": count, "left out": left_out, "read by rattler": len(served) - 1}
    print(numbers)
    return numbers
