"""Webhook endpoints and their deliveries over HTTP."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.api.models.webhooks import (
    Replay,
    SecretRotation,
    WebhookDeliveriesQuery,
    WebhookDeliveryDetail,
    WebhookDeliveryList,
    WebhookEndpoint,
    WebhookEndpointCreate,
    WebhookEndpointList,
    WebhookEndpointPatch,
    WebhookEndpointsQuery,
    WebhookEndpointWithSecret,
    WebhookReplay,
    WebhookStats,
)
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection, read_clock
from app.domain.errors import EndpointNotActive, LimitExceeded, NotFound, NotResendable
from app.domain.webhooks import (
    STATS_WINDOW,
    DeliveryStatus,
    EndpointStatus,
    is_degraded,
    success_rate,
)
from app.flows import manage_webhooks
from app.store import webhook_deliveries, webhook_endpoints

_TAG = "Webhooks"


def endpoint_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show an endpoint; its secret only where a flow has just made it."""
    shown = present(
        row, required=("id", "url", "enabled_events", "status", "created_at", "updated_at"),
        optional=("description", "metadata"),
    )
    return shown | ({"secret": row["secret"]} if isinstance(row.get("secret"), str) else {})


def delivery_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a delivery as in lists."""
    shown = present(
        row, required=(
            "id", "webhook_endpoint_id", "webhook_event_id", "event_type", "status", "attempt_count",
            "max_attempts", "resend_seq", "created_at", "updated_at",
        ),
        optional=("last_attempt_at", "delivered_at", "last_response_status", "error_code"),
    )
    # While it is being sent, the column holds the worker's lease, which is nobody's business.
    if row["status"] == DeliveryStatus.PENDING:
        shown["next_attempt_at"] = row["next_attempt_at"]
    return shown


def delivery_detail(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show a delivery with the receiver's last answer."""
    return delivery_view(row) | present(row, required=(), optional=("last_response_body", "last_error"))


@route(
    "POST", "/v1/webhook-endpoints", summary="Create a webhook endpoint", tag=_TAG,
    body=WebhookEndpointCreate, responses={201: WebhookEndpointWithSecret}, errors=[LimitExceeded],
    log_bodies=False,
    description=(
        "The answer holds the secret, this once; verify every message with it. The host must resolve to "
        "public addresses; it is checked again at every delivery."
    ),
    example={
        "url": "https://example.com/hooks", "enabled_events": ["balance.credited", "event.failed"],
        "description": "Shop backend", "metadata": {"team": "growth"},
    },
)
def create_webhook_endpoint(request: Request) -> Reply:
    """Create an endpoint."""
    body: WebhookEndpointCreate = request.body
    return Reply(201, endpoint_view(manage_webhooks.create(
        request.organization_id, url=body.url, enabled_events=body.enabled_events,
        description=body.description or None, metadata=body.metadata,
    )))


@route(
    "GET", "/v1/webhook-endpoints", summary="List webhook endpoints", tag=_TAG,
    query=WebhookEndpointsQuery, responses={200: WebhookEndpointList},
    description="Newest first; archived ones are left out. Secrets are never shown.",
)
def list_webhook_endpoints(request: Request) -> Reply:
    """List endpoints."""
    status = EndpointStatus(request.query.status) if request.query.status else None
    with connection() as c:
        return listing(request, webhook_endpoints.ORDER, lambda page: webhook_endpoints.page(
            c, request.organization_id, page, status
        ), endpoint_view)


@route(
    "GET", "/v1/webhook-endpoints/delivery-stats", summary="How deliveries go", tag=_TAG,
    responses={200: WebhookStats},
    description=(
        "One row for each endpoint that is not archived. Each delivery attempted in the last 24 hours counts "
        "once, by its latest attempt. `degraded`: below 0.95 over 20 or more. `blocked_reason` says why "
        "nothing is sent now."
    ),
)
def webhook_delivery_stats(request: Request) -> Reply:
    """Return the figures of all endpoints."""
    with connection() as c:
        now = read_clock(c)
        rows = webhook_deliveries.stats(c, request.organization_id, now - STATS_WINDOW)
    return Reply(200, {"data": [_stats_view(row, now) for row in rows]})


@route(
    "GET", "/v1/webhook-endpoints/{id}", summary="Get a webhook endpoint", tag=_TAG,
    responses={200: WebhookEndpoint},
)
def get_webhook_endpoint(request: Request) -> Reply:
    """Return an endpoint, without its secret; archived ones stay readable."""
    with connection() as c:
        row = webhook_endpoints.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise NotFound("Webhook endpoint not found")
    return Reply(200, endpoint_view(row))


@route(
    "PATCH", "/v1/webhook-endpoints/{id}", summary="Change a webhook endpoint", tag=_TAG,
    body=WebhookEndpointPatch, responses={200: WebhookEndpoint}, errors=[EndpointNotActive],
    description=(
        "Only fields present in the body change. A DISABLED endpoint gets no new messages; what waits for it "
        "stays and goes out when it is ACTIVE again. A new `url` or `status` closes the circuit."
    ),
    example={"status": "DISABLED"},
)
def update_webhook_endpoint(request: Request) -> Reply:
    """Change an endpoint."""
    changes = request.body.model_dump(exclude_unset=True)
    if "description" in changes:
        changes["description"] = changes["description"] or None
    row = manage_webhooks.change(request.organization_id, request.path["id"], changes)
    return Reply(200, endpoint_view(row))


@route(
    "DELETE", "/v1/webhook-endpoints/{id}", summary="Archive a webhook endpoint", tag=_TAG,
    responses={204: None},
    description="It gets nothing any more, for good; what still waited for it ends FAILED.",
)
def archive_webhook_endpoint(request: Request) -> Reply:
    """Archive an endpoint."""
    manage_webhooks.archive(request.organization_id, request.path["id"])
    return Reply(204)


@route(
    "POST", "/v1/webhook-endpoints/{id}/rotate-secret", summary="Rotate a secret", tag=_TAG,
    body=SecretRotation, body_optional=True, responses={200: WebhookEndpointWithSecret},
    errors=[EndpointNotActive], log_bodies=False,
    description=(
        "The new secret is in force at once and shown this once. With `overlap_seconds`, messages carry a "
        "signature of the old one too until then; otherwise the old one is invalid at once."
    ),
    example={"overlap_seconds": 3600},
)
def rotate_webhook_secret(request: Request) -> Reply:
    """Give an endpoint a new secret."""
    overlap = request.body.overlap_seconds if request.body is not None else 0
    row = manage_webhooks.rotate_secret(request.organization_id, request.path["id"], overlap)
    return Reply(200, endpoint_view(row))


@route(
    "POST", "/v1/webhook-endpoints/{id}/replay", summary="Send messages once more", tag=_TAG, body=Replay,
    responses={202: WebhookReplay}, errors=[EndpointNotActive],
    description=(
        "Every message since an instant, of types the endpoint subscribes to, becomes a new delivery with "
        "its old `id`, so that receivers recognise what they have. New messages pass a replay."
    ),
    example={"since": "2026-03-01T00:00:00Z"},
)
def replay_webhook_messages(request: Request) -> Reply:
    """Have messages sent once more."""
    return Reply(202, manage_webhooks.replay(
        request.organization_id, request.path["id"], request.body.since
    ))


@route(
    "GET", "/v1/webhook-endpoints/{id}/deliveries", summary="List an endpoint's deliveries", tag=_TAG,
    query=WebhookDeliveriesQuery, responses={200: WebhookDeliveryList},
    description="Newest first; kept for 30 days.",
)
def list_webhook_deliveries(request: Request) -> Reply:
    """List deliveries."""
    endpoint_id = request.path["id"]
    with connection() as c:
        if webhook_endpoints.get(c, request.organization_id, endpoint_id) is None:
            raise NotFound("Webhook endpoint not found")
        return listing(request, webhook_deliveries.ORDER, lambda page: webhook_deliveries.page(
            c, request.organization_id, endpoint_id, page, request.query.status
        ), delivery_view)


@route(
    "GET", "/v1/webhook-deliveries/{id}", summary="Get a delivery", tag=_TAG,
    responses={200: WebhookDeliveryDetail},
)
def get_webhook_delivery(request: Request) -> Reply:
    """Return a delivery with the receiver's last answer, cut to 4 KiB, or the network's last failure."""
    with connection() as c:
        row = webhook_deliveries.get(c, request.organization_id, request.path["id"])
    if row is None:
        raise NotFound("Delivery not found")
    return Reply(200, delivery_detail(row))


@route(
    "POST", "/v1/webhook-deliveries/{id}/retry", summary="Retry a failed delivery", tag=_TAG,
    responses={200: WebhookDeliveryDetail}, errors=[EndpointNotActive],
    description="It is PENDING again, with eight fresh attempts, the first at once. Otherwise a 404.",
)
def retry_webhook_delivery(request: Request) -> Reply:
    """Give a FAILED delivery fresh attempts."""
    return Reply(200, delivery_detail(manage_webhooks.retry(request.organization_id, request.path["id"])))


@route(
    "POST", "/v1/webhook-deliveries/{id}/resend", summary="Send a delivery again", tag=_TAG,
    responses={201: WebhookDeliveryDetail}, errors=[NotResendable, EndpointNotActive],
    description="Makes a new delivery of the same message; the old one stays as it is.",
)
def resend_webhook_delivery(request: Request) -> Reply:
    """Make a new delivery of the same message."""
    return Reply(201, delivery_detail(manage_webhooks.resend(request.organization_id, request.path["id"])))


def _stats_view(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    delivered, failed = row["delivered"], row["failed"]
    reason, until = _blocked(row, now)
    shown = present(row, required=(
        "endpoint_id", "url", "status", "pending_count", "oldest_pending_at", "last_attempt_at",
    ))
    return shown | {
        "success_24h": delivered, "fail_24h": failed, "success_rate": success_rate(delivered, failed),
        "degraded": is_degraded(delivered, failed),
        "circuit_broken_until": _future(row["circuit_broken_until"], now),
        "rate_limited_until": _future(row["rate_limited_until"], now),
        "blocked_reason": reason, "blocked_until": until,
    }


def _blocked(row: Mapping[str, Any], now: datetime) -> tuple[str | None, datetime | None]:
    """Return why nothing is sent to an endpoint now, and until when."""
    if row["status"] == EndpointStatus.DISABLED:
        return "disabled", None
    reasons = [
        (until, reason) for reason in ("circuit_broken", "rate_limited")
        if (until := _future(row[f"{reason}_until"], now)) is not None
    ]
    if not reasons:
        return None, None
    until, reason = max(reasons)
    return reason, until


def _future(instant: datetime | None, now: datetime) -> datetime | None:
    return instant if instant is not None and instant > now else None
