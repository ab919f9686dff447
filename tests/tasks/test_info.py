import json
import time

import pytest

from tests.support.builders import add_shards, make_channel, make_package

INFO = ("about", "run_exports", "licenses", "link", "traits")
ABOUT = {"summary": "Greets", "home": "https://hello.example.org", "extra": {"a": [1, None]}}


def _package(name, **arguments):
    script = b"#!/bin/sh\n"
    return make_package(
        name,
        noarch="python",
        files={
            "etc/conda/activate.d/hello.sh": script,
            f"bin/.{name}-post-link.sh": script,
        },
        info={
            "about.json": json.dumps(ABOUT).encode(),
            "run_exports.json": b'{"weak": ["hello >=1.0,<2.0a0"]}',
            "licenses/LICENSE.txt": b"Do what you like",
            "licenses/library/COPYING": b"Copy",
        },
        **arguments,
    )


def _told(unit):
    return {key: unit[key] for key in INFO}


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_a_package_tells_what_its_record_does_not(pulp, unique, extension):
    name = f"told-{unique}"
    unit = pulp.upload(_package(name, extension=extension))
    assert _told(unit) == {
        "about": ABOUT,
        "run_exports": {"weak": ["hello >=1.0,<2.0a0"]},
        "licenses": ["LICENSE.txt", "library/COPYING"],
        "link": {"noarch": {"type": "python"}, "package_metadata_version": 1},
        "traits": {
            "activate.d": True,
            "binary_prefix": False,
            "deactivate.d": False,
            "post_link": True,
            "pre_link": False,
            "pre_unlink": False,
            "text_prefix": False,
        },
    }
    assert unit["record"].keys().isdisjoint(INFO)
    (listed,) = pulp.get("content/conda/packages/", name=name)["results"]
    assert _told(listed) == _told(unit)
    (one_field,) = pulp.get("content/conda/packages/", name=name, fields="about")["results"]
    assert one_field == {"about": ABOUT}


def test_an_upload_without_a_task_tells_the_same(pulp, unique):
    package = _package(f"once-{unique}")
    answer = pulp.post_bytes("content/conda/packages/upload/", package.filename, package.data)
    assert answer.status_code == 201
    assert _told(answer.json()) == _told(pulp.get(answer.json()["pulp_href"]))
    assert answer.json()["about"] == ABOUT


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="no JSON"),
        pytest.param(b'["a"]', id="no object"),
        pytest.param(b"[" * 10**6, id="nested"),
        pytest.param(b'{"summary": "' + b"a" * 2**21 + b'"}', id="large"),
        pytest.param(b'{"a\\u0000": "\\ud800"}', id="half a surrogate"),
    ],
)
def test_a_package_with_an_unreadable_about_is_taken(pulp, unique, content):
    info = dict.fromkeys(["about.json", "link.json", "run_exports.json"], content)
    unit = pulp.upload(make_package(f"odd-{unique}", info=info | {"paths.json": content}))
    assert (unit["about"], unit["link"], unit["run_exports"]) == (
        {},
        None,
        {"weak": ["a"]} if content == b'["a"]' else {},
    )


def test_nul_characters_are_left_out(pulp, unique):
    unit = pulp.upload(
        make_package(f"nul-{unique}", info={"about.json": rb'{"\u0000a": "\u0000b"}'})
    )
    assert unit["about"] == {"a": "b"}


def test_nothing_is_said_of_a_mirrored_file_before_it_is_read(pulp, unique, upstream, make_mirror):
    package = _package(f"far-{unique}")
    make_channel(upstream.folder, [package])
    pulp.sync(make_mirror().repository)
    (unit,) = pulp.get("content/conda/packages/", name=f"far-{unique}")["results"]
    assert _told(unit) | {"run_exports": None} == dict.fromkeys(INFO)
    assert pulp.upload(package)["pulp_href"] == unit["pulp_href"]
    told = pulp.get(unit["pulp_href"])
    assert (told["about"], told["licenses"][0]) == (ABOUT, "LICENSE.txt")


def test_a_mirrored_file_is_read_when_it_comes_also_where_its_run_exports_are_known(
    pulp, unique, upstream, make_mirror
):
    package, known = _package(f"far-{unique}"), {"weak": ["upstream"]}
    make_channel(upstream.folder, [package])
    add_shards(upstream.folder, run_exports={package.filename: known})
    mirror = make_mirror()
    pulp.sync(mirror.repository)
    (unit,) = pulp.get("content/conda/packages/", name=f"far-{unique}")["results"]
    assert _told(unit) == dict.fromkeys(INFO) | {"run_exports": known}
    assert pulp.fetch(mirror.url, f"noarch/{package.filename}").content == package.data
    # The content app reads it when the client has it.
    deadline = time.monotonic() + 60
    while pulp.get(unit["pulp_href"])["about"] is None and time.monotonic() < deadline:
        time.sleep(0.05)
    told = pulp.get(unit["pulp_href"])
    assert (told["about"], told["run_exports"]) == (ABOUT, known)
