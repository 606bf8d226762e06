"""The recount of every report once more, on a journal of 1,000,000 entries over two years; nightly.

All but the last entries are sealed and rolled up, as in a system that runs.
"""

import gc
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app import db
from app.flows import report_check, verify
from tests.api.client import Caller
from tests.reports import test_recount as recounts
from tests.reports.conftest import roll_up_everything
from tests.reports.journal import SPAN, START, Journal

ENTRIES = 1_000_000
PER_STEP = 5_000
TAIL = 2_000
PEOPLE = 500

RECOUNTS: list[Callable[[Journal, Caller], Any]] = [
    recounts.test_liability, recounts.test_liability_of_one_program_and_asset, recounts.test_rollforward,
    recounts.test_the_lines_of_every_month_lead_from_opening_to_closing, recounts.test_deferred_revenue,
    recounts.test_ledger_summary, recounts.test_ledger_summary_of_one_program,
    recounts.test_program_activity,
]


@pytest.mark.nightly
def test_every_report_equals_the_recount_of_a_million_entries(api: Caller) -> None:
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:7.0f} s  {what}", flush=True)

    journal = Journal(api.organization_id, people=PEOPLE)
    with db.transaction() as c:
        journal.create(c)
    steps = ENTRIES // PER_STEP
    for step in range(steps):
        count = PER_STEP - (TAIL if step == steps - 1 else 0)
        with db.transaction() as c:
            journal.write(c, journal.grow(count, START + SPAN * step / steps, SPAN / steps))
        gc.freeze()  # A million facts stay; looking through them for garbage takes seconds each time.
        if step % 2:
            roll_up_everything()
    roll_up_everything()
    with db.transaction() as c:
        journal.write(c, journal.grow(TAIL, START + SPAN - timedelta(days=40), timedelta(days=40)))
    say(f"{len(journal.facts):,} entries are written, all but {TAIL:,} rolled up")
    assert len(journal.facts) == ENTRIES
    for recount in RECOUNTS:
        recount(journal, api)
        say(recount.__name__)
    assert [check for check in report_check.run(api.organization_id) if check.violations] == []
    say("the check of the roll-ups")
    assert verify.latest(api.organization_id, 10_000)["hash_chain"]["pass"]
    say("the integrity report")
