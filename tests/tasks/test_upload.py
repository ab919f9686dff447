import hashlib
from pathlib import Path

import pytest
from django.test import override_settings

from pulpcore.plugin.models import Artifact

from tests.support.builders import make_package
from tests.support.conda import TaskFailed


def _packages(pulp, **query):
    return pulp.get("content/conda/packages/", **query)["results"]


def _stored(pulp):
    """How many packages and artifacts the server has."""
    return (
        pulp.get("content/conda/packages/")["count"],
        pulp.get("artifacts/")["count"],
    )


def _chunked(pulp, package, size=700):
    upload = pulp.post("uploads/", size=len(package.data))["pulp_href"]
    for start in range(0, len(package.data), size):
        chunk = package.data[start : start + size]
        pulp.put_chunk(upload, chunk, start, len(package.data))
    return upload


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_the_server_reads_all_it_knows_from_the_file(pulp, unique, extension):
    package = make_package(
        f"read-{unique}",
        "1.2.3",
        "h_4",
        build_number=4,
        subdir="linux-64",
        extension=extension,
        depends=["python >=3.12", "numpy"],
        index={"license": "MIT", "timestamp": 1700000000123, "strange": {"key": [1]}},
    )
    unit = pulp.upload(package)
    assert unit["record"] == package.record.fields
    assert unit["record_digest"] == package.record.digest
    expected = {
        "name": f"read-{unique}",
        "version": "1.2.3",
        "build": "h_4",
        "build_number": 4,
        "subdir": "linux-64",
        "filename": package.filename,
        "sha256": hashlib.sha256(package.data).hexdigest(),
        "md5": hashlib.md5(package.data).hexdigest(),
        "size": len(package.data),
        "license": "MIT",
        "depends": ["python >=3.12", "numpy"],
        "timestamp": 1700000000123,
        "noarch": "",
    }
    assert {key: unit[key] for key in expected} == expected
    assert unit["artifact"]


def test_the_same_file_twice_is_the_same_unit(pulp, unique):
    package = make_package(f"twice-{unique}")
    assert pulp.upload(package)["pulp_href"] == pulp.upload(package)["pulp_href"]
    assert len(_packages(pulp, name=f"twice-{unique}")) == 1


def test_every_way_of_upload_gives_the_same_unit(pulp, unique, upstream):
    package = make_package(f"ways-{unique}")
    by_file = pulp.upload(package)["pulp_href"]
    artifact = pulp.get("artifacts/", sha256=package.record.sha256)["results"][0]["pulp_href"]
    by_artifact = pulp.create_package(artifact=artifact)["pulp_href"]
    by_chunks = pulp.create_package(upload=_chunked(pulp, package))["pulp_href"]
    (upstream.folder / package.filename).write_bytes(package.data)
    by_url = pulp.create_package(file_url=f"{upstream.url}/{package.filename}")["pulp_href"]
    at_once = pulp.post_bytes("content/conda/packages/upload/", package.filename, package.data)
    assert {by_file} == {by_artifact, by_chunks, by_url, at_once.json()["pulp_href"]}


def test_an_upload_can_go_straight_into_a_repository(pulp, unique, repository):
    package = make_package(f"straight-{unique}")
    pulp.upload(package, repository=repository["pulp_href"])
    version = pulp.get(repository["pulp_href"])["latest_version_href"]
    assert [p["filename"] for p in _packages(pulp, repository_version=version)] == [
        package.filename
    ]


def test_other_bytes_under_a_name_are_refused_unless_asked_for(pulp, unique, repository):
    first = make_package(f"clash-{unique}", files={"share/a": b"1"})
    second = make_package(f"clash-{unique}", files={"share/a": b"2"})
    assert first.filename == second.filename and first.data != second.data
    pulp.upload(first, repository=repository["pulp_href"])
    before = pulp.get(repository["pulp_href"])["latest_version_href"]
    with pytest.raises(TaskFailed) as refused:
        pulp.upload(second, repository=repository["pulp_href"])
    assert refused.value.code == "CND0018"
    assert f"noarch/{first.filename}" in refused.value.description
    assert first.record.sha256 in refused.value.description
    assert pulp.get(repository["pulp_href"])["latest_version_href"] == before

    pulp.upload(second, repository=repository["pulp_href"], overwrite=True)
    version = pulp.get(repository["pulp_href"])["latest_version_href"]
    assert [p["sha256"] for p in _packages(pulp, repository_version=version)] == [
        second.record.sha256
    ]


@pytest.mark.parametrize(
    "change, code",
    [
        pytest.param({"data": lambda data: data[:-20]}, "CND0003", id="cut short"),
        pytest.param({"data": lambda data: b"hello"}, "CND0003", id="no archive"),
        pytest.param({"filename": lambda name: "numpy-1.26.zip"}, "CND0001", id="zip"),
        pytest.param({"filename": lambda name: "other-1-0.conda"}, "CND0006", id="renamed"),
        pytest.param({"subdir": "osx-64"}, "CND0006", id="another subdir"),
        pytest.param({"index": {"license": {}, "noarch": "perl"}}, "CND0005", id="odd noarch"),
        pytest.param({"index": {"timestamp": "soon"}}, "CND0005", id="odd timestamp"),
        pytest.param({"index": {"version": "1..0"}, "version": "1..0"}, "CND0005", id="version"),
    ],
)
def test_a_refused_file_is_stored_nowhere(pulp, unique, change, code):
    package = make_package(
        f"refused-{unique}",
        change.get("version", "1.0"),
        subdir="linux-64",
        index=change.get("index"),
    )
    data = change.get("data", lambda data: data)(package.data)
    filename = change.get("filename", lambda name: name)(package.filename)
    fields = {"subdir": change["subdir"]} if "subdir" in change else {}
    before = _stored(pulp)
    with pytest.raises(TaskFailed) as refused:
        pulp.upload_bytes(filename, data, **fields)
    assert refused.value.code == code
    assert refused.value.description.startswith(f"[{code}] '")
    at_once = pulp.post_bytes("content/conda/packages/upload/", filename, data, **fields)
    assert at_once.status_code == 400
    assert code in at_once.text
    assert _stored(pulp) == before
    assert pulp.upload(make_package(f"after-{unique}"))["name"] == f"after-{unique}"


def test_a_package_with_a_text_that_cannot_be_stored_is_served_nowhere(
    pulp, unique, make_repository
):
    repository = make_repository(autopublish=True)
    before = _stored(pulp)
    for index in ({"license": "a\0"}, {"purls": ["pkg:\0"]}, {"x": {"\0": 1}}):
        package = make_package(f"text-{unique}", index=index)
        with pytest.raises(TaskFailed) as refused:
            pulp.upload(package, repository=repository)
        assert refused.value.code == "CND0005"
        assert "holds a NUL" in refused.value.description
    assert _stored(pulp) == before
    assert pulp.get(f"{repository}versions/")["count"] == 1


@pytest.mark.parametrize(
    "files, setting, value",
    [
        ({"share/zeros": bytes(2**20)}, "CONDA_SYNCHRONOUS_UPLOAD_SIZE", 2**20),
        ({f"share/{n}": b"" for n in range(256)}, "CONDA_SYNCHRONOUS_UPLOAD_SIZE", 2**20),
        ({"share/a": b"a"}, "CONDA_SYNCHRONOUS_UPLOAD_SIZE", 100),
        ({"share/a": b"a"}, "CONDA_SYNCHRONOUS_UPLOAD_SECONDS", 0),
    ],
    ids=["bytes", "members", "packed", "seconds"],
)
@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_what_takes_too_long_while_the_client_waits_is_left_to_a_task(
    pulp, unique, extension, files, setting, value
):
    package = make_package(f"large-{unique}", extension=extension, files=files)
    before = _stored(pulp)

    def at_once():
        return pulp.post_bytes("content/conda/packages/upload/", package.filename, package.data)

    with override_settings(**{setting: value}):
        answer = at_once()
        assert answer.status_code == 400, answer.text
        assert "[CND0065]" in answer.text
        assert setting in answer.text
        assert "'content/conda/packages/'" in answer.text
        assert _stored(pulp) == before
        href = pulp.upload(package)["pulp_href"]
    # By default the same package is small enough.
    assert at_once().json()["pulp_href"] == href


@pytest.mark.parametrize("damage", [b"", b"cut", None], ids=["empty", "cut", "lost"])
def test_an_upload_heals_what_the_storage_lost(pulp, make_repository, unique, damage):
    package = make_package(f"heal-{unique}")
    repository = make_repository(autopublish=True)
    pulp.upload(package, repository=repository)
    url = pulp.distribute(repository=repository)
    artifact = Artifact.objects.get(sha256=package.record.sha256)
    stored = Path(artifact.file.path)
    stored.unlink()
    if damage is not None:
        stored.write_bytes(damage)
    path = f"noarch/{package.filename}"
    assert pulp.fetch(url, path).status_code == 503
    pulp.upload(package, repository=repository)
    assert pulp.fetch(url, path).content == package.data


def test_a_url_that_gives_nothing_is_a_clear_error(pulp, upstream):
    for url in (f"{upstream.url}/t/{{}}/absent-1.0-0.conda", "gopher://host/t/{}/a-1.0-0.conda"):
        with pytest.raises(TaskFailed) as refused:
            pulp.create_package(file_url=url.format("tk-secret"))
        assert refused.value.code == "CND0024"
        assert f"'{url.format('***')}' cannot be downloaded" in refused.value.description
        assert "tk-secret" not in refused.value.description


def test_an_old_package_without_subdir_takes_it_from_the_caller(pulp, unique):
    package = make_package(f"old-{unique}", index={"subdir": ..., "noarch": ...})
    with pytest.raises(TaskFailed) as refused:
        pulp.upload(package)
    assert refused.value.code == "CND0021"
    assert pulp.upload(package, subdir="linux-64")["subdir"] == "linux-64"


@pytest.mark.parametrize(
    "index, stated",
    [
        ({"noarch": "python"}, "noarch"),
        ({"noarch": True, "platform": "linux", "arch": "x86_64"}, "noarch"),
        ({"noarch": ..., "platform": "linux", "arch": "x86_64"}, "linux-64"),
    ],
)
def test_an_old_package_that_states_its_platform_needs_no_subdir(pulp, unique, index, stated):
    for subdir in (..., None, ""):
        package = make_package(f"old-{unique}", index={**index, "subdir": subdir})
        assert pulp.upload(package)["subdir"] == stated
        assert pulp.upload(package, subdir=stated)["subdir"] == stated
        with pytest.raises(TaskFailed) as refused:
            pulp.upload(package, subdir="osx-64")
        assert refused.value.code == "CND0006"
        assert f"its subdir is '{stated}', not 'osx-64'" in refused.value.description


def test_odd_fields_of_a_package_are_served_in_the_form_that_clients_read(
    pulp, unique, make_repository
):
    repository = make_repository(autopublish=True)
    url = pulp.distribute(repository=repository)
    index = {"depends": None, "constrains": None, "license": ["MIT"], "timestamp": 1.7e12}
    package = make_package(f"odd-{unique}", index=index)
    uploaded = pulp.upload(package, repository=repository)
    assert (uploaded["depends"], uploaded["license"]) == ([], "MIT")
    assert uploaded["record"] == package.record.fields
    served = pulp.fetch(url, "noarch/repodata.json").json()["packages.conda"][package.filename]
    assert "constrains" not in served
    assert (served["depends"], served["license"]) == ([], "MIT")
    assert served["timestamp"] == 1_700_000_000_000


def test_packages_can_be_found(pulp, unique):
    pulp.upload(make_package(f"find-{unique}", "1.0", depends=["python >=3.12"], subdir="linux-64"))
    pulp.upload(make_package(f"find-{unique}", "2.0", depends=["python-base"], build_number=3))

    def found(**query):
        return [p["version"] for p in _packages(pulp, name=f"find-{unique}", **query)]

    assert sorted(found()) == ["1.0", "2.0"]
    assert found(subdir="noarch") == ["2.0"]
    assert found(depends="python") == ["1.0"]
    assert found(build_number__gte=1) == ["2.0"]
    assert found(noarch="generic") == ["2.0"]
