"""The checks of chaos, of the demonstration and of the report can fail: each on values made for it."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from app.cli import chaos_traffic, chaos_verdict
from app.cli.cdnow import Purchase, cashback_cents, expected
from app.cli.chaos_verdict import Picture
from bench.load import percentile
from bench.report import Report

CALM = Picture(
    {"a": ("COMPLETED", None)}, {"ann": (["odd"], {}, {}, Decimal(3), Decimal(0))},
    {"a": [("CREDIT", 1, True, "AVAILABLE", Decimal(3))]}, {"a": [["tag", "odd"]]},
)


def test_equal_pictures_have_no_differences() -> None:
    assert list(chaos_verdict.differences(CALM, CALM)) == []


def test_each_part_of_a_picture_is_compared() -> None:
    for other in (
        Picture({}, CALM.states, CALM.entries, CALM.history),
        Picture(CALM.outcomes, {}, CALM.entries, CALM.history),
        Picture(CALM.outcomes, CALM.states, {"a": CALM.entries["a"] * 2}, CALM.history),
        Picture(CALM.outcomes, CALM.states, CALM.entries, {"a": [["tag", "even"]]}),
    ):
        assert len(list(chaos_verdict.differences(other, CALM))) == 1


def test_a_seed_gives_the_same_events_and_requests_and_some_of_them_twice() -> None:
    events = chaos_traffic.events("program", 400, seed=5)
    assert events == chaos_traffic.events("program", 400, seed=5)
    sent = Counter(
        event["idempotency_key"] for part in chaos_traffic.requests(events, seed=5) for event in part
    )
    assert set(sent) == {event["idempotency_key"] for event in events}
    assert max(sent.values()) > 1


def test_cashback_is_whole_cents_and_half_a_cent_goes_up() -> None:
    def paid(cents: int) -> int:
        return cashback_cents(Purchase(1, "00001", datetime(1997, 1, 1, tzinfo=UTC), 1, cents))

    assert [paid(0), paid(50), paid(1177), paid(10_000), paid(10_001)] == [0, 2, 35, 300, 500]
    many = [Purchase(n, "00001", datetime(1997, 1, 1, tzinfo=UTC), 1, 10_000) for n in range(3)]
    assert expected(many) == {"00001": 900}


def test_a_floor_that_is_missed_is_told() -> None:
    report = Report(as_json=True)
    report.figures = {"drain 2": {"events_per_second": 390, "worker_cpu_us": 100.0, "postgres_cpu_us": 100.0},
                      "limit process": {"events_per_second": 1000, "postgres_cpu_us": 90.0}}
    verdicts = [(line.value, line.met) for line in report.lines()]
    assert verdicts == [(0.39, False), (0.45, True)]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([5, 1, 3], 0.5) == 3
    assert percentile([5, 1, 3], 0.99) == 5
    assert percentile([], 0.5) == 0
