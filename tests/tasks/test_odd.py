"""Upstreams with odd records: each costs only itself, and clients read all that is served."""

import json
import time
from dataclasses import replace

import pytest

from pulp_conda.app.models import CondaPackage
from tests.support.builders import make_channel, make_package, make_record
from tests.support.conda import TaskFailed
from tests.support.odd import GOOD, check_odd_records, reports, served_records, write_records

TOMORROW_OR_LATER = int((time.time() + 2 * 24 * 60 * 60) * 1000)


def test_rattler_reads_all_that_comes_through(pulp, upstream, make_mirror, tmp_path):
    mirror = make_mirror(subdirs=["noarch"])
    numbers = check_odd_records(pulp, upstream, mirror, tmp_path, 80)
    assert numbers["left out"] > 20
    assert numbers["read by rattler"] > 20


@pytest.mark.parametrize("form", ["flat", "shards"])
def test_each_odd_record_costs_only_itself(pulp, upstream, make_mirror, form):
    odd = {
        "a-1.0-0.conda": {"license": {"MIT": True}},
        "b-1.0-0.conda": {"noarch": "perl"},
        "c-1.0-0.tar.bz2": {"timestamp": "soon"},
        "d-1.0-0.conda": {"indexed_timestamp": TOMORROW_OR_LATER},
        "e-1.0-0.conda": {"attestations_sha256": "../x"},
        "f-1.0-0.conda": {"run_exports": 7},
        "g-1.0-0.conda": {"sha256": None, "md5": None},
        "h-1..0-0.conda": {"version": "1..0"},
        "k-1.0-0.conda": {"license": "\0"},
    }
    if form == "flat":
        odd["l-1.0-0.conda"] = {"license": "\ud800"}
    records = {name: make_record(name[0]).fields | fields for name, fields in odd.items()}
    if form == "flat":
        # The names of shards are those of packages.
        records["../../etc/m-1.0-0.conda"] = make_record("m").fields
        records["n-1.0-0.conda"] = None
        records["o-1.0-0.zip"] = make_record("o").fields
    write_records(upstream.folder, records, form=form)
    mirror = make_mirror(subdirs=["noarch"])
    task = pulp.sync_task(mirror.repository)
    assert list(served_records(pulp, mirror.url)) == [GOOD.filename]
    found = reports(task)
    assert sum(found.values()) == len(records)
    for filename in records:
        (report,) = (report for report in found if report.endswith(f": noarch/{filename}"))
        assert "[CND0008]" in report
    assert "'noarch' is 'perl', neither 'python' nor 'generic' [CND0008]: noarch/b-" in str(found)
    # What is left out makes no version, however often it is read.
    assert pulp.sync(mirror.repository, optimize=False) is None


def test_a_report_names_the_first_packages_and_counts_the_others(pulp, upstream, make_mirror):
    records = {f"a-{n}-0.conda": make_record("a", str(n), license=5).fields for n in range(15)}
    for n in range(40):
        record = make_record("b", str(n), size=f"x{n}")
        records[record.filename] = record.fields
    write_records(upstream.folder, records)
    task = pulp.sync_task(make_mirror(subdirs=["noarch"]).repository)
    found = reports(task)
    names = ", ".join(f"noarch/a-{n}-0.conda" for n in range(10))
    assert found[f"'license' is a number, not a string [CND0008]: {names}, and 5 more"] == 15
    assert sum(found.values()) == 55
    assert len(found) == 21
    (others,) = (report for report in found if report.startswith("other reasons: "))
    assert "noarch/b-19-0.conda ('size' is 'x19', not a whole number [CND0008])" in others
    assert others.endswith("and 11 more")


@pytest.mark.parametrize("form", ["flat", "shards"])
def test_what_has_one_meaning_is_served_so_and_stored_as_it_came(
    pulp, upstream, make_mirror, unique, form
):
    record = make_record(f"odd-{unique}")
    fields = record.fields | {
        "depends": None,
        "constrains": None,
        "track_features": None,
        "license": ["MIT"],
        "features": [],
        "timestamp": 1.7e12,
        "size": "5",
        "run_exports": {"weak": None},
    }
    write_records(upstream.folder, {record.filename: fields}, form=form)
    mirror = make_mirror(subdirs=["noarch"])
    task = pulp.sync_task(mirror.repository)
    served = dict(record.fields, depends=[], license="MIT", timestamp=1_700_000_000_000, size=5)
    assert served_records(pulp, mirror.url)[record.filename] == served
    shards = pulp.fetch_shards(mirror.url)
    in_shard = shards["packages.conda"][record.filename]
    assert {key: in_shard[key] for key in ("depends", "license", "timestamp", "size")} == {
        "depends": [],
        "license": "MIT",
        "timestamp": 1_700_000_000_000,
        "size": 5,
    }
    assert not {"constrains", "track_features", "features"} & in_shard.keys()
    assert reports(task, "sync.corrected") == {
        f"{what}: noarch/{record.filename}": 1
        for what in (
            "'depends' is null",
            "'constrains' is null",
            "'track_features' is null",
            "'license' is a list",
            "'features' is an empty list",
            "'timestamp' is a number",
            "'size' is a string",
        )
    }
    package = CondaPackage.objects.get(filename=record.filename)
    stored = json.loads(package.record)
    assert stored == {key: value for key, value in fields.items() if key != "run_exports"}
    assert (package.size, package.timestamp, package.depends) == (5, 1_700_000_000_000, [])
    assert package.is_plain is False
    good = CondaPackage.objects.get(filename=GOOD.filename, sha256=GOOD.record.sha256)
    assert good.is_plain is True
    assert pulp.sync(mirror.repository, optimize=False) is None


def test_records_of_another_subdir_are_served_where_the_upstream_serves_them(
    pulp, upstream, make_mirror
):
    records = {
        record.filename: record.fields | {"subdir": subdir}
        for record, subdir in (
            (make_record("a", subdir="linux-64"), "osx-64"),
            (make_record("b", subdir="linux-64"), "noarch"),
            (make_record("c", subdir="linux-64"), "../x"),
            (make_record("d", subdir="linux-64"), None),
            (make_record("e", subdir="linux-64"), "linux-64"),
        )
    }
    write_records(upstream.folder, records, "linux-64")
    mirror = make_mirror(subdirs=["linux-64", "noarch"])
    task = pulp.sync_task(mirror.repository)
    served = served_records(pulp, mirror.url, "linux-64")
    assert served.keys() == records.keys()
    assert {record["subdir"] for record in served.values()} == {"linux-64"}
    names = ", ".join(f"linux-64/{name}-1.0-0.conda" for name in "abc")
    assert reports(task, "sync.corrected") == {
        f"'subdir' is not the subdir that the record stands in: {names}": 3,
        "'subdir' is null: linux-64/d-1.0-0.conda": 1,
    }


def test_names_that_do_not_parse_are_no_obstacle(pulp, upstream, make_mirror):
    names = {
        "libodd-0.6+218_omp_0.tar.bz2": "libodd",
        "LibOdd-0.6-0.tar.bz2": "LibOdd",
        "lib odd-0.6-0.tar.bz2": "lib odd",
    }
    records = {
        filename: make_record("libodd", "0.6").fields | {"name": name}
        for filename, name in names.items()
    }
    write_records(upstream.folder, records)
    for specs, named in (({}, 3), ({"excludes": ["lib*"]}, 0)):
        mirror = make_mirror(subdirs=["noarch"], **specs)
        found = reports(pulp.sync_task(mirror.repository))
        assert list(served_records(pulp, mirror.url)) == [GOOD.filename]
        assert sum(found.values()) == 3
        assert sum(count for report, count in found.items() if "[CND0008]" in report) == named


def test_names_of_shards_that_do_not_parse_are_no_obstacle(pulp, upstream, make_mirror):
    names = ["LibOdd", "../../x", "lib odd", "nul\0", "", "libé", "x" * 70]
    records = {f"{name}-1.0-0.conda": make_record("a").fields | {"name": name} for name in names}
    write_records(upstream.folder, records, form="shards")
    mirror = make_mirror(subdirs=["noarch"])
    for number in (1, 2):
        # The second time, only the shards that changed are read.
        task = pulp.sync_task(mirror.repository, mirror=True)
        assert sum(reports(task).values()) == len(records)
        assert list(served_records(pulp, mirror.url)) == [GOOD.filename]
        for fields in records.values():
            fields["license"] = f"changed {number}"
        write_records(upstream.folder, records, form="shards")


def _without_sha256(package, **changes):
    fields = {**package.record.fields, "sha256": None, **changes}
    return replace(package, record=replace(package.record, fields=fields))


def test_a_record_without_sha256_gets_that_of_its_file(pulp, upstream, make_mirror, unique):
    package = make_package(f"md5-{unique}")
    make_channel(upstream.folder, [GOOD, _without_sha256(package)])
    mirror = make_mirror(subdirs=["noarch"], policy="immediate")
    task = pulp.sync_task(mirror.repository)
    assert reports(task) == {}
    assert served_records(pulp, mirror.url)[package.filename] == package.record.fields
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    assert upstream.asked(package.filename) == [200]
    # It is known from now on, also where only its metadata changes.
    assert pulp.sync(mirror.repository, optimize=False) is None
    pulp.patch(mirror.remote, policy="on_demand")
    make_channel(upstream.folder, [GOOD, _without_sha256(package, depends=["good"])])
    assert pulp.sync(mirror.repository, mirror=True) == 2
    served = served_records(pulp, mirror.url)[package.filename]
    assert (served["depends"], served["sha256"]) == (["good"], package.record.sha256)
    assert upstream.asked(package.filename) == [200]


@pytest.mark.parametrize("policy", ["on_demand", "streamed"])
def test_a_record_without_sha256_is_left_out_where_nothing_is_downloaded(
    pulp, upstream, make_mirror, policy
):
    packages = [make_package(name) for name in ("old-a", "old-b")]
    make_channel(upstream.folder, [GOOD, *map(_without_sha256, packages)])
    mirror = make_mirror(subdirs=["noarch"], policy=policy)
    found = reports(pulp.sync_task(mirror.repository))
    assert found == {
        "it has no sha256, and only a sync with the policy 'immediate' can find it out [CND0082]: "
        "noarch/old-a-1.0-0.conda, noarch/old-b-1.0-0.conda": 2
    }
    assert list(served_records(pulp, mirror.url)) == [GOOD.filename]
    assert upstream.asked("old-a-1.0-0.conda") == []


@pytest.mark.parametrize(
    "changes, words", [({"md5": "0" * 32}, "md5 "), ({"size": 7}, "size "), ({"size": None}, None)]
)
def test_a_file_without_sha256_must_have_the_md5_and_the_size_of_its_record(
    pulp, upstream, make_mirror, unique, changes, words
):
    package = _without_sha256(make_package(f"md5-{unique}"), **changes)
    make_channel(upstream.folder, [GOOD, package])
    mirror = make_mirror(subdirs=["noarch"], policy="immediate", max_retries=1)
    if words is None:
        assert pulp.sync(mirror.repository) == 1
        return
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository)
    assert refused.value.code == "CND0017"
    assert package.filename in refused.value.description
    assert words in refused.value.description


def test_a_bad_file_without_sha256_can_be_skipped_like_others(pulp, upstream, make_mirror, unique):
    package = _without_sha256(make_package(f"md5-{unique}"), md5="0" * 32)
    make_channel(upstream.folder, [GOOD, package])
    mirror = make_mirror(subdirs=["noarch"], policy="immediate", on_error="skip")
    ((reason, count),) = reports(pulp.sync_task(mirror.repository)).items()
    assert count == 1
    assert "[CND0017]" in reason
    assert reason.endswith(f": noarch/{package.filename}")
    assert list(served_records(pulp, mirror.url)) == [GOOD.filename]


def test_a_file_that_is_blocked_by_its_sha256_does_not_come_in_by_its_md5(
    pulp, upstream, make_mirror, unique
):
    package = make_package(f"md5-{unique}")
    block = pulp.post("conda/blocks/", sha256=package.record.sha256, public_reason="It is bad.")
    try:
        make_channel(upstream.folder, [GOOD, _without_sha256(package)])
        mirror = make_mirror(subdirs=["noarch"], policy="immediate")
        assert reports(pulp.sync_task(mirror.repository)) == {"blocked: It is bad.": 1}
        assert list(served_records(pulp, mirror.url)) == [GOOD.filename]
    finally:
        pulp.delete(block["pulp_href"])
