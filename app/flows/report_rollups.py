"""Rolling up for reports, step by step, each step one transaction: sealed entries, events, decisions."""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from app.book import report_details, report_marks, report_rollups
from app.db import Connection, read_clock, transaction
from app.domain.ids import lowest_id
from app.flows import report_rules
from app.store import report_events
from app.store import report_rules as rules_store

# What is younger stays for reports to add. One whose window ended a moment ago, as the clocks of callers have
# it, would find its hour rolled up beyond that end, and read the whole hour from the journal instead.
YOUNG = timedelta(seconds=10)

ENTRIES_PER_STEP = 5_000
STEPS_PER_RUN = 40  # Then other organizations, and other work, have their turn.

TRANSACTIONS_FIRST = 200  # Looked at in one step; more over gaps, fewer where they are full.
TRANSACTIONS_MAX = 1_000_000
DECISIONS_WANTED = 10_000
ROWS_MAX = 20_000  # Of events, and of decisions, in one step; one transaction with more is a step of its own.

Step = Callable[[Connection, UUID, int, UUID | None], bool]
_STEPS: dict[report_marks.Mark, Step] = {
    "sequence_number": report_rollups.roll_up, "details_number": report_details.roll_up,
}


def run(young: timedelta | None = None) -> bool:
    """Roll up what is there, each kind and organization for a while; returns whether more is left.

    What is younger than `young` is left alone.
    """
    with transaction() as c:
        before = None if young is None else lowest_id(read_clock(c) - young)
        ended = None if young is None else _ended.before(report_events.settled(c), young)
    left = [_follow_commits(ended)]
    with transaction() as c:
        behind = report_marks.behind(c)
    left += [_roll_up(_STEPS[mark], organization_id, before) for mark, organization_id in behind]
    return any(left)


def _roll_up(step: Step, organization_id: UUID, before: UUID | None) -> bool:
    for _ in range(STEPS_PER_RUN):
        with transaction() as c:
            if not step(c, organization_id, ENTRIES_PER_STEP, before):
                return False
    return True


class Ended:
    """Below which number all transactions had ended, as this process saw it some time ago."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def before(self, settled: int, age: timedelta) -> int:
        """Note where it stands, and return where it stood so long ago; 0 where nobody looked then."""
        now = time.monotonic()
        self._seen.append((now, settled))
        limit = now - age.total_seconds()
        while len(self._seen) > 1 and self._seen[1][0] <= limit:
            self._seen.popleft()
        at, stood = self._seen[0]
        return stood if at <= limit else 0


_ended = Ended()


def _follow_commits(ended: int | None) -> bool:
    """Count events and tally decisions in the order of their transactions, then look at the budgets."""
    transactions = TRANSACTIONS_FIRST
    more = True
    for _ in range(STEPS_PER_RUN):
        with transaction() as c:
            found, more = follow_step(c, transactions, ended)
        if not more:
            break
        if found > 2 * DECISIONS_WANTED:
            transactions = max(transactions // 2, 1)
        elif found < DECISIONS_WANTED // 2:
            transactions = min(transactions * 2, TRANSACTIONS_MAX)
    with transaction() as c:
        rules_store.note_budgets(c, read_clock(c))
    return more


def follow_step(c: Connection, transactions: int, ended: int | None = None) -> tuple[int, bool]:
    """Roll up the next transactions; returns how many rows they wrote, and whether more have ended.

    With `ended`, only transactions below that number.
    """
    low, settled = report_events.lock_horizon(c)
    if low > settled:
        # The database was restored into another server, where transactions are numbered anew.
        report_events.forget(c)
        rules_store.forget(c)
        report_events.move_horizon(c, -1)
        return 0, True
    if ended is not None:
        settled = min(settled, ended)
    high = 0 if low < 0 else _shortened(c, low, min(low + transactions, settled))
    if high <= low:
        return 0, False
    if high <= low + 1:
        # One transaction, or everything from before there were numbers: there is no smaller step.
        c.execute("SET LOCAL statement_timeout = 0")
    found = report_events.roll_up(c, low, high) + report_rules.roll_up(c, low, high)
    report_events.move_horizon(c, high)
    return found, high < settled


def _shortened(c: Connection, low: int, high: int) -> int:
    """Return the end of a step from `low` that has no more than ROWS_MAX, or is one transaction."""
    while high > low + 1 and report_events.more_than(c, low, high, ROWS_MAX):
        high = low + (high - low) // 2
    return high
