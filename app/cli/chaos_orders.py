"""The senders of the shop's orders, and what they were told: each is repeated until it has a definite answer.

An answer is definite when the system says that it did the operation (2xx) or will not do it (4xx but 429).
Whatever else happens, time-outs and closed connections among it, the same request goes out once more.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3

from app.cli.chaos_shop import Order
from app.domain.json import dumps, loads

LANES = 3
REQUEST_SECONDS = 12.0
PAUSE_SECONDS = 0.1
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
        begin = time.time()
        lanes = [
            threading.Thread(target=self._lane, args=(work, lane, begin, stop_at), daemon=True)
            for lane in range(LANES)
        ]
        for lane in lanes:
            lane.start()
        return lanes

    def _lane(self, work: list[list[Order]], lane: int, begin: float, stop_at: float) -> None:
        pool = urllib3.PoolManager(timeout=REQUEST_SECONDS, retries=False)
        for index in range(lane, len(work), LANES):
            pause = begin + index * self.seconds / len(work) - time.time()
            if pause > 0:
                time.sleep(pause)
            for order in work[index]:
                # What follows an order that was refused has nothing to work on.
                if not self._settle(pool, order, stop_at):
                    break
            if index % REPEAT_EACH == 0:
                self._again(pool, work[index][0], stop_at)

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
        is_file = isinstance(order.body, str)
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/x-ndjson" if is_file else "application/json",
        }
        body = order.body if isinstance(order.body, str) else dumps(order.body)
        while time.time() < stop_at:
            try:
                answer = pool.request("POST", self.url + path, body=body, headers=headers)
                if answer.status != 429 and answer.status < 500:
                    return answer.status, loads(answer.data)
            except urllib3.exceptions.HTTPError:
                pass
            self.repeats += 1
            time.sleep(PAUSE_SECONDS)
        return None
