"""Secrets of webhook endpoints: made at random, sealed at rest, and used to sign (Standard Webhooks).

The key that seals is derived from SECRET_KEY. A secret's text exists only in the answers that hand it out.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.settings import settings

PREFIX = "whsec_"
SECRET_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"  # Of the sealed form, so that another cipher can come later.


class SecretUnreadable(Exception):
    """The sealed secret was not made with this SECRET_KEY."""


class NotASecret(ValueError):
    """The text is not `whsec_` and base64."""


def from_text(text: str) -> bytes:
    """Return the bytes of a secret as receivers configure it. Raises NotASecret."""
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise NotASecret("A secret looks like whsec_ followed by base64") from None


def new_secret() -> bytes:
    """Return 32 random bytes."""
    return secrets.token_bytes(SECRET_BYTES)


def as_text(secret: bytes) -> str:
    """Return the secret as receivers configure it."""
    return PREFIX + base64.b64encode(secret).decode()


def seal(secret: bytes, endpoint_id: UUID) -> bytes:
    """Encrypt a secret for its endpoint; under another endpoint's id it does not open."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + _cipher(settings().secret_key).encrypt(nonce, secret, endpoint_id.bytes)


def unseal(sealed: bytes, endpoint_id: UUID) -> bytes:
    """Decrypt a secret. Raises SecretUnreadable."""
    if sealed[:1] != _VERSION:
        raise SecretUnreadable
    nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return _cipher(settings().secret_key).decrypt(nonce, rest, endpoint_id.bytes)
    except (InvalidTag, ValueError):
        raise SecretUnreadable from None


@lru_cache(maxsize=2)
def _cipher(key: str) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"florin webhook secrets 1")
    return AESGCM(derived.derive(key.encode()))


def signatures(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` header: one `v1,…` for each secret in force."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys
    )
