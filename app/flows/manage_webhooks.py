"""Configuring webhook endpoints, and sending deliveries again. Sending itself is deliver_webhooks.py."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import EndpointNotActive, LimitExceeded, NotFound, NotResendable, ValidationError
from app.domain.ids import TimeOrdered, highest_id, lowest_id, new_id
from app.domain.webhooks import ENDPOINTS_MAX, RETENTION, DeliveryStatus, EndpointStatus
from app.flows.webhook_addresses import check_new
from app.flows.webhook_bell import bell
from app.flows.webhook_secrets import as_text, new_secret, seal
from app.store import webhook_deliveries, webhook_endpoints, webhook_replays


def create(
    organization_id: UUID, *, url: str, enabled_events: list[str], description: str | None, metadata: Any
) -> dict[str, Any]:
    """Create an endpoint; the answer holds its secret, this once. Raises ValidationError, LimitExceeded."""
    check_new(url)
    endpoint_id, secret = new_id(), new_secret()
    with transaction() as c:
        if webhook_endpoints.count(c, organization_id) >= ENDPOINTS_MAX:
            raise LimitExceeded(f"An organization has at most {ENDPOINTS_MAX} webhook endpoints")
        row = webhook_endpoints.insert(
            c, organization_id, endpoint_id, read_clock(c), url=url, description=description,
            enabled_events=enabled_events, metadata=metadata, secret=seal(secret, endpoint_id),
        )
    return {**row, "secret": as_text(secret)}


def change(organization_id: UUID, endpoint_id: UUID, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change the given fields. Raises NotFound, EndpointNotActive, ValidationError.

    A new address, or ACTIVE again, forgets earlier failures, so that what waits goes out at once.
    """
    if "url" in changes:
        check_new(changes["url"])
    with transaction() as c:
        endpoint = _living(c, organization_id, endpoint_id)
        changed = {**endpoint, **changes}
        afresh = changed["url"] != endpoint["url"] or changed["status"] != endpoint["status"]
        row = webhook_endpoints.update(c, organization_id, changed, read_clock(c), afresh=afresh)
    bell.ring()
    return row


def archive(organization_id: UUID, endpoint_id: UUID) -> None:
    """Archive an endpoint for good; what still waits for it ends FAILED. Raises NotFound."""
    with transaction() as c:
        endpoint = _found(c, organization_id, endpoint_id)
        if endpoint["status"] == EndpointStatus.ARCHIVED:
            return
        now = read_clock(c)
        changed = {**endpoint, "status": EndpointStatus.ARCHIVED}
        webhook_endpoints.update(c, organization_id, changed, now, afresh=False)
        webhook_deliveries.end_all(c, organization_id, endpoint_id, now)
        webhook_replays.end_all(c, organization_id, endpoint_id)


def rotate_secret(organization_id: UUID, endpoint_id: UUID, overlap_seconds: int) -> dict[str, Any]:
    """Give an endpoint a new secret, in force at once; the old one signs beside it during the overlap."""
    secret = new_secret()
    with transaction() as c:
        endpoint = _living(c, organization_id, endpoint_id)
        now = read_clock(c)
        row = webhook_endpoints.rotate(
            c, organization_id, endpoint_id, now, secret=seal(secret, endpoint_id),
            previous=endpoint["secret"] if overlap_seconds else None,
            until=now + timedelta(seconds=overlap_seconds) if overlap_seconds else None,
        )
    return {**row, "secret": as_text(secret)}


def replay(organization_id: UUID, endpoint_id: UUID, since: datetime) -> dict[str, Any]:
    """Have an endpoint get all messages since an instant once more; workers do it step by step.

    Raises NotFound, EndpointNotActive, ValidationError for an instant in the future.
    """
    with transaction() as c:
        _active(_found(c, organization_id, endpoint_id))
        now = read_clock(c)
        if since > now:
            raise ValidationError(details={"since": "must not be in the future"})
        replay_id = TimeOrdered(now).next()
        start = max(since, now - RETENTION)
        webhook_replays.insert(
            c, organization_id, replay_id, endpoint_id, lowest_id(start), highest_id(now), now
        )
    bell.ring()
    return {"id": replay_id, "webhook_endpoint_id": endpoint_id, "since": start, "until": now}


def retry(organization_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """Give a FAILED delivery eight fresh attempts. Raises NotFound for any other, EndpointNotActive."""
    with transaction() as c:
        delivery = webhook_deliveries.get(c, organization_id, delivery_id)
        if delivery is None or delivery["status"] != DeliveryStatus.FAILED:
            raise NotFound("There is no failed delivery with this id")
        _active(_found(c, organization_id, delivery["webhook_endpoint_id"]))
        row = webhook_deliveries.retry(c, organization_id, delivery_id, read_clock(c))
        if row is None:
            raise NotFound("There is no failed delivery with this id")
    bell.ring()
    return row


def resend(organization_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """Send a message once more as a delivery of its own; the first one stays as it is.

    Raises NotFound, NotResendable while it is under way, EndpointNotActive.
    """
    with transaction() as c:
        delivery = webhook_deliveries.get(c, organization_id, delivery_id)
        if delivery is None:
            raise NotFound("Delivery not found")
        if delivery["status"] not in (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED):
            raise NotResendable()
        endpoint_id, message_id = delivery["webhook_endpoint_id"], delivery["webhook_event_id"]
        # Locked, so that two that are sent again at once get different numbers.
        _active(_found(c, organization_id, endpoint_id))
        last = webhook_deliveries.resends(c, organization_id, endpoint_id, [message_id])[message_id]
        now = read_clock(c)
        new = TimeOrdered(now).next()
        webhook_deliveries.insert(c, [webhook_deliveries.new_row(
            organization_id, new, endpoint_id, message_id, delivery["event_type"], last + 1
        )], now)
        row = webhook_deliveries.get(c, organization_id, new)
        assert row is not None
    bell.ring()
    return row


def _found(c: Connection, organization_id: UUID, endpoint_id: UUID) -> dict[str, Any]:
    endpoint = webhook_endpoints.lock(c, organization_id, endpoint_id)
    if endpoint is None:
        raise NotFound("Webhook endpoint not found")
    return endpoint


def _living(c: Connection, organization_id: UUID, endpoint_id: UUID) -> dict[str, Any]:
    endpoint = _found(c, organization_id, endpoint_id)
    if endpoint["status"] == EndpointStatus.ARCHIVED:
        raise EndpointNotActive("Webhook endpoint is archived")
    return endpoint


def _active(endpoint: Mapping[str, Any]) -> None:
    if endpoint["status"] != EndpointStatus.ACTIVE:
        raise EndpointNotActive(f"Webhook endpoint is {endpoint['status']}")
