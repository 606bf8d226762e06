"""Where webhooks may go: reading a URL strictly, and telling public addresses from all others. Pure.

Resolving a name is app/flows/webhook_addresses.py.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PORTS = {"https": 443, "http": 80}
_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>\[[^\]/?#@\\]*\]|[^:\[\]/?#@\\]*)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][^#\\]*)?",
    re.ASCII,
)
_TARGET = re.compile(r"[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e%]*")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
# The last label of a name in the DNS is never a number; what ends in one is an address in some notation.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

# Names that mean a machine nearby, and one that never means anything.
LOCAL_NAMES = ("localhost", "local", "internal", "localdomain", "home.arpa", "invalid")

# IANA's registries of special-purpose addresses; written out, because Python's own view of them has changed.
_NOT_PUBLIC_4 = tuple(map(IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)))
# Only this part of IPv6 is global unicast. So loopback, ULA, link-local, multicast, IPv4-mapped and NAT64
# addresses are all outside; what is inside and special (Teredo, 6to4, documentation) follows.
_GLOBAL_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))


class AddressError(ValueError):
    """The URL or the address cannot be used; the text says why, without repeating it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, taken apart: `host` in lower case, without brackets or final dot; `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> Address | None:
        """The address, where the host is one."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def host_header(self) -> str:
        """What the Host header says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_local_name(self) -> bool:
        """Whether the name means this machine or one beside it, whatever it resolves to."""
        return any(self.host == name or self.host.endswith(f".{name}") for name in LOCAL_NAMES)


def read_url(text: str) -> Target:
    """Take a URL apart, refusing every notation on which two readers might differ. Raises AddressError."""
    match = _URL.fullmatch(text)
    if match is None:
        raise AddressError("must look like https://host/path, without user, password or fragment")
    scheme = match["scheme"].lower()
    if scheme not in _PORTS:
        raise AddressError("must begin with https://")
    port = int(match["port"] or _PORTS[scheme])
    if not 1 <= port <= 65_535:
        raise AddressError("has a port that does not exist")
    path = match["target"] or "/"
    if path.startswith("?"):
        path = "/" + path
    if not _TARGET.fullmatch(path):
        raise AddressError("must not contain spaces, control or non-ASCII characters; percent-encode them")
    return Target(scheme, _host(match["host"]), port, path)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1])) if "%" not in text else _refuse_host()
        except ValueError:
            return _refuse_host()
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            # Strict: four decimal numbers without leading zeros. Others take 0177.1 for 127.0.0.1.
            return str(IPv4Address(host))
        except ValueError:
            return _refuse_host()
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return _refuse_host()
    return host


def _refuse_host() -> str:
    raise AddressError("has a host that is neither a name in ASCII nor an address in its usual form")


def is_public(address: Address) -> bool:
    """Say whether an address is one of the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _GLOBAL_6 and not any(address in network for network in _NOT_PUBLIC_6)


def check(target: Target, addresses: Sequence[str], allowed: Sequence[Network]) -> None:
    """Raise AddressError unless every address may be reached in the target's way.

    Networks that the operator allows may be private, may go by a local name, and may speak plain http.
    """
    found = [_parse(text) for text in addresses]
    if found and all(any(address in network for network in allowed) for address in found):
        return
    if target.scheme != "https":
        raise AddressError("must begin with https://")
    if target.is_local_name:
        raise AddressError("must not be a local name")
    if not all(is_public(address) or any(address in net for net in allowed) for address in found):
        raise AddressError("must resolve to public addresses only")


def _parse(text: str) -> Address:
    # A zone (fe80::1%eth0) is only written for link-local addresses, which are never public.
    return ip_address(text.partition("%")[0])
