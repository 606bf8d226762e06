"""The traffic of `chaos`: events whose outcome depends on their order, sent until each is accepted.

What lives here: the program's rules, the events of a seed, and the senders. A sender repeats a request that
was not answered with 202 under the same keys, as a client should; some requests are repeated on purpose.
"""

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3

from app.cli import chaos_lanes
from app.domain.json import dumps

PEOPLE = 120
LANES = 6
BATCH_MAX = 40
REPEATED_SHARE = 0.1  # Of the requests, each sent a second time some moments later.
START = datetime(2026, 3, 1, tzinfo=UTC)

Event = dict[str, Any]


def rules(asset_id: str) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Name, condition and actions; counters, tags, attributes and funds all depend on what came before."""

    def credit(amount: str) -> dict[str, Any]:
        return {"type": "CREDIT", "asset_id": asset_id, "amount": amount}

    buys, count = 'event.type == "purchase"', 'get(participant.counters, "purchases", 0)'
    return [
        ("Cashback", buys, [credit("round(event.amount * 0.03, 2)")]),
        ("Count", buys, [
            {"type": "COUNTER", "key": "purchases", "value": "1"},
            {"type": "COUNTER", "key": "spent", "value": "event.amount"},
        ]),
        ("Every fifth", f"{buys} && {count} >= 4 && int({count}) % 5 == 4", [credit("event.amount")]),
        ("Odd", f"{buys} && int({count}) % 2 == 0", [{"type": "TAG", "tag": "odd"}]),
        ("Even", f"{buys} && int({count}) % 2 == 1", [{"type": "UNTAG", "tag": "odd"}]),
        ("Last order", buys, [{"type": "SET_ATTRIBUTE", "key": "last_order", "value": "{{ event.order }}"}]),
        ("Spend", 'event.type == "spend"', [
            {"type": "DEBIT", "asset_id": asset_id, "amount": "event.amount"},
            {"type": "COUNTER", "key": "spends", "value": "1"},
        ]),
    ]


def events(program_id: str, count: int, seed: int) -> list[Event]:
    """All events of a seed, in the order of sending: people at random, a fifth of them spending."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        spends = draw.random() < 0.2
        data = {
            "type": "spend" if spends else "purchase", "order": number,
            "amount": draw.randint(1, 900) if spends else draw.randint(100, 20_000) / 100,
        }
        found.append({
            "program_id": program_id, "external_id": f"person-{draw.randrange(PEOPLE)}",
            "idempotency_key": f"chaos-{seed}-{number}", "event_data": data,
            "event_timestamp": START + timedelta(seconds=number),
        })
    return found


def requests(found: list[Event], seed: int) -> list[list[Event]]:
    """Requests of one event or several, neighbours shuffled, some of them there twice."""
    draw = random.Random(seed + 1)
    made: list[list[Event]] = []
    start = 0
    while start < len(found):
        size = 1 if draw.random() < 0.5 else draw.randint(2, BATCH_MAX)
        part = found[start : start + size]
        draw.shuffle(part)
        if len(part) > 1 and draw.random() < REPEATED_SHARE:
            part.append(draw.choice(part))
        made.append(part)
        start += size
    for index in draw.sample(range(len(made)), int(len(made) * REPEATED_SHARE)):
        made.insert(min(len(made), index + draw.randint(1, 20)), made[index])
    return made


@dataclass
class Traffic:
    """The senders, and what they were told: when each key was sent first, and the id it got."""

    url: str
    key: str
    seconds: float
    sent_at: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    accepted_at: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    repeats: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, work: list[list[Event]], stop_at: float) -> list[threading.Thread]:
        """Start sending, spread over the time; nobody tries any longer after `stop_at`."""

        def send(pool: urllib3.PoolManager, number: int, part: list[Event]) -> None:
            while not self._deliver(pool, part) and time.time() < stop_at:
                chaos_lanes.rest()

        return chaos_lanes.start(LANES, work, self.seconds, send)

    def _deliver(self, pool: urllib3.PoolManager, part: list[Event]) -> bool:
        """Send one request; True when there is nothing left to try."""
        now = time.time()
        for event in part:
            self.sent_at.setdefault(event["idempotency_key"], now)
        path, body = ("/v1/events", part[0]) if len(part) == 1 else ("/v1/events/batch", {"events": part})
        answer = chaos_lanes.post(pool, self.url + path, self.key, dumps(body))
        if answer is None:
            self.repeats += 1
            return False
        status, told = answer
        if status != 202:
            self.refused.append(f"{status}: {told}")
            return True
        results = [told] if len(part) == 1 else told["results"]
        with self._lock:
            for event, result in zip(part, results, strict=True):
                self._note(event["idempotency_key"], result)
        return True

    def _note(self, key: str, result: dict[str, Any]) -> None:
        name = (result.get("event") or result).get("id")
        if name is None:
            self.refused.append(f"{key}: {result}")
        elif self.accepted.setdefault(key, name) != name:
            self.refused.append(f"{key} was accepted as {self.accepted[key]} and as {name}")
        else:
            self.accepted_at.setdefault(key, time.time())
