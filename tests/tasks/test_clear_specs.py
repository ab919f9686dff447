"""Match specs that clients read differently are refused where they are written, and are never
obeyed by half where they are stored.
"""

import pytest
from django.core.management import CommandError, call_command

from pulp_conda.app.models import CondaBlock, CondaRemote, CondaStage
from tests.support.builders import make_channel, make_package
from tests.support.conda import TaskFailed
from tests.support.moves import key

ODD = "certifi *.dev"
REASON = "'*' can only be the end of a version"


@pytest.fixture(scope="module")
def team(pulp, make_repository, upload_once):
    repository = make_repository(autopublish=True)
    team = pulp.lifecycle(repository)
    pulp.modify(repository, add=[upload_once("certifi", "1.0")])
    team.repository = repository
    return team


def _gate(**rules):
    gate = {"name": "g", "kind": "policy", **rules}
    return {"stages": [{"name": "unstable"}, {"name": "testing", "gates": [gate]}]}


def _patch(spec):
    return {"packages.conda": {"certifi-1.0-0.conda": {"depends": [spec]}}}


URL = "https://conda.example.org/x"


@pytest.mark.parametrize(
    "path, body",
    [
        pytest.param("remotes/conda/conda/", {"url": URL, "includes": [ODD]}, id="includes"),
        pytest.param("remotes/conda/conda/", {"url": URL, "excludes": ["a", ODD]}, id="excludes"),
        pytest.param("conda/blocks/", {"spec": ODD, "public_reason": "r"}, id="block"),
        pytest.param("{repository}copy/", {"source": "{repository}", "specs": [ODD]}, id="copy"),
        pytest.param(
            "{team}promote_packages/", {"stage": "testing", "specs": [ODD]}, id="promotion"
        ),
        pytest.param("{team}", _gate(blocked=[{"spec": ODD, "reason": "r"}]), id="blocked"),
        pytest.param("{team}", _gate(required=[ODD]), id="required"),
        pytest.param(
            "{team}",
            _gate(minimum_age={"days": 1, "exceptions": [ODD]}),
            id="exceptions",
        ),
        pytest.param(
            "content/conda/patches/",
            {"subdir": "noarch", "reason": "r", "instructions": _patch(ODD)},
            id="patch",
        ),
        pytest.param(
            "content/conda/environments/",
            {"format": "specs", "platforms": ["linux-64"], "source": ODD},
            id="environment",
        ),
        pytest.param(
            "content/conda/environments/",
            {
                "format": "environment.yml",
                "platforms": ["linux-64"],
                "source": f"dependencies: ['{ODD}']",
            },
            id="environment.yml",
        ),
    ],
)
def test_an_unclear_spec_is_refused_wherever_it_is_written(pulp, team, unique, path, body):
    objects = {"repository": team.repository, "team": team.href}
    if path == "{team}":
        answer = pulp.try_patch(team.href, **body)
    else:
        body = {
            key: value.format(**objects) if key == "source" else value
            for key, value in body.items()
        }
        if "url" in body or "platforms" in body:
            body["name"] = unique
        answer = pulp.try_post(path.format(**objects), **body)
    assert answer.status_code == 400, answer.text
    assert ODD in answer.text and REASON in answer.text and "at character 9" in answer.text


def test_a_comparison_refuses_it_as_well(pulp, team):
    answer = pulp.try_get(f"{team.href}diff/", base="unstable", target="unstable", name=ODD)
    assert answer.status_code == 400
    assert REASON in answer.text


def test_what_only_rattler_reads_may_be_unclear(pulp, team, unique):
    manifest = '[workspace]\nchannels=[]\nplatforms=["linux-64"]\n[dependencies]\na="==1.2.*"\n'
    assert pulp.environment(team.repository, unique, manifest, format="pixi.toml")


@pytest.mark.parametrize(
    "specs, place",
    [
        pytest.param({"excludes": ["a", ODD]}, "excludes[1]", id="excludes"),
        pytest.param({"includes": [ODD]}, "includes[0]", id="includes"),
        pytest.param({"excludes": ["numpy >=1.26,<<2"]}, "excludes[0]", id="no spec at all"),
    ],
)
def test_a_stored_filter_that_cannot_be_read_stops_the_sync(
    pulp, upstream, make_mirror, copied, specs, place
):
    make_channel(upstream.folder, [make_package("certifi", "1.0.dev")])
    mirror = make_mirror()
    CondaRemote.objects.filter(pk=key(mirror.remote)).update(**specs)
    upstream.requests.clear()
    with pytest.raises(TaskFailed) as refused:
        pulp.sync(mirror.repository)
    assert refused.value.code == "CND0007"
    assert refused.value.description.startswith(f"[CND0007] Remote '{mirror.name}', {place}: '")
    assert "at character" in refused.value.description
    assert upstream.requests == []


def test_a_gate_that_cannot_be_read_blocks_its_stage(pulp, team, copied):
    team.set_gates("testing", {"name": "g", "kind": "policy", "required": ["certifi"]})
    stage = CondaStage.objects.get(lifecycle=key(team.href), name="testing")
    stage.gates[0]["required"] = [ODD]
    stage.save()
    report = team.promote("testing")
    assert report["outcome"] == "blocked"
    (gate,) = report["gates"]
    assert gate["verdict"] == "unknown"
    assert "[CND0055]" in gate["summary"] and REASON in gate["summary"]


def test_the_command_for_an_upgrade_lists_what_is_stored(pulp, team, copied, unique, capsys):
    call_command("conda_unclear_specs")
    assert "have a clear meaning" in capsys.readouterr().out
    remote = pulp.post("remotes/conda/conda/", name=unique, url=URL, excludes=["a", "b"])
    CondaRemote.objects.filter(pk=key(remote["pulp_href"])).update(excludes=["a", ODD])
    team.set_gates("testing", {"name": "g", "kind": "policy", "required": ["certifi"]})
    stage = CondaStage.objects.get(lifecycle=key(team.href), name="testing")
    stage.gates[0]["required"] = [ODD]
    stage.save()
    CondaBlock.objects.create(spec=ODD, public_reason="r")
    with pytest.raises(CommandError, match="3 of the stored match specs"):
        call_command("conda_unclear_specs")
    of_remote, of_gate, of_block = capsys.readouterr().out.splitlines()
    assert of_remote.startswith(f"[CND0007] Domain 'default', remote '{unique}', excludes[1]: ")
    assert f"lifecycle '{team.name}', stage 'testing'" in of_gate and "'required[0]'" in of_gate
    assert of_block.startswith(f"[CND0007] Domain 'default', block: '{ODD}'")
