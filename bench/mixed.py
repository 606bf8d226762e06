"""Everything at once at 70 % of what the machine can do: bench mixed [--minutes 30].

Live events, redemptions, transfers, broadcasts with credits that expire after a minute, webhooks to a real
receiver and reports, over HTTP. The capacity is measured first: what the same mixture takes of the processors
at a lower rate tells at which rate it would take all of them. What must hold: no error, percentiles as in
the first minutes, memory flat, few dead rows, no growth of connections or queues.
"""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from typing import Any

import psycopg

from app import db
from app.cli.failure import Failure
from app.domain.ids import new_id
from app.flows import rules as rule_flow
from app.flows.rules import RuleDraft
from app.flows.webhook_secrets import new_secret, seal
from app.store import webhook_endpoints
from bench.cost import Meter
from bench.load import percentile
from bench.measures import Stage
from bench.mixed_traffic import Lane, Traffic, lanes
from bench.mixed_watch import Watch, grew, machine_load, processor_seconds, slope_per_10_minutes
from bench.redemptions import Shop
from bench.system import System, system, wait_for
from bench.webhooks import receiver
from bench.workload import Workload, prepare

SHARE = 0.7
PEOPLE = 20_000
TRIAL_RATE, TRIAL_SECONDS = 200.0, 134.0  # As long as from one broadcast to the next.
EVERY_SECONDS = 10.0
SETTLE_SECONDS = 120.0
ALL = """
SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM outbox_pending)
    + (SELECT count(*) FROM webhook_deliveries WHERE status IN ('PENDING', 'SENDING')) AS n
"""
_COMPLETED = """
SELECT floor(extract(epoch FROM e.created_at - %(start)s::timestamptz) / 60)::int AS minute,
    1000 * percentile_disc(0.99) WITHIN GROUP (
        ORDER BY extract(epoch FROM pg_xact_commit_timestamp(d.xmin) - e.created_at))::float8 AS ms
FROM events e JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq
WHERE e.event_type = 'EXTERNAL' AND e.created_at >= %(start)s GROUP BY 1 ORDER BY 1
"""
_COUNTS = """
SELECT (SELECT count(*) FROM decisions WHERE status <> 'COMPLETED') AS events_failed,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'FAILED' OR attempt_count > 1)
        AS deliveries_failed,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'DELIVERED') AS delivered,
    (SELECT count(*) FROM decisions) AS decided,
    (SELECT count(*) FROM journal_entries WHERE action_type = 'EXPIRATION') AS expiries
"""


def main(argv: list[str]) -> int:
    """Run it and print what was seen; 1 where something does not hold."""
    parser = ArgumentParser(prog="dev.py bench mixed", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the mixed load lasts (30)")
    parser.add_argument("--per-second", type=float, help="events a second, not by the capacity")
    asked = parser.parse_args(argv)
    with system(lambda text: print(text, file=sys.stderr)) as made:
        figures, problems = _run(made, asked)
    print(json.dumps(figures, indent=2))
    for problem in problems:
        print(f"WRONG: {problem}")
    if asked.minutes < 10:
        print("Shorter than 10 minutes: the slope of memory is told, not judged.")
    return 1 if problems else 0


def _run(made: System, asked: Namespace) -> tuple[dict[str, Any], list[str]]:
    made.start("web")
    with receiver() as url, made.owner() as owner:
        work = prepare(owner, PEOPLE, webhook=False)
        shop = _shop(owner, url)
        stage = Stage(made, owner, Meter(made, owner), work)
        made.start("worker", 2, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
        made.start("scheduler")
        rate = asked.per_second or SHARE * capacity(made, work, shop)
        if not wait_for(lambda: not stage.one(ALL), SETTLE_SECONDS, 0.2):
            raise Failure("The trial's work was not done in time.")
        print(f"as much work as {rate:.0f} events a second", file=sys.stderr, flush=True)
        start = db.read_clock(owner)
        watch, begun = Watch(made, owner), time.time()
        sent = lanes(work, shop, rate, turn="run")
        Traffic(made.port, made.key, sent).run(
            60 * asked.minutes, lambda: watch.read(time.time()), EVERY_SECONDS
        )
        drained = wait_for(lambda: not stage.one(ALL), SETTLE_SECONDS, 0.2)
        completed = [row["ms"] for row in owner.execute(_COMPLETED, {"start": start}).fetchall()]
        counts = owner.execute(_COUNTS).fetchone()
    assert counts is not None
    found = list(_problems(sent, watch, counts, completed, asked.minutes))
    if not drained:
        found.append("work was left when everything had been sent")
    return _told(sent, watch, counts, completed, rate, begun), found


def _shop(owner: "psycopg.Connection[Any]", url: str) -> Shop:
    """A shop whose broadcasts give something that expires after a minute, and somebody who is told of all."""
    shop = Shop(owner)
    action = {"type": "CREDIT", "asset_id": str(shop.assets["LOT"]), "amount": "1", "expires_at": "1m"}
    draft = RuleDraft(shop.program_id, "Gift", 'event.type == "gift"', [action])
    rule_flow.create(shop.organization_id, None, draft)
    endpoint_id = new_id()
    webhook_endpoints.insert(
        owner, shop.organization_id, endpoint_id, db.read_clock(owner), url=f"{url}/hook", description=None,
        enabled_events=["*"], metadata=None, secret=seal(new_secret(), endpoint_id),
    )
    return shop


def capacity(made: System, work: Workload, shop: Shop) -> float:
    """Events' worth a second of the mixture that would keep all processors busy, by what a trial takes.

    The generator of the load and the receiver of webhooks are counted in: they share the machine.
    """
    before = processor_seconds()
    trial = lanes(work, shop, TRIAL_RATE, turn="trial")
    Traffic(made.port, made.key, trial).run(TRIAL_SECONDS, lambda: None, EVERY_SECONDS)
    busy, whole = (after - at for after, at in zip(processor_seconds(), before, strict=True))
    told = f"{TRIAL_RATE / busy * whole:.0f} events a second (load {machine_load()})"
    print(f"capacity: {told}", file=sys.stderr, flush=True)
    return TRIAL_RATE / busy * whole


def _by_minute(lane: Lane) -> list[float]:
    """The 99th percentile of each whole minute, milliseconds."""
    found: dict[int, list[float]] = defaultdict(list)
    first = min((one.due for one in lane.answers), default=0.0)
    for one in lane.answers:
        found[int((one.due - first) // 60)].append(one.milliseconds)
    return [percentile(found[minute], 0.99) for minute in sorted(found)]


def _problems(
    sent: list[Lane], watch: Watch, counts: dict[str, int], completed: list[float], minutes: float
) -> list[str]:
    found = [
        f"{lane.name}: {len(lane.refusals)} errors, {lane.refusals[0]}" for lane in sent if lane.refusals
    ]
    found += [f"{name}: {counts[name]}" for name in ("events_failed", "deliveries_failed") if counts[name]]
    found += [f"{lane.name} becomes slower: p99 {_by_minute(lane)}" for lane in sent
              if len(lane.answers) > 100 * minutes and minutes >= 3 and grew(_by_minute(lane))]
    if minutes >= 3 and grew(completed):
        found.append(f"events are completed later and later: p99 {[round(ms) for ms in completed]}")
    if not counts["expiries"] and minutes > 2:
        found.append("nothing expired, so this was not the load it claims to be")
    return found + list(watch.problems(minutes))


def _told(
    sent: list[Lane], watch: Watch, counts: dict[str, int], completed: list[float], rate: float, begun: float
) -> dict[str, Any]:
    return {
        "rate": round(rate), "seconds": round(time.time() - begun), "load": machine_load(),
        "errors": sum(len(lane.refusals) for lane in sent), **counts,
        "requests": {lane.name: len(lane.answers) for lane in sent},
        "p99_ms_by_minute": {lane.name: _by_minute(lane) for lane in sent},
        "completed_p99_ms_by_minute": [round(ms) for ms in completed],
        "memory_mib_and_slope_per_10_minutes": {
            name: [round(readings[-1][1] / 1024, 1), f"{slope_per_10_minutes(readings):+.2%}"]
            for name, readings in watch.memory.items()
        },
        "dead_rows_share_max": {name: round(max(shares), 3) for name, shares in sorted(watch.dead.items())},
        "queues": {name: [min(counts), max(counts), counts[-1]] for name, counts in watch.queues.items()},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
