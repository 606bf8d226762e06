"""Whose address a request comes from, also behind reverse proxies; and whether its target is UTF-8.

X-Forwarded-For is believed only from a proxy that the setting TRUSTED_PROXIES names: anyone can write it.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote_to_bytes

from app.domain.errors import InvalidRequest
from app.settings import Network, settings

HOPS_MAX = 20  # A longer chain is not one of proxies; reading it would be work for nothing.


def client_address(environ: Mapping[str, Any]) -> str | None:
    """Return the client's address: the last one of the chain that no trusted proxy vouches for."""
    address: str | None = environ.get("REMOTE_ADDR") or None
    trusted = settings().trusted_proxies
    if not trusted:
        return address
    chain = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")[-HOPS_MAX:]
    while chain and _is_trusted(address, trusted):
        told = _plain(chain.pop())
        if told is None:
            break  # What is not an address is nobody's; the proxy that sent it is as far as is known.
        address = told
    return address


def _is_trusted(address: str | None, trusted: Sequence[Network]) -> bool:
    if address is None:
        return True  # A Unix socket: only the proxy beside the process can reach it.
    plain = _plain(address)
    return plain is not None and any(ip_address(plain) in network for network in trusted)


def _plain(text: str) -> str | None:
    """Return the address in `text` without port, brackets or the IPv6 form of IPv4; None for other texts."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def refuse_broken_text(environ: Mapping[str, Any]) -> None:
    """Refuse a path or query that is not UTF-8: it would be read as another text than was meant."""
    try:
        environ["PATH_INFO"].encode("latin-1").decode()
    except UnicodeError:
        raise InvalidRequest("The path is not valid UTF-8") from None
    query = environ.get("QUERY_STRING", "")
    try:
        if "%" in query or not query.isascii():
            unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeError:
        raise InvalidRequest("The query is not valid UTF-8") from None
