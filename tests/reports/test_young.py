"""What is young is not rolled up yet: a report that ends a moment ago need not read its hour anew."""

from datetime import datetime, timedelta

from app import db
from app.book import report_marks, reports
from app.book.reports import Scope
from app.domain.reports import Cell
from app.flows import report_rollups, seal
from app.flows.report_rollups import YOUNG, Ended
from tests.reports.conftest import ENTRIES
from tests.reports.journal import Journal

FRESH = 40
MOMENT = timedelta(seconds=3)


def cells(journal: Journal, instant: datetime) -> list[Cell]:
    """The sums through an instant, in an order of their own."""
    with db.transaction() as c:
        reports.begin(c)
        return sorted(reports.cells_through(c, Scope(journal.organization), instant), key=str)


def mark(journal: Journal) -> int:
    """How many entries are rolled up."""
    with db.transaction() as c:
        found: int = report_marks.read(c, journal.organization, "sequence_number")["mark"]
        assert report_marks.read(c, journal.organization, "details_number")["mark"] == found
        return found


def test_entries_are_rolled_up_when_they_have_become_old(journal: Journal) -> None:
    with db.transaction() as c:
        now = db.read_clock(c)
        journal.write(c, journal.make(now - 2 * MOMENT + n * MOMENT / FRESH for n in range(FRESH)))
    while seal.run():
        pass
    ends = now - MOMENT
    live = cells(journal, ends)
    while report_rollups.run(YOUNG):
        pass
    assert mark(journal) == ENTRIES
    assert cells(journal, ends) == live
    with db.transaction() as c:
        row = c.execute("SELECT max(last_at) AS last_at FROM report_cells").fetchone()
        assert row is not None
        assert row["last_at"] <= ends, "else the hour of `ends` is read from the journal"
        c.execute("UPDATE clock SET ahead = ahead + %s", (YOUNG,))
    while report_rollups.run(YOUNG):
        pass
    assert mark(journal) == ENTRIES + FRESH
    assert cells(journal, ends) == live


def test_a_young_entry_keeps_older_ones_behind_it_waiting(journal: Journal) -> None:
    with db.transaction() as c:
        now = db.read_clock(c)
        journal.write(c, journal.make([now]))
    while seal.run():
        pass
    with db.transaction() as c:
        journal.write(c, journal.make([now - timedelta(hours=1)]))
    while seal.run():
        pass
    while report_rollups.run(YOUNG):
        pass
    assert mark(journal) == ENTRIES, "marks are places in the chain, and pass nothing"


def test_what_had_ended_is_known_once_somebody_looked_long_enough_ago() -> None:
    seen = Ended()
    assert seen.before(5, timedelta(hours=1)) == 0
    assert seen.before(7, timedelta(hours=1)) == 0
    assert seen.before(9, timedelta(0)) == 9
    assert seen.before(11, timedelta(hours=1)) == 0
