"""A load generator: processes that speak HTTP over plain sockets, with requests rendered beforehand.

What it costs itself runs on the same cores as the system; rendering is done before the clock starts, so that
little is left: about 15 us a request.
"""

import json
import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from app.cli.failure import Failure

ACCEPTED = 202
ANSWER_SECONDS = 30.0
IDLE_SECONDS = 5.0  # Half of what the API gives a new connection to send its first request (app/web.py).


@dataclass(frozen=True)
class Answer:
    """One request: when it was to be sent, was sent and was answered (seconds since 1970), and the status."""

    due: float
    sent: float
    answered: float
    status: int


@dataclass
class Outcome:
    """All answers of one run; `events` are those in requests that were answered with 202."""

    answers: list[Answer] = field(default_factory=list)
    events: int = 0
    seconds: float = 0.0

    def milliseconds(self, share: float) -> float:
        """The time that this share of the requests stayed below, from sending to the answer."""
        return percentile([1000 * (one.answered - one.sent) for one in self.answers], share)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed, to a hundredth."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) if ordered else 0.0


def request(path: str, key: str, body: Any) -> bytes:
    """One POST, ready to be sent."""
    text = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    ).encode() + text


def batches(bodies: Iterable[dict[str, Any]], key: str, size: int = 100) -> list[bytes]:
    """Requests for the batch endpoint."""
    found, part = [], []
    for body in bodies:
        part.append(body)
        if len(part) == size:
            found.append(request("/v1/events/batch", key, {"events": part}))
            part = []
    return [*found, request("/v1/events/batch", key, {"events": part})] if part else found


def singles(bodies: Iterable[dict[str, Any]], key: str) -> list[bytes]:
    """Requests for the endpoint of one event."""
    return [request("/v1/events", key, body) for body in bodies]


@dataclass(frozen=True)
class Load:
    """How requests are sent: over how many connections of how many processes, and at what rate, if any.

    `limit` and `waiting` hold senders back while more events wait than the limit; `accepted` is the
    status that every answer must have. A connection that was idle for `idle_seconds` is replaced by a new one
    before it is used, because the API may be about to close it.
    """

    port: int
    processes: int = 2
    connections: int = 4
    per_second: float | None = None
    events_each: int = 1
    waiting: "Synchronized[int] | None" = None
    limit: int = 0
    accepted: int = ACCEPTED
    idle_seconds: float = IDLE_SECONDS

    def send(self, requests: list[bytes], seconds: float | None = None) -> Outcome:
        """Send all requests, or as many as fit into the time. Raises Failure for any other answer."""
        context = multiprocessing.get_context("fork")
        results = context.SimpleQueue()
        start = time.time() + 0.2
        workers = [
            context.Process(target=self._work, args=(requests, number, start, seconds, results))
            for number in range(self.processes)
        ]
        for worker in workers:
            worker.start()
        outcome = Outcome()
        for _ in workers:
            outcome.answers += [Answer(*one) for one in results.get()]
        for worker in workers:
            worker.join()
        refused = [one.status for one in outcome.answers if one.status != self.accepted]
        if refused or not outcome.answers:
            raise Failure(f"{len(refused)} of {len(outcome.answers)} requests were refused: {refused[:3]}")
        outcome.events = len(outcome.answers) * self.events_each
        outcome.seconds = max(one.answered for one in outcome.answers) - start
        return outcome

    def _work(
        self, requests: list[bytes], number: int, start: float, seconds: float | None, results: Any
    ) -> None:
        try:
            results.put(_Sender(self, requests, number, start, seconds).run())
        except OSError as error:
            results.put([(0.0, 0.0, 0.0, error.errno or -1)])


class _Sender:
    """One process: keeps each of its connections busy with one request at a time."""

    def __init__(
        self, load: Load, requests: list[bytes], number: int, start: float, seconds: float | None
    ) -> None:
        self.load = load
        self.mine = range(number, len(requests), load.processes)
        self.requests = requests
        self.start = start
        self.end = start + seconds if seconds else None
        self.next = 0
        self.answers: list[tuple[float, float, float, int]] = []

    def run(self) -> list[tuple[float, float, float, int]]:
        selector = selectors.DefaultSelector()
        idle = [(self.connect(), time.time()) for _ in range(self.load.connections)]
        busy = 0
        while True:
            while idle and (due := self.due()) is not None:
                index = self.mine[self.next]
                self.next += 1
                one = self.fresh(*idle.pop())
                sent = time.time()
                one.sendall(self.requests[index])
                selector.register(one, selectors.EVENT_READ, (due, sent))
                busy += 1
            if not busy and self.finished():
                return self.answers
            for ready, _ in selector.select(self.pause(bool(idle))):
                connection = ready.fileobj
                assert isinstance(connection, socket.socket)
                status = _read(connection)
                self.answers.append((*ready.data, time.time(), status))
                selector.unregister(connection)
                idle.append((connection, time.time()))
                busy -= 1

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.load.port), ANSWER_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def fresh(self, connection: socket.socket, idle_since: float) -> socket.socket:
        """Return the connection, or a new one where the API may have closed it meanwhile."""
        if time.time() - idle_since < self.load.idle_seconds:
            return connection
        connection.close()
        return self.connect()

    def finished(self) -> bool:
        return self.next >= len(self.mine) or (self.end is not None and time.time() >= self.end)

    def due(self) -> float | None:
        """When the next request was to be sent, if that is now; None where it has to wait."""
        if self.finished():
            return None
        now = time.time()
        due = self.start
        if self.load.per_second is not None:
            due += self.mine[self.next] / self.load.per_second
        if due > now or (self.load.waiting is not None and self.load.waiting.value > self.load.limit):
            return None
        return due if self.load.per_second is not None else now

    def pause(self, idle: bool) -> float:
        """How long to wait for an answer before looking whether something is due."""
        if not idle:
            return 1.0
        if self.load.per_second is None or self.next >= len(self.mine):
            return 0.002 if self.load.waiting is not None else 0.05
        due = self.start + self.mine[self.next] / self.load.per_second
        return max(0.0, min(due - time.time(), 0.05))


def _read(connection: socket.socket) -> int:
    """Read one whole answer and return its status."""
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(104, "the API closed the connection")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lowered = head.lower()
    length = int(lowered.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    missing = length - len(body)
    while missing > 0:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError(104, "the API closed the connection")
        body += more
        missing -= len(more)
    if b'"error_count":' in body[-40:] + body[:80] and b'"error_count":0' not in body[-40:] + body[:80]:
        return 207  # Accepted as a whole, but not every item: as good as refused here.
    return int(head.split(b" ", 2)[1])
