"""Resolving where a webhook goes, and refusing what is not public. What is refused stands in the domain.

The addresses that were checked are the ones that are connected to; no name is resolved a second time between.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.domain.errors import ValidationError
from app.domain.webhook_addresses import AddressError, Network, Target, check, read_url
from app.settings import settings

ADDRESSES_MAX = 4  # Of one name; more are not tried.
REMEMBERED_SECONDS = 10.0  # Short, so that a receiver that moves is found; checked as every other answer.
REMEMBERED_MAX = 1_000

Resolve = Callable[[str, int], Sequence[str]]


class NotResolved(Exception):
    """The name has no address now."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name in the order of the system's preference. Raises NotResolved."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        raise NotResolved from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_new(url: str) -> None:
    """Refuse the URL of an endpoint that is being configured. Raises ValidationError for `url`.

    Outside production a name that does not resolve is let pass: development machines are often offline, and
    the address is checked again at every delivery.
    """
    found = settings()
    try:
        target = read_url(url)
        try:
            addresses = _addresses(target, resolve)
        except NotResolved:
            if found.production or target.is_local_name:
                raise AddressError("has a host that does not resolve") from None
            addresses = []
        check(target, addresses, found.webhook_allowed_networks)
    except AddressError as error:
        raise ValidationError(details={"url": str(error)}) from None


@dataclass(frozen=True, slots=True)
class Route:
    """A target and the addresses that it may be reached at."""

    target: Target
    addresses: tuple[str, ...]


class Router:
    """Finds and checks the addresses of deliveries; remembers answers for some seconds."""

    def __init__(self, networks: Sequence[Network], look_up: Resolve = resolve) -> None:
        """Take the networks that are allowed though they are private, and who resolves names."""
        self._networks = networks
        self._look_up = look_up
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Route]] = {}

    def route(self, url: str) -> Route:
        """Return where to connect for a URL. Raises AddressError, NotResolved."""
        with self._lock:
            known = self._known.get(url)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        target = read_url(url)
        addresses = _addresses(target, self._look_up)
        check(target, addresses, self._networks)
        route = Route(target, tuple(addresses[:ADDRESSES_MAX]))
        with self._lock:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            self._known[url] = (time.monotonic() + REMEMBERED_SECONDS, route)
        return route


def _addresses(target: Target, look_up: Resolve) -> list[str]:
    if target.literal is not None:
        return [str(target.literal)]
    found = list(look_up(target.host, target.port))
    if not found:
        raise NotResolved
    return found
