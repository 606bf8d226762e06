"""Webhooks as values: limits, the retry schedule, the circuit breaker, and what a receiver's answer means.

Pure. Which addresses may be reached is webhook_addresses.py; sending is app/flows/send_webhook.py.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

API_VERSION = "2026-03-01"

ATTEMPTS_MAX = 8
# After the first attempt to the seventh (decision F4); a day and a half in all, so that a weekend's night is
# survived without anybody's help.
RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400)
JITTER = 0.2  # So that what failed together does not come back together.
SEND_SECONDS = 15.0  # For everything: connecting, sending, reading the answer.
LEASE = timedelta(seconds=25)  # A send that its worker has not finished by then is done again.
RETRY_AFTER_MAX = timedelta(hours=24)  # A receiver cannot put us off for longer.
RETENTION = timedelta(days=30)

CIRCUIT_FAILURES = 10
CIRCUIT_SECONDS_MIN = 60
CIRCUIT_SECONDS_MAX = 3_600

IN_FLIGHT_PER_ENDPOINT_MAX = 16  # In all processes together: a receiver is not flooded.
IN_FLIGHT_AT_FIRST = 4  # A process gets to know an endpoint with few, so that many that hang cannot fill it.

ENDPOINTS_MAX = 100  # Of one organization: each of them multiplies every message.
URL_LENGTH_MAX = 2_048
METADATA_BYTES_MAX = 16_384
OVERLAP_SECONDS_MAX = 7 * 86_400
RESPONSE_BYTES_READ = 65_536
RESPONSE_BYTES_KEPT = 4_096

DEGRADED_BELOW = 0.95
DEGRADED_DELIVERIES_MIN = 20
STATS_WINDOW = timedelta(hours=24)


class EndpointStatus(StrEnum):
    """Whether an endpoint gets messages; ARCHIVED is the end."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    ARCHIVED = "ARCHIVED"


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class DeliveryError(StrEnum):
    """Why the last attempt failed; a closed list that programs may rely on."""

    RESPONSE_TIMEOUT = "consumer_response_timeout"
    CONNECT_TIMEOUT = "consumer_connect_timeout"
    CONNECTION_FAILED = "consumer_connection_failed"
    TLS_FAILED = "consumer_tls_failed"
    NAME_NOT_RESOLVED = "consumer_name_not_resolved"
    ADDRESS_REFUSED = "consumer_address_refused"
    INVALID_RESPONSE = "consumer_invalid_response"
    REDIRECT = "consumer_redirect"
    RATE_LIMITED = "consumer_rate_limited"
    GONE = "consumer_gone"
    CLIENT_ERROR = "consumer_client_error"
    SERVER_ERROR = "consumer_server_error"
    SECRET_UNREADABLE = "secret_unreadable"
    ENDPOINT_ARCHIVED = "endpoint_archived"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt: `error_code` is None for a success, `retry_after` the receiver's wish."""

    error_code: DeliveryError | None
    response_status: int | None = None
    response_body: str | None = None
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.error_code is None


def classify(status: int) -> DeliveryError | None:
    """Return what a status code means: None for 2xx, else why it is no success."""
    match status:
        case _ if 200 <= status < 300:
            return None
        case _ if 300 <= status < 400:
            return DeliveryError.REDIRECT
        case 410:
            return DeliveryError.GONE
        case 429:
            return DeliveryError.RATE_LIMITED
        case _ if 400 <= status < 500:
            return DeliveryError.CLIENT_ERROR
        case _ if 500 <= status < 600:
            return DeliveryError.SERVER_ERROR
        case _:
            return DeliveryError.INVALID_RESPONSE


def read_retry_after(status: int, header: str | None, real_now: datetime) -> timedelta | None:
    """Return how long a 429 or 503 asks us to wait: seconds, or an HTTP date against `real_now`; bounded."""
    if header is None or status not in (429, 503):
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        seconds = min(int(text[:9]), int(RETRY_AFTER_MAX.total_seconds()))
        return timedelta(seconds=seconds)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(at - real_now, timedelta(0)), RETRY_AFTER_MAX)


def next_attempt_at(
    attempt_count: int, max_attempts: int, now: datetime, jitter: float, retry_after: timedelta | None
) -> datetime | None:
    """Return when to try again after so many attempts, None where there are no more.

    `jitter` lies between -1 and 1 and moves the delay by up to a fifth; the receiver's wish is a minimum.
    """
    if attempt_count >= max_attempts:
        return None
    seconds = RETRY_SECONDS[min(attempt_count, len(RETRY_SECONDS)) - 1]
    delay = timedelta(seconds=seconds * (1 + JITTER * jitter))
    return now + (delay if retry_after is None else max(delay, retry_after))


@dataclass(frozen=True, slots=True)
class Circuit:
    """The breaker of one endpoint.

    `delay_seconds` is the length of the last opening, 0 while closed. When `broken_until` has passed, one
    attempt probes: its success closes the circuit, its failure opens it for twice as long.
    """

    consecutive_failures: int = 0
    delay_seconds: int = 0
    broken_until: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether nothing may be sent."""
        return self.broken_until is not None and now < self.broken_until

    @property
    def is_probing(self) -> bool:
        """Whether it was opened and no success has closed it since."""
        return self.delay_seconds > 0

    def after(self, attempt: Attempt, now: datetime) -> "Circuit":
        """Return the circuit after one more attempt.

        A receiver that says when to come back is not broken: its wish is kept apart from the circuit.
        """
        if attempt.delivered:
            return Circuit()
        if attempt.retry_after is not None:
            return self
        counted = replace(self, consecutive_failures=self.consecutive_failures + 1)
        if self.is_open(now):
            return counted  # It was sent before the circuit opened and tells nothing new.
        if not self.is_probing and counted.consecutive_failures < CIRCUIT_FAILURES:
            return counted
        seconds = CIRCUIT_SECONDS_MIN
        if self.is_probing:
            seconds = min(2 * self.delay_seconds, CIRCUIT_SECONDS_MAX)
        return replace(counted, delay_seconds=seconds, broken_until=now + timedelta(seconds=seconds))


def next_window(window: int, *, delivered: bool) -> int:
    """Return how many sends a process may have under way to an endpoint after one more has ended.

    One more for each success, half after a failure: what works gets room, what hangs loses it.
    """
    return min(window + 1, IN_FLIGHT_PER_ENDPOINT_MAX) if delivered else max(window // 2, 1)


def room(circuit: Circuit, window: int, in_flight_here: int, in_flight_everywhere: int) -> int:
    """Return how many more sends to an endpoint a process may begin."""
    if circuit.is_probing:
        return 1 if in_flight_everywhere == 0 else 0
    return max(0, min(window - in_flight_here, IN_FLIGHT_PER_ENDPOINT_MAX - in_flight_everywhere))


def success_rate(delivered: int, failed: int) -> float:
    """Return the share of successes to four digits; 1 where nothing was sent."""
    return round(delivered / (delivered + failed), 4) if delivered + failed else 1.0


def is_degraded(delivered: int, failed: int) -> bool:
    """Say whether too much of what was sent in 24 hours has failed, once it is enough to judge by."""
    sent = delivered + failed
    return sent >= DEGRADED_DELIVERIES_MIN and delivered < DEGRADED_BELOW * sent
