"""The page of metrics, for Prometheus. It needs no key: put it behind the proxy's rules where that matters.

Counts of all processes meet in Redis (app/observe.py, app/api/measures.py) or are read from PostgreSQL when
the page is asked for; what a server that is away would have said is left out.
"""

from collections import defaultdict
from collections.abc import Iterator

import psycopg
import sqlalchemy.exc
from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from redis import RedisError

from app.api.measures import BUCKETS_SECONDS, HASH, numbers_in
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain.names import EvaluationStatus
from app.flows.backlog import DEPTH_KEY
from app.observe import COUNTS
from app.queue import client
from app.store import vitals

RESCUES_KEY = "florin:sweeper_rescues"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What an alarm may stand on is there before it first happens.
_FROM_THE_START = {
    "invariant_violations": 0, "request_logs_dropped": 0,
    "webhook_deliveries|delivered": 0, "webhook_deliveries|failed": 0,
    **{f"rule_evaluations|{status}": 0 for status in EvaluationStatus},
}


class _Collector:
    """Reads everything once a scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of both servers."""
        try:
            yield from _of_redis()
            redis_up = 1
        except (RedisError, OSError):
            redis_up = 0
        try:
            yield from _of_database()
            database_up = 1
        except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError):
            database_up = 0
        up = GaugeMetricFamily("florin_server_up", "Whether a server answers.", labels=["server"])
        up.add_metric(["redis"], redis_up)
        up.add_metric(["postgresql"], database_up)
        yield up


def _of_redis() -> Iterator[Metric]:
    redis = client()
    counts = numbers_in(redis, COUNTS)
    yield from http_metrics(numbers_in(redis, HASH))
    yield GaugeMetricFamily(
        "florin_queue_depth", "Events that wait to be processed.", value=int(redis.get(DEPTH_KEY) or 0)
    )
    rescues = int(redis.get(RESCUES_KEY) or 0)
    yield CounterMetricFamily("florin_sweeper_rescues", "Partitions that the sweeper rang.", value=rescues)
    named: dict[str, dict[str, int]] = defaultdict(dict)
    for field, number in {**_FROM_THE_START, **counts}.items():
        name, _, outcome = field.partition("|")
        named[name][outcome] = number
    for name, outcomes in sorted(named.items()):
        labelled = any(outcomes)
        described = name.replace("_", " ").capitalize() + "."
        family = CounterMetricFamily(
            f"florin_{name}", described, labels=["outcome"] if labelled else []
        )
        for outcome, number in sorted(outcomes.items()):
            family.add_metric([outcome] if labelled else [], number)
        yield family


def http_metrics(stored: dict[str, int]) -> Iterator[Metric]:
    """Yield requests and latencies from the merged counts of the web processes."""
    requests = CounterMetricFamily(
        "florin_http_requests", "Answered requests.", labels=["method", "route", "status"]
    )
    buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    sums: dict[str, float] = defaultdict(float)
    for field, number in sorted(stored.items()):
        name, _, what = field.rpartition("|")
        method, _, pattern = name.partition(" ")
        if what == "sum":
            sums[name] += number / 1_000_000
        elif what.startswith("b"):
            buckets[name][int(what[1:])] += number
        else:
            requests.add_metric([method, pattern, what], number)
    yield requests
    latency = HistogramMetricFamily(
        "florin_http_request_duration_seconds", "Time to answer.", labels=["method", "route"]
    )
    for name, counted in buckets.items():
        method, _, pattern = name.partition(" ")
        total = 0
        cumulative: list[tuple[str, float]] = []
        for bound, number in zip([*map(str, BUCKETS_SECONDS), "+Inf"], counted, strict=True):
            total += number
            cumulative.append((bound, total))
        latency.add_metric([method, pattern], cumulative, sums[name])
    yield latency


def _of_database() -> Iterator[Metric]:
    with connection() as c:
        found = vitals.read(c)
    accepted, decided = found.inserted.get("events", 0), found.inserted.get("decisions", 0)
    yield CounterMetricFamily("florin_events_accepted", "Events written.", value=accepted)
    family = CounterMetricFamily("florin_events_decided", "Events decided.", labels=["status"])
    family.add_metric(["COMPLETED"], max(0, decided - found.failed))
    family.add_metric(["FAILED"], found.failed)
    yield family
    entries = found.inserted.get("journal_entries", 0)
    yield CounterMetricFamily("florin_journal_entries", "Journal entries written.", value=entries)
    yield GaugeMetricFamily(
        "florin_event_oldest_waiting_seconds", "Age of the oldest waiting event.",
        value=found.oldest_waiting_seconds,
    )
    if found.completion_seconds is not None:
        lag = GaugeMetricFamily(
            "florin_event_completion_seconds", "From receipt to decision, of the last events.",
            labels=["quantile"],
        )
        for quantile, seconds in zip(("0.5", "0.9", "0.99"), found.completion_seconds, strict=True):
            lag.add_metric([quantile], seconds)
        yield lag


@route(
    "GET", "/metrics", summary="Metrics", tag="Health", responses={200: None}, public=True,
    produces="text/plain",
    description="Prometheus text. Needs no key; keep it inside by the rules of your proxy.",
)
def metrics(request: Request) -> Reply:
    """Return the metrics of the whole installation."""
    registry = CollectorRegistry()
    registry.register(_Collector())
    return Reply(200, text=generate_latest(registry).decode(), content_type=CONTENT_TYPE)
