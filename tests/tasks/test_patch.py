"""Repodata patches: made, added, compared, published, and gone with their unit."""

import msgpack
import orjson
import pytest
import zstandard

from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed

PATCHES = "content/conda/patches/"


@pytest.fixture
def package(unique):
    return make_package(f"patched-{unique}", depends=["old"])


@pytest.fixture
def channel(pulp, make_repository, package):
    """A repository with one package."""
    repository = make_repository()
    pulp.upload(package, repository=repository)
    return repository


@pytest.fixture
def make_patch(pulp, package):
    """Make a patch of the package, and return the unit."""

    def make(instructions=None, **fields):
        if instructions is None and "package" not in fields:
            instructions = {"packages.conda": {package.filename: {"depends": ["new"]}}}
        if instructions is not None:
            fields["instructions"] = instructions
        task = pulp.post(PATCHES, **{"subdir": "noarch", "reason": "a test", **fields})
        return pulp.get(pulp.created(task, "/content/conda/patches/"))

    return make


def _latest(pulp, repository):
    return pulp.get(repository)["latest_version_href"]


def test_a_patch_is_added_shown_in_the_diff_and_removed_again(pulp, channel, package, make_patch):
    patch = make_patch(repository=channel, expires_at="2099-01-01T00:00:00Z")
    assert (patch["subdir"], patch["author"], patch["reason"]) == ("noarch", "admin", "a test")
    assert patch["instructions"]["packages.conda"] == {package.filename: {"depends": ["new"]}}

    shown = {
        "pulp_href": patch["pulp_href"],
        "subdir": "noarch",
        "author": "admin",
        "credit": "",
        "reason": "a test",
        "expires_at": "2099-01-01T00:00:00Z",
        "filenames": [package.filename],
        "filename_count": 1,
    }
    diff = pulp.get(f"{_latest(pulp, channel)}diff/")
    assert diff["patches"] == {"added": [shown], "removed": []}
    assert diff["packages"] == {}
    of_others = pulp.get(f"{_latest(pulp, channel)}diff/", name="patched")
    assert of_others["patches"] == {"added": [], "removed": []}

    pulp.modify(channel, remove=[patch["pulp_href"]])
    diff = pulp.get(f"{_latest(pulp, channel)}diff/")
    assert diff["patches"] == {"added": [], "removed": [shown]}


def test_patches_are_found_by_what_they_say(pulp, channel, package, make_patch, unique):
    patch = make_patch(credit=f"Ada {unique}", reason=f"because of {unique}")
    for filters in (
        {"credit__icontains": f"ada {unique}", "author": "admin"},
        {"reason__icontains": f"OF {unique}"},
        {"filename": package.filename},
        {"filename": package.filename, "subdir": "noarch", "expires_at__isnull": True},
    ):
        (found,) = pulp.get(PATCHES, **filters)["results"]
        assert found["pulp_href"] == patch["pulp_href"]
        assert "instructions" not in found  # They may be large: a patch by itself has them.
    for filters in (
        {"credit__icontains": unique, "author": "ada"},
        {"credit__icontains": unique, "subdir": "linux-64"},
        {"credit__icontains": unique, "expires_at__isnull": False},
        {"filename": package.filename[:-1]},
    ):
        assert pulp.get(PATCHES, **filters)["count"] == 0


def test_the_author_of_a_patch_is_the_user_who_made_it(pulp, channel, package, make_patch):
    refused = pulp.try_post(
        PATCHES,
        subdir="noarch",
        reason="a test",
        author="somebody else",
        instructions={"remove": [package.filename]},
    )
    assert (refused.status_code, list(refused.json())) == (400, ["author"])
    ada = pulp.user(["conda.condarepository_owner"])
    task = ada.post(
        PATCHES,
        repository=channel,
        subdir="noarch",
        reason="a test",
        credit="somebody else",
        instructions={"remove": [package.filename]},
    )
    patch = pulp.get(pulp.created(task, "/patches/"))
    assert (patch["author"], patch["credit"]) == (ada.session.auth[0], "somebody else")


def test_the_same_patch_is_not_made_twice(make_patch):
    assert make_patch()["pulp_href"] == make_patch()["pulp_href"]
    assert make_patch(reason="another")["pulp_href"] != make_patch()["pulp_href"]


@pytest.mark.parametrize(
    "body, field, words",
    [
        pytest.param({"instructions": {"remove": ["x"]}}, "instructions", "[CND0030]", id="name"),
        pytest.param({"instructions": []}, "instructions", "it is not an object", id="list"),
        pytest.param({"instructions": {}}, "instructions", "it changes nothing", id="nothing"),
        pytest.param({"subdir": "Linux"}, "subdir", "[CND0013]", id="subdir"),
        pytest.param({"reason": " "}, "reason", "blank", id="reason"),
        pytest.param({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "is over", id="expired"),
        pytest.param({"instructions": None}, "instructions", "null", id="null"),
        pytest.param({"overwrite": True}, "overwrite", "Unexpected", id="unknown field"),
        pytest.param({"package": "/pulp/api/v3/x/"}, "package", "Invalid", id="package"),
    ],
)
def test_what_is_no_patch_is_refused_with_the_field_that_is_wrong(pulp, body, field, words):
    good = {"subdir": "noarch", "reason": "x", "instructions": {"remove": ["x-1-0.conda"]}}
    answer = pulp.try_post(PATCHES, **{**good, **body})
    assert answer.status_code == 400
    assert words in str(answer.json()[field])


def test_instructions_come_from_one_place(pulp):
    answer = pulp.try_post(PATCHES, subdir="noarch", reason="x")
    assert answer.status_code == 400
    assert "Give either 'instructions' or 'package'" in answer.text


def test_a_patch_of_a_package_that_the_channel_lacks_is_refused(pulp, channel, make_patch, unique):
    absent = {"remove": [f"absent-{unique}-1.0-0.conda"]}
    before = _latest(pulp, channel)
    with pytest.raises(TaskFailed) as refused:
        make_patch(absent, repository=channel)
    assert refused.value.code == "CND0034"
    assert f"noarch/absent-{unique}-1.0-0.conda" in refused.value.description
    patch = make_patch(absent)
    with pytest.raises(TaskFailed) as refused:
        pulp.modify(channel, add=[patch["pulp_href"]])
    assert refused.value.code == "CND0034"
    assert _latest(pulp, channel) == before


def test_the_instructions_of_a_package_are_taken_for_one_subdir(pulp, package, make_patch, unique):
    documents = {
        "noarch": {"remove": [package.filename]},
        "linux-64": {"packages": {}, "remove": [], "revoke": []},
    }
    files = {
        f"{subdir}/patch_instructions.json": orjson.dumps(document)
        for subdir, document in documents.items()
    }
    patches = pulp.upload(make_package(f"{unique}-repodata-patches", files=files))["pulp_href"]
    assert make_patch(package=patches)["instructions"]["remove"] == [package.filename]
    with pytest.raises(TaskFailed) as refused:
        make_patch(package=patches, subdir="linux-64")
    assert refused.value.code == "CND0030"
    assert "has no 'linux-64/patch_instructions.json'" in refused.value.description


def test_a_package_that_was_not_downloaded_has_no_instructions_yet(
    pulp, upstream, make_mirror, unique
):
    package = make_package("some-repodata-patches", f"1.0+{unique}")
    make_channel(upstream.folder, [package])
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    (patches,) = pulp.get(
        "content/conda/packages/", repository_version=_latest(pulp, mirror.repository)
    )["results"]
    answer = pulp.try_post(PATCHES, subdir="noarch", reason="x", package=patches["pulp_href"])
    assert answer.status_code == 400
    assert "is not on this server yet" in str(answer.json()["package"])


@pytest.mark.parametrize(
    "role, status",
    [("viewer", 403), ("creator", 400), ("owner", 202)],
)
def test_who_may_patch_a_channel(pulp, channel, package, role, status):
    person = pulp.user([f"conda.condarepository_{role}"])
    body = {"subdir": "noarch", "reason": "x", "instructions": {"remove": [package.filename]}}
    assert person.try_post(PATCHES, repository=channel, **body).status_code == status
    # Nobody but an administrator makes content that is in no repository.
    assert person.try_post(PATCHES, **body).status_code in (400, 403)


def test_who_may_see_the_patches_of_a_channel(pulp, channel, make_patch):
    patch = make_patch(repository=channel)
    assert pulp.user(["conda.condarepository_viewer"]).get(patch["pulp_href"])["author"] == "admin"
    assert pulp.user([]).try_get(patch["pulp_href"]).status_code == 404


# What clients see


@pytest.fixture
def published(pulp, channel):
    """The URL of the channel, which publishes itself from now on."""
    pulp.patch(channel, autopublish=True)
    pulp.publish(repository=channel)
    return pulp.distribute(repository=channel)


def _repodata(pulp, url, filename="repodata.json"):
    repodata = pulp.fetch(url, f"noarch/{filename}").json()
    return repodata["packages"] | repodata["packages.conda"], repodata.get("removed", [])


def _shard(pulp, url, name):
    index = msgpack.unpackb(
        zstandard.decompress(pulp.fetch(url, "noarch/repodata_shards.msgpack.zst").content)
    )
    digest = index["shards"].get(name)
    if digest is None:
        return None
    shard = pulp.fetch(url, f"noarch/shards/{digest.hex()}.msgpack.zst")
    return msgpack.unpackb(zstandard.decompress(shard.content))


def test_a_patch_changes_what_clients_read_and_is_gone_with_its_unit(
    pulp, channel, published, package, make_patch
):
    name, filename = package.record.name, package.filename
    before = pulp.fetch(published, "noarch/repodata.json").content
    patch = make_patch(repository=channel)

    assert _repodata(pulp, published)[0][filename]["depends"] == ["new"]
    unpatched, _ = _repodata(pulp, published, "repodata_from_packages.json")
    assert unpatched[filename]["depends"] == ["old"]
    zst = zstandard.decompress(pulp.fetch(published, "noarch/repodata.json.zst").content)
    assert zst == pulp.fetch(published, "noarch/repodata.json").content
    assert _shard(pulp, published, name)["packages.conda"][filename]["depends"] == ["new"]
    instructions = pulp.fetch(published, "noarch/patch_instructions.json").json()
    assert instructions == patch["instructions"]
    assert pulp.fetch(published, f"noarch/{filename}").content == package.data

    pulp.modify(channel, remove=[patch["pulp_href"]])
    assert pulp.fetch(published, "noarch/repodata.json").content == before
    assert _shard(pulp, published, name)["packages.conda"][filename]["depends"] == ["old"]
    for path in ("patch_instructions.json", "repodata_from_packages.json"):
        assert pulp.fetch(published, f"noarch/{path}").status_code == 404


def test_a_removed_package_leaves_the_index_and_is_still_served(
    pulp, channel, published, package, make_patch
):
    make_patch({"remove": [package.filename]}, repository=channel)
    assert _repodata(pulp, published) == ({}, [package.filename])
    unpatched, _ = _repodata(pulp, published, "repodata_from_packages.json")
    assert unpatched.keys() == {package.filename}
    shard = _shard(pulp, published, package.record.name)
    assert shard is None or not shard["packages.conda"]
    assert pulp.fetch(published, f"noarch/{package.filename}").content == package.data


def test_a_revoked_package_stays_in_the_index(pulp, channel, published, package, make_patch):
    make_patch({"revoke": [package.filename]}, repository=channel)
    records, removed = _repodata(pulp, published)
    assert records[package.filename]["revoked"] is True
    assert records[package.filename]["depends"] == ["old", "package_has_been_revoked"]
    assert removed == []


def test_run_exports_are_patched_where_they_stand(pulp, channel, published, package, make_patch):
    run_exports = {"weak": ["patched >=1"]}
    make_patch(
        {"packages.conda": {package.filename: {"run_exports": run_exports}}}, repository=channel
    )
    entry = pulp.fetch(published, "noarch/run_exports.json").json()["packages.conda"][
        package.filename
    ]
    assert entry == {"run_exports": run_exports}
    shard = _shard(pulp, published, package.record.name)
    assert shard["packages.conda"][package.filename]["run_exports"] == run_exports
    assert "run_exports" not in _repodata(pulp, published)[0][package.filename]


def test_an_expired_patch_is_left_out_of_the_next_publication(
    pulp, stack, channel, published, package, make_patch
):
    make_patch(repository=channel, expires_at="2099-01-01T00:00:00Z", credit=package.record.name)
    first = pulp.newest_publication(channel)
    with stack.connect() as database:  # Rather than to wait for it.
        database.execute(
            "UPDATE conda_condapatch SET expires_at = now() WHERE credit = %s",
            [package.record.name],
        )
    second = pulp.publish(_latest(pulp, channel))
    depends = [
        _repodata(pulp, pulp.distribute(publication=publication))[0][package.filename]["depends"]
        for publication in (first, second)
    ]
    assert depends == [["new"], ["old"]]
