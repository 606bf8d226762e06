"""One attempt over HTTP: to the very address that was checked, within 15 seconds in all, without redirects.

TLS is verified against the name in the URL although the connection goes to an address. Nothing here touches
the database: a job goes in, an attempt comes out, whatever the receiver does.
"""

import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Timeout, create_urllib3_context

from app.domain.ids import EPOCH
from app.domain.webhook_addresses import AddressError
from app.domain.webhooks import (
    IN_FLIGHT_PER_ENDPOINT_MAX,
    RESPONSE_BYTES_KEPT,
    RESPONSE_BYTES_READ,
    SEND_SECONDS,
    Attempt,
    DeliveryError,
    classify,
    read_retry_after,
)
from app.flows.webhook_addresses import NotResolved, Route, Router
from app.flows.webhook_secrets import signatures

CONNECT_SECONDS = 5.0  # For one of several addresses; the last one gets all the time that is left.
POOLS_MAX = 200
USER_AGENT = "Florin-Webhooks/1"


@dataclass(frozen=True, slots=True)
class Job:
    """What to send where. `lease_until` tells which claim it belongs to; `keys` are the secrets in force."""

    organization_id: UUID
    endpoint_id: UUID
    delivery_id: UUID
    message_id: UUID
    attempt_count: int
    max_attempts: int
    lease_until: datetime
    url: str
    keys: tuple[bytes, ...]
    body: bytes


class _Turn(threading.local):
    """What the sending thread knows of its own attempt."""

    deadline = float("inf")
    reused = False


_turn = _Turn()


def _left() -> float:
    left = _turn.deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("The time for this delivery is over")
    return left


class _TimedSocket(socket.socket):
    """A socket whose every read and write ends with the attempt of its thread.

    A time-out of urllib3 begins anew with every byte; a receiver that drips would hold the thread for hours.
    """

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self.settimeout(_left())
        super().sendall(*arguments)


class _TimedTlsSocket(ssl.SSLSocket):
    """The same over TLS."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(_left())
        super().do_handshake(block)

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self.settimeout(_left())
        super().sendall(*arguments)


class _Counting:
    """Notes whether a connection has served a request before."""

    served = 0

    def request(self, *arguments: Any, **named: Any) -> None:
        _turn.reused = self.served > 0
        self.served += 1
        super().request(*arguments, **named)  # type: ignore[misc]  # The other parent has it.


class _PlainConnection(_Counting, HTTPConnection):
    def connect(self) -> None:
        super().connect()
        plain = cast(socket.socket, self.sock)
        self.sock = _TimedSocket(fileno=plain.detach())


class _TlsConnection(_Counting, HTTPSConnection):
    """TLS sockets are timed by the context that makes them."""


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def tls_context(authorities: str | None = None) -> ssl.SSLContext:
    """Return what receivers' certificates are verified with: the system's authorities, or those of a file."""
    context = create_urllib3_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(authorities)
    context.sslsocket_class = _TimedTlsSocket
    return context


class Sender:
    """Sends attempts; keeps connections to receivers whose address stays the same. Safe for many threads."""

    def __init__(self, router: Router, context: ssl.SSLContext | None = None) -> None:
        """Take who finds addresses and what verifies certificates."""
        self._router = router
        self._context = context or tls_context()
        self._pools = self._new_pools(POOLS_MAX)

    def send(self, job: Job, seconds: float = SEND_SECONDS) -> Attempt:
        """Make one attempt; every outcome is an Attempt."""
        if not job.keys:
            return Attempt(
                DeliveryError.SECRET_UNREADABLE,
                error="The endpoint's secret was sealed with another SECRET_KEY: rotate it",
            )
        _turn.deadline = time.monotonic() + seconds
        try:
            return self._try_addresses(job, self._router.route(job.url))
        except NotResolved:
            return Attempt(DeliveryError.NAME_NOT_RESOLVED, error="The host does not resolve")
        except AddressError as error:
            return Attempt(DeliveryError.ADDRESS_REFUSED, error=f"The URL {error}")
        except (HTTPError, OSError, ValueError) as error:
            return _failure(error)

    def close(self) -> None:
        """Close idle connections."""
        self._pools.clear()

    def _try_addresses(self, job: Job, route: Route) -> Attempt:
        for address in route.addresses[:-1]:
            try:
                return self._post(job, route, address, min(CONNECT_SECONDS, _left()))
            except (NewConnectionError, ConnectTimeoutError):
                continue
        return self._post(job, route, route.addresses[-1], _left())

    def _post(self, job: Job, route: Route, address: str, connect_seconds: float) -> Attempt:
        try:
            return self._exchange(self._pools, job, route, address, connect_seconds)
        except ProtocolError:
            # The receiver may have closed an idle connection just as we used it again. That is no failure of
            # its own: the same message goes out once more, on a connection that is new.
            if not _turn.reused:
                raise
        return self._exchange(self._new_pools(1), job, route, address, connect_seconds)

    def _new_pools(self, number: int) -> urllib3.PoolManager:
        made = urllib3.PoolManager(
            number, maxsize=IN_FLIGHT_PER_ENDPOINT_MAX, retries=False, ssl_context=self._context
        )
        made.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
        return made

    def _exchange(
        self, pools: urllib3.PoolManager, job: Job, route: Route, address: str, connect_seconds: float
    ) -> Attempt:
        target = route.target
        # The certificate is checked against this name by OpenSSL; the connection goes to the address.
        named = {"server_hostname": target.host} if target.scheme == "https" else None
        # Receivers compare this with their own clock, so it is the real time, whatever a test clock says.
        timestamp = int(time.time())
        headers = {
            "Host": target.host_header, "Content-Type": "application/json", "User-Agent": USER_AGENT,
            "webhook-id": str(job.message_id), "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(job.keys, str(job.message_id), timestamp, job.body),
        }
        response = pools.connection_from_host(address, target.port, target.scheme, named).urlopen(
            "POST", target.path, body=job.body, headers=headers, redirect=False, retries=False,
            preload_content=False, decode_content=False, assert_same_host=False,
            timeout=Timeout(connect=connect_seconds, read=_left()),
        )
        try:
            return _read(response)
        finally:
            response.release_conn()


def _read(response: Any) -> Attempt:
    """Return what the answer means; its body is only a help for people and decides nothing."""
    kept = b""
    total = 0
    try:
        while chunk := response.read(8_192):
            total += len(chunk)
            kept += chunk[: RESPONSE_BYTES_KEPT - len(kept)]
            if total >= RESPONSE_BYTES_READ:
                response.close()
                break
    except (HTTPError, OSError, ValueError):
        response.close()
    status = int(response.status)
    code = classify(status)
    text = kept.decode("utf-8", "replace").replace("\x00", "\ufffd")
    real_now = EPOCH + timedelta(seconds=time.time())
    wish = read_retry_after(status, response.headers.get("Retry-After"), real_now)
    return Attempt(code, status, text, None if code is None else f"HTTP {status}", wish)


def _failure(error: Exception) -> Attempt:
    """Return the attempt that ended without an answer; the words are ours, so that no address leaks."""
    inner = [error, error.__cause__, error.__context__, *error.args]
    if isinstance(error, NewConnectionError):
        return Attempt(DeliveryError.CONNECTION_FAILED, error="The connection was refused or is impossible")
    if isinstance(error, ConnectTimeoutError):
        return Attempt(DeliveryError.CONNECT_TIMEOUT, error="No connection within the time allowed")
    if isinstance(error, SSLError):
        return Attempt(DeliveryError.TLS_FAILED, error=f"TLS failed: {_reason(error)}")
    if isinstance(error, ReadTimeoutError) or any(isinstance(one, TimeoutError) for one in inner):
        return Attempt(DeliveryError.RESPONSE_TIMEOUT, error=f"No answer within {SEND_SECONDS:g} seconds")
    answered = [one for one in inner if isinstance(one, http.client.HTTPException | InvalidHeader)]
    if answered and not isinstance(answered[0], http.client.RemoteDisconnected):
        return Attempt(DeliveryError.INVALID_RESPONSE, error="The answer is not HTTP")
    return Attempt(DeliveryError.CONNECTION_FAILED, error="The connection was closed before an answer came")


def _reason(error: SSLError) -> str:
    found = next((one for one in error.args if isinstance(one, ssl.SSLError)), None)
    if isinstance(found, ssl.SSLCertVerificationError):
        return found.verify_message[:200]
    return str(getattr(found, "reason", None) or "the handshake did not succeed")[:200]
