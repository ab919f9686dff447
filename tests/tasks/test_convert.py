"""Packages in the form `.tar.bz2` that also appear as `.conda`."""

import io
import tarfile

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import override_settings
from django.utils import timezone
from django_guid import set_guid
from django_guid.utils import generate_guid

from pulpcore.plugin.models import Task
from pulpcore.plugin.util import extract_pk, get_prn

from pulp_conda.app.authentication import issue_token
from pulp_conda.app.models import (
    CondaAct,
    CondaDistribution,
    CondaPackage,
    CondaRepository,
    CondaUpload,
)
from pulp_conda.app.tasks.uploads import tend_uploads
from pulp_conda.app.vocabulary import TokenScope
from tests.support.builders import make_member, make_package
from tests.support.doors import Anaconda, Doors
from tests.support.in_process import run_tasks
from tests.tasks.test_doors import UPLOADS

# A hard link from one archive into the other: no client can unpack them one by one.
_SPLIT_LINK = [make_member("info/linked", tarfile.LNKTYPE, target="share/a")]


class _Channel:
    """A channel whose versions are published, and what clients see of it."""

    def __init__(self, pulp, **options):
        options = {"autopublish": True, "convert": True, **options}
        self.pulp = pulp
        name = f"convert-{timezone.now().timestamp()}".replace(".", "")
        made = pulp.post("repositories/conda/conda/", name=name, **options)
        self.repository, self.name = made["pulp_href"], name
        served = pulp.distribution(repository=self.repository, name=name, base_path=name)
        self.url = served["base_url"]

    def send(self, *packages, **fields):
        """Upload packages to the bulk endpoint, and return the answer."""
        files = [("file", (package.filename, io.BytesIO(package.data))) for package in packages]
        url = f"{self.pulp.url}{self.repository}upload/"
        answer = self.pulp.session.post(url, data=fields, files=files)
        return self.pulp.wait(answer.json())["result"]

    def convert(self, **body):
        """Convert what is there, and return the report and the result of the task in it."""
        report = self.pulp.post(f"{self.repository}convert/", **body)["result"]
        added = report["task"] and self.pulp.wait(report["task"])["result"]
        return report, added

    def modify(self, *, add=(), remove=()):
        """Add and remove units."""
        hrefs = {
            key: [f"/pulp/api/v3/content/conda/packages/{unit.pk}/" for unit in units]
            for key, units in {"add_content_units": add, "remove_content_units": remove}.items()
        }
        self.pulp.post(f"{self.repository}modify/", **hrefs)

    def records(self, subdir="noarch"):
        """Return the records in the repodata by file name."""
        served = self.pulp.session.get(f"{self.url}{subdir}/repodata.json").json()
        return {**served["packages"], **served["packages.conda"]}

    def units(self):
        """Return the packages of the latest version by file name."""
        units = CondaPackage.objects.filter(pk__in=self.row.latest_version().content)
        return {unit.filename: unit for unit in units}

    @property
    def row(self):
        return CondaRepository.objects.get(pk=extract_pk(self.repository))

    @property
    def versions(self):
        return self.row.versions.count() - 1


@pytest.fixture
def channel(pulp):
    return _Channel(pulp)


def _old(name, **options):
    return make_package(name, extension=".tar.bz2", **options)


def _conda(package):
    return package.filename.replace(".tar.bz2", ".conda")


def _is_right(channel, package):
    """Check that a channel serves a package in both forms, and that the records are right."""
    records = channel.records(package.subdir)
    assert {package.filename, _conda(package)} <= records.keys()
    old, new = records[package.filename], records[_conda(package)]
    own = {"md5", "sha256", "size", "indexed_timestamp"}
    assert {key: old[key] for key in old if key not in own} == {
        key: new[key] for key in new if key not in own
    }
    data = channel.pulp.session.get(f"{channel.url}{package.subdir}/{_conda(package)}").content
    assert (len(data), data[:2]) == (new["size"], b"PK")
    return data


def _content_create(channel, package):
    channel.pulp.upload(package, repository=channel.repository)


def _bulk(channel, package):
    channel.send(package)


def _by_door(upload):
    def send(channel, package):
        answer = upload(
            Doors(settings.CONTENT_ORIGIN, _token(channel)),
            CondaDistribution.objects.get(name=channel.name),
            package,
        )
        assert answer.status == 201, answer.text
        run_tasks()

    return send


def _anaconda(channel, package):
    client = Anaconda(Doors(settings.CONTENT_ORIGIN, _token(channel)))
    assert client.upload(channel.name, package).status == 200
    run_tasks()


def _token(channel):
    admin = get_user_model().objects.get(username="admin")
    return issue_token(owner=admin, name=channel.name, scopes=[TokenScope.UPLOAD])[1]


WAYS = {
    "content create": _content_create,
    "bulk": _bulk,
    "anaconda": _anaconda,
    "prefix": _by_door(UPLOADS["prefix"]),
    "curl": _by_door(UPLOADS["curl"]),
}


@pytest.mark.parametrize("send", WAYS.values(), ids=WAYS)
def test_a_package_appears_in_both_forms_whatever_tool_uploads_it(channel, unique, send):
    package = _old(f"both-{unique}", subdir="linux-64", depends=["python"], files={"a": b"1"})
    send(channel, package)
    _is_right(channel, package)
    assert channel.versions == 2
    assert {unit.attestations_sha256 for unit in channel.units().values()} == {""}


def test_a_channel_whose_versions_are_published_by_hand_serves_both(pulp, unique):
    channel, package = _Channel(pulp, autopublish=False), _old(f"hand-{unique}")
    _by_door(UPLOADS["prefix"])(channel, package)
    _is_right(channel, package)


def test_many_uploads_are_one_version_and_their_conversions_another(channel, unique):
    packages = [_old(f"{letter}-{unique}") for letter in "abc"]
    channel.send(*packages, make_package(f"new-{unique}"))
    for package in packages:
        _is_right(channel, package)
    assert channel.versions == 2
    act = CondaAct.objects.filter(resource_name=channel.name, details__converted_count__gt=0).get()
    assert (act.actor_name, act.details["converted_count"]) == ("admin", 3)
    # Uploads and all else go on while it works.
    task = Task.objects.filter(name__endswith="convert_uploads").latest("pulp_created")
    prn = get_prn(channel.row)
    assert f"conversions of {prn}" in task.reserved_resources_record
    assert prn not in task.reserved_resources_record


def test_a_conda_that_is_there_stays(pulp, unique):
    channel, package = _Channel(pulp, convert=False), _old(f"stays-{unique}")
    own = make_package(f"stays-{unique}", files={"a": b"own"})
    channel.send(package, own)
    assert channel.versions == 1
    report, added = channel.convert()
    assert (report["count"], report["kept"], added) == (0, [f"noarch/{own.filename}"], None)
    pulp.patch(channel.repository, convert=True)
    assert channel.send(package)["uploads"][0]["state"] == "exists"
    assert channel.units()[own.filename].sha256 == own.record.sha256


def test_what_was_made_of_an_earlier_file_is_replaced_with_it(channel, unique):
    first, second = (_old(f"again-{unique}", files={"a": each}) for each in (b"1", b"2"))
    channel.send(first)
    before = _is_right(channel, first)
    channel.send(second, overwrite=True)
    after = _is_right(channel, second)
    assert before != after
    assert channel.versions == 4


def test_to_convert_twice_adds_nothing(pulp, unique):
    channel, package = _Channel(pulp, convert=False), _old(f"twice-{unique}")
    channel.send(package)
    report, added = channel.convert()
    assert (report["count"], report["made"]["converted"], added["version"]) == (1, 1, 2)
    assert [each["state"] for each in added["uploads"]] == ["published"]
    data = _is_right(channel, package)
    report, added = channel.convert()
    assert (report["count"], report["converted_before"], added) == (0, 1, None)
    # Whoever has it from here, or makes it elsewhere, has the same bytes.
    other = _Channel(pulp)
    other.send(package)
    assert _is_right(other, package) == data


def test_a_dry_run_says_how_much_there_is_and_changes_nothing(pulp, unique):
    channel = _Channel(pulp, convert=False)
    packages = [_old(f"{letter}-{unique}", files={letter: b"x"}) for letter in "abc"]
    channel.send(*packages, make_package(f"d-{unique}"))
    report, added = channel.convert(dry_run=True)
    size = sum(package.record.size for package in packages)
    assert (report["count"], report["size"], report["made"], added) == (3, size, None, None)
    report, added = channel.convert(specs=[f"a-{unique} >=1", f"c-{unique}"])
    assert [each["filename"] for each in added["uploads"]] == [
        _conda(packages[0]),
        _conda(packages[2]),
    ]
    assert channel.versions == 2
    answer = pulp.session.post(f"{pulp.url}{channel.repository}convert/", json={"specs": ["a <<"]})
    assert (answer.status_code, "CND0007" in answer.text) == (400, True)


def test_a_package_that_cannot_be_converted_is_there_all_the_same(channel, unique, caplog):
    good = _old(f"good-{unique}")
    odd = make_package(
        f"odd-{unique}",
        extension=".tar.bz2",
        info={"a": b""},
        members=_SPLIT_LINK,
        files={"share/a": b""},
    )
    result = channel.send(odd, good)
    assert {each["state"] for each in result["uploads"]} == {"published"}
    task = Task.objects.filter(name__endswith="convert_uploads").latest("pulp_created")
    (failed,) = task.result["failed"]
    assert (failed["path"], failed["code"]) == (f"noarch/{odd.filename}", "CND0068")
    assert "info/linked" in failed["text"]
    assert failed["text"] in caplog.text
    assert channel.records().keys() == {odd.filename, good.filename, _conda(good)}


def test_a_conversion_that_takes_too_long_is_given_up(pulp, channel, unique):
    package = _old(f"slow-{unique}")
    with override_settings(CONDA_CONVERSION_SECONDS=-1):
        channel.send(package)
    assert channel.records().keys() == {package.filename}
    report, _added = channel.convert()
    assert report["made"]["converted"] == 1


def test_a_correction_of_the_record_holds_for_both_forms(pulp, unique):
    channel, package = _Channel(pulp, convert=False), _old(f"fixed-{unique}", depends=["a"])
    channel.send(package)
    unit = channel.units()[package.filename]
    record = unit.as_record()
    fields = {**record.fields, "depends": ["a <2"], "attestations_sha256": "0" * 64}
    fixed = CondaPackage.from_record(type(record)(record.subdir, record.filename, fields))
    fixed.save()
    unit.contentartifact_set.update(content=fixed)
    channel.modify(add=[fixed])
    channel.convert()
    new = channel.units()[_conda(package)]
    assert (new.depends, new.attestations_sha256) == (["a <2"], "")


def test_a_package_whose_bytes_are_not_here_is_named(pulp, unique):
    channel, package = _Channel(pulp, convert=False), _old(f"away-{unique}")
    channel.send(package)
    channel.units()[package.filename].contentartifact_set.update(artifact=None)
    report, added = channel.convert()
    assert (report["count"], report["not_here"]) == (0, [f"noarch/{package.filename}"])
    assert added is None


def test_a_package_that_left_meanwhile_does_not_come_back(pulp, channel, unique):
    package = _old(f"gone-{unique}")
    channel.send(package)
    channel.modify(remove=channel.units().values())
    _ask_again(package)
    row = CondaUpload.objects.get(filename=_conda(package))
    assert (row.state, row.errors[0]["code"]) == ("refused", "CND0068")
    assert channel.units() == {}


def test_the_conda_stays_when_the_tar_bz2_is_removed(pulp, channel, unique):
    package = _old(f"removed-{unique}")
    channel.send(package)
    channel.modify(remove=[channel.units()[package.filename]])
    assert channel.records().keys() == {_conda(package)}


def test_a_block_by_digest_is_for_both_forms(pulp, channel, unique):
    before, after = _old(f"before-{unique}"), _old(f"after-{unique}", files={"a": b"1"})
    channel.send(before)
    pulp.post("conda/blocks/", sha256=before.record.sha256, public_reason="Stolen key")
    url = f"{channel.url}noarch/{_conda(before)}"
    assert pulp.session.get(url).status_code == 451
    pulp.patch(channel.repository, convert=False)
    channel.send(after)
    pulp.post("conda/blocks/", sha256=after.record.sha256, public_reason="Stolen key")
    report, added = channel.convert()
    assert (report["count"], added) == (0, None)


def test_a_conversion_whose_task_was_killed_is_done_later(pulp, channel, unique):
    package = _old(f"killed-{unique}")
    channel.send(package)
    channel.modify(remove=[channel.units()[_conda(package)]])
    _ask_again(package, attempts=1)
    _is_right(channel, package)
    _ask_again(package, attempts=3)
    row = CondaUpload.objects.get(filename=_conda(package))
    assert (row.state, row.errors[0]["code"]) == ("refused", "CND0068")


def _ask_again(package, attempts=0):
    """Let the conversion of a package be as before its task, and look after it."""
    rows = CondaUpload.objects.filter(filename=_conda(package))
    rows.update(state="converting", decided_at=None, errors=[], attempts=attempts)
    set_guid(generate_guid())
    tend_uploads()
    run_tasks()
