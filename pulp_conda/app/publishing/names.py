"""Store what people ask about the names of a publication."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pulp_conda.app.models import CondaPublication, NameBlock, PublicationNames
from pulp_conda.app.publishing.base import Base, Doubt
from pulp_conda.channel.metadata.names import (
    Names,
    decode_block,
    decode_lines,
    dependencies_line,
    encode_block,
    encode_facts,
    encode_lines,
    name_of,
    searched_line,
)

# Names in a block. With more, one name takes longer to read; with fewer, all of them take more
# space. A block that grows has up to twice as many.
_BLOCK = 128

_TAKE_BLOCKS = """
INSERT INTO conda_nameblock (publication_id, first, data)
SELECT %(publication)s, first, data FROM conda_nameblock
WHERE publication_id = %(base)s AND first <> ALL(%(changed)s)
"""

_V = TypeVar("_V")


class NamesWriter:
    """Stores the names of a publication.

    Attributes:
        gathered: What is gathered from the packages of each subdir.
    """

    def __init__(self, publication: CondaPublication) -> None:
        self._publication = publication
        self.gathered = Names()
        self._searched: dict[str, str] = {}
        self._depends: dict[str, str] = {}
        self._facts: dict[str, bytes] = {}

    def describe(self, name: str, summary: Mapping[str, Any]) -> None:
        """Take the entry of a name in channeldata.json. It is called in the order of names."""
        facts = self.gathered.take(name, summary)
        self._searched[name] = searched_line(facts)
        self._depends[name] = dependencies_line(facts)
        self._facts[name] = encode_facts(facts)

    def store(self) -> None:
        """Store what was taken, as all names of the publication."""
        self._store_lines(self._searched, self._depends)
        NameBlock.objects.bulk_create(self._blocks(self._facts, _BLOCK))

    def store_changed(self, base: Base, changed: Sequence[str]) -> None:
        """Store the names of another publication, but those that changed as they were taken.

        The cost is that of the names that changed, but for lines of some megabytes.

        Raises:
            Doubt: the other publication has no names, or is being deleted.
        """
        with base.held() as cursor:
            before = PublicationNames.objects.filter(publication=base.publication).first()
            if before is None:
                raise Doubt("the publication before has no names")
            self._store_lines(
                _merged(_by_name(before.searched), changed, self._searched),
                _merged(_by_name(before.depends), changed, self._depends),
            )
            blocks = NameBlock.objects.filter(publication=base.publication)
            firsts = list(blocks.order_by("first").values_list("first", flat=True))
            by_block = _by_block(firsts, changed)
            changed_blocks: list[NameBlock] = []
            for block in blocks.filter(first__in=by_block):
                names = by_block[block.first]
                facts = _merged(decode_block(block.data), names, self._facts)
                changed_blocks += self._blocks(facts, 2 * _BLOCK)
            if not firsts:
                changed_blocks = self._blocks(self._facts, _BLOCK)
            NameBlock.objects.bulk_create(changed_blocks)
            cursor.execute(
                _TAKE_BLOCKS,
                {
                    "publication": self._publication.pk,
                    "base": base.publication.pk,
                    "changed": list(by_block),
                },
            )

    def store_merged(self, members: Sequence[tuple[CondaPublication, Collection[str]]]) -> None:
        """Store the names that several publications have, each name from one of them.

        Nothing is stored if one of these publications has no names.

        Args:
            members: Each publication with the names that are not taken from it.
        """
        searched: dict[str, str] = {}
        depends: dict[str, str] = {}
        facts: dict[str, bytes] = {}
        for publication, hidden in members:
            names = PublicationNames.objects.filter(publication=publication).first()
            if names is None:
                return
            searched |= _without(_by_name(names.searched), hidden)
            depends |= _without(_by_name(names.depends), hidden)
            for block in NameBlock.objects.filter(publication=publication):
                facts |= _without(decode_block(block.data), hidden)
        self._store_lines(dict(sorted(searched.items())), dict(sorted(depends.items())))
        NameBlock.objects.bulk_create(self._blocks(dict(sorted(facts.items())), _BLOCK))

    def _store_lines(self, searched: Mapping[str, str], depends: Mapping[str, str]) -> None:
        PublicationNames.objects.create(
            publication=self._publication,
            count=len(searched),
            searched=encode_lines(searched.values()),
            depends=encode_lines(depends.values()),
        )

    def _blocks(self, facts: Mapping[str, bytes], most: int) -> list[NameBlock]:
        """Return facts as one block, or as many if there are more names than that."""
        names = list(facts)
        step = len(names) if len(names) <= most else _BLOCK
        blocks = [names[start : start + step] for start in range(0, len(names), step or 1)]
        return [
            NameBlock(
                publication=self._publication,
                first=block[0],
                data=encode_block({name: facts[name] for name in block}),
            )
            for block in blocks
        ]


def _without(values: Mapping[str, _V], hidden: Collection[str]) -> dict[str, _V]:
    return {name: value for name, value in values.items() if name not in hidden}


def _by_name(lines: bytes) -> dict[str, str]:
    return {name_of(line): line for line in decode_lines(lines)}


def _merged(
    before: Mapping[str, _V], changed: Iterable[str], new: Mapping[str, _V]
) -> dict[str, _V]:
    """Return the values of all names in their order: the new ones for the names that changed."""
    merged = dict(before)
    for name in changed:
        merged.pop(name, None)
        if name in new:
            merged[name] = new[name]
    return dict(sorted(merged.items()))


def _by_block(firsts: Sequence[str], names: Collection[str]) -> dict[str, list[str]]:
    """Return some names by the first name of the block that has them, or is to have them."""
    by_block = defaultdict[str, list[str]](list)
    for name in names if firsts else ():
        by_block[firsts[max(0, bisect_right(firsts, name) - 1)]].append(name)
    return by_block
