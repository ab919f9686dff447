"""Passwords that were right a moment ago are not hashed again."""

import hashlib
import hmac
import threading
import time
from collections import OrderedDict

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher

_SECONDS = 60
_MOST = 1000


class RememberingPasswordHasher(PBKDF2PasswordHasher):
    """Django's own hasher, which remembers for a minute that a password was right.

    A hash of a password takes a third of a second of CPU on purpose, and clients that log in with
    a password send it with each request, which are about eighty to solve one environment.

    Whether a password is that of a stored hash never changes. So nobody gets in by this who would
    not otherwise: the stored hash, and whether the user is active, are read at each request, and
    another password or another hash is not remembered. Wrong passwords are never remembered.

    What is kept is a digest under the secret key of Pulp, in the memory of one process.
    """

    def verify(self, password: str, encoded: str) -> bool:
        if was_right(password, encoded):
            return True
        is_right: bool = super().verify(password, encoded)
        if is_right:
            _right.add(_digest_of(password, encoded))
        return is_right


def was_right(password: str, encoded: str) -> bool:
    """Say whether it is remembered that a password is that of a stored hash.

    Args:
        encoded: The hash, as the row of the user has it.
    """
    return _digest_of(password, encoded) in _right


def _digest_of(password: str, encoded: str) -> bytes:
    key = settings.SECRET_KEY.encode()
    return hmac.digest(key, f"{encoded}\0{password}".encode(), hashlib.sha256)


class _Recent:
    """What was added during the last minute, but not more than the newest thousand."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, digest: bytes) -> bool:
        with self._lock:
            return self._until.get(digest, 0) > time.monotonic()

    def add(self, digest: bytes) -> None:
        with self._lock:
            self._until[digest] = time.monotonic() + _SECONDS
            self._until.move_to_end(digest)
            while len(self._until) > _MOST:
                self._until.popitem(last=False)


_right = _Recent()
