"""The senders of the shop's orders, and what they were told: each is repeated until it has a definite answer.

What a definite answer is, and how the work is spread over the time: app/cli/chaos_lanes.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3

from app.cli import chaos_lanes
from app.cli.chaos_shop import Order
from app.domain.json import dumps

LANES = 3
REPEAT_EACH = 10  # Every tenth answered order is sent once more on purpose.


@dataclass
class Orders:
    """The senders of lists of orders, spread over some seconds."""

    url: str
    key: str
    seconds: float
    done: dict[str, Order] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    repeats: int = 0

    def start(self, work: list[list[Order]], stop_at: float) -> list[threading.Thread]:
        """Start sending; nobody tries any longer after `stop_at`."""

        def send(pool: urllib3.PoolManager, number: int, orders: list[Order]) -> None:
            for order in orders:
                # What follows an order that was refused has nothing to work on.
                if not self._settle(pool, order, stop_at):
                    break
            if number % REPEAT_EACH == 0:
                self._again(pool, orders[0], stop_at)

        return chaos_lanes.start(LANES, work, self.seconds, send)

    def _settle(self, pool: urllib3.PoolManager, order: Order, stop_at: float) -> bool:
        """Send an order until it is answered; True where it was done."""
        told = self._ask(pool, order, stop_at)
        if told is None:
            self.wrong.append(f"{order.kind} {order.key} was never answered")
            return False
        status, answer = told
        if status in (200, 201, 202):
            self.done[order.key] = order
            self.ids[order.key] = str(answer["id"]) if "id" in answer else ""
            return True
        code = str(answer.get("code"))
        self.refused[order.key] = code
        if code not in ("insufficient_funds", "max_total_exceeded", "reward_unavailable"):
            self.wrong.append(f"{order.kind} {order.key} was refused: {status} {answer}")
        return False

    def _again(self, pool: urllib3.PoolManager, order: Order, stop_at: float) -> None:
        """Repeat an order that was done: the answer must be the first one."""
        if order.key not in self.done or order.kind == "import":
            return
        told = self._ask(pool, order, stop_at)
        if told is None:
            return
        status, answer = told
        if status not in (200, 202) or str(answer.get("id", "")) != self.ids[order.key]:
            self.wrong.append(f"{order.kind} {order.key} was answered otherwise when repeated: {told}")

    def _ask(self, pool: urllib3.PoolManager, order: Order, stop_at: float) -> tuple[int, Any] | None:
        path = order.path.format(id=self.ids[order.reverses]) if order.reverses else order.path
        body, content_type = dumps(order.body), chaos_lanes.JSON
        if isinstance(order.body, str):
            body, content_type = order.body, "application/x-ndjson"
        while time.time() < stop_at:
            told = chaos_lanes.post(pool, self.url + path, self.key, body, content_type)
            if told is not None:
                return told
            self.repeats += 1
            chaos_lanes.rest()
        return None
