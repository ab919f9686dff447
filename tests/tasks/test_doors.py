"""The doors: what upload tools send, what becomes of it, and who may."""

import json
import re
import socket
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from pulp_conda.app.authentication import issue_token
from pulp_conda.app.models import CondaAct, CondaDistribution, CondaUpload
from pulp_conda.app.vocabulary import TokenScope
from pulp_conda.quickstart.processes import until
from tests.support.builders import make_package
from tests.support.doors import DOORS, Doors, form, pieces, with_tasks
from tests.support.in_process import run_tasks
from tests.tasks.test_disk import LARGEST, largest_file


@pytest.fixture
def token(pulp, unique):
    """The secret of a token of the administrator, for uploads."""
    return _token("admin", unique)


def _token(owner, name, *scopes):
    user = get_user_model().objects.get(username=owner)
    return issue_token(owner=user, name=name, scopes=scopes or [TokenScope.UPLOAD])[1]


@pytest.fixture
def doors(token):
    return Doors(settings.CONTENT_ORIGIN, token)


@pytest.fixture
def channel(pulp, unique):
    """The base path of a channel, which has two parts, and its URL."""
    repository = pulp.post("repositories/conda/conda/", name=unique)["pulp_href"]
    served = pulp.distribution(repository=repository, name=unique, base_path=f"doors/{unique}")
    return CondaDistribution.objects.get(pk=served["prn"].rpartition(":")[2])


def _put_path(channel, package):
    return f"{DOORS}{channel.base_path}/{package.subdir}/{package.filename}"


def _content_path(channel, package):
    return f"/pulp/content/{channel.base_path}/{package.subdir}/{package.filename}"


def _artifactory(doors, channel, package, **headers):
    return doors.put(_put_path(channel, package), package.data, **headers)


def _curl(doors, channel, package, **headers):
    return doors.put(_content_path(channel, package), package.data, **headers)


# Each door, as a function of a client, a channel and a package.
UPLOADS = {
    "prefix": lambda doors, channel, package: doors.prefix(channel.base_path, package),
    "quetz": lambda doors, channel, package: doors.quetz(channel.base_path, package),
    "artifactory": _artifactory,
    "curl": _curl,
}

each_door = pytest.mark.parametrize("upload", UPLOADS.values(), ids=UPLOADS)


def _nothing_is_left():
    """Say that no door keeps a file that is not stored."""
    return list(Path(settings.FILE_UPLOAD_TEMP_DIR).glob("upload-*")) == []


@each_door
def test_a_package_is_served_when_its_upload_is_answered(pulp, doors, channel, unique, upload):
    package = make_package(f"new-{unique}", subdir="linux-64")
    answer = upload(doors, channel, package)
    assert answer.status == 201, answer.text
    url = f"{channel.url}/linux-64/{package.filename}"
    assert url in answer.text
    assert pulp.session.get(url).content == package.data
    assert pulp.names(f"{channel.url}/") == [f"new-{unique}"]
    taken = CondaUpload.objects.get(filename=package.filename)
    assert (taken.user.username, taken.token_name) == ("admin", unique)
    assert _nothing_is_left()


@each_door
def test_the_same_bytes_again_are_a_success_and_others_a_conflict(doors, channel, unique, upload):
    package = make_package(f"again-{unique}", files={"share/a": b"1"})
    other = make_package(f"again-{unique}", files={"share/a": b"2"})
    assert upload(doors, channel, package).status == 201
    assert upload(doors, channel, package).status in (200, 201)
    answer = upload(doors, channel, other)
    assert answer.status == 409
    assert answer.text.startswith(f"[CND0018] 'noarch/{package.filename}' is already in")
    assert CondaUpload.objects.filter(filename=package.filename).count() == 3


def test_the_answers_of_artifactory_and_prefix_dev_tell_a_new_package_from_an_old_one(
    doors, channel, unique
):
    package = make_package(f"code-{unique}")
    assert doors.prefix(channel.base_path, package).status == 201
    assert doors.prefix(channel.base_path, package).status == 200
    answer = json.loads(_artifactory(doors, channel, package).text)
    assert answer == {
        "uri": f"{channel.url}/noarch/{package.filename}",
        "downloadUri": f"{channel.url}/noarch/{package.filename}",
        "path": f"/noarch/{package.filename}",
        "size": str(len(package.data)),
        "checksums": {
            "md5": package.record.fields["md5"],
            "sha256": package.record.sha256,
        },
    }


def test_force_replaces_a_package(pulp, doors, channel, unique):
    first = make_package(f"force-{unique}", files={"share/a": b"1"})
    second = make_package(f"force-{unique}", files={"share/a": b"2"})
    assert doors.prefix(channel.base_path, first).status == 201
    assert doors.prefix(channel.base_path, second, force=True).status == 201
    assert pulp.session.get(f"{channel.url}/noarch/{first.filename}").content == second.data


@each_door
def test_everything_that_is_wrong_with_a_package_stands_in_the_answer(
    doors, channel, unique, upload
):
    package = make_package(f"bad-{unique}")
    answer = upload(doors, channel, replace(package, data=package.data[:-20]))
    assert answer.status == 422
    assert answer.text.startswith(f"[CND0003] '{package.filename}' cannot be read")
    assert not answer.text.strip().count("\n")


@each_door
def test_several_faults_of_a_package_stand_in_one_answer(doors, channel, unique, upload):
    package = make_package(f"bad-{unique}", index={"depends": ["a >>1"], "constrains": ["b =="]})
    answer = upload(doors, channel, replace(package, filename=f"Bad-{unique}-1.0-0.conda"))
    assert answer.status == 422
    found = answer.text.replace("\\n", "\n").strip()
    assert re.findall(r"\[(CND\d+)\]", found) == ["CND0001", "CND0005"]
    assert "'depends' has 'a >>1'" in found and "'constrains' has 'b =='" in found


@pytest.mark.parametrize("upload", [UPLOADS["quetz"], _artifactory, _curl])
def test_who_sees_the_status_line_alone_reads_the_reason_there(doors, channel, unique, upload):
    package = make_package(f"phrase-{unique}")
    answer = upload(doors, channel, replace(package, data=b"no archive"))
    assert answer.reason.startswith(f"[CND0003] '{package.filename}' cannot be read")


def test_a_file_with_another_digest_than_announced_is_not_stored(doors, channel, unique):
    package, wrong = make_package(f"digest-{unique}"), "0" * 64
    answers = [
        doors.prefix(channel.base_path, package, sha256=wrong),
        doors.quetz(channel.base_path, package, sha256=wrong),
        _artifactory(doors, channel, package, X_Checksum_Sha256=wrong),
        _artifactory(doors, channel, package, X_Checksum_Md5="0" * 32),
        _curl(doors, channel, package, X_Checksum_Sha256="no digest"),
    ]
    assert [answer.status for answer in answers] == [422] * 5
    assert all(answer.text.startswith("[CND0102]") for answer in answers)
    assert not CondaUpload.objects.filter(filename=package.filename).exists()
    assert _nothing_is_left()


def test_a_package_in_another_subdir_than_its_own_is_refused(doors, channel, unique):
    package = replace(make_package(f"place-{unique}"), subdir="linux-64")
    answer = _curl(doors, channel, package)
    assert (answer.status, answer.text[:9]) == (422, "[CND0006]")


def test_curl_may_leave_out_the_subdir(pulp, doors, channel, unique):
    package = make_package(f"flat-{unique}", subdir="osx-arm64")
    path = f"/pulp/content/{channel.base_path}/{package.filename}"
    assert doors.put(path, package.data).status == 201
    assert pulp.session.get(f"{channel.url}/osx-arm64/{package.filename}").ok


def test_older_clients_of_prefix_dev_send_the_file_as_the_body(doors, channel, unique):
    package = make_package(f"older-{unique}")
    path = f"{DOORS}api/v1/upload/{channel.base_path}"
    headers = {"X_File_Name": package.filename, "X_File_SHA256": package.record.sha256}
    assert doors.request("POST", path, package.data, **headers).status == 201


# Who may


@each_door
def test_who_may_not_upload_is_told_why(pulp, channel, unique, upload):
    package = make_package(f"who-{unique}")
    stranger = pulp.user([])
    secret = _token(stranger.session.auth[0], unique)
    reader = _token("admin", f"{unique}-reader", TokenScope.READ)
    answers = {
        who: upload(Doors(settings.CONTENT_ORIGIN, secret), channel, package)
        for who, secret in [
            ("nobody", None),
            ("wrong", "cnd-" + "x" * 40),
            ("stranger", secret),
            ("reader", reader),
        ]
    }
    statuses = {who: answer.status for who, answer in answers.items()}
    assert statuses == {"nobody": 401, "wrong": 401, "stranger": 403, "reader": 403}
    for who in ("nobody", "wrong"):
        challenges = ", ".join(answers[who].headers.get_all("WWW-Authenticate"))
        assert "Bearer realm=" in challenges and "Basic realm=" in challenges
        assert ('error="invalid_token"' in challenges) == (who == "wrong")
    assert "'conda.upload_condarepository'" in answers["stranger"].text
    assert not CondaUpload.objects.filter(filename=package.filename).exists()


def test_a_password_is_taken_as_well(pulp, channel, unique, stack):
    package = make_package(f"basic-{unique}")
    doors = Doors(settings.CONTENT_ORIGIN)
    login = "Basic " + b64encode(f"admin:{stack.password}".encode()).decode()
    assert _curl(doors, channel, package, Authorization=login).status == 201
    assert CondaUpload.objects.get(filename=package.filename).user.username == "admin"


def test_only_who_gives_credentials_hears_which_channels_there_are(doors, unique):
    package = make_package(f"where-{unique}")
    nobody = Doors(settings.CONTENT_ORIGIN)
    for client, status in ((nobody, 401), (doors, 404)):
        answers = [
            client.prefix(f"none-{unique}", package),
            client.request("POST", f"{DOORS}api/channels/none-{unique}/upload/a-1-0.conda", b""),
            client.put(f"{DOORS}none-{unique}/noarch/{package.filename}", package.data),
        ]
        assert [answer.status for answer in answers] == [status] * 3
    assert all(f"[CND0107] there is no channel 'none-{unique}'" in a.text for a in answers)


@pytest.mark.parametrize(
    "header", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "same-site"}]
)
def test_pages_in_browsers_cannot_upload(doors, channel, unique, header):
    package = make_package(f"page-{unique}")
    body, content_type = form([("file", {"X-File-Name": package.filename}, package.data)])
    path = f"{DOORS}api/v1/upload/{channel.base_path}"
    answer = doors.request("POST", path, body, Content_Type=content_type, **header)
    assert (answer.status, answer.text[:9]) == (403, "[CND0108]")
    assert "Access-Control-Allow-Origin" not in answer.headers
    answer = _curl(doors, channel, package, **header)
    assert (answer.status, answer.text[:9]) == (403, "[CND0108]")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_cookie_is_no_credential(channel, unique, stack):
    package = make_package(f"cookie-{unique}")
    browser = Client()
    assert browser.login(username="admin", password=stack.password)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in browser.cookies.items())
    assert "sessionid=" in cookie
    doors = Doors(settings.CONTENT_ORIGIN)
    assert _curl(doors, channel, package, Cookie=cookie).status == 401


# Before the bytes


def _dialogue(token, method, path, **headers):
    """Begin a request whose body is to be asked for, and return the socket."""
    address = settings.CONTENT_ORIGIN.removeprefix("http://").split(":")
    sock = socket.create_connection((address[0], int(address[1])), timeout=30)
    lines = [f"{method} {path} HTTP/1.1", "Host: tests", f"Authorization: Bearer {token}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    return sock


def test_rights_are_asked_before_a_client_sends_the_body(channel, token, unique):
    package = make_package(f"expect-{unique}")
    path = _content_path(channel, package)
    size = {"Expect": "100-continue", "Content_Length": len(package.data)}
    with _dialogue("cnd-wrong", "PUT", path, **size) as sock:
        assert sock.recv(12) == b"HTTP/1.1 401"
    with _dialogue(token, "PUT", path, **size) as sock:
        assert sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(package.data)
        assert with_tasks(lambda: sock.recv(12)) == b"HTTP/1.1 201"


@each_door
def test_a_file_that_is_too_large_is_not_taken(doors, channel, unique, upload):
    package = make_package(f"large-{unique}")
    with override_settings(CONDA_PACKAGE_LIMITS={"total_size": 500}):
        answer = upload(doors, channel, package)
    assert (answer.status, answer.text[:9]) == (413, "[CND0011]")
    assert _nothing_is_left()


def test_a_client_that_announces_too_much_is_stopped_at_once(channel, token, unique):
    package = make_package(f"huge-{unique}")
    path = _content_path(channel, package)
    with _dialogue(token, "PUT", path, Content_Length=2**50) as sock:
        assert sock.recv(12) == b"HTTP/1.1 413"


def test_who_is_refused_reads_the_answer_although_much_is_still_to_be_sent(doors, channel):
    data = bytes(8 * 2**20)
    answer = doors.put(f"/pulp/content/{channel.base_path}/noarch/no-package.zip", data)
    assert (answer.status, answer.text[:9]) == (422, "[CND0001]")


@each_door
def test_a_full_disk_is_named(doors, channel, unique, upload):
    large = make_package(f"full-{unique}", files={"share/x": Random(1).randbytes(LARGEST + 1)})
    with largest_file():
        answer = upload(doors, channel, large)
    assert answer.status == 507
    assert answer.text.startswith("[CND0080] There is no room left in '")
    assert not CondaUpload.objects.filter(filename=large.filename).exists()
    assert _nothing_is_left()


BAD_NAMES = {
    "zip": "numpy-1.0.zip",
    "no parts": "numpy.conda",
    "slash": "..%2F..%2Fa-1-0.conda",
    "NUL": "a%00-1-0.conda",
    "newline": "a%0A-1-0.conda",
    "dots": "..-1-0.conda",
    "upper case": "NumPy-1-0.conda",
    "long": f"{'a' * 70}-1-0.conda",
    "other": "other-1-0.conda",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_bad_file_name_is_refused_with_a_reason(doors, channel, unique, name):
    package = make_package(f"names-{unique}")
    answers = [
        doors.quetz(channel.base_path, package, filename=name),
        doors.put(f"{DOORS}{channel.base_path}/noarch/{name}", package.data),
        doors.put(f"/pulp/content/{channel.base_path}/noarch/{name}", package.data),
    ]
    if "%" not in name:
        answers.append(doors.prefix(channel.base_path, replace(package, filename=name)))
    for answer in answers:
        assert answer.status in (400, 404, 422), answer.text
        assert re.match(r"\[CND0\d{3}\] ", answer.text) or "%00" in name, answer.text
    assert not CondaUpload.objects.filter(sha256=package.record.sha256).exclude(state="refused")
    assert _nothing_is_left()


BAD_FORMS = {
    "no form": (b"hello", "multipart/form-data; boundary=x"),
    "no boundary": (b"hello", "multipart/form-data"),
    "no end": (form([("file", {"X-File-Name": "a-1-0.conda"}, b"x")])[0][:-30], None),
    "no file": (form([("attestation", {}, b"{}")])[0], None),
    "no name": (form([("file", {}, b"x")])[0], None),
    "two files": (form([("file", {"X-File-Name": "a-1-0.conda"}, b"x")] * 2)[0], None),
    "a text that is none": (
        form([("file", {"X-File-Name": "a-1-0.conda"}, b"x"), ("attestation", {}, b"\xff")])[0],
        None,
    ),
    "bad attestation": (
        form([("file", {"X-File-Name": "a-1-0.conda"}, b"x"), ("attestation", {}, b"[")])[0],
        None,
    ),
}


@pytest.mark.parametrize("body, content_type", BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_bad_form_is_refused_with_a_reason(doors, channel, body, content_type):
    path = f"{DOORS}api/v1/upload/{channel.base_path}"
    content_type = content_type or form([])[1]
    answer = doors.request("POST", path, body, Content_Type=content_type)
    assert answer.status in (400, 422), answer.text
    assert re.match(r"\[CND0\d{3}\] ", answer.text), answer.text
    assert not CondaUpload.objects.filter(distribution=channel).exists()
    assert _nothing_is_left()


# Clients that go away


@pytest.mark.parametrize("headers", [{"Content_Length": 10**6}, {"Transfer_Encoding": "chunked"}])
def test_a_client_that_goes_away_before_the_end_leaves_nothing(
    channel, token, unique, caplog, headers
):
    package = make_package(f"gone-{unique}")
    with _dialogue(token, "PUT", _content_path(channel, package), **headers) as sock:
        sock.sendall(b"ff\r\n" + package.data[:100])
        _until(lambda: not _nothing_is_left())
    _until(_nothing_is_left)
    assert not CondaUpload.objects.filter(filename=package.filename).exists()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("is_form", [False, True])
def test_a_client_that_goes_away_behind_the_end_does_not_lose_its_upload(
    pulp, channel, token, unique, is_form
):
    package = make_package(f"sent-{unique}")
    method, path, body, headers = "PUT", _content_path(channel, package), package.data, {}
    if is_form:
        body, content_type = form([("file", {"X-File-Name": package.filename}, package.data)])
        method, path = "POST", f"{DOORS}api/v1/upload/{channel.base_path}"
        headers = {"Content_Type": content_type}
    with _dialogue(token, method, path, Content_Length=len(body), **headers) as sock:
        sock.sendall(body)
    _until(lambda: run_tasks() or pulp.names(f"{channel.url}/") == [f"sent-{unique}"])


def test_who_waits_too_long_hears_that_it_will_be_served(pulp, doors, channel, unique):
    package = make_package(f"later-{unique}")
    with override_settings(CONDA_UPLOAD_WAIT_SECONDS=0):
        answer = doors._send(
            "PUT",
            _content_path(channel, package),
            pieces(package.data),
            {"Authorization": f"Bearer {doors.secret}"},
        )
    assert (answer.status, answer.text[:9]) == (504, "[CND0113]")
    assert doors.prefix(channel.base_path, package).status == 200
    assert pulp.names(f"{channel.url}/") == [f"later-{unique}"]


# Names of channels


def test_an_alias_of_one_part_stands_for_a_channel_at_the_root_too(pulp, doors, channel, unique):
    href = f"distributions/conda/conda/{channel.pk}/"
    pulp.patch(f"/pulp/api/v3/{href}", upload_alias=f"a-{unique}")
    for number, server in enumerate(["/", DOORS]):
        package = make_package(f"alias-{unique}", str(number))
        assert doors.prefix(f"a-{unique}", package, server=server).status == 201
        package = make_package(f"alias-q-{unique}", str(number))
        assert doors.quetz(f"a-{unique}", package, server=server).status == 201
        package = make_package(f"alias-r-{unique}", str(number))
        path = f"{server}a-{unique}/noarch/{package.filename}"
        assert doors.put(path, package.data).status == 201
    assert doors.prefix(channel.base_path, package, server="/").status == 404


def test_an_attestation_may_name_the_url_to_which_the_tool_uploads(
    pulp, doors, channel, unique, sigstore
):
    pulp.patch(f"/pulp/api/v3/distributions/conda/conda/{channel.pk}/", upload_alias=f"s-{unique}")
    for number, (server, name) in enumerate(
        [(DOORS, channel.base_path), (DOORS, f"s-{unique}"), ("/", f"s-{unique}")]
    ):
        package = make_package(f"signed-{unique}", str(number))
        target = f"{settings.CONTENT_ORIGIN}{server}{name}"
        bundle = json.dumps(sigstore.attest(package.filename, package.record.sha256, target))
        answer = doors.prefix(name, package, server=server, attestation=bundle)
        assert answer.status == 201, answer.text
        assert pulp.session.get(f"{channel.url}/noarch/{package.filename}.sigs").json()
    other = sigstore.attest(package.filename, package.record.sha256, "https://other.example/a")
    answer = doors.prefix(channel.base_path, package, attestation=json.dumps(other))
    assert (answer.status, answer.text[:9]) == (422, "[CND0031]")
    bad = make_package(f"signed-{unique}", "9", depends=["a::b"])
    answer = doors.prefix(channel.base_path, bad, attestation=json.dumps(other))
    assert answer.status == 422
    assert [line[:9] for line in answer.text.splitlines()] == ["[CND0005]", "[CND0031]"]


# Removals


def test_a_package_is_gone_when_its_removal_is_answered(pulp, doors, channel, unique):
    first, second = (make_package(f"del-{number}-{unique}") for number in range(2))
    for package in (first, second):
        assert _curl(doors, channel, package).status == 201
    assert doors.request("DELETE", _content_path(channel, first)).status == 204
    assert pulp.names(f"{channel.url}/") == [f"del-1-{unique}"]
    assert doors.request("DELETE", _put_path(channel, second)).status == 204
    assert pulp.names(f"{channel.url}/") == []
    acts = CondaAct.objects.filter(task_name__endswith=".remove_package", actor_name="admin")
    assert acts.filter(resource_name=unique).count() == 2
    answer = doors.request("DELETE", _content_path(channel, first))
    assert (answer.status, answer.text[:9]) == (404, "[CND0112]")
    for path in (
        "noarch",
        "noarch/repodata.json",
        "noarch/a%00-1-0.conda",
        "at/v1/noarch/a-1-0.conda",
    ):
        answer = doors.request("DELETE", f"/pulp/content/{channel.base_path}/{path}")
        assert answer.status == 404, answer.text


def test_who_may_only_upload_removes_nothing(pulp, doors, channel, unique):
    package, user, role = make_package(f"right-{unique}"), pulp.user([]), f"tests.{unique}"
    permissions = ["conda.view_condarepository", "conda.upload_condarepository"]
    made = pulp.post("roles/", name=role, permissions=permissions)
    name, repository = user.session.auth[0], channel.repository_id
    pulp.post(f"repositories/conda/conda/{repository}/add_role/", role=role, users=[name])
    uploader = Doors(settings.CONTENT_ORIGIN, _token(name, unique))
    reader = Doors(settings.CONTENT_ORIGIN, _token("admin", f"{unique}-r", TokenScope.READ))
    assert _curl(uploader, channel, package).status == 201
    for client in (uploader, reader):
        answer = client.request("DELETE", _content_path(channel, package))
        assert (answer.status, answer.text[:9]) == (403, "[CND0111]")
    assert uploader.prefix(channel.base_path, package, force=True).status == 403
    pulp.patch(made["pulp_href"], permissions=[*permissions, "conda.modify_condarepository"])
    assert uploader.request("DELETE", _content_path(channel, package)).status == 204


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_urls_of_content_are_those_of_no_channel(doors, unique, method):
    for path in (f"none-{unique}/noarch/a-1-0.conda", f"none-{unique}"):
        for client, status in ((doors, 404), (Doors(settings.CONTENT_ORIGIN), 401)):
            answer = client.request(method, f"/pulp/content/{path}", b"")
            assert answer.status == status


def test_a_private_channel_is_hidden_from_those_who_may_not_know_it(pulp, channel, unique):
    package, user = make_package(f"hide-{unique}"), pulp.user([])
    pulp.patch(f"/pulp/api/v3/distributions/conda/conda/{channel.pk}/", private=True)
    stranger = Doors(settings.CONTENT_ORIGIN, _token(user.session.auth[0], unique))
    with override_settings(CONDA_HIDE_PRIVATE_CHANNELS=True):
        answers = [upload(stranger, channel, package) for upload in UPLOADS.values()]
        answers.append(stranger.request("DELETE", _content_path(channel, package)))
    assert [(answer.status, answer.text[:9]) for answer in answers] == [(404, "[CND0107]")] * 5
    assert all(f"'{channel.base_path}" in answer.text for answer in answers)
    assert _curl(stranger, channel, package).status == 403


def _until(condition):
    assert until(condition, patience=10, pause=0.01)


@pytest.mark.parametrize(
    "alias, code",
    [("team/stable", "CND0019"), ("Team", "CND0019"), ("noarch", "CND0019"), ("", None)],
)
def test_an_alias_is_a_name_of_one_part(pulp, channel, alias, code):
    href = f"distributions/conda/conda/{channel.pk}/"
    answer = pulp.try_patch(href, upload_alias=alias)
    assert answer.status_code == 400
    assert (code or "blank") in answer.text


def test_an_alias_means_one_channel(pulp, channel, unique):
    repository = f"/pulp/api/v3/repositories/conda/conda/{channel.repository_id}/"
    flat = pulp.distribution(repository=repository, base_path=f"flat-{unique}")
    href = f"distributions/conda/conda/{channel.pk}/"
    for alias in (f"flat-{unique}", f"taken-{unique}"):
        pulp.patch(flat["pulp_href"], upload_alias=f"taken-{unique}")
        answer = pulp.try_patch(href, upload_alias=alias)
        assert (answer.status_code, "[CND0109]" in answer.text) == (400, True)
    # A channel may be its own alias, and a new one may not be that of another.
    pulp.patch(flat["pulp_href"], upload_alias=f"flat-{unique}")
    pulp.patch(flat["pulp_href"], upload_alias=f"taken-{unique}")
    answer = pulp.try_patch(href, base_path=f"taken-{unique}")
    assert (answer.status_code, "[CND0109]" in answer.text) == (400, True)
    pulp.patch(flat["pulp_href"], upload_alias=None)
    pulp.patch(f"/pulp/api/v3/{href}", upload_alias=f"taken-{unique}")
