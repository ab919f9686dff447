import pytest
import yaml
from yaml.scanner import ScannerError

from pulp_conda.channel.environments import plain_yaml
from pulp_conda.channel.environments.plain_yaml import PlainYamlError, read_plain


def test_scalars_stay_texts():
    text = "version: 3.10\nmd5: 00012\nyes: no\nnothing: ~\nword: '~'\nempty:\n"
    assert read_plain(text, 100) == {
        "version": "3.10",
        "md5": "00012",
        "yes": "no",
        "nothing": None,
        "word": "~",
        "empty": None,
    }


def test_mappings_and_lists_nest():
    assert read_plain("a:\n- b: [c, {d: e}]\n- []\n", 100) == {"a": [{"b": ["c", {"d": "e"}]}, []]}


def test_a_text_without_anything_is_none():
    assert read_plain("# nothing\n", 100) is None


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param("a: [", "line 2: it is not YAML: did not", id="not closed"),
        pytest.param("a:\n\t- b", "line 2: ", id="tab"),
        pytest.param("a: b\0c", "characters that are not allowed", id="NUL"),
        pytest.param("a: \ud800", "characters that are not allowed", id="half a surrogate pair"),
        pytest.param('a: 1\nb: "\\0"', "line 2: a text holds a NUL", id="NUL as escape"),
        pytest.param('"\\uD800": 1', "line 1: ", id="half a surrogate pair as escape"),
        pytest.param("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice", id="key twice"),
        pytest.param("[a]: b", "line 1: a key is not a text", id="list as key"),
        pytest.param("~: b", "line 1: a key is not a text", id="null as key"),
        pytest.param("a: 1\n---\nb: 1", "more than one document", id="two documents"),
        pytest.param("a: &x [1]\nb: *x", "line 2: it uses a YAML alias", id="alias"),
        pytest.param("a: !!python/name:os.system ''", "line 1: it uses a YAML tag", id="tag"),
    ],
)
def test_other_yaml_is_refused_with_a_reason(text, reason):
    with pytest.raises(PlainYamlError, match=reason.replace("[", r"\[")):
        read_plain(text, 100)


class _StopsAtHundred(yaml.BaseLoader):
    """A parser that has a lower limit on brackets, and another message for it."""

    def fetch_flow_collection_start(self, token):
        if self.flow_level >= 100:
            raise ScannerError(None, None, "found 100 brackets", self.get_mark())
        super().fetch_flow_collection_start(token)


LOADERS = [yaml.BaseLoader, _StopsAtHundred]
if hasattr(yaml, "CBaseLoader"):
    LOADERS.append(yaml.CBaseLoader)


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def each_loader(request, monkeypatch):
    monkeypatch.setattr(plain_yaml, "_LOADER", request.param)


@pytest.mark.parametrize(
    "before", ["", "a: 1\nb:\n  ", "- x\n- "], ids=["alone", "in map", "in list"]
)
@pytest.mark.parametrize("bracket", ["[", "{a: ", "[{", "- ", "? "])
def test_a_file_of_brackets_is_nested_too_deeply(each_loader, before, bracket):
    with pytest.raises(PlainYamlError, match="^line [123]: it is nested more than 30 levels deep$"):
        read_plain(before + bracket * 200, 10_000_000)


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_a_file_of_brackets_does_not_end_the_process(bracket):
    with pytest.raises(PlainYamlError, match="nested more than 30 levels"):
        read_plain(bracket * 200_000, 10_000_000)


@pytest.mark.parametrize(
    "text, reason",
    [
        pytest.param("[" * 30 + "]" * 29 + "}", "line 1: it is not YAML: ", id="closed otherwise"),
        pytest.param("x: '" + "[" * 40 + "'\n\t- y", "line 2: it is not YAML: ", id="in quotes"),
        pytest.param("[a, b, c\nd: [", "line 2: it is not YAML: ", id="two brackets"),
    ],
)
def test_a_text_of_few_levels_is_never_called_too_deep(each_loader, text, reason):
    with pytest.raises(PlainYamlError, match=reason):
        read_plain(text, 100)


def test_thirty_levels_are_read(each_loader):
    assert read_plain("[" * 30 + "]" * 30, 100) is not None


def test_values_are_counted():
    read_plain("[" + "x," * 98 + "x]", 100)
    with pytest.raises(PlainYamlError, match="more than 100 values"):
        read_plain("[" + "x," * 99 + "x]", 100)
