"""The shapes of webhook endpoints and deliveries. What messages hold is webhook_messages.py."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictStr

from app.api.fields import (
    Answer,
    Body,
    Description,
    Instant,
    InstantText,
    Patch,
    Query,
    UuidText,
    bounded_integer,
    fault,
    query_integer,
)
from app.api.pages import Cursor, list_of
from app.domain.json import dumps
from app.domain.names import WebhookType
from app.domain.webhooks import (
    METADATA_BYTES_MAX,
    OVERLAP_SECONDS_MAX,
    URL_LENGTH_MAX,
    DeliveryError,
    DeliveryStatus,
)

TYPES = ("*", *(str(kind) for kind in WebhookType))
Changeable = Literal["ACTIVE", "DISABLED"]


def _known_types(values: list[str]) -> list[str]:
    if any(value not in TYPES for value in values):
        raise fault("must hold types of webhook events, or *")
    return list(dict.fromkeys(values))


def _small(value: Any) -> Any:
    if len(dumps(value).encode("utf-8", "surrogatepass")) > METADATA_BYTES_MAX:
        raise fault(f"must not be larger than {METADATA_BYTES_MAX} bytes of JSON")
    if "\x00" in dumps(value) or "\\u0000" in dumps(value):
        raise fault("must not contain NUL")
    return value


Url = Annotated[StrictStr, Field(
    min_length=1, max_length=URL_LENGTH_MAX, examples=["https://example.com/hooks"],
    json_schema_extra={"pattern": r"^https?://[^\s/?@#\x00-\x1f]+([/?][^\s#\x00-\x1f]*)?$"},
    description="HTTPS; its host must resolve to public addresses.",
)]
Events = Annotated[
    list[StrictStr], Field(
        min_length=1, max_length=len(TYPES), json_schema_extra={"items": {"type": "string", "enum": TYPES}},
        description="The types to get; `*` means all.", examples=[["balance.credited", "event.failed"]],
    ), AfterValidator(_known_types),
]
Metadata = Annotated[Any, Field(
    description="Any JSON of yours, up to 16 KiB."
), AfterValidator(_small)]


class WebhookEndpointCreate(Body):
    """A new endpoint."""

    url: Url
    enabled_events: Events
    description: Description | None = None
    metadata: Metadata = None


class WebhookEndpointPatch(Patch):
    """The fields to change; absent ones stay. `enabled_events` and `metadata` are replaced as a whole."""

    nullable = frozenset({"description", "metadata"})

    url: Url | None = None
    enabled_events: Events | None = None
    description: Description | None = None
    metadata: Metadata = None
    status: Changeable | None = None


class SecretRotation(Body):
    """How to rotate."""

    overlap_seconds: Annotated[bounded_integer(0, OVERLAP_SECONDS_MAX), Field(
        description="For how long the old secret signs beside the new one."
    )] = 0


class Replay(Body):
    """What to send once more."""

    since: Annotated[Instant, Field(description="Messages created at or after; 30 days are kept.")]


class _Paged20(Query):
    """The lists of webhooks: 20 rows a page, at most 100."""

    limit: Annotated[query_integer(1, 100), Field(description="Rows per page.")] = 20
    cursor: Cursor = None


class WebhookEndpointsQuery(_Paged20):
    """Filters of the list of endpoints."""

    status: Changeable | None = None


class WebhookDeliveriesQuery(_Paged20):
    """Filters of an endpoint's deliveries."""

    status: DeliveryStatus | None = None


class WebhookEndpoint(Answer):
    """An address that gets messages."""

    id: UuidText
    url: str
    description: str | None = None
    enabled_events: Annotated[list[str], Field(
        json_schema_extra={"items": {"type": "string", "enum": TYPES}}
    )]
    metadata: Any = None
    status: Literal["ACTIVE", "DISABLED", "ARCHIVED"]
    created_at: InstantText
    updated_at: InstantText


class WebhookEndpointWithSecret(WebhookEndpoint):
    """An endpoint with its secret, which is shown this once."""

    secret: Annotated[str, Field(examples=["whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="])]


class WebhookDelivery(Answer):
    """One message on its way to one endpoint."""

    id: UuidText
    webhook_endpoint_id: UuidText
    webhook_event_id: Annotated[UuidText, Field(description="The message: `id` of its envelope.")]
    event_type: Annotated[str, Field(json_schema_extra={"enum": list(TYPES[1:])})]
    status: DeliveryStatus
    attempt_count: int
    max_attempts: int
    next_attempt_at: InstantText | None = None
    last_attempt_at: InstantText | None = None
    delivered_at: InstantText | None = None
    last_response_status: int | None = None
    error_code: DeliveryError | None = None
    resend_seq: Annotated[int, Field(description="0 for the first delivery of a message to an endpoint.")]
    created_at: InstantText
    updated_at: InstantText


class WebhookDeliveryDetail(WebhookDelivery):
    """A delivery with what the receiver answered last, cut to 4 KiB, or why there was no answer."""

    last_response_body: str | None = None
    last_error: str | None = None


class WebhookReplay(Answer):
    """What will be sent once more."""

    id: UuidText
    webhook_endpoint_id: UuidText
    since: InstantText
    until: InstantText


class WebhookEndpointStats(Answer):
    """How an endpoint has done in 24 hours: each delivery counts once, by its latest attempt."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    endpoint_id: UuidText
    url: str
    status: Changeable
    success_24h: int
    fail_24h: int
    success_rate: Annotated[float, Field(ge=0, le=1)]
    degraded: bool
    pending_count: int
    oldest_pending_at: InstantText | None
    last_attempt_at: InstantText | None
    circuit_broken_until: InstantText | None
    rate_limited_until: InstantText | None
    blocked_reason: Literal["circuit_broken", "rate_limited", "disabled"] | None
    blocked_until: InstantText | None


class WebhookStats(Answer):
    """The endpoints' figures."""

    data: list[WebhookEndpointStats]


WebhookEndpointList = list_of(WebhookEndpoint)
WebhookDeliveryList = list_of(WebhookDelivery)
