"""Packages that clients send to channels, by whatever protocol.

A door turns the protocol of a client into an `Arrival`. It asks `check_rights` before it takes any
byte, gives the received file to `accept`, and waits for the `Outcome`, which comes when the package
is served. Uploads that arrive together become one version and one publication: see `joining`.
"""

from .accepting import accept, check_place
from .arrival import Arrival, Outcome
from .rights import check_rights, repository_of
from .waiting import outcome, wait

__all__ = [
    "Arrival",
    "Outcome",
    "accept",
    "check_place",
    "check_rights",
    "outcome",
    "repository_of",
    "wait",
]
