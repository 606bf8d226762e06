"""An hour in which much happens: what reports through any of its instants say, and which side they read."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app import db
from app.book import reports
from app.book.reports import Scope
from app.domain.reports import ends_nearer
from app.flows import seal
from app.store import report_events
from tests.api.client import Caller
from tests.events.scene import PURCHASE, credit, open_scene
from tests.reports.conftest import roll_up_everything
from tests.reports.journal import Journal
from tests.timeline import Timeline, real_clock_after

HOUR = datetime(2024, 5, 5, 7, tzinfo=UTC)
MINUTE, MICROSECOND = timedelta(minutes=1), timedelta(microseconds=1)
INSTANTS = [HOUR + number * MINUTE for number in range(-1, 62)] + [
    instant + side for instant in (HOUR, HOUR + 30 * MINUTE, HOUR + 60 * MINUTE)
    for side in (-MICROSECOND, MICROSECOND)
]
Sums = dict[tuple[Any, ...], tuple[Decimal, int]]


def told(journal: Journal, instant: datetime) -> Sums:
    """What a report through an instant is made of."""
    found: Sums = defaultdict(lambda: (Decimal(0), 0))
    with db.transaction() as c:
        reports.begin(c)
        for cell in reports.cells_through(c, Scope(journal.organization), instant):
            key = (cell.asset_id, cell.program_id, cell.action_type, cell.owner_type, cell.bucket)
            amount, entries = found[key]
            found[key] = amount + cell.amount, entries + cell.entries
            assert cell.last_at is None or cell.last_at <= instant
    return {key: sums for key, sums in found.items() if any(sums)}


def recounted(journal: Journal, instant: datetime) -> Sums:
    """The same from what was written."""
    found: Sums = defaultdict(lambda: (Decimal(0), 0))
    for fact in journal.facts:
        for place, line in enumerate(fact.lines if fact.at <= instant else ()):
            key = (fact.asset, fact.program, fact.kind, line.owner_type, line.bucket)
            amount, entries = found[key]
            found[key] = amount + line.amount, entries + (place == 0)
    return {key: sums for key, sums in found.items() if any(sums)}


def happen(journal: Journal, count: int) -> None:
    """Write entries all over the hour."""
    with db.transaction() as c:
        journal.write(c, journal.grow(count, HOUR, 60 * MINUTE))


@pytest.mark.parametrize("late", ["nothing", "sealed entries", "entries"])
def test_sums_are_exact_on_either_side_of_the_hour(journal: Journal, late: str) -> None:
    happen(journal, 300)
    roll_up_everything()
    if late != "nothing":
        happen(journal, 100)
    if late == "sealed entries":
        while seal.run():
            pass
    for instant in INSTANTS:
        assert told(journal, instant) == recounted(journal, instant), instant


def test_the_side_of_which_less_must_be_read_is_read() -> None:
    last = HOUR + 59 * MINUTE
    sides = [ends_nearer(HOUR + number * MINUTE, HOUR, last) for number in range(60)]
    assert sides == [number > 29 for number in range(60)]
    assert ends_nearer(HOUR + 2 * MINUTE, HOUR, HOUR + MINUTE), "this hour, whatever has happened in it"
    assert not ends_nearer(HOUR + MINUTE, HOUR, None), "nothing of it is rolled up"


def test_events_are_counted_on_either_side_of_the_hour(api: Caller) -> None:
    with real_clock_after():
        time = Timeline("2126-05-05T06:59")
        scene = open_scene(api)
        scene.rule(PURCHASE, credit("1"))
        start, moments = time.now, []
        for number in range(40):
            if number == 30:
                roll_up_everything()  # What follows is not rolled up.
            time.go(start + number * 1.7 * MINUTE)
            scene.send()
            moments.append(time.now)
        for number in range(-1, 70):
            instant = start + number * MINUTE
            with db.transaction() as c:
                reports.begin(c)
                found = report_events.through(c, api.organization_id, instant)
            count = sum(moment <= instant for moment in moments)
            assert found.get(UUID(scene.program), 0) == count, number
