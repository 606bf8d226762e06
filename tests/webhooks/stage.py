"""Short words for tests about webhooks: an endpoint, a message, a pump that works until nothing is due."""

from datetime import timedelta
from typing import Any

from standardwebhooks import Webhook

from app import db
from app.domain.ids import TimeOrdered
from app.domain.names import WebhookType
from app.flows import deliver_webhooks
from app.flows.deliver_webhooks import Pump
from app.store import outbox
from app.store.outbox import Message
from tests.api.client import Caller, walk
from tests.timeline import Timeline
from tests.waiting import wait_until
from tests.webhooks.receiver import Received


def endpoint(api: Caller, url: str, *types: str, **fields: Any) -> dict[str, Any]:
    """Create an endpoint."""
    answer = api.post("/v1/webhook-endpoints", {"url": url, "enabled_events": list(types) or ["*"], **fields})
    assert answer.status_code == 201, answer.json
    return dict(answer.json)


def tell(
    api: Caller, count: int = 1, kind: WebhookType = WebhookType.EVENT_COMPLETED, **data: Any
) -> list[str]:
    """Write messages as flows do; return their ids."""
    with db.transaction() as c:
        now = db.read_clock(c)
        ids = TimeOrdered(now)
        messages = [
            Message(api.organization_id, ids.next(), kind, now, None, {"n": number, **data})
            for number in range(count)
        ]
        outbox.insert(c, messages)
    return [str(message.id) for message in messages]


def deliveries(api: Caller, endpoint_id: str, **query: Any) -> list[dict[str, Any]]:
    """Return an endpoint's deliveries, newest first."""
    return walk(api, f"/v1/webhook-endpoints/{endpoint_id}/deliveries", **query)


def stats(api: Caller, made: dict[str, Any]) -> dict[str, Any]:
    """Return an endpoint's row of the statistics."""
    rows = api.get("/v1/webhook-endpoints/delivery-stats").json["data"]
    return next(row for row in rows if row["endpoint_id"] == made["id"])


def detail(api: Caller, delivery: dict[str, Any]) -> dict[str, Any]:
    """Return a delivery with the last answer."""
    answer = api.get(f"/v1/webhook-deliveries/{delivery['id']}")
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def work(pump: Pump, seconds: float = 20.0) -> None:
    """Have everything sent that is due now, and its outcomes written."""
    pump.wake()
    wait_until(_at_rest, "deliveries at rest", seconds)


def _at_rest() -> bool:
    # In this order: where nothing is due, nothing new is taken before the second look.
    if deliver_webhooks.work_waits():
        return False
    with db.connection() as c:
        sending = c.execute(
            "SELECT count(*) AS n FROM webhook_deliveries WHERE status = 'SENDING'"
            " AND next_attempt_at > read_clock()"
        ).fetchone()
    return sending is not None and sending["n"] == 0


def later(**by: float) -> None:
    """Move the system's clock ahead from where it is."""
    with db.connection() as c:
        now = db.read_clock(c)
    Timeline.__new__(Timeline).go(now + timedelta(**by))


def verified(secret: str, one: Received) -> Any:
    """Check a request with the published verifier; return its JSON."""
    return Webhook(secret).verify(one.body, one.headers)
