"""How long reports take on journals of 100,000 and of 1,000,000 entries, all but a tail rolled up.

Each size is an organization of its own, made by SQL: two years, two programs, two assets, ten rules, a person
for every twenty entries; half of the entries have an event with its decision. Every figure is the median of
five runs. Beside them stands what one would write first: the same liability added up from the postings.

    python3 dev.py bench reports [entries …] [--json]
"""

import json
import os
import statistics
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

import psycopg

from app import db
from app.book import report_details, report_rollups
from app.book.reports import Scope
from app.domain.ids import new_id
from app.domain.periods import Granularity
from app.flows import report_breakage, report_rules, reports, verify
from app.flows.reports import Span, clock
from app.settings import settings
from app.store import organizations, report_events
from bench.system import system

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 730
ENTRIES_PER_PERSON = 20
_TABLES = (
    "journal_entries", "postings", "journal_seals", "lots", "lot_movements", "events", "decisions",
    "accounts", "report_cells", "report_lots", "report_lot_cells", "report_vintages", "report_events",
    "report_rule_days",
)
RUNS = 5
STEP = 5_000
TAIL = 2_000  # Entries that are sealed but not rolled up: what ten seconds at 200 a second leave.

_SETUP = """
INSERT INTO owners (organization_id, id, kind)
    SELECT %(o)s, id, 'PROGRAM' FROM unnest(%(programs)s::uuid[]) id;
INSERT INTO programs (organization_id, id, name, created_at, updated_at)
    SELECT %(o)s, id, 'Program', %(start)s, %(start)s FROM unnest(%(programs)s::uuid[]) id;
INSERT INTO assets (organization_id, id, name, symbol, inventory_mode, issuance_policy, scale,
    issuance_account, breakage_account, redemption_account, created_at, updated_at)
    SELECT %(o)s, id, 'Asset', 'A' || n, 'LOT', 'UNLIMITED', 2, -n * 10, -n * 10 - 1, -n * 10 - 2, %(start)s,
        %(start)s FROM unnest(%(assets)s::uuid[]) WITH ORDINALITY AS a(id, n);
INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, updated_at)
    SELECT %(o)s, -n * 10 - k, (ARRAY['SYSTEM_ISSUANCE', 'SYSTEM_BREAKAGE', 'SYSTEM_REDEMPTION'])[k + 1],
        %(o)s, id, %(start)s
    FROM unnest(%(assets)s::uuid[]) WITH ORDINALITY AS a(id, n), generate_series(0, 2) k;
INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, available, updated_at)
    SELECT %(o)s, i * 10 + n, 'PARTICIPANT', md5(%(o)s::text || i)::uuid, id, i %% 7, %(start)s
    FROM unnest(%(assets)s::uuid[]) WITH ORDINALITY AS a(id, n), generate_series(1, %(people)s) i;
"""

# The id of an entry as TimeOrdered makes it: milliseconds, version, microseconds, variant, a number.
_RULES = """
INSERT INTO rules (organization_id, id, program_id, name, condition, actions, position, history_id,
    created_at, updated_at)
    SELECT %(o)s, gen_random_uuid(), (%(programs)s::uuid[])[1], 'Rule ' || n, 'true', '[]', n,
        gen_random_uuid(), %(start)s, %(start)s
    FROM generate_series(1, 10) n;
"""

_ENTRIES = """
CREATE TEMP TABLE made AS
SELECT i, t, ((lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(us), 3, '0') || '8' || lpad(to_hex(i), 13, '0')
        || '00')::uuid) AS id,
    1 + i %% 2 AS asset, 1 + (i / 2) %% 2 AS program, 1 + (i::bigint * 7919 %% %(people)s)::int AS person,
    i %% 20 AS dice
FROM (SELECT i, t, floor(extract(epoch FROM t) * 1000)::bigint AS ms,
        (floor(extract(epoch FROM t) * 1000000)::bigint %% 1000)::int AS us
    FROM (SELECT i, %(start)s + i * (interval '730 days' / %(count)s) AS t
        FROM generate_series(1, %(count)s) i) x) y;
INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type, event_seq, created_at)
SELECT %(o)s, id, (%(programs)s::uuid[])[program], (%(assets)s::uuid[])[asset],
    CASE WHEN dice < 12 THEN 'CREDIT' WHEN dice < 16 THEN 'REDEMPTION' WHEN dice < 18 THEN 'EXPIRATION'
        WHEN dice < 19 THEN 'HOLD' ELSE 'ADJUST_DEBIT' END, NULL, t
FROM made;
INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
SELECT %(o)s, id, line, account, bucket, amount FROM made CROSS JOIN LATERAL (VALUES
    (1, CASE WHEN dice < 12 THEN -asset * 10 ELSE person * 10 + asset END, 'AVAILABLE', -(1 + i %% 500)),
    (2, CASE WHEN dice < 12 OR dice = 18 THEN person * 10 + asset WHEN dice < 16 THEN -asset * 10 - 2
        WHEN dice < 18 THEN -asset * 10 - 1 ELSE -asset * 10 END,
        CASE WHEN dice = 18 THEN 'HELD' ELSE 'AVAILABLE' END, 1 + i %% 500)
) p(line, account, bucket, amount);
INSERT INTO journal_seals (organization_id, sequence_number, entry_id, entry_hash, sealed_at)
SELECT %(o)s, i, id, sha256(''), t FROM made;
INSERT INTO lots (organization_id, id, account_id, entry_id, program_id, bucket, amount, remaining,
    created_at, expires_at)
SELECT %(o)s, id, person * 10 + asset, id, (%(programs)s::uuid[])[program], 'AVAILABLE', 10,
    CASE WHEN m.dice < 6 AND %(user)s <= %(count)s THEN 0 ELSE 10 END, t,
    %(now)s + (i %% 700 + 1) * interval '1 day'
FROM made m WHERE dice < 12;
INSERT INTO lot_movements (organization_id, entry_id, line, lot_id, kind, amount)
SELECT %(o)s, id, 1, id, 'CREATED', 10 FROM made WHERE dice < 12;
INSERT INTO lot_movements (organization_id, entry_id, line, lot_id, kind, amount)
SELECT %(o)s, u.id, 1 + m.i %% 13, m.id, CASE WHEN u.dice < 16 THEN 'CONSUMED' ELSE 'EXPIRED' END, -10
FROM made m JOIN made u ON u.i = %(user)s WHERE m.dice < 6;
INSERT INTO events (organization_id, seq, id, program_id, event_type, participant_id, idempotency_key,
    event_timestamp, created_at, event_data, partition, transaction_id)
SELECT %(o)s, %(seq)s + i, id, (%(programs)s::uuid[])[program], 'EXTERNAL', %(o)s, i::text, t, t,
    '{"type": "purchase", "amount": 10}', 0, %(transaction)s
FROM made WHERE i %% 2 = 0;
INSERT INTO decisions (organization_id, event_seq, commit_order, decided_at, status, ruleset_version,
    evaluations, transaction_id)
SELECT %(o)s, %(seq)s + i, i, t, 'COMPLETED', 0, jsonb_build_array(
        jsonb_build_array(r.low + i %% 10, 'SUCCESS', NULL, NULL, NULL, '[{"amount": "10.00"}]'::jsonb),
        jsonb_build_array(r.low + (i + 1) %% 10, 'SKIPPED_ERROR', NULL, 'no such key: event.kind')),
    %(transaction)s
FROM made, (SELECT min(number) AS low FROM rules WHERE organization_id = %(o)s) r WHERE i %% 2 = 0;
DROP TABLE made;
"""

# What uses up the lot of an entry, some months later; and the transactions of its event.
_PARTS = {
    "user": "(m.i + 12 + 20 * (%(count)s / 480 * (m.i %% 13)))",
    "transaction": "CASE WHEN i > %(count)s - %(tail)s THEN pg_current_xact_id()::text::bigint"
    " ELSE %(first)s + i / 10000 END",
}

STRAIGHT = "liability, as_of, from the postings"
_STRAIGHT = """
SELECT a.asset_id, p.bucket, sum(p.amount) FROM postings p
JOIN journal_entries j ON j.organization_id = p.organization_id AND j.id = p.entry_id
JOIN accounts a ON a.organization_id = p.organization_id AND a.id = p.account_id
WHERE p.organization_id = %s AND j.created_at < %s AND a.owner_type = 'PARTICIPANT' GROUP BY 1, 2
"""
_SETTLED = "UPDATE seal_horizon SET transaction_id = pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


def make(count: int, first: int) -> UUID:
    """Make an organization with a journal of `count` entries, sealed, all but the tail rolled up.

    Its events are of transactions from `first` on, one for 10,000 entries.
    """
    organization_id = new_id()
    values = {
        "o": organization_id, "programs": [new_id(), new_id()], "assets": [new_id(), new_id()],
        "start": START, "people": count // ENTRIES_PER_PERSON, "count": count, "now": clock(None),
        "tail": TAIL, "first": first, "seq": first * 1_000_000,
    }
    entries = _ENTRIES
    for name, text in _PARTS.items():
        entries = entries.replace(f"%({name})s", text)
    with db.transaction() as c:
        c.execute("SET LOCAL statement_timeout = 0")
        organizations.insert(
            c, organization_id=organization_id, name="Bench", rate_limit_per_second=0, rate_limit_burst=0,
            now=db.read_clock(c),
        )
        psycopg.ClientCursor(c).execute(_SETUP + _RULES + entries, values)
    with db.transaction() as c:
        c.execute(_SETTLED)
    began = time.perf_counter()
    for place in range(0, count - TAIL, STEP):
        with db.transaction() as c:
            report_rollups.roll_up(c, organization_id, min(STEP, count - TAIL - place))
    for place in range(0, count - TAIL, STEP):
        with db.transaction() as c:
            report_details.roll_up(c, organization_id, min(STEP, count - TAIL - place))
    with db.transaction() as c:
        c.execute("SET LOCAL statement_timeout = 0")
        report_events.roll_up(c, first, first + count // 10_000 + 1)
        report_rules.roll_up(c, first, first + count // 10_000 + 1)
        report_events.move_horizon(c, first + count // 10_000 + 1)
    print(f"rolled up {count - TAIL:,} entries in {time.perf_counter() - began:.1f} s", file=sys.stderr)
    with db.connection() as c:
        # What autovacuum does after such a load, done now.
        for table in _TABLES:
            c.execute(f"VACUUM ANALYZE {table}")
    return organization_id


def cases(organization_id: UUID) -> dict[str, Callable[[], object]]:
    """Return the reports to measure, at awkward instants."""
    scope = Scope(organization_id)
    odd = START + timedelta(days=500, hours=7, minutes=13, microseconds=77)
    span = Span(START + timedelta(days=91, minutes=1), odd)
    month = Span(odd - timedelta(days=30), odd)
    ahead = Span(clock(None), clock(None) + timedelta(days=365))
    return {
        "ledger summary": lambda: reports.ledger_summary(scope, None, clock(None)),
        "ledger summary, window": lambda: reports.ledger_summary(scope, span, clock(None)),
        "program activity": lambda: reports.program_activity(organization_id, None, None, clock(None)),
        "program activity, window": lambda: reports.program_activity(
            organization_id, span, None, clock(None)
        ),
        "liability": lambda: reports.liability(scope, clock(None)),
        "liability, as_of, by bucket": lambda: reports.liability(scope, odd, by_bucket=True),
        "liability rollforward": lambda: reports.rollforward(scope, span),
        "deferred revenue": lambda: reports.deferred_revenue(scope, span, Decimal("0.01")),
        "expiration schedule": lambda: reports.expiration_schedule(scope, ahead, Granularity.MONTH),
        "breakage": lambda: report_breakage.report(scope, clock(None)),
        "rules, 30 days": lambda: report_rules.rules(scope, month, clock(None)),
        "rules, two years": lambda: report_rules.rules(
            scope, Span(START, START + timedelta(days=DAYS)), clock(None)
        ),
        "integrity": lambda: verify.latest(organization_id, 1000),
    }


def measure(run: Callable[[], object]) -> float:
    """Return the median time of a report in milliseconds."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def straight(organization_id: UUID) -> None:
    """The naive liability: every posting of people before an instant, added up."""
    odd = START + timedelta(days=500, hours=7, minutes=13, microseconds=77)
    with db.connection() as c:
        c.execute(_STRAIGHT, (organization_id, odd)).fetchall()


def main(argv: list[str]) -> int:
    """Print a table: a report a row, a size a column. The database is one of its own."""
    parser = ArgumentParser(prog="dev.py bench reports", description=__doc__)
    parser.add_argument("entries", nargs="*", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    asked = parser.parse_args(argv)
    with system(lambda text: print(text, file=sys.stderr)) as made:
        # The stage is set with SQL that only the owner of the tables may run.
        os.environ["DATABASE_URL"] = made.values["MIGRATION_DATABASE_URL"]
        settings.cache_clear()
        db.engine.cache_clear()
        columns = measured(asked.entries)
    if asked.json:
        print(json.dumps({"entries": asked.entries, "ms": {
            name: [round(column[name], 1) for column in columns] for name in columns[0]
        }}))
        return 0
    heads = "".join(f"{size:>12,}" for size in asked.entries)
    print(f"{'report (median of 5, ms)':<36}{heads}   growth")
    for name in columns[0]:
        growth = columns[-1][name] / columns[0][name]
        print(f"{name:<36}" + "".join(f"{column[name]:>12.0f}" for column in columns) + f"{growth:>8.1f}x")
    return 0


def measured(sizes: list[int]) -> list[dict[str, float]]:
    """Milliseconds by report, for each size."""
    columns, first = [], 1
    for size in sizes:
        made = make(size, first)
        columns.append({name: measure(run) for name, run in cases(made).items()})
        columns[-1][STRAIGHT] = measure(partial(straight, made))
        first += size // 10_000 + 1
    return columns


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
