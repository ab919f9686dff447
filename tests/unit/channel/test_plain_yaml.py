import pytest

from pulp_conda.channel.environments.plain_yaml import PlainYamlError, read_plain


def test_scalars_stay_the_texts_that_they_are():
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
        pytest.param("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice", id="key twice"),
        pytest.param("[a]: b", "line 1: a key is not a text", id="list as key"),
        pytest.param("~: b", "line 1: a key is not a text", id="null as key"),
        pytest.param("a: 1\n---\nb: 1", "more than one document", id="two documents"),
        pytest.param("a: &x [1]\nb: *x", "line 2: it uses a YAML alias", id="alias"),
        pytest.param("a: !!python/name:os.system ''", "line 1: it uses a YAML tag", id="tag"),
    ],
)
def test_what_is_odd_is_refused_with_its_line(text, reason):
    with pytest.raises(PlainYamlError, match=reason.replace("[", r"\[")):
        read_plain(text, 100)


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_a_file_of_brackets_does_not_end_the_process(bracket):
    with pytest.raises(PlainYamlError, match="nested more than 30 levels|did not find"):
        read_plain(bracket * 200_000, 10_000_000)


def test_values_are_counted():
    read_plain("[" + "x," * 98 + "x]", 100)
    with pytest.raises(PlainYamlError, match="more than 100 values"):
        read_plain("[" + "x," * 99 + "x]", 100)
