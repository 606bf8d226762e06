"""Who is asking: the key in the request, and the identity behind it, remembered for less than a second.

A key is looked up by its SHA-256, so no comparison can leak its text; a revoked one is refused everywhere
within a second (decision B1).
"""

import hashlib
import time
from collections.abc import Callable
from threading import Lock

from werkzeug.datastructures import Headers

from app.db import connection
from app.domain.errors import Unauthorized
from app.store import identities
from app.store.identities import Identity

REMEMBERED_SECONDS = 0.9
REMEMBERED_MAX = 10_000
KEY_LENGTH_MAX = 256


class Credentials:
    """Resolves keys; one a process. `find` asks the database."""

    def __init__(self, find: Callable[[bytes], Identity | None] | None = None) -> None:
        """Use `find` in place of the database where a test brings its own."""
        self._find = find or _find
        self._known: dict[str, tuple[float, Identity]] = {}
        self._lock = Lock()

    def identify(self, headers: Headers) -> Identity:
        """Return who sent these headers. Raises Unauthorized, always with the same words."""
        key = key_of(headers)
        if key is None:
            raise Unauthorized()
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and known[0] > now:
            return known[1]
        # Strangers' keys are not remembered: their number is not bounded by anything.
        identity = self._find(hashlib.sha256(key.encode()).digest())
        with self._lock:
            if identity is None:
                self._known.pop(key, None)
                raise Unauthorized()
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            self._known[key] = (now + REMEMBERED_SECONDS, identity)
        return identity


def key_of(headers: Headers) -> str | None:
    """Return the key from `Authorization: Bearer` or `X-API-Key`; both, and different, is no key."""
    bearer = headers.get("Authorization")
    plain = headers.get("X-API-Key")
    if bearer is not None:
        scheme, _, token = bearer.partition(" ")
        if scheme.lower() != "bearer" or (plain is not None and plain != token.strip()):
            return None
        plain = token.strip()
    if plain is None or not plain.startswith("sk_") or len(plain) > KEY_LENGTH_MAX or not plain.isascii():
        return None
    return plain


def _find(key_hash: bytes) -> Identity | None:
    with connection() as c:
        return identities.find(c, key_hash)
