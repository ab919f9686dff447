import io
import json

import pytest
import zstandard

from pulp_conda.channel.errors import BadUpstreamFile, RepodataTooLarge
from pulp_conda.channel.metadata.run_exports import (
    RunExportsWriter,
    canonical,
    check_run_exports,
    read_run_exports,
)

URL = "https://conda.example.org/forge/noarch/run_exports.json.zst"
ENTRIES = {
    "a-1.0-0.tar.bz2": {"weak": ["a >=1,<2"], "strong": ["b"]},
    "a-1.0-1.conda": {},
    "b-1!2+x-0.conda": {"noarch": ["é"]},
}


def test_packages_may_be_added_by_name():
    writer = RunExportsWriter("noarch")
    writer.add_name("a", [(name, canonical(found).decode()) for name, found in ENTRIES.items()])
    assert writer.finish().read() == _written(ENTRIES)


def _written(entries):
    writer = RunExportsWriter("noarch")
    for filename, run_exports in entries.items():
        writer.add(filename, canonical(run_exports))
    return writer.finish().read()


def _read(content, **options):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    return dict(read_run_exports(io.BytesIO(content), url=URL, **options))


@pytest.mark.parametrize(
    "value, checked",
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"weak": ["a"], "strong": []}, {"weak": ["a"], "strong": []}, id="kinds"),
        pytest.param(["a", "b"], {"weak": ["a", "b"]}, id="list"),
        pytest.param("a >=1", {"weak": ["a >=1"]}, id="text"),
        pytest.param({"strong": "a >=1"}, {"strong": ["a >=1"]}, id="text of a kind"),
        pytest.param({"weak": None, "noarch": ["a"]}, {"noarch": ["a"]}, id="null"),
        pytest.param({"schema_version": 2}, {"schema_version": 2}, id="unknown key"),
    ],
)
def test_run_exports_get_one_form(value, checked):
    assert check_run_exports(value) == checked


@pytest.mark.parametrize(
    "value, problem",
    [
        pytest.param(None, "they are not an object", id="null"),
        pytest.param(7, "they are not an object", id="number"),
        pytest.param([["a"]], "'weak' is not a list of strings", id="list of lists"),
        pytest.param({"strong": {"a": 1}}, "'strong' is not a list of strings", id="object"),
        pytest.param({"weak": ["a", 1]}, "'weak' is not a list of strings", id="number in it"),
        pytest.param({"x": b"bytes"}, "cannot be written as JSON", id="bytes"),
        pytest.param({b"weak": ["a"]}, "cannot be written as JSON", id="key of bytes"),
    ],
)
def test_run_exports_that_clients_could_not_read_are_refused(value, problem):
    with pytest.raises(ValueError, match=problem):
        check_run_exports(value)


def test_what_is_written_is_read_back():
    assert _read(_written(ENTRIES)) == ENTRIES
    assert _read(zstandard.compress(_written(ENTRIES))) == ENTRIES


def test_the_file_has_the_form_of_cep_12():
    assert json.loads(_written(ENTRIES)) == {
        "info": {"subdir": "noarch", "version": 1},
        "packages": {"a-1.0-0.tar.bz2": {"run_exports": ENTRIES["a-1.0-0.tar.bz2"]}},
        "packages.conda": {
            "a-1.0-1.conda": {"run_exports": {}},
            "b-1!2+x-0.conda": {"run_exports": {"noarch": ["é"]}},
        },
    }
    assert json.loads(_written({}))["packages.conda"] == {}


def test_the_bytes_do_not_depend_on_the_order_of_keys():
    entry = {"a-1-0.conda": {"weak": ["a"], "noarch": ["b"]}}
    turned = {"a-1-0.conda": {"noarch": ["b"], "weak": ["a"]}}
    assert _written(entry) == _written(turned)


def test_entries_of_v3_are_read_as_well():
    v3 = {"conda": {"a-1-0": {"run_exports": {"weak": ["a"]}}}, "whl": {"a": {}}}
    assert _read({"v3": v3}) == {"a-1-0.conda": {"weak": ["a"]}}


@pytest.mark.parametrize(
    "content, reason",
    [
        pytest.param(b"<html>", "it starts with '<html>'", id="HTML"),
        pytest.param(_written(ENTRIES)[:-10], "it is cut short or no JSON", id="cut short"),
        pytest.param(
            zstandard.compress(_written(ENTRIES))[:-20], "it is cut short", id="zstd cut short"
        ),
        pytest.param({"packages": [1]}, "its 'packages' is not an object", id="list"),
        pytest.param({"packages.conda": "x"}, "its 'packages.conda' is not", id="text"),
    ],
)
def test_a_broken_file_is_refused(content, reason):
    with pytest.raises(BadUpstreamFile) as refused:
        _read(content)
    assert refused.value.facts["reason"].startswith(reason)
    assert refused.value.facts["url"] == URL


@pytest.mark.parametrize(
    "entry, reason",
    [
        pytest.param({}, "'a-1-0.tar.bz2' has no 'run_exports' in it", id="empty"),
        pytest.param(7, "'a-1-0.tar.bz2' has no 'run_exports' in it", id="number"),
        pytest.param(
            {"run_exports": {"weak": 1}},
            "the run_exports of 'a-1-0.tar.bz2' are wrong: 'weak' is not a list of strings",
            id="kind",
        ),
    ],
)
def test_an_entry_that_clients_could_not_read_has_a_reason(entry, reason):
    good = {"run_exports": {"weak": ["b"]}}
    found = _read({"packages": {"a-1-0.tar.bz2": entry, "b-1-0.tar.bz2": good}})
    assert found == {"a-1-0.tar.bz2": reason, "b-1-0.tar.bz2": {"weak": ["b"]}}


def test_a_null_section_is_empty():
    assert _read({"info": None, "packages": None, "packages.conda": None}) == {}


def test_a_file_larger_than_the_limit_is_refused():
    bomb = zstandard.compress(b'{"info":"' + b" " * 10_000_000 + b'"}')
    with pytest.raises(RepodataTooLarge) as refused:
        _read(bomb, max_size=100_000)
    assert refused.value.facts["setting"] == "CONDA_MAX_REPODATA_SIZE"
