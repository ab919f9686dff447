"""The channels that the labels of anaconda.org stand for, as `CONDA_UPLOAD_LABELS` says."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings


class Label(NamedTuple):
    """A label of a channel.

    Fields:
        domain: The name of the domain of the channel. None for channels of all domains.
        owner: The channel, by the base path or the upload alias that users give with `--user`.
        label: The label.
        channel: The base path of the channel that it stands for, in the same domain.
    """

    domain: str | None
    owner: str
    label: str
    channel: str


def read_labels(setting: Any) -> list[Label]:
    """Return what the setting says.

    It has texts by owner and label, for all domains, or by domain, owner and label. Both forms may
    stand in it side by side.

    Raises:
        ValueError: it is none of that. The text names the place.
    """
    labels: list[Label] = []
    for key, entry in _items(setting, "CONDA_UPLOAD_LABELS"):
        place = f"CONDA_UPLOAD_LABELS['{key}']"
        if not any(isinstance(value, Mapping) for _label, value in _items(entry, place)):
            labels += _of_owner(None, key, entry, place)
            continue
        for owner, of_owner in _items(entry, place):
            labels += _of_owner(key, owner, of_owner, f"{place}['{owner}']")
    return labels


def labels_of(domain: str, names: Collection[str]) -> dict[str, str]:
    """Return the base paths of channels by label.

    An entry for the domain takes the place of one for all domains.

    Args:
        domain: The name of the domain of the channel.
        names: The names by which users may know the channel.

    Raises:
        ValueError: the setting is wrong, which `pulpcore-manager check` says as well.
    """
    found = [label for label in read_labels(settings.CONDA_UPLOAD_LABELS) if label.owner in names]
    own = [label for label in found if label.domain == domain]
    return {each.label: each.channel for each in own or found if each.domain in (None, domain)}


def _of_owner(domain: str | None, owner: str, entry: Any, place: str) -> Iterator[Label]:
    for label, channel in _items(entry, place):
        if not isinstance(channel, str) or not channel.strip("/"):
            raise ValueError(f"{place}['{label}'] is {channel!r}, not the path of a channel")
        yield Label(domain, owner, label, channel)


def _items(value: Any, place: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} is {value!r}, not a dictionary")
    for key in value:
        if not isinstance(key, str) or not key:
            raise ValueError(f"{place} has the key {key!r}, which is no name")
    return list(value.items())
