"""The API of anaconda.org, request by request, as its clients send them."""

from dataclasses import replace

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import override_settings

from pulp_conda.app.authentication import issue_token
from pulp_conda.app.models import CondaToken, CondaUpload
from pulp_conda.app.vocabulary import TokenScope
from tests.support.builders import make_package
from tests.support.doors import Anaconda, Doors, file_of


@pytest.fixture
def channel(pulp, unique):
    return _channel(pulp, unique)


def _channel(pulp, name):
    """Make a channel, and return its URL."""
    repository = pulp.post("repositories/conda/conda/", name=name)["pulp_href"]
    served = pulp.distribution(repository=repository, name=name, base_path=name)
    return served["base_url"]


@pytest.fixture
def client(pulp, unique):
    admin = get_user_model().objects.get(username="admin")
    secret = issue_token(owner=admin, name=unique, scopes=[TokenScope.UPLOAD])[1]
    return Anaconda(Doors(settings.CONTENT_ORIGIN, secret))


def test_an_upload_goes_as_the_clients_want_it(pulp, client, channel, unique):
    package = make_package(f"story-{unique}", "1!2.0+3", subdir="linux-64")
    name = package.record.name
    assert client.ask("HEAD", "").status == 200
    assert client.ask("GET", f"user/{unique}").json["login"] == unique
    assert client.ask("GET", f"dist/{file_of(unique, package)}").status == 404
    for path in (f"package/{unique}/{name}", f"release/{unique}/{name}/1!2.0+3"):
        assert client.ask("GET", path).status == 404
        assert client.ask("POST", path, public=True).status == 200
    answer = client.upload(unique, package)
    assert answer.status == 200
    assert answer.json["url"] == f"{channel}linux-64/{package.filename}"
    assert pulp.names(channel) == [name]
    shown = client.ask("GET", f"package/{unique}/{name}").json
    assert (shown["package_types"], len(shown["files"])) == (["conda"], 1)
    shown = client.ask("GET", f"release/{unique}/{name}/1!2.0+3").json
    assert shown["distributions"][0]["basename"] == f"linux-64/{package.filename}"
    assert client.ask("GET", f"release/{unique}/{name}/9").status == 404
    shown = client.ask("GET", f"dist/{file_of(unique, package)}")
    assert shown.json["sha256"] == package.record.sha256
    # rattler-build changes what is there instead of making it again.
    assert client.ask("PATCH", f"package/{unique}/{name}").status == 200


def test_several_faults_of_a_package_stand_in_the_last_answer(client, channel, unique):
    package = make_package(f"bad-{unique}", index={"depends": ["a >>1"], "constrains": ["b =="]})
    answer = client.upload(unique, replace(package, filename=f"Bad-{unique}-1.0-0.conda"))
    assert answer.status == 422
    texts = answer.json["error"].splitlines()
    assert [text[:9] for text in texts] == ["[CND0001]", "[CND0005]"]
    assert "'depends' has 'a >>1'" in texts[1] and "'constrains' has 'b =='" in texts[1]


def test_another_file_of_the_name_is_refused_before_it_is_sent(client, channel, unique):
    first = make_package(f"clash-{unique}", files={"share/a": b"1"})
    second = make_package(f"clash-{unique}", files={"share/a": b"2"})
    assert client.upload(unique, first).status == 200
    assert client.upload(unique, first).status == 200
    answer = client.stage(unique, second)
    assert answer.status == 409
    assert first.filename in answer.json["error"]


def test_a_file_can_be_removed_and_sent_again(pulp, client, channel, unique):
    first = make_package(f"force-{unique}", files={"share/a": b"1"})
    second = make_package(f"force-{unique}", files={"share/a": b"2"})
    assert client.upload(unique, first).status == 200
    path = f"release/{unique}/{first.record.name}/{first.record.version}"
    assert client.ask("DELETE", path).status == 409
    assert client.ask("DELETE", f"dist/{file_of(unique, first)}").status == 200
    assert pulp.names(channel) == []
    assert client.ask("DELETE", f"dist/{file_of(unique, first)}").status == 404
    # What clients do after a failure.
    assert client.ask("DELETE", path).status == 201
    assert client.upload(unique, second).status == 200
    assert pulp.session.get(f"{channel}noarch/{first.filename}").content == second.data


def test_a_bad_package_is_explained_when_it_is_committed(client, channel, unique):
    package = make_package(f"bad-{unique}")
    package = replace(package, data=package.data[:-20])
    answer = client.upload(unique, package)
    assert answer.status == 422
    assert answer.json["error"].startswith("[CND0003]")


def test_bytes_that_were_not_announced_are_refused_in_xml(client, channel, unique):
    package = make_package(f"digest-{unique}")
    staged = client.stage(unique, package).json
    other = client.send(staged, package.data + b"x")
    assert (other.status, "<Code>InvalidDigest</Code>" in other.text) == (422, True)
    md5 = client.send(staged, package.data, **{"Content-MD5": "AAAA"})
    assert "<Code>InvalidDigest</Code>" in md5.text
    for ticket in ("", "wrong", staged["form_data"]["ticket"][:-1] + "!"):
        answer = client.send({**staged, "form_data": {"ticket": ticket}}, package.data)
        assert (answer.status, answer.text[:5]) == (403, "<?xml")
    assert not CondaUpload.objects.filter(filename=package.filename).exists()


def test_little_is_read_from_who_has_no_ticket(client, channel, unique):
    package = make_package(f"fields-{unique}")
    many = {f"field-{number}": "x" for number in range(20)}
    answer = client.send({"post_url": client.bytes_url, "form_data": {}}, package.data, **many)
    assert answer.status == 403
    staged = client.stage(unique, package).json
    answer = client.send(staged, package.data, **many)
    assert (answer.status, "[CND0110]" in answer.text) == (400, True)
    assert client.send(staged, package.data).status == 201


def test_a_ticket_ends_with_the_token(client, channel, unique):
    package = make_package(f"revoked-{unique}")
    staged = client.stage(unique, package).json
    CondaToken.objects.filter(name=unique).delete()
    assert client.send(staged, package.data).status == 403


def test_a_commit_needs_the_bytes(client, channel, unique):
    package = make_package(f"early-{unique}")
    staged = client.stage(unique, package).json
    path = f"commit/{file_of(unique, package)}"
    answer = client.ask("POST", path, dist_id=staged["dist_id"])
    assert (answer.status, answer.json["error"][:9]) == (400, "[CND0110]")
    assert client.ask("POST", path, dist_id=[]).status == 403


def test_labels_stand_for_channels_by_configuration_alone(pulp, client, channel, unique):
    development = _channel(pulp, f"{unique}-dev")
    package = make_package(f"label-{unique}")
    answer = client.stage(unique, package, channels=["dev"])
    assert (answer.status, "CONDA_UPLOAD_LABELS" in answer.json["error"]) == (400, True)
    with override_settings(CONDA_UPLOAD_LABELS={unique: {"dev": f"{unique}-dev"}}):
        assert client.upload(unique, package, channels=["dev"]).status == 200
        assert client.stage(unique, package, channels=["dev", "main"]).status == 400
        # The same file is the owner's, whatever its label.
        assert client.ask("GET", f"dist/{file_of(unique, package)}").status == 200
        assert client.upload(unique, package, channels=["main"]).status == 200
        assert pulp.names(channel) == pulp.names(development) == [f"label-{unique}"]
        assert client.ask("DELETE", f"dist/{file_of(unique, package)}").status == 200
        assert pulp.names(channel) == pulp.names(development) == []
    for channels in (["main", 1], "main", [["main"]], {"main": 1}):
        assert client.stage(unique, package, channels=channels).status == 400


@pytest.mark.parametrize("by", ["path", "alias"])
def test_labels_may_be_those_of_one_domain(pulp, client, channel, unique, by):
    here, there = (_channel(pulp, f"{unique}-{name}") for name in ("here", "there"))
    owner, href = unique, pulp.get("distributions/conda/conda/", name=unique)["results"][0]
    if by == "alias":
        owner = f"alias-{unique}"
        pulp.patch(href["pulp_href"], upload_alias=owner)
    labels = {
        owner: {"dev": f"{unique}-there", "rc": f"{unique}-there"},
        "default": {owner: {"dev": f"{unique}-here"}},
        "other": {owner: {"dev": f"{unique}-there", "main": f"{unique}-there"}},
    }
    package = make_package(f"label-{unique}")
    with override_settings(CONDA_UPLOAD_LABELS=labels):
        assert client.upload(unique, package, channels=["dev"]).status == 200
        assert client.stage(unique, package, channels=["rc"]).status == 400
        assert client.upload(unique, package, channels=["main"]).status == 200
    assert [len(pulp.names(url)) for url in (here, there, channel)] == [1, 0, 1]


def test_who_is_there_and_who_may(pulp, client, channel, unique):
    assert client.ask("GET", "user").json["login"] == "admin"
    anonymous = Anaconda(Doors(settings.CONTENT_ORIGIN))
    assert anonymous.ask("HEAD", "").status == 200
    package = make_package(f"who-{unique}")
    reader = issue_token(
        owner=get_user_model().objects.get(username="admin"),
        name=f"{unique}-reader",
        scopes=[TokenScope.READ],
    )[1]
    reader = Anaconda(Doors(settings.CONTENT_ORIGIN, reader))
    name, file = f"{unique}/{package.record.name}", file_of(unique, package)
    for method, path in [
        ("GET", f"user/{unique}"),
        ("GET", f"package/{name}"),
        ("POST", f"package/{name}"),
        ("DELETE", f"release/{name}/1.0"),
        ("GET", f"dist/{file}"),
        ("DELETE", f"dist/{file}"),
        ("POST", f"stage/{file}"),
        ("POST", f"commit/{file}"),
    ]:
        answer = anonymous.ask(method, path)
        assert (answer.status, "error" in answer.json) == (401, True), path
        assert reader.ask(method, path).status == 403, path
        assert client.ask(method, path.replace(unique, f"no-{unique}", 1)).status == 404, path
    assert anonymous.ask("GET", "user").status == 401
