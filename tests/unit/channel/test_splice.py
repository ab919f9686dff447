"""A file of which the unchanged names are copied is the same as one that is written anew."""

import io

from hypothesis import given
from hypothesis import strategies as st

from pulp_conda.channel.metadata.splice import Document, Earlier, ObjectWriter

# By name, the entries of each of two sections: a key and a value.
NAMES = st.sampled_from(["a", "a-b", "a.b", "a_b", "ab", "é", "_"])
VALUES = st.sampled_from([b"{}", b'{"x":"},{"}', b'"\xc3\xa9"', b"[1,2]"])
ENTRIES = st.lists(VALUES, max_size=3)
FILES = st.dictionaries(NAMES, st.tuples(ENTRIES, ENTRIES))


class _InOrder(io.BytesIO):
    """A file that is read from its start to its end."""

    def seek(self, position):
        assert position >= self.tell()
        return super().seek(position)


def _written(content, earlier=None, changed=()):
    names = sorted(content if earlier is None else content.keys() & set(changed))
    sections = [ObjectWriter(earlier, key) for key in ("one", "two")]
    for name in names:
        for section, entries in zip(sections, content[name], strict=True):
            for number, value in enumerate(entries):
                section.add(f"{name}-{number}", value)
            section.end_name(name)
    document = Document()
    document.add(b'{"one":')
    document.add_object("one", sections[0])
    document.add(b',"two":')
    document.add_object("two", sections[1])
    document.add(b"}\n")
    return document


@given(FILES, FILES, st.sets(NAMES))
def test_what_is_copied_is_what_would_be_written(before, after, also_changed):
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    changed = sorted(changed | also_changed)
    old = _written(before)
    file = _InOrder(old.read())
    spliced = _written(after, Earlier(file, old.layout, changed), changed)
    expected = _written(after)
    data = expected.read()
    assert spliced.read() == data
    assert spliced.size == expected.size == len(data)
    for key, section in expected.layout.sections.items():
        found = spliced.layout.sections[key]
        assert (found.start, list(found.names), list(found.sizes)) == (
            section.start,
            list(section.names),
            list(section.sizes),
        )


@given(FILES)
def test_a_layout_says_where_the_entries_of_each_name_stand(content):
    document = _written(content)
    data = document.read()
    for place, key in enumerate(("one", "two")):
        section = document.layout.sections[key]
        assert list(section.names) == sorted(name for name in content if content[name][place])
        for name, offset, size in zip(
            section.names, section.offsets[:-1], section.sizes, strict=True
        ):
            entries = data[section.start + offset :][: size - 1]
            assert entries == b",".join(
                b'"%b-%d":%b' % (name.encode(), number, value)
                for number, value in enumerate(content[name][place])
            )
