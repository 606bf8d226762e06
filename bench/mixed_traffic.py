"""The traffic of bench/mixed: lanes, each of which sends one kind of request at a fixed rate.

What lives here: what is sent, and how; every answer is kept with the moment it was due. A lane has threads
enough that a slow answer holds up nobody; if it has not, the wait counts as the request's own time.
"""

import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3

from app.cli.failure import Failure
from app.domain.json import dumps
from bench.redemptions import Shop
from bench.workload import Workload

BATCH = 10
RECIPIENTS = 3
# Shares of the rate. A credit by broadcast comes with an event, a message, an expiry and its message.
BROADCAST_SHARE, MONEY_SHARE, MONEY_MAX = 0.15, 0.01, 4.0
BROADCAST_EVENTS = 2
BROADCAST_SECONDS_MIN, BROADCAST_SECONDS_MAX = 60.0, 180.0
REQUEST_SECONDS = 30.0
Request = tuple[str, str, Any]  # Method, path, body.


@dataclass(frozen=True)
class Answer:
    """When a request was due (seconds since 1970), how long its answer took from then on, and its status."""

    due: float
    milliseconds: float
    status: int


@dataclass
class Lane:
    """One kind of request."""

    name: str
    per_second: float
    requests: Iterator[Request]
    accepted: int
    threads: int = 2
    answers: list[Answer] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


class Traffic:
    """All lanes together, from one moment to another."""

    def __init__(self, port: int, key: str, lanes: list[Lane]) -> None:
        self.lanes = lanes
        self._url = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._lock = threading.Lock()

    def run(self, seconds: float, meanwhile: Callable[[], None], every: float) -> None:
        """Send for so long; `meanwhile` is called every so many seconds."""
        start = time.time() + 0.5
        threads = [
            threading.Thread(target=self._send, args=(lane, numbers, start, start + seconds), daemon=True)
            for lane in self.lanes for numbers in [itertools.count()] for _ in range(lane.threads)
        ]
        for thread in threads:
            thread.start()
        while time.time() < start + seconds:
            pause = min(every, max(0.1, start + seconds - time.time()))
            time.sleep(pause)  # What is looked at is looked at in even steps.
            meanwhile()
        for thread in threads:
            thread.join(REQUEST_SECONDS)
        if any(thread.is_alive() for thread in threads):
            raise Failure("A request was not answered at all.")

    def _send(self, lane: Lane, numbers: Iterator[int], start: float, end: float) -> None:
        pool = urllib3.PoolManager(timeout=REQUEST_SECONDS, retries=False)
        while True:
            with self._lock:
                due = start + next(numbers) / lane.per_second
                if due >= end:
                    return
                method, path, body = next(lane.requests)
            time.sleep(max(0.0, due - time.time()))  # Its turn comes by the clock.
            text = None if body is None else dumps(body)
            try:
                answer = pool.request(method, self._url + path, body=text, headers=self._headers)
                status, told = answer.status, answer.data[:300].decode(errors="replace")
            except urllib3.exceptions.HTTPError as error:
                status, told = 0, str(error)
            lane.answers.append(Answer(due, 1000 * (time.time() - due), status))
            if status != lane.accepted or (b'"error_count":' in answer.data and '"error_count":0' not in told
                                           and b'"error_count":0' not in answer.data[-200:]):
                lane.refusals.append(f"{method} {path} answered {status}: {told}")


def lanes(work: Workload, shop: Shop, rate: float, turn: str) -> list[Lane]:
    """Lanes that together are as much work as so many live events a second; no other turn sends the same."""
    money = min(MONEY_MAX, MONEY_SHARE * rate)
    every = BROADCAST_EVENTS * len(shop.people) / (BROADCAST_SHARE * rate)
    every = min(BROADCAST_SECONDS_MAX, max(BROADCAST_SECONDS_MIN, every))
    events = rate - 3 * money - BROADCAST_EVENTS * len(shop.people) / every
    return [
        Lane("events", max(events, 1.0) / BATCH, _events(work, turn), 202, threads=6),
        Lane("redeem an amount", money, _amounts(shop), 201, threads=3),
        Lane("redeem a reward", money, _rewards(shop), 201, threads=3),
        Lane("transfer", money, _transfers(shop), 201, threads=3),
        Lane("read a report", 1, _reports(shop), 200),
        Lane("broadcast", 1 / every, _broadcasts(shop, turn), 201, threads=1),
    ]


def _events(work: Workload, turn: str) -> Iterator[Request]:
    for seed in itertools.count(zlib.crc32(turn.encode())):
        bodies = list(work.bodies(100 * BATCH, seed))
        for start in range(0, len(bodies), BATCH):
            yield "POST", "/v1/events/batch", {"events": bodies[start : start + BATCH]}


def _amounts(shop: Shop) -> Iterator[Request]:
    for number in itertools.count():
        mode = ("SIMPLE", "LOT")[number % 2]
        yield "POST", f"/v1/participants/{_person(shop, number)}/redemptions", {
            "program_id": str(shop.program_id), "asset_id": str(shop.assets[mode]), "amount": "1.00",
            "description": "mixed",
        }


def _rewards(shop: Shop) -> Iterator[Request]:
    for number in itertools.count():
        rewards = shop.rewards[("SIMPLE", "LOT")[number % 2]]
        yield "POST", f"/v1/participants/{_person(shop, 7 * number)}/redemptions/items", {
            "program_id": str(shop.program_id), "reward_id": str(rewards[number % len(rewards)]),
        }


def _transfers(shop: Shop) -> Iterator[Request]:
    for number in itertools.count():
        yield "POST", "/v1/transfers", {
            "program_id": str(shop.program_id), "asset_id": str(shop.assets["SIMPLE"]),
            "description": "mixed", "source_participant_id": str(_person(shop, 11 * number)),
            "recipients": [
                {"participant_id": str(_person(shop, 11 * number + each)), "amount": "1.00"}
                for each in range(1, RECIPIENTS + 1)
            ],
        }


def _reports(shop: Shop) -> Iterator[Request]:
    for _ in itertools.count():
        now = datetime.now(UTC)
        span = f"from={now - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}&to={now:%Y-%m-%dT%H:%M:%SZ}"
        yield "GET", "/v1/reports/ledger-summary", None
        yield "GET", f"/v1/reports/liability?program_id={shop.program_id}", None
        yield "GET", f"/v1/reports/liability-rollforward?{span}", None
        yield "GET", f"/v1/reports/program-activity?{span}", None
        yield "GET", f"/v1/reports/rules?{span}", None


def _broadcasts(shop: Shop, turn: str) -> Iterator[Request]:
    for number in itertools.count():
        yield "POST", f"/v1/programs/{shop.program_id}/automations", {
            "name": f"Gift {turn} {number}", "event_name": "gift", "scope": "participants",
            "trigger": {"type": "immediate"},
        }


def _person(shop: Shop, number: int) -> Any:
    return shop.people[number % len(shop.people)]
