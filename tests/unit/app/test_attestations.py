import json
import sys
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from django.utils import timezone

from pulp_conda.app.attestations import (
    Claim,
    Verdict,
    attested,
    checked_sidecars,
    remove_unused_sidecars,
    sidecar_problem,
    store_sidecars,
    verify,
)
from pulp_conda.app.models import (
    CondaDistribution,
    CondaPackage,
    CondaPublication,
    CondaRepository,
    CondaSidecar,
)
from pulp_conda.channel.errors import BadAttestation, BadSidecar
from pulp_conda.channel.package.attestations import make_sidecar
from tests.support.builders import make_record
from tests.support.sigstore import Sigstore

pytestmark = pytest.mark.django_db

CHANNEL = "http://content.example.com/pulp/content/team"


@pytest.fixture(scope="module")
def sigstore():
    return Sigstore()


@pytest.fixture(autouse=True)
def _trust(settings, sigstore, tmp_path):
    root = tmp_path / "trusted_root.json"
    root.write_text(sigstore.trusted_root)
    settings.CONDA_SIGSTORE_TRUSTED_ROOT = str(root)


@pytest.fixture
def repository():
    repository = CondaRepository.objects.create(name="team")
    CondaDistribution.objects.create(name="team", base_path="team", repository=repository)
    return repository


@pytest.fixture
def attest(sigstore):
    """Return a signed bundle about a record."""

    def attest(record, channel=None, **options):
        return sigstore.attest(record.filename, record.sha256, channel, **options)

    return attest


def _mirrored(record, bundles):
    """What a sync has of a package: the record, and the URL and bytes of its sidecar."""
    data = json.dumps(bundles, indent=1).encode()
    fields = {**record.fields, "attestations_sha256": sha256(data).hexdigest()}
    url = f"https://conda.example.org/t/secret/forge/noarch/{record.filename}.sigs"
    return replace(record, fields=fields), url, data


def _put(repository, record):
    package = CondaPackage.from_record(record)
    package.save()
    with repository.new_version() as version:
        version.add_content(CondaPackage.objects.filter(pk=package.pk))
    return package


# Uploads


def test_an_attested_record_names_the_sidecar_that_is_stored(repository, attest):
    record = make_record()
    bundle = attest(record, CHANNEL)
    result = attested(record, [bundle], repository)
    sidecar = CondaSidecar.objects.get()
    assert bytes(sidecar.data) == make_sidecar([bundle])
    assert result.fields == {**record.fields, "attestations_sha256": sidecar.sha256}
    assert sidecar.sha256 == sha256(sidecar.data).hexdigest()


def test_an_attestation_may_leave_the_channel_open(repository, attest):
    record = make_record()
    assert attested(record, [attest(record)], repository).attestations_sha256


def test_all_urls_of_a_repository_are_its_channel(repository, attest):
    publication = CondaPublication.objects.create(
        repository_version=repository.latest_version(), complete=True
    )
    CondaDistribution.objects.create(name="stable", base_path="a/stable", publication=publication)
    record = make_record()
    for channel in (CHANNEL, "http://content.example.com/pulp/content/a/stable"):
        assert attested(record, [attest(record, channel)], repository)


def _tamper(bundle):
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = "MEUC" + "A" * 92
    return bundle


@pytest.mark.parametrize(
    "forge, reason",
    [
        pytest.param(
            lambda s, r: s.attest("other-1.0-0.conda", r.sha256), "file name", id="another name"
        ),
        pytest.param(
            lambda s, r: s.attest(r.filename, "0" * 64), "with the sha256", id="other bytes"
        ),
        pytest.param(
            lambda s, r: s.attest(r.filename, r.sha256, f"{CHANNEL}2"),
            f"for the channel '{CHANNEL}2', and repository 'team' is served at '",
            id="another channel",
        ),
        pytest.param(
            lambda s, r: _tamper(s.attest(r.filename, r.sha256)), "invalid signature", id="tampered"
        ),
        pytest.param(
            lambda s, r: Sigstore(seed=2).attest(r.filename, r.sha256),
            "No log key",
            id="not trusted",
        ),
        pytest.param(
            lambda s, r: s.attest(r.filename, r.sha256, predicateType="https://slsa.dev/"),
            "CEP 27",
            id="another kind of statement",
        ),
    ],
)
def test_one_bad_bundle_of_an_upload_keeps_all_out(repository, sigstore, attest, forge, reason):
    record = make_record()
    with pytest.raises(BadAttestation) as refused:
        attested(record, [attest(record), forge(sigstore, record)], repository)
    assert refused.value.facts["filename"] == record.filename
    assert refused.value.facts["reason"].startswith("bundle 1: ")
    assert reason in refused.value.facts["reason"]
    assert not CondaSidecar.objects.exists()


def test_a_second_attestation_goes_behind_what_the_repository_has(repository, attest):
    record = make_record()
    mirrored, _url, data = _mirrored(record, [attest(record)])
    store_sidecars([(mirrored.attestations_sha256, data)])
    _put(repository, mirrored)
    second = attest(record, CHANNEL)
    result = attested(record, [second], repository)
    sidecar = bytes(CondaSidecar.objects.get(sha256=result.attestations_sha256).data)
    assert sidecar.startswith(data.removesuffix(b"\n]"))
    assert json.loads(sidecar) == [*json.loads(data), second]


def test_the_same_attestation_twice_is_the_same_record(repository, attest):
    record = make_record()
    bundle = attest(record)
    first = attested(record, [bundle], repository)
    _put(repository, first)
    assert attested(record, [bundle], repository).digest == first.digest


def test_a_later_upload_without_attestation_keeps_those_that_are_there(repository, attest):
    record = make_record()
    first = attested(record, [attest(record)], repository)
    _put(repository, first)
    assert attested(record, [], repository).digest == first.digest


def test_other_bytes_under_the_name_do_not_inherit_attestations(repository, attest):
    record = make_record()
    _put(repository, attested(record, [attest(record)], repository))
    rebuilt = make_record(sha256="1" * 64)
    assert attested(rebuilt, [], repository).digest == rebuilt.digest


def test_a_package_cannot_name_attestations_by_itself():
    record = make_record(attestations_sha256="1" * 64)
    assert attested(record, [], None).fields == make_record().fields


# Mirrors


def test_sidecars_of_an_upstream_are_taken_as_they_are_whatever_their_channel(attest):
    records = [make_record(name) for name in "ab"]
    mirrored = [_mirrored(record, [attest(record, "https://elsewhere")]) for record in records]
    sidecars = checked_sidecars(mirrored)
    assert sidecars == [(record.attestations_sha256, data) for record, _url, data in mirrored]
    store_sidecars(sidecars)
    assert {row.sha256: bytes(row.data) for row in CondaSidecar.objects.all()} == dict(sidecars)


def test_no_sidecars_are_fine():
    assert checked_sidecars([]) == []
    store_sidecars([])


@pytest.mark.parametrize(
    "change, reason",
    [
        pytest.param(
            lambda r, u, d: _mirrored(r, [_tamper(json.loads(d)[0])]),
            "invalid signature",
            id="tampered",
        ),
        pytest.param(
            lambda r, u, d: _mirrored(make_record("b"), json.loads(d)),
            "about the file name 'a-1.0-0.conda'",
            id="of another package",
        ),
        pytest.param(lambda r, u, d: _mirrored(r, []), "is empty", id="an empty list"),
        pytest.param(lambda r, u, d: _mirrored(r, {}), "not a list", id="no list"),
    ],
)
def test_a_bad_sidecar_is_named_by_its_url(attest, change, reason):
    good, bad = make_record("g"), make_record("a")
    good, bad = (_mirrored(record, [attest(record)]) for record in (good, bad))
    with pytest.raises(BadSidecar) as refused:
        checked_sidecars([good, change(*bad)])
    assert reason in refused.value.facts["reason"]
    assert refused.value.facts["url"].startswith("https://conda.example.org/t/***/forge/noarch/")
    assert "/g-1.0-0" not in refused.value.facts["url"]


def test_what_is_no_sidecar_or_another_one_is_found():
    record, _url, data = _mirrored(make_record("a"), [Sigstore().attest("b", "0" * 64)])
    assert sidecar_problem(record, data) is None
    assert sidecar_problem(record, data + b" ").startswith("it has the sha256")
    for sidecar, reason in ([], "is empty"), ({}, "not a list"), ([{}], "not a Sigstore bundle"):
        record, _url, data = _mirrored(record, sidecar)
        assert reason in sidecar_problem(record, data)


def test_signatures_of_mirrors_can_be_left_to_clients(settings):
    settings.CONDA_VERIFY_MIRRORED_ATTESTATIONS = False
    record = make_record()
    bundle = Sigstore(seed=2).attest(record.filename, record.sha256)
    assert checked_sidecars([_mirrored(record, [bundle])])
    with pytest.raises(BadSidecar, match="about the file name"):
        checked_sidecars([_mirrored(make_record("other"), [bundle])])


# The verifier


def test_nothing_is_verified_by_a_verifier_that_does_not_answer(
    attest, monkeypatch, tmp_path, caplog
):
    record = make_record()
    claim = Claim(make_sidecar([attest(record)]), record.filename, record.sha256)
    assert verify([claim]) == [Verdict(problem=None, channel=None)]
    program = tmp_path / "program"
    for script in ("kill -9 $$", "exit 1", "exit 0", "echo []", "echo [{}]", "echo [1]", "echo 1"):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        (verdict,) = verify([claim])
        assert "cannot verify" in verdict.problem
        assert "Attestations cannot be verified: " in caplog.text
        caplog.clear()


def test_a_root_that_cannot_be_read_is_for_the_administrator(settings, attest, caplog):
    settings.CONDA_SIGSTORE_TRUSTED_ROOT = "/nowhere/trusted_root.json"
    record = make_record()
    (verdict,) = verify([Claim(make_sidecar([attest(record)]), record.filename, record.sha256)])
    assert "cannot verify" in verdict.problem
    assert "/nowhere/trusted_root.json" not in verdict.problem
    assert "/nowhere/trusted_root.json" in caplog.text


# What is kept


def _age(**age):
    CondaSidecar.objects.update(pulp_last_updated=timezone.now() - timedelta(**age))


def test_sidecars_without_package_go_after_a_day(attest):
    record = make_record()
    used, unused = ((sha256(data).hexdigest(), data) for data in (b"[1]", b"[2]"))
    store_sidecars([used, unused])
    fields = record.fields | {"attestations_sha256": used[0]}
    CondaPackage.from_record(replace(record, fields=fields)).save()
    _age(hours=23)
    assert remove_unused_sidecars() == 0
    _age(hours=25)
    assert remove_unused_sidecars() == 1
    assert CondaSidecar.objects.get().sha256 == used[0]


def test_a_sidecar_that_is_stored_again_is_young_again():
    sidecar = (sha256(b"[1]").hexdigest(), b"[1]")
    store_sidecars([sidecar])
    _age(hours=25)
    store_sidecars([sidecar, sidecar])
    assert remove_unused_sidecars() == 0
    assert CondaSidecar.objects.count() == 1


def test_unused_sidecars_are_removed_in_one_statement(django_assert_num_queries):
    # PostgreSQL looks at a row again that another task stored in the meantime.
    store_sidecars([(sha256(data).hexdigest(), data) for data in (b"[1]", b"[2]")])
    _age(hours=25)
    with django_assert_num_queries(1):
        assert remove_unused_sidecars() == 2
