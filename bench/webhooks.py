"""How fast webhooks are delivered, against a bare loop, and what a receiver that hangs costs its neighbour.

    python3 dev.py bench webhooks [--messages 5000] [--seconds 10] [--workers 2]

A whole system of its own (bench/system), a local receiver in a process of its own, all on the same cores.
The bounds: 300 deliveries a second, and a healthy endpoint whose latency a hanging one does not change.
"""

import asyncio
import json
import multiprocessing
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import urllib3

from app import db
from app.domain.ids import TimeOrdered, new_id
from app.domain.names import WebhookType
from app.flows import webhook_bell
from app.flows.webhook_secrets import new_secret, seal
from app.store import organizations, outbox, webhook_endpoints
from app.store.outbox import Message
from bench.load import percentile
from bench.system import System, system, wait_for

PER_SECOND = 50
BARE_SECONDS = 3.0
ENOUGH_SECONDS = 600.0
DATA = {"participant_id": "6f1c2f3e-0f57-4f3c-9a2e-0d8f3b7f2a11", "amount": "25.00", "description": "x" * 400}


class _Receiver(asyncio.Protocol):
    """Answers every request that is complete with 204, or, below /hang, with nothing."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while True:
            head, found, rest = self.data.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.data = rest[length:]
            if not head.startswith(b"POST /hang"):
                self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def _receive(port: Any) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", 0, backlog=512)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def receiver() -> Iterator[str]:
    """A receiver in a process of its own; its address."""
    port = multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=_receive, args=(port,), daemon=True)
    process.start()
    try:
        wait_for(lambda: port.value > 0, 10.0)
        yield f"http://127.0.0.1:{port.value}"
    finally:
        process.terminate()
        process.join()


def bare(url: str) -> float:
    """Return how many requests a second a plain urllib3 loop makes, one after another."""
    pool = urllib3.PoolManager()
    body = json.dumps(DATA).encode()
    count, end = 0, time.monotonic() + BARE_SECONDS
    while time.monotonic() < end:
        pool.request("POST", f"{url}/hook", body=body, headers={"Content-Type": "application/json"})
        count += 1
    return count / BARE_SECONDS


class Listeners:
    """An organization with endpoints, and messages for them."""

    def __init__(self, owner: "psycopg.Connection[Any]") -> None:
        """Make the organization."""
        self.owner, self.organization_id = owner, new_id()
        organizations.insert(
            owner, organization_id=self.organization_id, name="Bench", rate_limit_per_second=0,
            rate_limit_burst=0, now=db.read_clock(owner),
        )

    def endpoint(self, url: str) -> UUID:
        """Make an endpoint for everything."""
        endpoint_id = new_id()
        webhook_endpoints.insert(
            self.owner, self.organization_id, endpoint_id, db.read_clock(self.owner), url=url,
            description=None, enabled_events=["*"], metadata=None, secret=seal(new_secret(), endpoint_id),
        )
        return endpoint_id

    def tell(self, count: int) -> None:
        """Write messages as a flow does."""
        with self.owner.transaction():
            now = db.read_clock(self.owner)
            ids = TimeOrdered(now)
            outbox.insert(self.owner, [
                Message(self.organization_id, ids.next(), WebhookType.BALANCE_CREDITED, now, None, DATA)
                for _ in range(count)
            ])

    def delivered(self, endpoint_id: UUID) -> int:
        """Return how many an endpoint has got."""
        row = self.owner.execute(
            "SELECT count(*) AS n FROM webhook_deliveries WHERE organization_id = %s"
            " AND webhook_endpoint_id = %s AND status = 'DELIVERED'", (self.organization_id, endpoint_id),
        ).fetchone()
        assert row is not None
        return int(row["n"])

    def latencies(self, endpoint_id: UUID) -> list[float]:
        """Return the milliseconds from each message's writing to the end of its delivery."""
        rows = self.owner.execute(
            "SELECT 1000 * extract(epoch FROM d.delivered_at - b.created_at)::float8 AS ms"
            " FROM webhook_deliveries d JOIN outbox b ON b.organization_id = d.organization_id"
            " AND b.id = d.webhook_event_id WHERE d.organization_id = %s AND d.webhook_endpoint_id = %s"
            " AND d.status = 'DELIVERED'", (self.organization_id, endpoint_id),
        ).fetchall()
        return [row["ms"] for row in rows]


def throughput(owner: "psycopg.Connection[Any]", url: str, messages: int) -> float:
    """Return deliveries a second from the first message's writing to the last outcome's."""
    listeners = Listeners(owner)
    endpoint_id = listeners.endpoint(f"{url}/hook")
    begun = time.monotonic()
    for _ in range(0, messages, 100):
        listeners.tell(100)
    webhook_bell.bell.ring()
    wait_for(lambda: listeners.delivered(endpoint_id) >= messages, ENOUGH_SECONDS, 0.05)
    return messages / (time.monotonic() - begun)


def latency(owner: "psycopg.Connection[Any]", url: str, seconds: int, *, hanging: int) -> dict[str, float]:
    """Return a healthy endpoint's latency at a fixed rate, beside so many that hang."""
    listeners = Listeners(owner)
    healthy = listeners.endpoint(f"{url}/hook")
    for _ in range(hanging):
        listeners.endpoint(f"{url}/hang")
    begun = time.monotonic()
    for number in range(PER_SECOND * seconds):
        # An even load: each message at its time.
        time.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))
        listeners.tell(1)
    wait_for(lambda: listeners.delivered(healthy) >= PER_SECOND * seconds, ENOUGH_SECONDS, 0.05)
    found = listeners.latencies(healthy)
    return {"p50_ms": percentile(found, 0.5), "p99_ms": percentile(found, 0.99), "max_ms": max(found)}


def measure(made: System, messages: int, seconds: int, workers: int) -> dict[str, Any]:
    """Take all figures on a running system."""
    made.start("worker", workers, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
    made.start("scheduler")
    with receiver() as url, made.owner() as owner:
        throughput(owner, url, 500)
        loop = bare(url)
        rate = throughput(owner, url, messages)
        alone = latency(owner, url, seconds, hanging=0)
        beside = latency(owner, url, seconds, hanging=1)
    return {
        "bare_loop_per_second": round(loop), "deliveries_per_second": round(rate),
        "ratio": round(rate / loop, 2), "healthy_alone": alone, "healthy_beside_a_hanging_one": beside,
    }


def main(argv: list[str]) -> int:
    """Print the figures as JSON."""
    parser = ArgumentParser(prog="dev.py bench webhooks", description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args(argv)
    with system(lambda text: print(text, file=sys.stderr)) as made:
        print(json.dumps(measure(made, arguments.messages, arguments.seconds, arguments.workers), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
